/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl relay --query: the answer of a relay's status address, as a table or as it came. */
#include "codec/json.h"
#include "host/relay/relay.h"
#include "host/relay_status.h"
#include "host/report.h"

#define QUERY_MS 10000

/* Appends those of an object's counts that are not 0: "2 name, 1 connect". */
static void append_counts(struct buffer *out, const struct json *doc, json_value object,
                          const char *label)
{
    bool any = false;
    buffer_printf(out, "  %-18s ", label);
    if (object != JSON_NONE && json_type(doc, object) == JSON_OBJECT)
        for (json_value n = json_first(doc, object); n != JSON_NONE;
             n = json_next(doc, object, n)) {
            int64_t count = 0;
            if (!json_int64(doc, n + 1, &count) || count == 0)
                continue;
            buffer_printf(out, "%s%lld ", any ? ", " : "", (long long)count);
            append_json_text(out, doc, n);
            any = true;
        }
    buffer_text(out, any ? "\n" : "none\n");
}

static void append_route(struct buffer *out, const struct json *doc, json_value route)
{
    static const struct {
        const char *label, *name;
    } rows[] = {
        {"  open", "open"}, {"  accepted", "accepted"}, {"  complete", "complete"},
        {"  left", "left"}, {"  bytes up", "bytes_up"}, {"  bytes down", "bytes_down"},
    };
    append_json_value(out, doc, json_member(doc, route, "listen"));
    buffer_text(out, " -> ");
    append_json_value(out, doc, json_member(doc, route, "to"));
    json_value allowed = json_member(doc, route, "allowed");
    if (allowed != JSON_NONE && json_type(doc, allowed) == JSON_FALSE)
        append_toned(out, TONE_BAD, " (not allowed)", report_colour());
    buffer_byte(out, '\n');
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        append_row(out, rows[i].label, doc, json_member(doc, route, rows[i].name));
    append_counts(out, doc, json_member(doc, route, "refused"), "refused");
    append_counts(out, doc, json_member(doc, route, "failed"), "failed");
}

static void append_list(struct buffer *out, const struct json *doc, const char *name,
                        void (*append)(struct buffer *out, const struct json *doc, json_value v))
{
    json_value list = json_member(doc, 0, name);
    if (list == JSON_NONE || json_type(doc, list) != JSON_ARRAY)
        return;
    for (json_value v = json_first(doc, list); v != JSON_NONE; v = json_next(doc, list, v))
        append(out, doc, v);
}

static void append_allowed(struct buffer *out, const struct json *doc, json_value v)
{
    append_row(out, "allowed", doc, v);
}

static void append_all(struct buffer *out, const struct json *doc)
{
    json_value last = json_member(doc, 0, "last_failure");
    append_row(out, "state", doc, json_member(doc, 0, "state"));
    append_row(out, "version", doc, json_member(doc, 0, "version"));
    append_row(out, "uptime (s)", doc, json_member(doc, 0, "uptime_seconds"));
    append_row(out, "open", doc, json_member(doc, 0, "open"));
    append_row(out, "at most", doc, json_member(doc, 0, "connections"));
    append_list(out, doc, "routes", append_route);
    append_list(out, doc, "allow", append_allowed);
    if (last != JSON_NONE && json_type(doc, last) == JSON_OBJECT) {
        append_row(out, "last failure at", doc, json_member(doc, last, "time"));
        append_row(out, "last failure", doc, json_member(doc, last, "cause"));
    }
}

int relay_query(const struct relay_options *options)
{
    BUFFER_AUTO text;
    BUFFER_AUTO out;
    struct json doc;
    struct error err = {0};
    buffer_init(&text, RELAY_STATUS_MAX);
    buffer_init(&out, (size_t)8 * RELAY_STATUS_MAX);
    json_init(&doc, JSON_DEPTH);
    bool ok = relay_status_read(options->query, QUERY_MS, &text, &doc, &err);
    if (ok && options->common.json)
        buffer_append(&out, buffer_bytes(&text));
    else if (ok)
        append_all(&out, &doc);
    int code =
        ok ? report_print(&options->common, buffer_bytes(&out))
           : report_failure_with(&options->common, &err,
                                 "check that a relay runs, and that this is its --status address");
    json_clear(&doc);
    return code;
}
