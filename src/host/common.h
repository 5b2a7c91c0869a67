/* SPDX-License-Identifier: Apache-2.0 */
/* Options that many commands of enclavectl have, and their rows (cli/cli.h). */
#ifndef HOST_COMMON_H
#define HOST_COMMON_H

#include "cli/cli.h"

#define SECONDS_MAX 86400 /* longest time limit, a day */

/*
 * The service's address without --to and $ENCLAVED_ADDRESS: the first CID that nitro-cli gives to
 * an enclave, and the port of the reference program.
 */
#define DEFAULT_ADDRESS "vsock:16:5000"

struct common {
    const char *to; /* where enclaved listens; NULL: not given */
    bool json;
    int64_t timeout_ms;
};

/* Each for the struct of a command, which has a field common. */
#define OPTION_TO(type)                                                                     \
    CLI_TEXT("to", "ADDRESS", type, common.to,                                              \
             "where enclaved listens: vsock:CID:PORT, tcp:HOST:PORT or unix:PATH (default " \
             "$ENCLAVED_ADDRESS, else " DEFAULT_ADDRESS ")",                                \
             .variable = "ENCLAVED_ADDRESS")
#define OPTION_TIMEOUT(type)                                        \
    CLI_SECONDS("timeout", type, common.timeout_ms, 1, SECONDS_MAX, \
                "the time limit of one exchange; of all attempts where KMS is waited for")
#define OPTION_JSON(type) CLI_FLAG("json", type, common.json, "print JSON, also for failures")

#endif
