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

#endif
