/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the agents, and what invoke and pipeline share in asking for them. */
#ifndef HOST_SERVICE_REQUEST_H
#define HOST_SERVICE_REQUEST_H

#include "base/buffer.h"
#include "host/client/client.h"

/* Where a payload comes from. At most one of both; neither: the request has no payload. */
struct payload_source {
    const char *text; /* --payload */
    const char *path; /* --payload-file, or "-" */
};

/* Takes --payload, --payload-file and the operand "-"; *known: whether it was one of these. */
MUST_USE bool payload_option(struct payload_source *source, const char *name, const char *value,
                             bool *known, struct error *err);

/*
 * Builds {"mode":…,"payload":…} in out (reset first; its limit is the frame limit). A payload is
 * checked to be JSON: it is put into the request as it stands. With bare_hex one of hex digits
 * alone needs no quotes. absent: JSON to send where no payload is given; NULL: leave it out.
 * ERROR_USAGE, ERROR_NOT_JSON and its like, ERROR_SYSTEM.
 */
MUST_USE bool request_build(struct buffer *out, const char *mode,
                            const struct payload_source *source, bool bare_hex, const char *absent,
                            struct error *err);

/* Appends the ciphertext of an answer; ERROR_FORMAT if it has none. */
MUST_USE bool request_ciphertext(const struct client *client, struct buffer *out,
                                 struct error *err);

/* Reads --frame-limit. */
MUST_USE bool frame_limit_option(const char *value, size_t *limit, struct error *err);

#define OPTION_PAYLOAD                   \
    {                                    \
        "payload", "JSON", "the payload" \
    }
#define OPTION_PAYLOAD_FILE                                                      \
    {                                                                            \
        "payload-file", "FILE", "read the payload from FILE (-: standard input)" \
    }
#define OPTION_FRAME_LIMIT                                                            \
    {                                                                                 \
        "frame-limit", "BYTES", "the longest frame (default 16777216, as enclaved's)" \
    }

#endif
