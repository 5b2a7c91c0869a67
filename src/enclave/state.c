/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/state.h"

#include "base/hex.h"

#define ANSWER_HEAD "{\"status\": \"success\", \"ciphertext\": \""
#define ANSWER_TAIL "\"}"

/*
 * Decodes the digits of a string of the request: from the request into w->received, or within
 * w->received where they had to be unescaped first.
 */
static bool receive(struct workspace *w, json_value payload, struct bytes *sealed,
                    struct error *err)
{
    struct bytes raw = json_raw(&w->request, payload), digits = bytes_of(raw.at + 1, raw.len - 2);
    uint8_t *to;
    buffer_reset(&w->received);
    if (w->request.nodes[payload].escaped) {
        if (!json_string(&w->request, payload, &w->received))
            return error_code(err, ERROR_NOT_HEX);
        digits = buffer_bytes(&w->received);
        to = w->received.at;
    } else {
        to = buffer_reserve(&w->received, digits.len / 2);
        if (to == NULL)
            return error_code(err, ERROR_MEMORY);
    }
    *sealed = bytes_of(to, digits.len / 2);
    return hex_decode(to, digits) || error_code(err, ERROR_NOT_HEX);
}

bool agent_open(struct workspace *w, json_value payload, struct error *err)
{
    struct bytes sealed;
    if (payload == JSON_NONE)
        return error_code(err, ERROR_MISSING_PAYLOAD);
    if (json_type(&w->request, payload) != JSON_STRING)
        return error_code(err, ERROR_PAYLOAD_TYPE);
    if (!receive(w, payload, &sealed, err))
        return false;
    if (sealed.len < AEAD_OVERHEAD)
        return error_code(err, ERROR_TOO_SHORT);
    const size_t len = sealed.len - AEAD_OVERHEAD;
    buffer_reset(&w->opened);
    uint8_t *plaintext = buffer_reserve(&w->opened, len);
    if (plaintext == NULL)
        return error_code(err, ERROR_MEMORY);
    if (!keyring_open(&w->keys, w->thread, sealed, plaintext, err))
        return false;
    buffer_commit(&w->opened, len);

    struct error cause = {0};
    if (!json_parse(&w->state, buffer_bytes(&w->opened), &cause))
        return error_code(err, cause.code == ERROR_MEMORY ? ERROR_MEMORY : ERROR_STATE_MALFORMED);
    if (json_type(&w->state, 0) != JSON_OBJECT)
        return error_code(err, ERROR_STATE_MALFORMED);
    return true;
}

struct buffer *agent_begin_state(struct workspace *w)
{
    static const uint8_t room_for_nonce[AEAD_NONCE_SIZE];
    const size_t around = strlen(ANSWER_HEAD ANSWER_TAIL);
    w->added = 0;
    buffer_reset(&w->built);
    w->built.limit = w->frame_bytes > around ? (w->frame_bytes - around) / 2 : 0;
    buffer_append(&w->built, bytes_of(room_for_nonce, sizeof room_for_nonce));
    return &w->built;
}

void agent_leave_room(struct workspace *w, size_t bytes)
{
    w->built.limit = w->built.limit > w->built.len + bytes ? w->built.limit - bytes : w->built.len;
}

static void append_between(struct buffer *out, const struct json *doc, uint32_t from, uint32_t to)
{
    buffer_append(out, bytes_of(doc->text.at + from, to - from));
}

static void append_new_member(struct buffer *out, bool first, const struct member_change *change)
{
    buffer_text(out, first ? "\"" : ", \"");
    buffer_text(out, change->name);
    buffer_text(out, "\": ");
    buffer_append(out, change->value);
}

/* The recursion is as deep as the agent's own table of changes, whatever the state. */
void agent_copy_changed(struct workspace *w, json_value object, // NOLINT(misc-no-recursion)
                        const struct member_changes *changes)
{
    const struct json *doc = &w->state;
    struct buffer *out = &w->built;
    uint64_t placed = 0; /* bit i: change i has its place */
    bool empty = true;
    uint32_t done = doc->nodes[object].start; /* what comes before it has been copied */
    for (json_value name = json_first(doc, object); name != JSON_NONE;
         name = json_next(doc, object, name)) {
        empty = false;
        for (size_t i = 0; i < changes->count; i++) {
            const struct member_change *change = &changes->change[i];
            if (!json_string_is(doc, name, change->name))
                continue;
            append_between(out, doc, done, doc->nodes[name + 1].start);
            if (change->within != NULL)
                agent_copy_changed(w, name + 1, change->within);
            else
                buffer_append(out, change->value);
            done = doc->nodes[name + 1].end;
            placed |= UINT64_C(1) << i;
        }
    }
    append_between(out, doc, done, doc->nodes[object].end - 1);
    for (size_t i = 0; i < changes->count; i++) {
        if ((placed >> i & 1) == 0) {
            append_new_member(out, empty, &changes->change[i]);
            w->added += 2; /* name and value */
            empty = false;
        }
    }
    buffer_byte(out, '}');
}

bool agent_seal(struct workspace *w, struct buffer *answer, struct error *err)
{
    if (buffer_reserve(&w->built, AEAD_TAG_SIZE) == NULL)
        return error_code(err, w->built.full ? ERROR_RESPONSE_TOO_LARGE : ERROR_MEMORY);
    if (w->added > 0 && w->state.count + w->added > w->state.value_limit)
        return error_code(err, ERROR_TOO_MANY_VALUES); /* it could not be opened again */
    buffer_commit(&w->built, AEAD_TAG_SIZE);
    size_t len = w->built.len;
    if (!keyring_seal(&w->keys, w->thread, w->built.at, len - AEAD_OVERHEAD, err))
        return false;
    buffer_text(answer, ANSWER_HEAD);
    uint8_t *hex = buffer_reserve(answer, 2 * len);
    if (hex != NULL) {
        hex_encode((char *)hex, bytes_of(w->built.at, len));
        buffer_commit(answer, 2 * len);
    }
    buffer_text(answer, ANSWER_TAIL);
    return true; /* answer_end checks whether the answer holds it all */
}
