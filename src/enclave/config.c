/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "codec/json.h"
#include "net/frame.h"

#define RELAY_DEFAULT  "vsock:3:8000" /* the parent, where vsock-proxy listens by habit */
#define LISTEN_DEFAULT "vsock:any:5000"

/* The parse of one object: which document, what to call it, where a failure goes. */
struct section {
    const struct json *doc;
    json_value object;
    const char *name;
    struct error *err;
};

static bool wrong(const struct section *s, const char *member, const char *want)
{
    return error_set(s->err, ERROR_CONFIG, "%s%s%s: %s", s->name, *s->name ? "." : "", member,
                     want);
}

/* A member absent leaves *out as it is. */
static bool read_number(const struct section *s, const char *member, int64_t min, int64_t max,
                        int64_t *out)
{
    json_value v = json_member(s->doc, s->object, member);
    if (v == JSON_NONE)
        return true;
    int64_t number;
    if (json_int64(s->doc, v, &number) && number >= min && number <= max) {
        *out = number;
        return true;
    }
    char want[80];
    snprintf(want, sizeof want, "must be an integer from %lld to %lld", (long long)min,
             (long long)max);
    return wrong(s, member, want);
}

static bool read_seconds(const struct section *s, const char *member, int64_t max, int64_t *ms)
{
    int64_t seconds = *ms / 1000;
    if (!read_number(s, member, 1, max, &seconds))
        return false;
    *ms = seconds * 1000;
    return true;
}

static bool read_text(const struct section *s, const char *member, char *out, size_t size)
{
    json_value v = json_member(s->doc, s->object, member);
    if (v == JSON_NONE)
        return true;
    BUFFER_AUTO text;
    buffer_init(&text, size - 1);
    if (!json_string(s->doc, v, &text) || text.len == 0 || memchr(text.at, 0, text.len) != NULL) {
        char want[80];
        snprintf(want, sizeof want, "must be a string of 1 to %zu bytes", size - 1);
        return wrong(s, member, want);
    }
    memcpy(out, text.at, text.len);
    out[text.len] = '\0';
    return true;
}

static bool read_address(const struct section *s, const char *member, const char *otherwise,
                         struct address *out)
{
    char text[ADDRESS_TEXT_MAX];
    snprintf(text, sizeof text, "%s", otherwise);
    struct error cause = {0};
    if (!read_text(s, member, text, sizeof text))
        return false;
    return address_parse(out, text, &cause) || wrong(s, member, cause.cause);
}

static bool only_known(const struct section *s, const char *const *known)
{
    for (json_value m = json_first(s->doc, s->object); m != JSON_NONE;
         m = json_next(s->doc, s->object, m)) {
        bool found = false;
        for (const char *const *k = known; *k != NULL && !found; k++)
            found = json_string_is(s->doc, m, *k);
        if (!found) {
            struct bytes raw = json_raw(s->doc, m);
            return error_set(s->err, ERROR_CONFIG, "%s%s%.*s: no such setting", s->name,
                             *s->name ? "." : "", (int)(raw.len > 60 ? 60 : raw.len),
                             (const char *)raw.at);
        }
    }
    return true;
}

/* The object under member of the root; an absent one reads as empty. */
static bool enter(const struct json *doc, const char *member, const char *const *known,
                  struct section *s, struct error *err)
{
    *s = (struct section){doc, json_member(doc, 0, member), member, err};
    if (s->object == JSON_NONE)
        return true;
    if (json_type(doc, s->object) != JSON_OBJECT)
        return error_set(err, ERROR_CONFIG, "%s: must be an object", member);
    return only_known(s, known);
}

