/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vhost-user back end and the NSM device behind it. The test is the front end, and the driver
 * in the guest; then both of them lie.
 */
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "codec/cbor.h"
#include "sim/device/virtio_nsm.h"
#include "tests/unit/ring.h"

#define SIZE      8
#define NOW_S     1800000000
#define REPLY_ACK (UINT64_C(1) << 3)
#define FEATURES  (UINT64_C(1) << 32 | UINT64_C(1) << 30)
#define REQUEST   (RING_DATA)
#define RESPONSE  (RING_DATA + 0x2000)

struct bench {
    struct event_loop loop;
    struct virtio_nsm nsm;
    struct nsm_identity identity;
    struct nsm_engine *engine;
    struct nsm_fault fault;
    int front, memory_fd, kick, call;
    uint8_t *memory;
    bool ended;
    struct error why;
};

static void on_end(void *context, const struct error *err)
{
    struct bench *b = context;
    b->ended = true;
    b->why = *err;
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    const struct nsm_engine_config config = {.pcr_given = 0};
    int pair[2];
    *state = b;
    b->memory_fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    b->kick = eventfd(0, EFD_CLOEXEC);
    b->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!event_loop_init(&b->loop, &b->why) || !nsm_identity_new(&b->identity, NOW_S, &b->why) ||
        (b->engine = nsm_engine_new(&b->identity, &config, &b->why)) == NULL ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
        ftruncate(b->memory_fd, RING_BYTES) != 0 ||
        fcntl(b->memory_fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0)
        return -1;
    b->memory = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, b->memory_fd, 0);
    b->front = pair[0];
    b->nsm.ended = on_end;
    b->nsm.context = b;
    return virtio_nsm_start(&b->nsm, &b->loop, b->engine, &b->fault, pair[1], &b->why) ? 0 : -1;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    virtio_nsm_stop(&b->nsm);
    nsm_engine_free(b->engine);
    nsm_identity_clear(&b->identity);
    event_loop_clear(&b->loop);
    munmap(b->memory, RING_BYTES);
    close(b->front);
    close(b->memory_fd);
    close(b->kick);
    close(b->call);
    free(b);
    return 0;
}

/* Turns until nothing is left to do. */
static void turn(struct bench *b)
{
    for (int i = 0; i < 16; i++)
        assert_true(event_loop_turn(&b->loop, 0, &b->why));
}

static void send_flags(struct bench *b, uint32_t request, uint32_t flags, const void *payload,
                       size_t size, const int *fds, size_t fd_count)
{
    uint32_t head[3] = {request, flags, (uint32_t)size};
    struct iovec pieces[2] = {{head, sizeof head}, {(void *)(uintptr_t)payload, size}};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(16 * sizeof(int))];
    struct msghdr m = {.msg_iov = pieces, .msg_iovlen = 2};
    if (fd_count > 0) {
        m.msg_control = control;
        m.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        memset(control, 0, sizeof control);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
    }
    assert_int_equal(sendmsg(b->front, &m, MSG_NOSIGNAL), sizeof head + size);
    turn(b);
}

static void say(struct bench *b, uint32_t request, const void *payload, size_t size)
{
    send_flags(b, request, 1, payload, size, NULL, 0);
}

static uint64_t answer(struct bench *b, uint32_t request)
{
    uint32_t head[3];
    uint64_t number = 0;
    assert_int_equal(recv(b->front, head, sizeof head, MSG_DONTWAIT), sizeof head);
    assert_int_equal(head[0], request);
    assert_int_equal(head[1], 5);
    assert_true(head[2] <= 8);
    if (head[2] > 0)
        assert_int_equal(recv(b->front, &number, head[2], MSG_DONTWAIT), head[2]);
    return number;
}

static uint64_t ask(struct bench *b, uint32_t request)
{
    say(b, request, NULL, 0);
    return answer(b, request);
}

static void set_number(struct bench *b, uint32_t request, uint64_t number)
{
    say(b, request, &number, sizeof number);
}

