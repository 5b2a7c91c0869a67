/* SPDX-License-Identifier: Apache-2.0 */
/* A virtqueue whose driver is the test: honest once, then in every way that the rules forbid. */
#include "tests/unit/check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/ring.h"

#define SIZE 8

struct bench {
    _Alignas(4096) uint8_t memory[RING_BYTES];
    struct guest_memory guest;
    struct virtqueue queue;
    struct virtqueue_chain chain;
    struct error err;
};

static int setup(void **state)
{
    struct bench *b = NULL;
    if (posix_memalign((void **)&b, 4096, sizeof *b) != 0)
        return -1;
    memset(b, 0, sizeof *b);
    b->guest = ring_memory(b->memory);
    struct virtqueue_place place = ring_place();
    *state = b;
    return virtqueue_start(&b->queue, &b->guest, &place, SIZE, 0, &b->err) ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static enum virtqueue_result take(struct bench *b)
{
    return virtqueue_take(&b->queue, &b->chain, &b->err);
}

static void a_chain_is_read_written_and_given_back(void **state)
{
    struct bench *b = *state;
    char got[8] = "";
    ring_describe(b->memory, 3, RING_GUEST + RING_DATA, 3, RING_NEXT, 1);
    ring_describe(b->memory, 1, RING_GUEST + RING_DATA + 100, 4, RING_NEXT, 7);
    ring_describe(b->memory, 7, RING_GUEST + RING_DATA + 200, 2, RING_NEXT | RING_WRITE, 0);
    ring_describe(b->memory, 0, RING_GUEST + RING_DATA + 300, 5, RING_WRITE, 0);
    memcpy(b->memory + RING_DATA, "abc", 3);
    memcpy(b->memory + RING_DATA + 100, "defg", 4);
    assert_int_equal(take(b), VIRTQUEUE_EMPTY);
    ring_offer(b->memory, SIZE, 3);
    assert_int_equal(take(b), VIRTQUEUE_CHAIN);
    assert_int_equal(b->chain.readable_len, 7);
    assert_int_equal(b->chain.writable_len, 7);
    assert_true(virtqueue_read(&b->chain, 0, got, 7));
    assert_string_equal(got, "abcdefg");
    assert_true(virtqueue_read(&b->chain, 2, got, 3));
    assert_memory_equal(got, "cde", 3);
    assert_false(virtqueue_read(&b->chain, 1, got, 7));
    assert_true(virtqueue_write(&b->chain, 0, bytes_text("uvwxyz!")));
    assert_memory_equal(b->memory + RING_DATA + 200, "uv", 2);
    assert_memory_equal(b->memory + RING_DATA + 300, "wxyz!", 5);
    assert_true(virtqueue_write(&b->chain, 3, bytes_text("23")));
    assert_memory_equal(b->memory + RING_DATA + 300, "w23z!", 5);
    assert_false(virtqueue_write(&b->chain, 1, bytes_text("0123456")));
    virtqueue_give(&b->queue, b->chain.head, 7);
    assert_int_equal(ring_get16(b->memory + RING_USED + 2), 1);
    assert_int_equal(ring_get32(b->memory + RING_USED + 4), 3);
    assert_int_equal(ring_get32(b->memory + RING_USED + 8), 7);
    assert_int_equal(take(b), VIRTQUEUE_EMPTY);
}

static void indices_go_round(void **state)
{
    struct bench *b = *state;
    struct virtqueue_place place = ring_place();
    ring_put16(b->memory + RING_AVAIL + 2, 0xfffe);
    ring_put16(b->memory + RING_USED + 2, 0xfffe);
    assert_true(virtqueue_start(&b->queue, &b->guest, &place, SIZE, 0xfffe, &b->err));
    for (uint16_t i = 0; i < 3 * SIZE; i++) {
        ring_describe(b->memory, i % SIZE, RING_GUEST + RING_DATA, 1, 0, 0);
        ring_offer(b->memory, SIZE, i % SIZE);
        assert_int_equal(take(b), VIRTQUEUE_CHAIN);
        assert_int_equal(b->chain.head, i % SIZE);
        virtqueue_give(&b->queue, b->chain.head, i);
    }
    assert_int_equal(ring_get16(b->memory + RING_USED + 2), (uint16_t)(0xfffe + 3 * SIZE));
}

static void a_chain_can_be_put_back(void **state)
{
    struct bench *b = *state;
    ring_describe(b->memory, 5, RING_GUEST + RING_DATA, 1, 0, 0);
    ring_offer(b->memory, SIZE, 5);
    assert_int_equal(take(b), VIRTQUEUE_CHAIN);
    virtqueue_untake(&b->queue);
    assert_int_equal(take(b), VIRTQUEUE_CHAIN);
    assert_int_equal(b->chain.head, 5);
    assert_int_equal(take(b), VIRTQUEUE_EMPTY);
}

static void the_guest_says_whether_it_wants_calls(void **state)
{
    struct bench *b = *state;
    assert_true(virtqueue_wants_call(&b->queue));
    ring_put16(b->memory + RING_AVAIL, 1);
    assert_false(virtqueue_wants_call(&b->queue));
}

static void broken(struct bench *b, const char *says)
{
    b->err = (struct error){0};
    assert_int_equal(take(b), VIRTQUEUE_BROKEN);
    assert_int_equal(b->err.code, ERROR_FORMAT);
    if (strstr(b->err.cause, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", b->err.cause, says);
}

static void one_bad_descriptor_breaks_the_queue(void **state)
{
    static const struct {
        uint64_t address;
        uint32_t len;
        uint16_t flags, next;
        const char *says;
    } cases[] = {
        {RING_GUEST - 1, 2, 0, 0, "outside"},
        {RING_GUEST + RING_BYTES - 1, 2, 0, 0, "outside"},
        {RING_GUEST + RING_BYTES, 1, RING_WRITE, 0, "outside"},
        {RING_GUEST, RING_BYTES + 1, 0, 0, "outside"},
        {RING_GUEST, UINT32_MAX, 0, 0, "outside"},
        {UINT64_MAX, 1, 0, 0, "outside"},
        {UINT64_MAX - 3, 8, 0, 0, "outside"},
        {0, 0, 0, 0, "outside"},
        {RING_GUEST, 16, 4, 0, "not offered"}, /* indirect */
        {RING_GUEST, 16, 0x8000, 0, "not offered"},
        {RING_GUEST, 16, RING_NEXT, SIZE, "beyond the queue"},
        {RING_GUEST, 16, RING_NEXT, 0xffff, "beyond the queue"},
        {RING_GUEST, 16, RING_NEXT, 2, "circle"}, /* itself */
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ring_describe(b->memory, 2, cases[i].address, cases[i].len, cases[i].flags, cases[i].next);
        struct virtqueue_place place = ring_place();
        ring_put16(b->memory + RING_AVAIL + 2, 0);
        ring_offer(b->memory, SIZE, 2);
        assert_true(virtqueue_start(&b->queue, &b->guest, &place, SIZE, 0, &b->err));
        broken(b, cases[i].says);
    }
}

static void a_circle_of_two_ends(void **state)
{
    struct bench *b = *state;
    ring_describe(b->memory, 0, RING_GUEST, 1, RING_NEXT, 1);
    ring_describe(b->memory, 1, RING_GUEST, 1, RING_NEXT, 0);
    ring_offer(b->memory, SIZE, 0);
    broken(b, "circle");
}

static void writable_comes_last(void **state)
{
    struct bench *b = *state;
    ring_describe(b->memory, 0, RING_GUEST, 1, RING_NEXT | RING_WRITE, 1);
    ring_describe(b->memory, 1, RING_GUEST, 1, 0, 0);
    ring_offer(b->memory, SIZE, 0);
    broken(b, "readable descriptor after");
}

static void a_head_beyond_the_queue_is_refused(void **state)
{
    struct bench *b = *state;
    ring_offer(b->memory, SIZE, SIZE);
    broken(b, "beyond the queue");
}

static void more_than_the_queue_holds_is_refused(void **state)
{
    struct bench *b = *state;
    ring_put16(b->memory + RING_AVAIL + 2, SIZE + 1);
    broken(b, "more chains");
    ring_put16(b->memory + RING_AVAIL + 2, 0xffff); /* also backwards */
    broken(b, "more chains");
}

static void places_are_checked(void **state)
{
    struct bench *b = *state;
    struct virtqueue queue = {0};
    const struct virtqueue_place good = ring_place();
    const struct {
        struct virtqueue_place place;
        uint16_t size;
    } cases[] = {
        {good, 0},
        {good, 3},
        {good, 512},
        {{good.desc + 8, good.avail, good.used}, SIZE},
        {{good.desc, good.avail + 1, good.used}, SIZE},
        {{good.desc, good.avail, good.used + 2}, SIZE},
        {{RING_USER + RING_BYTES - 16, good.avail, good.used}, SIZE},
        {{good.desc, RING_USER + RING_BYTES - 4, good.used}, SIZE},
        {{good.desc, good.avail, RING_USER + RING_BYTES - 64}, SIZE},
        {{UINT64_MAX - 15, good.avail, good.used}, SIZE},
        {{0, 0, 0}, SIZE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_false(
            virtqueue_start(&queue, &b->guest, &cases[i].place, cases[i].size, 0, &b->err));
        assert_false(virtqueue_started(&queue));
    }
    assert_true(virtqueue_start(&queue, &b->guest, &good, 256, 0, &b->err));
}

static void a_buffer_must_lie_in_one_region(void **state)
{
    struct bench *b = *state;
    struct guest_memory *m = &b->guest;
    m->regions[0].size = 0x8000;
    m->regions[1] = (struct guest_region){.guest = RING_GUEST + 0x8000,
                                          .user = RING_USER + 0x8000,
                                          .size = 0x8000,
                                          .at = b->memory + 0x8000};
    m->count = 2;
    assert_non_null(guest_memory_at(m, RING_GUEST + 0x7fff, 1));
    assert_ptr_equal(guest_memory_at(m, RING_GUEST + 0x8000, 1), b->memory + 0x8000);
    assert_null(guest_memory_at(m, RING_GUEST + 0x7fff, 2));
    assert_null(guest_memory_user(m, RING_USER + 0x7fff, 2));
}

static int memory_file(size_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void memory_is_mapped_only_where_it_is(void **state)
{
    (void)state;
    struct guest_memory m = {0};
    struct error err;
    int fd = memory_file(0x3000, F_SEAL_SHRINK), loose = memory_file(0x3000, F_SEAL_GROW);
    const struct guest_region good = {.guest = 0x1000, .user = 0x5000, .size = 0x1000};
    const struct {
        struct guest_region region;
        uint64_t offset;
        int fd;
    } bad[] = {
        {{.guest = 0x9000, .user = 0x9000, .size = 0}, 0, fd},
        {{.guest = 0x9000, .user = 0x9000, .size = 0x3001}, 0, fd},
        {{.guest = 0x9000, .user = 0x9000, .size = 0x1000}, 0x2001, fd},
        {{.guest = 0x9000, .user = 0x9000, .size = 0x1000}, UINT64_MAX - 0xfff, fd},
        {{.guest = 0x9000, .user = 0x9000, .size = 0x1000}, UINT64_MAX, fd},
        {{.guest = UINT64_MAX, .user = 0x9000, .size = 0x1000}, 0, fd},
        {{.guest = 0x9000, .user = UINT64_MAX, .size = 0x1000}, 0, fd},
        {{.guest = 0x1fff, .user = 0x9000, .size = 0x1000}, 0, fd}, /* overlaps the first */
        {{.guest = 0x9000, .user = 0x5fff, .size = 0x1000}, 0, fd},
        {{.guest = 0x9000, .user = 0x9000, .size = 0x1000}, 0, loose}, /* could be cut */
        {{.guest = 0x9000, .user = 0x9000, .size = 0x1000}, 0, STDERR_FILENO},
        {{.guest = 0x9000, .user = 0x9000, .size = 0x1000}, 0, -1},
    };
    assert_true(guest_memory_add(&m, good, 0x800, fd, &err));
    assert_int_equal(pwrite(fd, "here", 4, 0x810), 4);
    assert_memory_equal(guest_memory_at(&m, 0x1010, 4), "here", 4);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (guest_memory_add(&m, bad[i].region, bad[i].offset, bad[i].fd, &err))
            fail_msg("case %zu was taken", i);
    assert_int_equal(m.count, 1);
    for (uint64_t i = 1; i < GUEST_MEMORY_REGIONS_MAX; i++)
        assert_true(guest_memory_add(
            &m, (struct guest_region){.guest = i << 20, .user = i << 20, .size = 0x1000}, 0, fd,
            &err));
    assert_false(guest_memory_add(
        &m, (struct guest_region){.guest = 1u << 30, .user = 1u << 30, .size = 1}, 0, fd, &err));
    guest_memory_clear(&m);
    close(fd);
    close(loose);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_chain_is_read_written_and_given_back),
        CASE(indices_go_round),
        CASE(a_chain_can_be_put_back),
        CASE(the_guest_says_whether_it_wants_calls),
        CASE(one_bad_descriptor_breaks_the_queue),
        CASE(a_circle_of_two_ends),
        CASE(writable_comes_last),
        CASE(a_head_beyond_the_queue_is_refused),
        CASE(more_than_the_queue_holds_is_refused),
        CASE(places_are_checked),
        CASE(a_buffer_must_lie_in_one_region),
        cmocka_unit_test(memory_is_mapped_only_where_it_is),
    };
    return cmocka_run_group_tests_name("virtqueue", tests, NULL, NULL);
}