static bool parse_limits(struct config *c, const struct json *doc, struct error *err)
{
    static const char *const known[] = {"frame_bytes",   "buffered_bytes", "connections",
                                        "idle_seconds",  "frame_seconds",  "write_seconds",
                                        "drain_seconds", "json_depth",     NULL};
    struct limits *l = &c->limits;
    *l = (struct limits){
        .frame_bytes = FRAME_LIMIT,
        .connections = 4096,
        .idle_ms = 300000,
        .frame_ms = 30000,
        .write_ms = 30000,
        .drain_ms = 5000,
        .json_depth = JSON_DEPTH,
    };
    struct section s;
    int64_t frame = FRAME_LIMIT, depth = JSON_DEPTH;
    if (!enter(doc, "limits", known, &s, err) ||
        !read_number(&s, "frame_bytes", 64, FRAME_LIMIT_MAX, &frame) ||
        !read_number(&s, "connections", 1, 100000, &l->connections) ||
        !read_number(&s, "json_depth", 4, JSON_DEPTH_MAX, &depth) ||
        !read_seconds(&s, "idle_seconds", 86400, &l->idle_ms) ||
        !read_seconds(&s, "frame_seconds", 3600, &l->frame_ms) ||
        !read_seconds(&s, "write_seconds", 3600, &l->write_ms) ||
        !read_seconds(&s, "drain_seconds", 600, &l->drain_ms))
        return false;
    l->frame_bytes = (size_t)frame;
    l->json_depth = (uint32_t)depth;
    /* Room for a few of the largest requests and their answers, whatever that is. */
    int64_t buffered = frame * 8;
    if (!read_number(&s, "buffered_bytes", frame, INT64_C(1) << 40, &buffered))
        return false;
    l->buffered_bytes = (size_t)buffered;
    return true;
}

static bool take_until(struct bytes *rest, char *out, size_t size)
{
    const uint8_t *colon = rest->len > 0 ? memchr(rest->at, ':', rest->len) : NULL;
    size_t len = colon == NULL ? rest->len : (size_t)(colon - rest->at);
    if (len == 0 || len >= size)
        return false;
    memcpy(out, rest->at, len);
    out[len] = '\0';
    *rest = bytes_from(*rest, len + 1);
    return true;
}

static bool only(const char *text, const char *extra)
{
    for (; *text != '\0'; text++)
        if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) &&
            strchr(extra, *text) == NULL)
            return false;
    return true;
}

/*
 * arn:PARTITION:kms:REGION:ACCOUNT:key/ID. An alias would not do: who may move it decides which key
 * it names.
 */
static bool parse_arn(struct config *c, char partition[32])
{
    char arn[8], service[8], account[13], key[128];
    struct bytes rest = bytes_text(c->key_arn);
    return take_until(&rest, arn, sizeof arn) && strcmp(arn, "arn") == 0 &&
           take_until(&rest, partition, 32) && take_until(&rest, service, sizeof service) &&
           strcmp(service, "kms") == 0 && take_until(&rest, c->region, sizeof c->region) &&
           only(c->region, "-") && take_until(&rest, account, sizeof account) &&
           strlen(account) == 12 && strspn(account, "0123456789") == 12 &&
           take_until(&rest, key, sizeof key) && rest.len == 0 && strncmp(key, "key/", 4) == 0 &&
           key[4] != '\0' && only(key + 4, "-");
}

/* Endpoint names by partition: AWS General Reference, "AWS KMS endpoints and quotas". */
static const char *domain_of(const char *partition)
{
    static const struct {
        const char *partition, *domain;
    } rows[] = {
        {"aws", "amazonaws.com"},        {"aws-us-gov", "amazonaws.com"},
        {"aws-cn", "amazonaws.com.cn"},  {"aws-eusc", "amazonaws.eu"},
        {"aws-iso", "c2s.ic.gov"},       {"aws-iso-b", "sc2s.sgov.gov"},
        {"aws-iso-e", "cloud.adc-e.uk"}, {"aws-iso-f", "csp.hci.ic.gov"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].partition, partition) == 0)
            return rows[i].domain;
    return NULL;
}

static bool parse_context(struct config *c, const struct section *s)
{
    buffer_init(&c->encryption_context, CONFIG_CONTEXT_MAX);
    json_value v = json_member(s->doc, s->object, "encryption_context");
    if (v == JSON_NONE) {
        buffer_text(&c->encryption_context, "{}");
        return !c->encryption_context.failed || wrong(s, "encryption_context", "out of memory");
    }
    bool strings = json_type(s->doc, v) == JSON_OBJECT;
    for (json_value m = strings ? json_first(s->doc, v) : JSON_NONE; m != JSON_NONE;
         m = json_next(s->doc, v, m))
        strings = strings && json_type(s->doc, m + 1) == JSON_STRING;
    buffer_append(&c->encryption_context, json_raw(s->doc, v));
    if (!strings || c->encryption_context.failed)
        return wrong(s, "encryption_context", "must be an object of strings, at most 8192 bytes");
    return true;
}

