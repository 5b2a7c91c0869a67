/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue whose memory the guest fills as it likes: the input becomes the rings and buffers. Every
 * chain that is taken must lie within the memory and obey the rules.
 */
#include "fuzz/fuzz.h"

#include "tests/unit/ring.h"

#define SIZE 16

static _Alignas(4096) uint8_t memory[RING_BYTES];

static void check_chain(const struct virtqueue_chain *chain)
{
    static uint8_t copy[RING_BYTES];
    uint64_t readable = 0, writable = 0;
    FUZZ_CHECK(chain->head < SIZE && chain->readable + chain->writable <= SIZE);
    for (size_t i = 0; i < chain->readable + chain->writable; i++) {
        const struct virtqueue_piece *piece = &chain->pieces[i];
        FUZZ_CHECK(piece->at >= memory && piece->at <= memory + RING_BYTES &&
                   piece->len <= (size_t)(memory + RING_BYTES - piece->at));
        *(i < chain->readable ? &readable : &writable) += piece->len;
    }
    FUZZ_CHECK(readable == chain->readable_len && writable == chain->writable_len);
    size_t some = readable < sizeof copy ? (size_t)readable : sizeof copy;
    FUZZ_CHECK(virtqueue_read(chain, 0, copy, some));
    FUZZ_CHECK(!virtqueue_read(chain, readable, copy, 1));
    FUZZ_CHECK(!virtqueue_write(chain, writable, bytes_of("x", 1)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* The parts are close together in an input, so that mutations reach all of them. */
    static const size_t parts[][2] = {{RING_AVAIL, 4 + 2 * SIZE},
                                      {RING_DESC, 16 * SIZE},
                                      {RING_USED, 4 + 8 * SIZE},
                                      {RING_DATA, 256}};
    static struct virtqueue_chain chain;
    struct guest_memory guest = ring_memory(memory);
    struct virtqueue_place place = ring_place();
    struct virtqueue queue = {0};
    struct error err;
    memset(memory, 0, sizeof memory);
    for (size_t i = 0; i < ARRAY_LEN(parts) && size > 0; i++) {
        size_t here = size < parts[i][1] ? size : parts[i][1];
        memcpy(memory + parts[i][0], data, here);
        data += here;
        size -= here;
    }
    FUZZ_CHECK(virtqueue_start(&queue, &guest, &place, SIZE, 0, &err));
    unsigned taken = 0;
    while (virtqueue_take(&queue, &chain, &err) == VIRTQUEUE_CHAIN) {
        check_chain(&chain);
        FUZZ_CHECK(++taken <= SIZE);
        virtqueue_give(&queue, chain.head, (uint32_t)chain.writable_len);
    }
    (void)virtqueue_wants_call(&queue);
    return 0;
}
