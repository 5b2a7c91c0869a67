/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/hex.h"
#include "codec/json.h"
#include "net/frame.h"

enum kind { TEXT, ADDRESS, CONTEXT, PINS, SIZE, COUNT, NUMBER, SECONDS };

/* A member, where it goes in struct config, and what it may be. */
struct setting {
    const char *section, *member;
    enum kind kind;
    size_t offset;
    int64_t least, most; /* of a number; of a text most is the size of its array */
    int64_t number;      /* what an absent one is */
    const char *text;
};

#define AT(member) offsetof(struct config, member)

static const struct setting settings[] = {
    {"", "listen", ADDRESS, AT(listen), .text = "vsock:any:5000"},
    {"kms", "key_arn", TEXT, AT(key_arn), .most = CONFIG_ARN_MAX},
    {"kms", "endpoint", TEXT, AT(host), .most = CONFIG_HOST_MAX},
    /* the parent, where a relay listens by habit */
    {"kms", "relay", ADDRESS, AT(relay), .text = "vsock:3:8000"},
    {"kms", "roots_file", TEXT, AT(roots_file), .most = CONFIG_PATH_MAX},
    {"kms", "wrapped_tsk_file", TEXT, AT(wrapped_tsk_file), .most = CONFIG_PATH_MAX},
    {"kms", "wrapped_tsk_sha256", PINS, AT(wrapped_pins), .text = NULL},
    {"kms", "encryption_context", CONTEXT, AT(encryption_context), .text = "{}"},
    {"kms", "attempt_seconds", SECONDS, AT(attempt_ms), 1, 600, 10, NULL},
    {"kms", "total_seconds", SECONDS, AT(total_ms), 1, 3600, 60, NULL},
    {"rotation", "previous_key_seconds", SECONDS, AT(previous_key_ms), 0, 31536000, 3600, NULL},
    {"limits", "frame_bytes", SIZE, AT(limits.frame_bytes), 64, FRAME_LIMIT_MAX, FRAME_LIMIT, NULL},
    {"limits", "buffered_bytes", SIZE, AT(limits.buffered_bytes), 64, INT64_C(1) << 40, 0, NULL},
    {"limits", "connections", NUMBER, AT(limits.connections), 1, 100000, 4096, NULL},
    {"limits", "json_depth", COUNT, AT(limits.json_depth), 4, JSON_DEPTH_MAX, JSON_DEPTH, NULL},
    {"limits", "json_values", COUNT, AT(limits.json_values), 100, 1 << 28, JSON_VALUES, NULL},
    {"limits", "idle_seconds", SECONDS, AT(limits.idle_ms), 1, 86400, 300, NULL},
    {"limits", "frame_seconds", SECONDS, AT(limits.frame_ms), 1, 3600, 30, NULL},
    {"limits", "write_seconds", SECONDS, AT(limits.write_ms), 1, 3600, 30, NULL},
    {"limits", "drain_seconds", SECONDS, AT(limits.drain_ms), 1, 600, 5, NULL},
};

static const char *const sections[] = {"", "kms", "rotation", "limits"};

static bool wrong(struct error *err, const char *section, const char *member, const char *want)
{
    return error_set(err, ERROR_CONFIG, "%s%s%s: %s", section, *section ? "." : "", member, want);
}

static bool read_number(void *out, const struct setting *s, const struct json *doc, json_value v,
                        struct error *err)
{
    int64_t number = s->number;
    if (v != JSON_NONE && (!json_int64(doc, v, &number) || number < s->least || number > s->most)) {
        char want[80];
        snprintf(want, sizeof want, "must be an integer from %lld to %lld", (long long)s->least,
                 (long long)s->most);
        return wrong(err, s->section, s->member, want);
    }
    if (s->kind == SIZE)
        *(size_t *)out = (size_t)number;
    else if (s->kind == COUNT)
        *(uint32_t *)out = (uint32_t)number;
    else
        *(int64_t *)out = s->kind == SECONDS ? number * 1000 : number;
    return true;
}