static bool parse_kms(struct config *c, const struct json *doc, struct error *err)
{
    static const char *const known[] = {"key_arn",         "encryption_context", "endpoint",
                                        "relay",           "roots_file",         "wrapped_tsk_file",
                                        "attempt_seconds", "total_seconds",      NULL};
    struct section s;
    char partition[32];
    c->attempt_ms = 10000;
    c->total_ms = 60000;
    if (!enter(doc, "kms", known, &s, err) ||
        !read_text(&s, "key_arn", c->key_arn, sizeof c->key_arn) ||
        !read_text(&s, "endpoint", c->host, sizeof c->host) ||
        !read_text(&s, "roots_file", c->roots_file, sizeof c->roots_file) ||
        !read_text(&s, "wrapped_tsk_file", c->wrapped_tsk_file, sizeof c->wrapped_tsk_file) ||
        !read_address(&s, "relay", RELAY_DEFAULT, &c->relay) ||
        !read_seconds(&s, "attempt_seconds", 600, &c->attempt_ms) ||
        !read_seconds(&s, "total_seconds", 3600, &c->total_ms) || !parse_context(c, &s))
        return false;
    if (!parse_arn(c, partition))
        return wrong(&s, "key_arn",
                     "required: the key's own ARN, arn:aws:kms:REGION:ACCOUNT:key/ID (no alias)");
    if (c->roots_file[0] == '\0')
        return wrong(&s, "roots_file",
                     "required: a PEM file with the CA roots that KMS's "
                     "certificate must chain to");
    const char *domain = domain_of(partition);
    if (c->host[0] == '\0' && domain == NULL)
        return wrong(&s, "endpoint", "required for a partition that is not known");
    if (c->host[0] == '\0')
        snprintf(c->host, sizeof c->host, "kms.%s.%s", c->region, domain);
    if (!only(c->host, ".-"))
        return wrong(&s, "endpoint", "must be a host name in lower case, without a port");
    return true;
}

static bool parse_root(struct config *c, const struct json *doc, struct error *err)
{
    static const char *const known[] = {"listen", "kms", "rotation", "limits", NULL};
    static const char *const known_rotation[] = {"previous_key_seconds", NULL};
    struct section root = {doc, 0, "", err}, rotation;
    if (json_type(doc, 0) != JSON_OBJECT)
        return error_set(err, ERROR_CONFIG, "must be a JSON object");
    int64_t previous = 3600;
    if (!only_known(&root, known) || !read_address(&root, "listen", LISTEN_DEFAULT, &c->listen) ||
        !parse_limits(c, doc, err) || !parse_kms(c, doc, err) ||
        !enter(doc, "rotation", known_rotation, &rotation, err) ||
        !read_number(&rotation, "previous_key_seconds", 0, 31536000, &previous))
        return false;
    c->previous_key_ms = previous * 1000;
    return true;
}

bool config_parse(struct config *config, struct bytes text, const char *name, struct error *err)
{
    struct json doc;
    struct error cause = {0};
    memset(config, 0, sizeof *config);
    json_init(&doc, JSON_DEPTH);
    bool ok = json_parse(&doc, text, &cause);
    if (!ok)
        error_set(err, ERROR_CONFIG, "%s: %s (%.300s)", name, error_text(cause.code), cause.cause);
    else if (!(ok = parse_root(config, &doc, &cause)))
        error_set(err, ERROR_CONFIG, "%s: %.400s", name, cause.cause);
    json_clear(&doc);
    if (!ok)
        config_clear(config);
    return ok;
}

bool config_read_file(const char *path, struct buffer *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, ERROR_CONFIG, "cannot open %s", path);
    uint8_t chunk[4096];
    ssize_t n;
    do {
        n = read(fd, chunk, sizeof chunk);
        if (n > 0)
            buffer_append(out, bytes_of(chunk, (size_t)n));
    } while ((n > 0 && !out->failed) || (n < 0 && errno == EINTR));
    if (n < 0)
        error_set_errno(err, ERROR_CONFIG, "cannot read %s", path);
    else if (out->failed)
        error_set(err, ERROR_CONFIG, "%s: longer than %zu bytes", path, out->limit);
    close(fd);
    return n >= 0 && !out->failed;
}

bool config_load(struct config *config, const char *path, struct error *err)
{
    BUFFER_AUTO text;
    buffer_init(&text, CONFIG_FILE_MAX);
    memset(config, 0, sizeof *config);
    return config_read_file(path, &text, err) &&
           config_parse(config, buffer_bytes(&text), path, err);
}

void config_clear(struct config *config)
{
    buffer_clear(&config->encryption_context);
}
