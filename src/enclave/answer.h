/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: a frame's header, filled in once the content's length is known, and error answers. */
#ifndef ENCLAVE_ANSWER_H
#define ENCLAVE_ANSWER_H

#include "base/buffer.h"
#include "base/error.h"
#include "codec/json_writer.h"

struct kms_refusal;

/* An answer's buffer holds this much more than a frame, so that one too large is told from no
 * memory. */
#define ANSWER_SLACK 1024

/* Begins a frame at the end of out; returns where, for answer_end. */
size_t answer_begin(struct buffer *out);

/*
 * Ends it: writes the length. A content that outgrew frame_bytes or the memory is replaced by the
 * error that says so; false then. (If even that finds no room out is left without the frame.)
 */
MUST_USE bool answer_end(struct buffer *out, size_t frame, size_t frame_bytes);

/* Members of an open object: code, error, cause, and what KMS said, if it said something. */
void answer_put_details(struct json_writer *w, const struct error *err,
                        const struct kms_refusal *refusal);

/* {"status": "error", …} with all that is known: for configure, which operators call. */
void answer_put_failure(struct buffer *out, const struct error *err,
                        const struct kms_refusal *refusal);

/*
 * A whole frame, {"status": "error", "code": …, "error": …}: the code and its fixed text, nothing
 * else. If it finds no room out is left as it was.
 */
void answer_error(struct buffer *out, enum error_code code);

#endif
