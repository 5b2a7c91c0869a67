/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text for people. Text from outside is escaped, so that it can neither forge a line nor control
 * the terminal.
 */
#ifndef HOST_SHOW_H
#define HOST_SHOW_H

#include "base/buffer.h"
#include "codec/json.h"
#include "formats/text.h"

/* Appends a string of JSON without its quotes and JSON's escapes; "-" if v is not a string. */
void append_json_text(struct buffer *out, const struct json *doc, json_value v);

/* Appends any value: a string as above, everything else as JSON; "-" for JSON_NONE. */
void append_json_value(struct buffer *out, const struct json *doc, json_value v);

/* Appends a line of a table: the label, and the value as above. */
void append_row(struct buffer *out, const char *label, const struct json *doc, json_value v);

enum tone { TONE_PLAIN, TONE_GOOD, TONE_WARNING, TONE_BAD };

/* Whether standard output is a terminal that wants colour (NO_COLOR unset, TERM not dumb). */
bool report_colour(void);
/* Appends text in the colour of a tone, if colour is wanted. */
void append_toned(struct buffer *out, enum tone tone, const char *text, bool colour);

#endif
