/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/answer.h"

#include "enclave/kms.h"
#include "net/frame.h"

size_t answer_begin(struct buffer *out)
{
    static const uint8_t header[FRAME_HEADER_SIZE];
    size_t frame = out->len;
    buffer_append(out, bytes_of(header, sizeof header));
    return frame;
}

void answer_put_details(struct json_writer *w, const struct error *err,
                        const struct kms_refusal *refusal)
{
    json_text(w, "code", error_name(err->code));
    json_text(w, "error", error_text(err->code));
    if (err->cause[0] != '\0')
        json_text(w, "cause", err->cause);
    if (refusal->http_status == 0)
        return;
    json_object(w, "kms");
    json_integer(w, "http_status", refusal->http_status);
    json_text(w, "type", refusal->type);
    json_text(w, "message", refusal->message);
    json_end(w);
}

void answer_put_failure(struct buffer *out, const struct error *err,
                        const struct kms_refusal *refusal)
{
    struct json_writer w = json_writer(out);
    json_object(&w, NULL);
    json_text(&w, "status", "error");
    answer_put_details(&w, err, refusal);
    json_end(&w);
}

static bool finish(struct buffer *out, size_t frame, size_t frame_bytes)
{
    if (out->failed || out->len - frame < FRAME_HEADER_SIZE)
        return false;
    size_t len = out->len - frame - FRAME_HEADER_SIZE;
    if (len > frame_bytes || len > UINT32_MAX)
        return false;
    be32_store(out->at + frame, (uint32_t)len);
    return true;
}

bool answer_end(struct buffer *out, size_t frame, size_t frame_bytes)
{
    if (finish(out, frame, frame_bytes))
        return true;
    enum error_code code = out->failed && !out->full ? ERROR_MEMORY : ERROR_RESPONSE_TOO_LARGE;
    buffer_truncate(out, frame);
    answer_error(out, code);
    return false;
}

void answer_error(struct buffer *out, enum error_code code)
{
    static const struct kms_refusal none;
    struct error err;
    error_code(&err, code);
    size_t frame = answer_begin(out);
    answer_put_failure(out, &err, &none);
    if (!finish(out, frame, UINT32_MAX))
        buffer_truncate(out, frame);
}
