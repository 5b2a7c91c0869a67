/* SPDX-License-Identifier: Apache-2.0 */
#include "host/show.h"

#include <stdlib.h>
#include <unistd.h>

#define TEXT_LIMIT (1u << 20) /* longest string of an answer that is shown, bytes */

void append_json_text(struct buffer *out, const struct json *doc, json_value v)
{
    BUFFER_AUTO plain;
    buffer_init(&plain, TEXT_LIMIT);
    if (v == JSON_NONE || json_type(doc, v) != JSON_STRING || !json_string(doc, v, &plain))
        buffer_text(out, "-");
    else
        append_escaped(out, buffer_bytes(&plain));
}

void append_json_value(struct buffer *out, const struct json *doc, json_value v)
{
    if (v != JSON_NONE && json_type(doc, v) != JSON_STRING)
        append_escaped(out, json_raw(doc, v));
    else
        append_json_text(out, doc, v);
}

void append_row(struct buffer *out, const char *label, const struct json *doc, json_value v)
{
    buffer_printf(out, "%-20s ", label);
    append_json_value(out, doc, v);
    buffer_byte(out, '\n');
}

bool report_colour(void)
{
    const char *no = getenv("NO_COLOR"); /* https://no-color.org: any value but the empty one */
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

void append_toned(struct buffer *out, enum tone tone, const char *text, bool colour)
{
    static const char *const codes[] = {"", "\033[32m", "\033[33m", "\033[31m"};
    bool toned = colour && tone != TONE_PLAIN;
    if (toned)
        buffer_text(out, codes[tone]);
    buffer_text(out, text);
    if (toned)
        buffer_text(out, "\033[0m");
}
