/* SPDX-License-Identifier: Apache-2.0 */
/* The encryption context of a KMS call, as the option --encryption-context has it. */
#ifndef HOST_CONTEXT_H
#define HOST_CONTEXT_H

#include "base/error.h"

#define CONTEXT_PAIRS_MAX 32 /* of one command */

/*
 * Accepts NAME=VALUE in UTF-8 without control characters, which text_pair (formats/text.h) splits.
 * option is the option's name for the message. ERROR_USAGE.
 */
MUST_USE bool context_check(const char *option, const char *text, struct error *err);

/*
 * Refuses a name that is given twice among pairs that have passed context_check. compare is
 * strncmp, or strncasecmp where case does not count. ERROR_USAGE.
 */
MUST_USE bool context_check_names(const char *const *pairs, size_t count,
                                  int (*compare)(const char *, const char *, size_t),
                                  struct error *err);

#endif
