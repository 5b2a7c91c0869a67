/* SPDX-License-Identifier: Apache-2.0 */
#include "host/relay/relay_allow.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "formats/text.h"
#include "system/file.h"

#define LABEL_MAX 63 /* bytes; RFC 1035 */
#define SHOWN     80 /* bytes of a wrong entry that a message repeats, up to a control character */

#define WRONG_PORT "the port is a number from 1 to 65535"

/* The endpoints of KMS as AWS documents them: standard, FIPS, dual-stack, those of other
 * partitions, and interface endpoints of a VPC by their own names. */
static const char *const kms_endpoints[] = {
    "kms.*.amazonaws.com:443",
    "kms-fips.*.amazonaws.com:443",
    "kms.*.api.aws:443",
    "kms-fips.*.api.aws:443",
    "kms.*.amazonaws.com.cn:443",
    "kms.*.amazonaws.eu:443",
    "kms-fips.*.amazonaws.eu:443",
    "*.kms.*.vpce.amazonaws.com:443",
    "*.kms-fips.*.vpce.amazonaws.com:443",
};

/* --- text ------------------------------------------------------------------------------------ */

static struct bytes part(struct bytes text, size_t from, size_t to)
{
    return bytes_of(text.at + from, to - from);
}

static bool wrong(struct error *err, struct bytes text, const char *why)
{
    int shown = 0;
    while ((size_t)shown < text.len && shown < SHOWN && text.at[shown] >= ' ')
        shown++;
    return error_set(err, ERROR_USAGE, "\"%.*s\" is not a destination: %s", shown,
                     text.len > 0 ? (const char *)text.at : "", why);
}

/* --- destinations ---------------------------------------------------------------------------- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool read_port(struct bytes text, uint16_t *out)
{
    uint32_t value = 0;
    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.at[i]))
            return false;
        value = value * 10 + (uint32_t)(text.at[i] - '0');
    }
    *out = (uint16_t)value;
    return value >= 1 && value <= 65535;
}

/* An IPv4 address mapped into IPv6 is stored as the IPv4 address: it leads to the same place. */
static bool set_address(struct destination *out)
{
    struct in6_addr in6;
    struct in_addr in4;
    if (inet_pton(AF_INET, out->host, &in4) == 1) {
        inet_ntop(AF_INET, &in4, out->host, HOST_SIZE);
    } else if (inet_pton(AF_INET6, out->host, &in6) == 1) {
        if (IN6_IS_ADDR_V4MAPPED(&in6))
            inet_ntop(AF_INET, &in6.s6_addr[12], out->host, HOST_SIZE);
        else
            inet_ntop(AF_INET6, &in6, out->host, HOST_SIZE);
    } else {
        return false;
    }
    out->numeric = true;
    return true;
}

static bool is_label_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

/* One label of letters, digits, '-' and '_'. In a pattern it may be "*". */
static bool is_label(struct bytes label, bool pattern)
{
    if (label.len == 0 || label.len > LABEL_MAX)
        return false;
    if (pattern && bytes_equal_text(label, "*"))
        return true;
    for (size_t i = 0; i < label.len; i++)
        if (!is_label_byte(label.at[i]))
            return false;
    return label.at[0] != '-' && label.at[label.len - 1] != '-';
}

/* Whether the resolver might read a name with this last label as a number: 127.1, 0x7f000001. */
static bool is_like_number(struct bytes last)
{
    bool hex = last.len >= 2 && last.at[0] == '0' && last.at[1] == 'x';
    for (size_t i = hex ? 2 : 0; i < last.len; i++) {
        uint8_t c = last.at[i];
        if (!is_digit(c) && !(hex && c >= 'a' && c <= 'f'))
            return false;
    }
    return true;
}

