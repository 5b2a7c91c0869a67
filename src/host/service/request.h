/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the agents, and the options for them that invoke and pipeline share. */
#ifndef HOST_SERVICE_REQUEST_H
#define HOST_SERVICE_REQUEST_H

#include "base/buffer.h"
#include "cli/cli.h"
#include "host/client/client.h"

/* The source of a payload: at most one of the two. With neither the request has no payload. */
struct payload_source {
    const char *text; /* --payload */
    const char *path; /* --payload-file, or "-" */
};

/*
 * Builds {"mode":…,"payload":…} in out, which is reset and whose limit is the frame limit. A
 * payload goes into the request as it is, after a check that it is JSON; but one of at least
 * bare_hex hex digits, and nothing else, needs no quotes (BARE_HEX_NEVER: it does). absent: the
 * JSON to send without a payload; NULL: none. ERROR_USAGE, ERROR_SYSTEM, or the parser's code.
 */
#define BARE_HEX_NEVER  SIZE_MAX
#define BARE_HEX_SEALED 56 /* digits of the shortest sealed state: nonce and tag */
MUST_USE bool request_build(struct buffer *out, const char *mode,
                            const struct payload_source *source, size_t bare_hex,
                            const char *absent, struct error *err);

/* Appends the ciphertext of an answer; ERROR_FORMAT if it has none. */
MUST_USE bool request_ciphertext(const struct client *client, struct buffer *out,
                                 struct error *err);

/* The rows of these, for the struct of a command with the fields payload and frame_limit. */
#define OPTION_PAYLOAD(type) \
    CLI_TEXT("payload", "JSON", type, payload.text, "the payload", .once = true)
#define OPTION_PAYLOAD_FILE(type)                                             \
    CLI_PARSED("payload-file", "FILE", type, payload.path, payload_take_path, \
               "read the payload from FILE (-: standard input)", .shared = true)
#define OPERAND_PAYLOAD(type)                                    \
    CLI_PARSED(NULL, "-", type, payload.path, payload_take_dash, \
               "read the payload from standard input", .shared = true)
#define OPTION_FRAME_LIMIT(type)                                               \
    CLI_INTEGER("frame-limit", "BYTES", type, frame_limit, 1, FRAME_LIMIT_MAX, \
                "the longest frame (default 16777216, as enclaved's)")

/* The functions of these rows: a path, or "-", is accepted once. */
MUST_USE bool payload_take_path(void *place, const char *option, const char *text,
                                struct error *err);
MUST_USE bool payload_take_dash(void *place, const char *option, const char *text,
                                struct error *err);
/* Refuses a payload that is given in two ways. */
MUST_USE bool payload_check(const struct payload_source *source, struct error *err);

#endif