static void set_state(struct bench *b, uint32_t request, uint32_t index, uint32_t number)
{
    say(b, request, (uint32_t[2]){index, number}, 8);
}

static void share_memory(struct bench *b)
{
    uint64_t table[5] = {1, RING_GUEST, RING_BYTES, RING_USER, 0};
    send_flags(b, VHOST_SET_MEM_TABLE, 1, table, sizeof table, &b->memory_fd, 1);
}

static void place_queue(struct bench *b)
{
    uint64_t place[5] = {0, RING_USER + RING_DESC, RING_USER + RING_USED, RING_USER + RING_AVAIL,
                         0};
    say(b, VHOST_SET_VRING_ADDR, place, sizeof place);
}

/* What QEMU says when a driver starts. */
static void start_queue(struct bench *b)
{
    uint64_t zero = 0;
    assert_true(ask(b, VHOST_GET_FEATURES) == FEATURES);
    (void)ask(b, VHOST_GET_PROTOCOL_FEATURES);
    set_number(b, VHOST_SET_PROTOCOL_FEATURES, REPLY_ACK);
    say(b, VHOST_SET_OWNER, NULL, 0);
    set_number(b, VHOST_SET_FEATURES, FEATURES);
    share_memory(b);
    set_state(b, VHOST_SET_VRING_NUM, 0, SIZE);
    set_state(b, VHOST_SET_VRING_BASE, 0, 0);
    place_queue(b);
    send_flags(b, VHOST_SET_VRING_KICK, 1, &zero, 8, &b->kick, 1);
    send_flags(b, VHOST_SET_VRING_CALL, 1, &zero, 8, &b->call, 1);
    set_state(b, VHOST_SET_VRING_ENABLE, 0, 1);
    assert_false(b->ended);
}

static void kick(struct bench *b)
{
    uint64_t one = 1;
    assert_int_equal(write(b->kick, &one, 8), 8);
    turn(b);
}

static void put_request(struct bench *b, const char *text)
{
    BUFFER_AUTO out = {.limit = 64};
    cbor_put_text(&out, text);
    memcpy(b->memory + REQUEST, out.at, out.len);
    ring_describe(b->memory, 0, RING_GUEST + REQUEST, (uint32_t)out.len, 0, 0);
}

static unsigned given(const struct bench *b)
{
    return ring_get16(b->memory + RING_USED + 2);
}

static uint32_t written(const struct bench *b, unsigned slot)
{
    return ring_get32(b->memory + RING_USED + 4 + 8 * (size_t)slot + 4);
}

