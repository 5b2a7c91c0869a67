/* SPDX-License-Identifier: Apache-2.0 */
/* What agents are built with: opening, changing and sealing a state. The agents are in agents.c. */
#include "enclave/agents.h"

#include "base/hex.h"

/* More than this is given back after the request that needed it. */
#define KEEP_BYTES (1u << 20)

void workspace_init(struct workspace *w, enum keyring_thread thread, const struct limits *limits)
{
    size_t frame_bytes = limits->frame_bytes;
    *w = (struct workspace){.thread = thread};
    json_init(&w->request, limits->json_depth);
    json_init(&w->state, limits->json_depth);
    w->request.value_limit = w->state.value_limit = limits->json_values;
    buffer_init(&w->text, frame_bytes);
    buffer_init_secret(&w->opened, frame_bytes);
    /* What seals to more hex digits than a frame holds could not be answered anyway. */
    buffer_init_secret(&w->sealed, frame_bytes / 2 + AEAD_OVERHEAD);
}

static void give_back(struct buffer *b)
{
    if (b->cap > KEEP_BYTES)
        buffer_clear(b);
    else
        buffer_reset(b);
}

void workspace_reset(struct workspace *w)
{
    give_back(&w->text);
    give_back(&w->opened);
    give_back(&w->sealed);
    if (w->request.cap > KEEP_BYTES / sizeof *w->request.nodes)
        json_clear(&w->request);
    if (w->state.cap > KEEP_BYTES / sizeof *w->state.nodes)
        json_clear(&w->state);
}

void workspace_clear(struct workspace *w)
{
    json_clear(&w->request);
    json_clear(&w->state);
    buffer_clear(&w->text);
    buffer_clear(&w->opened);
    buffer_clear(&w->sealed);
}

/* The payload's digits: in the request itself, or unescaped where it was written with escapes. */
static bool payload_digits(struct workspace *w, json_value payload, struct bytes *digits,
                           struct error *err)
{
    if (payload == JSON_NONE)
        return error_code(err, ERROR_MISSING_PAYLOAD);
    if (json_type(&w->request, payload) != JSON_STRING)
        return error_code(err, ERROR_PAYLOAD_TYPE);
    if (!w->request.nodes[payload].escaped) {
        struct bytes raw = json_raw(&w->request, payload);
        *digits = bytes_of(raw.at + 1, raw.len - 2);
        return true;
    }
    buffer_reset(&w->text);
    if (!json_string(&w->request, payload, &w->text))
        return error_code(err, ERROR_NOT_HEX);
    *digits = buffer_bytes(&w->text);
    return true;
}

bool agent_open(struct workspace *w, json_value payload, struct error *err)
{
    struct bytes digits;
    if (!payload_digits(w, payload, &digits, err))
        return false;
    /* The sealed state goes where the new one will be built, its plaintext to a place of its own.
     */
    buffer_reset(&w->sealed);
    buffer_reset(&w->opened);
    size_t len = digits.len / 2;
    uint8_t *sealed = buffer_reserve(&w->sealed, len);
    if (sealed == NULL)
        return error_code(err, ERROR_MEMORY);
    if (!hex_decode(sealed, digits))
        return error_code(err, ERROR_NOT_HEX);
    if (len < AEAD_OVERHEAD)
        return error_code(err, ERROR_TOO_SHORT);
    uint8_t *plaintext = buffer_reserve(&w->opened, len - AEAD_OVERHEAD);
    if (plaintext == NULL)
        return error_code(err, ERROR_MEMORY);
    if (!keyring_open(&w->keys, w->thread, bytes_of(sealed, len), plaintext, err))
        return false;
    buffer_commit(&w->opened, len - AEAD_OVERHEAD);

    struct error cause = {0};
    if (!json_parse(&w->state, buffer_bytes(&w->opened), &cause))
        return error_code(err, cause.code == ERROR_MEMORY ? ERROR_MEMORY : ERROR_STATE_MALFORMED);
    if (json_type(&w->state, 0) != JSON_OBJECT)
        return error_code(err, ERROR_STATE_MALFORMED);
    return true;
}

struct buffer *agent_state(struct workspace *w)
{
    static const uint8_t room_for_nonce[AEAD_NONCE_SIZE];
    buffer_reset(&w->sealed);
    buffer_append(&w->sealed, bytes_of(room_for_nonce, sizeof room_for_nonce));
    return &w->sealed;
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

/* Recursion goes as deep as an agent's own table of changes, not as deep as a state. */
void agent_copy_changed(struct workspace *w, json_value object, // NOLINT(misc-no-recursion)
                        const struct member_changes *changes)
{
    const struct json *doc = &w->state;
    struct buffer *out = &w->sealed;
    uint64_t placed = 0; /* bit i: change i is written */
    bool empty = true;
    uint32_t done = doc->nodes[object].start; /* what stands before it is copied already */
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
            empty = false;
        }
    }
    buffer_byte(out, '}');
}

bool agent_seal(struct workspace *w, struct buffer *answer, struct error *err)
{
    static const char head[] = "{\"status\": \"success\", \"ciphertext\": \"";
    static const char tail[] = "\"}";
    if (buffer_reserve(&w->sealed, AEAD_TAG_SIZE) == NULL)
        return error_code(err, w->sealed.full ? ERROR_RESPONSE_TOO_LARGE : ERROR_MEMORY);
    buffer_commit(&w->sealed, AEAD_TAG_SIZE);
    size_t len = w->sealed.len;
    if (!keyring_seal(&w->keys, w->thread, w->sealed.at, len - AEAD_OVERHEAD, err))
        return false;
    buffer_append(answer, bytes_of(head, sizeof head - 1));
    uint8_t *hex = buffer_reserve(answer, 2 * len);
    if (hex != NULL) {
        hex_encode((char *)hex, bytes_of(w->sealed.at, len));
        buffer_commit(answer, 2 * len);
    }
    buffer_append(answer, bytes_of(tail, sizeof tail - 1));
    return true; /* whether the answer holds it all is answer_end's to check */
}