static bool read_text(char *out, size_t size, const struct setting *s, const struct json *doc,
                      json_value v, struct error *err)
{
    if (v == JSON_NONE || (json_copy_string(doc, v, out, size) && out[0] != '\0'))
        return true;
    char want[80];
    snprintf(want, sizeof want, "must be a string of 1 to %zu bytes", size - 1);
    return wrong(err, s->section, s->member, want);
}

static bool read_address(struct address *out, const struct setting *s, const struct json *doc,
                         json_value v, address_parser *parse, struct error *err)
{
    char text[ADDRESS_TEXT_MAX];
    struct error cause = {0};
    snprintf(text, sizeof text, "%s", s->text);
    return read_text(text, sizeof text, s, doc, v, err) &&
           (parse(out, text, &cause) || wrong(err, s->section, s->member, cause.cause));
}

static bool read_context(struct buffer *out, const struct setting *s, const struct json *doc,
                         json_value v, struct error *err)
{
    buffer_init(out, CONFIG_CONTEXT_MAX);
    bool strings = v == JSON_NONE || json_type(doc, v) == JSON_OBJECT;
    for (json_value m = strings ? json_first(doc, v) : JSON_NONE; m != JSON_NONE;
         m = json_next(doc, v, m))
        strings = strings && json_type(doc, m + 1) == JSON_STRING;
    buffer_append(out, v == JSON_NONE ? bytes_text(s->text) : json_raw(doc, v));
    return (strings && !out->failed) ||
           wrong(err, s->section, s->member, "must be an object of strings, at most 8192 bytes");
}

static bool read_pins(struct wrapped_pins *out, const struct setting *s, const struct json *doc,
                      json_value v, struct error *err)
{
    char digits[2 * CONFIG_PIN_SIZE + 1];
    out->given = v != JSON_NONE;
    bool hashes = !out->given || json_type(doc, v) == JSON_ARRAY;
    for (json_value e = out->given && hashes ? json_first(doc, v) : JSON_NONE;
         hashes && e != JSON_NONE; e = json_next(doc, v, e))
        hashes = out->count < CONFIG_PINS_MAX && json_copy_string(doc, e, digits, sizeof digits) &&
                 strlen(digits) == 2 * CONFIG_PIN_SIZE &&
                 hex_decode(out->sha256[out->count++], bytes_text(digits));
    return hashes || wrong(err, s->section, s->member,
                           "must be a list of at most 16 SHA-256 hashes, 64 hex digits each");
}

static json_value section_of(const struct json *doc, const char *section)
{
    return *section == '\0' ? 0 : json_member(doc, 0, section);
}

static bool read_setting(struct config *c, const struct setting *s, const struct json *doc,
                         address_parser *parse, struct error *err)
{
    void *out = (char *)c + s->offset;
    json_value v = json_member(doc, section_of(doc, s->section), s->member);
    switch (s->kind) {
    case TEXT:
        return read_text(out, (size_t)s->most, s, doc, v, err);
    case ADDRESS:
        return read_address(out, s, doc, v, parse, err);
    case CONTEXT:
        return read_context(out, s, doc, v, err);
    case PINS:
        return read_pins(out, s, doc, v, err);
    default:
        return read_number(out, s, doc, v, err);
    }
}

static bool is_known(const struct json *doc, json_value name, const char *section)
{
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        if (strcmp(settings[i].section, section) == 0 &&
            json_string_is(doc, name, settings[i].member))
            return true;
    for (size_t i = 1; i < ARRAY_LEN(sections) && *section == '\0'; i++)
        if (json_string_is(doc, name, sections[i]))
            return true;
    return false;
}

