/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole request, the bytes of a frame, under a fixed key. If the first byte is odd, the rest is
 * sealed and sent as a state, so that agents meet hostile states too.
 */
#include <stdlib.h>

#include "base/hex.h"
#include "crypto/hash.h"
#include "enclave/answer.h"
#include "enclave/request.h"
#include "enclave/workspace.h"
#include "fuzz/fuzz.h"
#include "net/frame.h"

#define FRAME_MAX (1u << 20)

static struct config config = {
    .limits = {.frame_bytes = FRAME_MAX, .json_depth = 64, .json_values = 10000}};
static struct service service = {.config = &config};
static struct workspace workspace;
static struct buffer request, answer, sealed;

/* The leak checker does not search the memory that keys are in. */
static void tear_down(void)
{
    keyring_free(service.ring);
    workspace_clear(&workspace);
}

static void set_up(void)
{
    static const uint8_t key[AEAD_KEY_SIZE] = {1};
    bool rotated;
    FUZZ_CHECK(crypto_start());
    service.ring = keyring_new(0);
    FUZZ_CHECK(service.ring != NULL && keyring_install(service.ring, key, &rotated, NULL));
    workspace_init(&workspace, KEYRING_LOOP, &config.limits);
    buffer_init(&request, FRAME_MAX);
    buffer_init(&answer, FRAME_MAX + ANSWER_SLACK);
    buffer_init(&sealed, FRAME_MAX);
    FUZZ_CHECK(atexit(tear_down) == 0);
}

/* {"mode": "B", "payload": state sealed, in hex} */
static void ask_b(struct bytes state)
{
    struct held_keys held;
    buffer_reset(&sealed);
    uint8_t *at = buffer_reserve(&sealed, state.len + AEAD_OVERHEAD);
    FUZZ_CHECK(at != NULL);
    if (state.len > 0)
        memcpy(at + AEAD_NONCE_SIZE, state.at, state.len);
    keyring_hold(service.ring, &held);
    FUZZ_CHECK(keyring_seal(&held, KEYRING_WORKER, at, state.len, NULL));
    keyring_release(service.ring, &held);
    size_t len = state.len + AEAD_OVERHEAD;
    buffer_text(&request, "{\"mode\": \"B\", \"payload\": \"");
    uint8_t *hex = buffer_reserve(&request, 2 * len);
    FUZZ_CHECK(hex != NULL);
    hex_encode((char *)hex, bytes_of(at, len));
    buffer_commit(&request, 2 * len);
    buffer_text(&request, "\"}");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (service.ring == NULL)
        set_up();
    if (size == 0 || size > FRAME_MAX / 4)
        return 0;
    buffer_reset(&request);
    buffer_reset(&answer);
    if (data[0] & 1)
        ask_b(bytes_of(data + 1, size - 1));
    else
        buffer_append(&request, bytes_of(data + 1, size - 1));
    /* health and configure need a session, which is not here */
    if (memmem(data, size, "op", 2) != NULL)
        return 0;
    FUZZ_CHECK(request_serve(&service, &workspace, buffer_bytes(&request), &answer));
    /* whatever came in, one whole frame of valid JSON goes out, and no plaintext is left */
    struct json doc;
    json_init(&doc, JSON_DEPTH);
    FUZZ_CHECK(answer.len > FRAME_HEADER_SIZE);
    FUZZ_CHECK(be32_load(answer.at) == answer.len - FRAME_HEADER_SIZE);
    FUZZ_CHECK(json_parse(&doc, bytes_from(buffer_bytes(&answer), FRAME_HEADER_SIZE), NULL));
    FUZZ_CHECK(workspace.opened.len == 0 && workspace.built.len == 0);
    json_clear(&doc);
    return 0;
}
