/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line a message on standard error, `2026-11-22T13:16:23.123456Z level program: text`.
 *
 * Its readers are not trusted: keys, credentials, plaintext and payloads must never be passed here.
 * Bytes outside printable ASCII are escaped (\xNN), so text from strangers cannot forge a line.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/bytes.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/*
 * Names the program in each line; the text must outlive the log. Messages below least are dropped.
 * To be called before threads start.
 */
void log_start(const char *program, enum log_level least);

/*
 * Opens /dev/null in place of those of the descriptors 0 to 2 that are closed, or the first socket
 * would get the number to which the log or an answer is written. False with errno.
 */
MUST_USE bool log_hold_descriptors(void);

/* Thread-safe: a line is one write(2). At most 1024 bytes of text; the rest is cut with "...". */
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_error(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
