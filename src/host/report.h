/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results and failures, as enclavectl reports them. Results go to standard output. A failure is one
 * line on standard error, `enclavectl: cause; remedy`, and with --json also an object on standard
 * output.
 */
#ifndef HOST_REPORT_H
#define HOST_REPORT_H

#include "host/common.h"
#include "host/exit.h"
#include "host/show.h"

/* Reports the failure with the remedy for its code; returns its exit code. */
int report_failure(const struct common *common, const struct error *err);
/* The same with a given remedy (NULL: none). */
int report_failure_with(const struct common *common, const struct error *err, const char *remedy);

/* The same for a failure about a local file: malformed data is then EXIT_LOCAL, not EXIT_ANSWER. */
int report_file_failure(const struct common *common, const struct error *err, const char *remedy);

/* Reports the error object of an answer; with --json also the answer as it came. */
int report_refusal(const struct common *common, const struct json *answer);

/* What to do about an error code of the wire, or NULL. */
const char *remedy_for_name(const char *name);

/* Writes a note, one line, to standard error. */
void report_note(const char *format, ...) PRINTF_LIKE(1, 2);

/* Prints to standard output, and reports if that fails (a full disk, a closed pipe). */
int report_print(const struct common *common, struct bytes text);

#endif