/* An absent section reads as an empty one. */
static bool check_section(const struct json *doc, const char *section, struct error *err)
{
    json_value object = section_of(doc, section);
    if (object == JSON_NONE)
        return true;
    if (json_type(doc, object) != JSON_OBJECT)
        return wrong(err, "", *section ? section : "the whole", "must be an object");
    for (json_value m = json_first(doc, object); m != JSON_NONE; m = json_next(doc, object, m)) {
        if (is_known(doc, m, section))
            continue;
        struct bytes raw = json_raw(doc, m);
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)(raw.len > 60 ? 60 : raw.len),
                 (const char *)raw.at);
        return wrong(err, section, name, "no such setting");
    }
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
        {"aws", "amazonaws.com"},
        {"aws-us-gov", "amazonaws.com"},
        {"aws-cn", "amazonaws.com.cn"},
        {"aws-eusc", "amazonaws.eu"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].partition, partition) == 0)
            return rows[i].domain;
    return NULL;
}

/* What depends on more than one setting. */
static bool settle_kms(struct config *c, struct error *err)
{
    char partition[32];
    if (!parse_arn(c, partition))
        return wrong(err, "kms", "key_arn",
                     "required: the key's own ARN, arn:aws:kms:REGION:ACCOUNT:key/ID (no alias)");
    if (c->roots_file[0] == '\0')
        return wrong(err, "kms", "roots_file",
                     "required: a PEM file with the CA roots that KMS's certificate must chain to");
    const char *domain = domain_of(partition);
    if (c->host[0] == '\0' && domain == NULL)
        return wrong(err, "kms", "endpoint", "required, because the key's partition is unknown");
    if (c->host[0] == '\0')
        snprintf(c->host, sizeof c->host, "kms.%s.%s", c->region, domain);
    if (c->attempt_ms > c->total_ms)
        c->attempt_ms = c->total_ms;
    return only(c->host, ".-") ||
           wrong(err, "kms", "endpoint", "must be a host name in lower case, without a port");
}

/* Room for two to eight of the largest frames, but for no more than a quarter of the memory. */
static size_t default_buffered(size_t frame_bytes)
{
    struct sysinfo machine;
    size_t most = 8 * frame_bytes;
    if (sysinfo(&machine) == 0 && most / machine.mem_unit > machine.totalram / 4)
        most = machine.totalram / 4 * machine.mem_unit;
    return most > 2 * frame_bytes ? most : 2 * frame_bytes;
}

static bool parse_root(struct config *c, const struct json *doc, address_parser *parse,
                       struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(sections); i++)
        if (!check_section(doc, sections[i], err))
            return false;
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        if (!read_setting(c, &settings[i], doc, parse, err))
            return false;
    struct limits *limits = &c->limits;
    if (limits->buffered_bytes == 0)
        limits->buffered_bytes = default_buffered(limits->frame_bytes);
    if (limits->buffered_bytes < limits->frame_bytes)
        return wrong(err, "limits", "buffered_bytes", "must be at least frame_bytes");
    return settle_kms(c, err);
}

bool config_parse(struct config *config, struct bytes text, const char *name,
                  address_parser *parse_address, struct error *err)
{
    struct json doc;
    struct error cause = {0};
    memset(config, 0, sizeof *config);
    json_init(&doc, JSON_DEPTH);
    bool ok = json_parse(&doc, text, &cause);
    if (!ok)
        error_set(err, ERROR_CONFIG, "%s: %s (%.300s)", name, json_failure_text(cause.code),
                  cause.cause);
    else if (!(ok = parse_root(config, &doc, parse_address, &cause)))
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

bool config_load(struct config *config, const char *path, address_parser *parse_address,
                 struct error *err)
{
    BUFFER_AUTO text;
    buffer_init(&text, CONFIG_FILE_MAX);
    memset(config, 0, sizeof *config);
    return config_read_file(path, &text, err) &&
           config_parse(config, buffer_bytes(&text), path, parse_address, err);
}

bool config_pins_allow(const struct wrapped_pins *pins, const uint8_t sha256[CONFIG_PIN_SIZE])
{
    bool allowed = pins->count == 0;
    for (size_t i = 0; i < pins->count; i++)
        allowed = allowed || memcmp(sha256, pins->sha256[i], CONFIG_PIN_SIZE) == 0;
    return allowed;
}

void config_clear(struct config *config)
{
    buffer_clear(&config->encryption_context);
}