static const char *check_name(const char *host, bool pattern)
{
    struct bytes rest = bytes_text(host), label = rest;
    bool all_open = true;
    for (bool more = true; more;) {
        size_t dot = text_find(rest, '.');
        label = bytes_of(rest.at, dot);
        if (!is_label(label, pattern))
            return pattern ? "want a host name (* for one whole label), an IPv4 address, or an "
                             "IPv6 address in brackets"
                           : "want a host name, an IPv4 address, or an IPv6 address in brackets";
        all_open = all_open && bytes_equal_text(label, "*");
        more = dot < rest.len;
        rest = more ? part(rest, dot + 1, rest.len) : rest;
    }
    if (all_open)
        return "a * stands for one label, and some label must be named";
    if (is_like_number(label))
        return "an address must be complete: four decimal numbers, or IPv6 in brackets";
    return NULL;
}

/* Sets the host from text without brackets and quotes. NULL, or what is wrong. */
static const char *set_host(struct destination *out, struct bytes host, bool pattern)
{
    memset(out, 0, sizeof *out);
    if (host.len == 0)
        return "the host is missing";
    if (host.len >= HOST_SIZE)
        return "a host name has at most 253 bytes";
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.at[i];
        if (c <= 0x20 || c >= 0x7f)
            return "a host name is in ASCII, without spaces";
        out->host[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return set_address(out) ? NULL : check_name(out->host, pattern);
}

/* HOST:PORT, as it was split. NULL, or what is wrong. */
static const char *set_destination(struct destination *out, struct bytes host, struct bytes port,
                                   bool pattern)
{
    bool bracketed = host.len >= 2 && host.at[0] == '[' && host.at[host.len - 1] == ']';
    if (bracketed)
        host = part(host, 1, host.len - 1);
    const char *why = set_host(out, host, pattern);
    if (why == NULL && bracketed != (text_find(host, ':') < host.len))
        why = "brackets are for IPv6 addresses, and needed there";
    if (why == NULL && !read_port(port, &out->port))
        why = WRONG_PORT;
    return why;
}

static bool parse(struct destination *out, struct bytes text, bool pattern, struct error *err)
{
    size_t colon = text.len;
    while (colon > 0 && text.at[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return wrong(err, text, "want HOST:PORT");
    const char *why =
        set_destination(out, part(text, 0, colon - 1), part(text, colon, text.len), pattern);
    return why == NULL || wrong(err, text, why);
}

bool destination_parse(struct destination *out, struct bytes text, struct error *err)
{
    return parse(out, text, false, err);
}

void destination_text(const struct destination *destination, char out[DESTINATION_TEXT_SIZE])
{
    bool brackets = strchr(destination->host, ':') != NULL;
    snprintf(out, DESTINATION_TEXT_SIZE, brackets ? "[%s]:%u" : "%s:%u", destination->host,
             destination->port);
}

/* --- the list -------------------------------------------------------------------------------- */

void allow_clear(struct allow_list *list)
{
    free(list->entries);
    *list = (struct allow_list){0};
}

static bool append(struct allow_list *list, const struct destination *entry, struct error *err)
{
    if (list->count == ALLOW_ENTRIES_MAX)
        return error_set(err, ERROR_USAGE, "a list has at most %d destinations", ALLOW_ENTRIES_MAX);
    struct destination *more = realloc(list->entries, (list->count + 1) * sizeof *more);
    if (more == NULL)
        return error_set(err, ERROR_MEMORY, "no memory for the list of destinations");
    list->entries = more;
    list->entries[list->count++] = *entry;
    return true;
}

bool allow_add(struct allow_list *list, struct bytes text, struct error *err)
{
    struct destination entry;
    return parse(&entry, text, true, err) && append(list, &entry, err);
}

bool allow_add_pair(struct allow_list *list, struct bytes host, uint64_t port, struct error *err)
{
    struct destination entry;
    const char *why = set_host(&entry, host, true);
    if (why == NULL && (port < 1 || port > UINT16_MAX))
        why = WRONG_PORT;
    if (why != NULL)
        return wrong(err, host, why);
    entry.port = (uint16_t)port;
    return append(list, &entry, err);
}

bool allow_add_kms(struct allow_list *list, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(kms_endpoints); i++)
        if (!allow_add(list, bytes_text(kms_endpoints[i]), err))
            return false;
    return true;
}

bool allow_read(struct allow_list *out, const char *file, const char *const entries[], size_t count,
                struct error *err)
{
    BUFFER_AUTO text;
    buffer_init(&text, ALLOW_FILE_MAX);
    *out = (struct allow_list){0};
    bool ok = file == NULL ? allow_add_kms(out, err)
                           : file_read(file, &text, err) &&
                                 allow_add_file(out, buffer_bytes(&text), file, err);
    for (size_t i = 0; ok && i < count; i++)
        ok = allow_add(out, bytes_text(entries[i]), err);
    if (!ok)
        allow_clear(out);
    return ok;
}

/* --- what is allowed ------------------------------------------------------------------------- */

static bool matches(const struct destination *entry, const struct destination *to)
{
    struct bytes a = bytes_text(entry->host), b = bytes_text(to->host);
    if (entry->port != to->port || entry->numeric != to->numeric)
        return false;
    if (entry->numeric)
        return bytes_equal(a, b);
    for (;;) {
        size_t dot_a = text_find(a, '.'), dot_b = text_find(b, '.');
        struct bytes label = bytes_of(a.at, dot_a);
        if (!bytes_equal_text(label, "*") && !bytes_equal(label, bytes_of(b.at, dot_b)))
            return false;
        if (dot_a == a.len || dot_b == b.len)
            return dot_a == a.len && dot_b == b.len;
        a = bytes_from(a, dot_a + 1);
        b = bytes_from(b, dot_b + 1);
    }
}

bool allow_has(const struct allow_list *list, const struct destination *to)
{
    for (size_t i = 0; i < list->count; i++)
        if (matches(&list->entries[i], to))
            return true;
    return false;
}

enum reach { REACH_NETWORK, REACH_LOOPBACK, REACH_LOCAL };

static enum reach reach_of_ipv4(const uint8_t at[4])
{
    if (at[0] == 127)
        return REACH_LOOPBACK;
    /* this host, link-local (as instance metadata), multicast and reserved */
    return at[0] == 0 || (at[0] == 169 && at[1] == 254) || at[0] >= 224 ? REACH_LOCAL
                                                                        : REACH_NETWORK;
}

static enum reach reach_of(const struct sockaddr *address)
{
    /* AWS's services on an instance's link: metadata, time, names */
    static const uint8_t amazon_local[] = {0xfd, 0x00, 0x0e, 0xc2};
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in4 = (const void *)address;
        return reach_of_ipv4((const uint8_t *)&in4->sin_addr);
    }
    const struct in6_addr *in6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(in6))
        return reach_of_ipv4(&in6->s6_addr[12]);
    if (IN6_IS_ADDR_LOOPBACK(in6))
        return REACH_LOOPBACK;
    return IN6_IS_ADDR_UNSPECIFIED(in6) || IN6_IS_ADDR_LINKLOCAL(in6) ||
                   IN6_IS_ADDR_MULTICAST(in6) ||
                   memcmp(in6->s6_addr, amazon_local, sizeof amazon_local) == 0
               ? REACH_LOCAL
               : REACH_NETWORK;
}

static bool is_localhost(const char *host)
{
    size_t len = strlen(host);
    return strcmp(host, "localhost") == 0 ||
           (len > 10 && strcmp(host + len - 10, ".localhost") == 0);
}

bool allow_has_address(const struct allow_list *list, const struct destination *to,
                       const struct sockaddr *address)
{
    struct destination literal = {.port = to->port};
    enum reach reach = reach_of(address);
    if (to->numeric || reach == REACH_NETWORK ||
        (reach == REACH_LOOPBACK && is_localhost(to->host)))
        return true;
    const void *at =
        address->sa_family == AF_INET
            ? (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr
            : &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (inet_ntop(address->sa_family, at, literal.host, HOST_SIZE) == NULL ||
        !set_address(&literal))
        return false;
    return allow_has(list, &literal);
}