static void ended_because(const struct bench *b, const char *says)
{
    if (!b->ended)
        fail_msg("it goes on, and does not report \"%s\"", says);
    if (strstr(b->why.cause, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", b->why.cause, says);
}

static void request_and_response_are_two_chains(void **state)
{
    struct bench *b = *state;
    uint64_t calls;
    start_queue(b);
    put_request(b, "GetRandom");
    ring_offer(b->memory, SIZE, 0);
    kick(b);
    assert_int_equal(given(b), 0); /* kept until there is room for the answer */
    ring_describe(b->memory, 5, RING_GUEST + RESPONSE, 0x3000, RING_WRITE, 0);
    ring_offer(b->memory, SIZE, 5);
    kick(b);
    assert_int_equal(given(b), 2);
    assert_int_equal(ring_get32(b->memory + RING_USED + 4), 0);
    assert_int_equal(written(b, 0), 0);
    assert_int_equal(ring_get32(b->memory + RING_USED + 12), 5);
    assert_int_equal(written(b, 1), 278);
    assert_memory_equal(b->memory + RESPONSE, "\xa1\x69GetRandom\xa1\x66random\x59\x01\x00", 22);
    assert_int_equal(read(b->call, &calls, 8), 8);
}

static void one_chain_can_hold_both(void **state)
{
    struct bench *b = *state;
    start_queue(b);
    put_request(b, "GetRandom");
    b->memory[RING_DESC + 12] = RING_NEXT;
    b->memory[RING_DESC + 14] = 1;
    ring_describe(b->memory, 1, RING_GUEST + RESPONSE, 0x3000, RING_WRITE, 0);
    ring_offer(b->memory, SIZE, 0);
    kick(b);
    assert_int_equal(given(b), 1);
    assert_int_equal(written(b, 0), 278);
}

static void little_room_is_an_error_of_the_module_or_nothing(void **state)
{
    static const struct {
        uint32_t room, written;
    } cases[] = {{277, 22}, {22, 22}, {21, 0}, {1, 0}, {0, 0}};
    struct bench *b = *state;
    start_queue(b);
    put_request(b, "GetRandom");
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        ring_describe(b->memory, 1, RING_GUEST + RESPONSE, cases[i].room, RING_WRITE, 0);
        ring_offer(b->memory, SIZE, 0);
        ring_offer(b->memory, SIZE, 1);
        kick(b);
        assert_int_equal(given(b), 2 * i + 2);
        assert_int_equal(written(b, (2 * i + 1) % SIZE), cases[i].written);
    }
    assert_memory_equal(b->memory + RESPONSE, "\xa1\x65", 2);
    assert_false(b->ended);
}

static void a_long_request_is_an_error_of_the_module(void **state)
{
    struct bench *b = *state;
    start_queue(b);
    ring_describe(b->memory, 0, RING_GUEST + REQUEST, 0x1001, 0, 0);
    ring_describe(b->memory, 1, RING_GUEST + RESPONSE, 0x3000, RING_WRITE, 0);
    ring_offer(b->memory, SIZE, 0);
    ring_offer(b->memory, SIZE, 1);
    kick(b);
    assert_int_equal(given(b), 2);
    assert_memory_equal(b->memory + RESPONSE,
                        "\xa1\x65"
                        "Error\x6dInputTooLarge",
                        21);
}

static void a_silent_module_gives_nothing_back_and_goes_on(void **state)
{
    struct bench *b = *state;
    assert_true(nsm_fault_parse(&b->fault, "--fault", "silent:GetRandom", &b->why));
    start_queue(b);
    put_request(b, "GetRandom");
    ring_describe(b->memory, 1, RING_GUEST + RESPONSE, 0x3000, RING_WRITE, 0);
    ring_offer(b->memory, SIZE, 0);
    ring_offer(b->memory, SIZE, 1);
    kick(b);
    assert_int_equal(given(b), 0);
    put_request(b, "DescribeNSM");
    ring_offer(b->memory, SIZE, 0);
    ring_offer(b->memory, SIZE, 1);
    kick(b);
    assert_int_equal(given(b), 2);
}

static void a_driver_that_breaks_the_rules_ends_the_device(void **state)
{
    struct bench *b = *state;
    start_queue(b);
    put_request(b, "GetRandom");
    ring_offer(b->memory, SIZE, 0);
    ring_offer(b->memory, SIZE, 0);
    kick(b);
    ended_because(b, "a second request before the answer");
}

static void room_without_a_request_ends_the_device(void **state)
{
    struct bench *b = *state;
    start_queue(b);
    ring_describe(b->memory, 1, RING_GUEST + RESPONSE, 0x3000, RING_WRITE, 0);
    ring_offer(b->memory, SIZE, 1);
    kick(b);
    ended_because(b, "without a request");
}

static void a_stopped_queue_tells_where_it_stood_and_goes_on(void **state)
{
    struct bench *b = *state;
    uint64_t zero = 0;
    start_queue(b);
    put_request(b, "GetRandom");
    ring_offer(b->memory, SIZE, 0);
    kick(b);
    say(b, VHOST_GET_VRING_BASE, (uint32_t[2]){0, 0}, 8);
    assert_true(answer(b, VHOST_GET_VRING_BASE) == UINT64_C(1) << 32);
    kick(b); /* nobody listens */
    ring_describe(b->memory, 1, RING_GUEST + RESPONSE, 0x3000, RING_WRITE, 0);
    ring_offer(b->memory, SIZE, 0);
    ring_offer(b->memory, SIZE, 1);
    set_state(b, VHOST_SET_VRING_BASE, 0, 1);
    place_queue(b);
    send_flags(b, VHOST_SET_VRING_KICK, 1, &zero, 8, &b->kick, 1);
    assert_int_equal(given(b), 2); /* the first request is forgotten, its successor answered */
}

static void memory_can_move_under_a_running_queue(void **state)
{
    struct bench *b = *state;
    start_queue(b);
    share_memory(b);
    put_request(b, "GetRandom");
    ring_describe(b->memory, 1, RING_GUEST + RESPONSE, 0x3000, RING_WRITE, 0);
    ring_offer(b->memory, SIZE, 0);
    ring_offer(b->memory, SIZE, 1);
    kick(b);
    assert_int_equal(given(b), 2);
    say(b, VHOST_SET_MEM_TABLE, (uint64_t[1]){0}, 8); /* and be gone */
    ended_because(b, "outside the guest's memory");
}

static void replies_are_given_where_they_are_wanted(void **state)
{
    struct bench *b = *state;
    uint64_t number = FEATURES;
    set_number(b, VHOST_SET_PROTOCOL_FEATURES, REPLY_ACK);
    send_flags(b, VHOST_SET_FEATURES, 9, &number, 8, NULL, 0);
    assert_int_equal(answer(b, VHOST_SET_FEATURES), 0);
    send_flags(b, 4711, 9, &number, 8, NULL, 0); /* not a request that is known */
    assert_int_equal(answer(b, 4711), 1);
    say(b, 4711, &number, 8);
    assert_int_equal(recv(b->front, &number, 8, MSG_DONTWAIT), -1);
    assert_int_equal(ask(b, VHOST_GET_QUEUE_NUM), 1);
    assert_false(b->ended);
    number = 1; /* not offered */
    send_flags(b, VHOST_SET_FEATURES, 9, &number, 8, NULL, 0);
    assert_int_equal(answer(b, VHOST_SET_FEATURES), 1);
    ended_because(b, "not offered");
}

static void messages_may_come_in_pieces(void **state)
{
    struct bench *b = *state;
    const uint32_t message[5] = {VHOST_SET_FEATURES, 1, 8, 0x40000000, 1};
    for (size_t i = 0; i < sizeof message; i++) {
        assert_int_equal(send(b->front, (const uint8_t *)message + i, 1, 0), 1);
        turn(b);
    }
    assert_false(b->ended);
    assert_true(b->nsm.vhost.features == FEATURES);
}

static void no_configuration_space_is_an_empty_answer(void **state)
{
    struct bench *b = *state;
    uint32_t payload[4] = {0, 4, 0, 0};
    say(b, VHOST_GET_CONFIG, payload, sizeof payload);
    assert_int_equal(answer(b, VHOST_GET_CONFIG), 0);
    assert_false(b->ended);
}

struct lie {
    const char *says;
    uint32_t request, flags, size;
    uint64_t payload[6];
    size_t fd_count;
};

static const struct lie lies[] = {
    {"version", VHOST_GET_FEATURES, 2, 0, {0}, 0},
    {"of 4294967295 bytes", VHOST_SET_FEATURES, 1, UINT32_MAX, {0}, 0},
    {"length is wrong", VHOST_SET_FEATURES, 1, 4, {0}, 0},
    {"not offered", VHOST_SET_PROTOCOL_FEATURES, 1, 8, {UINT64_MAX}, 0},
    {"no such queue", VHOST_SET_VRING_NUM, 1, 8, {UINT64_C(8) << 32 | 1}, 0},
    {"no such queue", VHOST_GET_VRING_BASE, 1, 8, {UINT32_MAX}, 0},
    {"a size out of range", VHOST_SET_VRING_NUM, 1, 8, {UINT64_C(257) << 32}, 0},
    {"a size out of range", VHOST_SET_VRING_NUM, 1, 8, {0}, 0},
    {"above 65535", VHOST_SET_VRING_BASE, 1, 8, {UINT64_C(65536) << 32}, 0},
    {"descriptor", VHOST_SET_VRING_KICK, 1, 8, {0}, 0},
    {"polling", VHOST_SET_VRING_KICK, 1, 8, {0x100}, 0},
    {"descriptor", VHOST_SET_VRING_CALL, 1, 8, {0x100}, 1},
    {"descriptor", VHOST_SET_VRING_CALL, 1, 8, {0x200}, 1},
    {"no such queue", VHOST_SET_VRING_CALL, 1, 8, {9}, 1},
    {"too short", VHOST_SET_MEM_TABLE, 1, 4, {0}, 0},
    {"differs from its regions or descriptors", VHOST_SET_MEM_TABLE, 1, 8, {1}, 0},
    {"differs from its regions or descriptors", VHOST_SET_MEM_TABLE, 1, 8, {1}, 1},
    {"differs from its regions or descriptors", VHOST_SET_MEM_TABLE, 1, 40, {2, 0, 4096}, 1},
    {"differs from its regions or descriptors",
     VHOST_SET_MEM_TABLE,
     1,
     40,
     {UINT32_MAX, 0, 4096},
     1},
    {"beyond the end", VHOST_SET_MEM_TABLE, 1, 40, {1, 0, 1 << 20, 0, 0}, 1},
    {"beyond the end", VHOST_SET_MEM_TABLE, 1, 40, {1, 0, 4096, 0, UINT64_MAX}, 1},
    {"too short", VHOST_GET_CONFIG, 1, 8, {0}, 0},
    {"more than 8 descriptors", VHOST_SET_OWNER, 1, 0, {0}, 9},
};

static void a_front_end_that_lies_ends_the_device(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
        void *inner = NULL;
        assert_int_equal(setup(&inner), 0);
        struct bench *b = inner;
        int fds[9];
        for (size_t k = 0; k < ARRAY_LEN(fds); k++)
            fds[k] = b->memory_fd;
        const struct lie *lie = &lies[i];
        if (lie->size == UINT32_MAX) { /* only the header comes */
            const uint32_t head[3] = {lie->request, lie->flags, lie->size};
            assert_int_equal(send(b->front, head, sizeof head, 0), sizeof head);
            turn(b);
        } else {
            send_flags(b, lie->request, lie->flags, lie->payload, lie->size, fds, lie->fd_count);
        }
        ended_because(b, lie->says);
        teardown(&inner);
    }
}

