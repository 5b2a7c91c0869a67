/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What enclavectl tells its user. Results go to standard output; a failure is one line on standard
 * error, `enclavectl: cause; remedy`, and with --json besides an object on standard output. Text
 * from outside is escaped, so that it can neither forge a line nor steer a terminal.
 */
#ifndef HOST_REPORT_H
#define HOST_REPORT_H

#include "base/buffer.h"
#include "codec/json.h"
#include "host/common.h"
#include "host/exit.h"

/* Tells the failure, with the remedy that belongs to its code, and returns its exit code. */
int report_failure(const struct common *common, const struct error *err);
/* The same with a remedy of its own (NULL: none). */
int report_failure_with(const struct common *common, const struct error *err, const char *remedy);

/* The same where the failure is about a file of this machine: malformed data is then EXIT_LOCAL,
 * and not an answer's. */
int report_file_failure(const struct common *common, const struct error *err, const char *remedy);

/* Tells the error object that the service answered with; with --json the answer as it came. */
int report_refusal(const struct common *common, const struct json *answer);

/* What to do about an error code of the wire, or NULL. */
const char *remedy_for_name(const char *name);

/* A line of enclavectl's own on standard error. */
void report_note(const char *format, ...) PRINTF_LIKE(1, 2);

/* Prints to standard output, and says so when that fails (a full disk, a closed pipe). */
int report_print(const struct common *common, struct bytes text);

/* Appends text with all that is not printable ASCII as \xNN. */
void append_escaped(struct buffer *out, struct bytes text);

/* Appends the string value v unescaped as JSON and escaped for a terminal; "-" if it is no string.
 */
void append_json_text(struct buffer *out, const struct json *doc, json_value v);

enum tone { TONE_PLAIN, TONE_GOOD, TONE_WARNING, TONE_BAD };

/* Whether standard output is a terminal that shall have colour (NO_COLOR unset, TERM not dumb). */
bool report_colour(void);
/* Appends text in the colour of a tone, if colour is wanted. */
void append_toned(struct buffer *out, enum tone tone, const char *text, bool colour);

#endif