static void what_a_running_queue_stands_on_is_not_changed(void **state)
{
    static const uint32_t requests[] = {VHOST_SET_VRING_NUM, VHOST_SET_VRING_BASE};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        void *inner = NULL;
        assert_int_equal(setup(&inner), 0);
        start_queue(inner);
        set_state(inner, requests[i], 0, 8);
        ended_because(inner, "that runs");
        teardown(&inner);
    }
}

static void a_front_end_that_leaves_is_told_apart(void **state)
{
    struct bench *b = *state;
    start_queue(b);
    shutdown(b->front, SHUT_RDWR);
    turn(b);
    assert_true(b->ended);
    assert_int_equal(b->why.code, ERROR_CLOSED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(request_and_response_are_two_chains),
        CASE(one_chain_can_hold_both),
        CASE(little_room_is_an_error_of_the_module_or_nothing),
        CASE(a_long_request_is_an_error_of_the_module),
        CASE(a_silent_module_gives_nothing_back_and_goes_on),
        CASE(a_driver_that_breaks_the_rules_ends_the_device),
        CASE(room_without_a_request_ends_the_device),
        CASE(a_stopped_queue_tells_where_it_stood_and_goes_on),
        CASE(memory_can_move_under_a_running_queue),
        CASE(replies_are_given_where_they_are_wanted),
        CASE(messages_may_come_in_pieces),
        CASE(no_configuration_space_is_an_empty_answer),
        cmocka_unit_test(a_front_end_that_lies_ends_the_device),
        cmocka_unit_test(what_a_running_queue_stands_on_is_not_changed),
        CASE(a_front_end_that_leaves_is_told_apart),
    };
    return cmocka_run_group_tests_name("vhost_user", tests, NULL, NULL);
}
