/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's side of vsock, packet by packet: the test is the guest, and the programs behind the
 * host sockets.
 */
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim/vsock/vsock.h"

#define GUEST   16
#define PARENT  VSOCK_PARENT_CID
#define SERVICE 8000 /* of the host, a socket pair */
#define NOBODY  8001 /* of the host, refused */
#define BY_PATH 8002 /* of the host, a unix socket */
#define PORT    1234 /* of the guest */
#define ALLOC   4096u

struct bench {
    struct event_loop loop;
    struct vsock vsock;
    struct vsock_target targets[3];
    unsigned wakes;
    int far;                    /* the host program's end of the last connection; -1: none */
    struct vsock_packet packet; /* the last from the switch */
    uint8_t payload[VSOCK_PAYLOAD_MAX];
    struct error err;
};

static void on_wake(void *context)
{
    ((struct bench *)context)->wakes++;
}

static int open_pair(void *context)
{
    struct bench *b = context;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return -1;
    b->far = pair[1];
    return pair[0];
}

static int open_none(void *context)
{
    (void)context;
    errno = ECONNREFUSED;
    return -1;
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    *state = b;
    b->far = -1;
    b->targets[0] = (struct vsock_target){.port = SERVICE, .open = open_pair, .context = b};
    b->targets[1] = (struct vsock_target){.port = NOBODY, .open = open_none};
    b->targets[2] = (struct vsock_target){.port = BY_PATH};
    b->vsock = (struct vsock){.loop = &b->loop,
                              .guest_cid = GUEST,
                              .targets = b->targets,
                              .target_count = 3,
                              .wake = on_wake,
                              .context = b};
    vsock_init(&b->vsock);
    return event_loop_init(&b->loop, &b->err) ? 0 : -1;
}

static void close_far(struct bench *b)
{
    if (b->far >= 0)
        close(b->far);
    b->far = -1;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    vsock_clear(&b->vsock);
    assert_int_equal(b->vsock.stream_count, 0);
    close_far(b);
    event_loop_clear(&b->loop);
    free(b);
    return 0;
}

static void turn(struct bench *b)
{
    for (int i = 0; i < 4; i++)
        assert_true(event_loop_turn(&b->loop, 0, &b->err));
}

static struct vsock_packet packet_of(uint32_t guest_port, uint32_t host_port, uint16_t op)
{
    return (struct vsock_packet){.src_cid = GUEST,
                                 .dst_cid = PARENT,
                                 .src_port = guest_port,
                                 .dst_port = host_port,
                                 .type = VSOCK_TYPE_STREAM,
                                 .op = op,
                                 .buf_alloc = ALLOC};
}

static void deliver(struct bench *b, struct vsock_packet packet, struct bytes payload)
{
    packet.len = (uint32_t)payload.len;
    assert_true(vsock_receive(&b->vsock, &packet, payload, &b->err));
    turn(b);
}

static void tell(struct bench *b, uint32_t host_port, uint16_t op)
{
    deliver(b, packet_of(PORT, host_port, op), bytes_of(NULL, 0));
}

static void tell_flags(struct bench *b, uint32_t host_port, uint32_t flags)
{
    struct vsock_packet packet = packet_of(PORT, host_port, VSOCK_SHUTDOWN);
    packet.flags = flags;
    deliver(b, packet, bytes_of(NULL, 0));
}

static void tell_data(struct bench *b, uint32_t host_port, struct bytes data)
{
    deliver(b, packet_of(PORT, host_port, VSOCK_RW), data);
}

/* The operation of the next packet; VSOCK_INVALID: there is none. */
static uint16_t hear(struct bench *b)
{
    turn(b);
    if (!vsock_next(&b->vsock, &b->packet, b->payload, sizeof b->payload))
        return VSOCK_INVALID;
    assert_int_equal(b->packet.dst_cid, GUEST);
    assert_true(b->packet.op == VSOCK_RW || b->packet.len == 0);
    return b->packet.op;
}

#define assert_op(b, op)  assert_int_equal(hear(b), (op))
#define assert_silence(b) assert_op((b), VSOCK_INVALID)

static void assert_heard(const struct bench *b, const char *text)
{
    assert_int_equal(b->packet.op, VSOCK_RW);
    assert_bytes(bytes_of(b->payload, b->packet.len), text);
}

/* A connection of the guest to the service, standing. */
static void open_stream(struct bench *b)
{
    tell(b, SERVICE, VSOCK_REQUEST);
    assert_op(b, VSOCK_RESPONSE);
    assert_int_equal(b->packet.src_cid, PARENT);
    assert_int_equal(b->packet.src_port, SERVICE);
    assert_int_equal(b->packet.dst_port, PORT);
    assert_int_equal(b->packet.buf_alloc, VSOCK_WINDOW);
    assert_silence(b);
}

static void host_says(const struct bench *b, const char *text)
{
    assert_int_equal(send(b->far, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void assert_host_reads(const struct bench *b, const char *text)
{
    char got[256];
    ssize_t n = recv(b->far, got, sizeof got, 0);
    assert_true(n >= 0);
    assert_bytes(bytes_of(got, (size_t)n), text);
}

static void assert_host_end(const struct bench *b)
{
    char c;
    assert_int_equal(recv(b->far, &c, 1, 0), 0);
}

static void bytes_go_both_ways(void **state)
{
    struct bench *b = *state;
    open_stream(b);
    tell_data(b, SERVICE, bytes_text("to the host"));
    assert_host_reads(b, "to the host");
    host_says(b, "to the guest");
    assert_op(b, VSOCK_RW);
    assert_heard(b, "to the guest");
    assert_int_equal(b->packet.fwd_cnt, 11);
    assert_silence(b);
}

static void a_connection_of_the_host_is_announced(void **state)
{
    struct bench *b = *state;
    b->far = -1;
    int near = open_pair(b);
    host_says(b, "early");
    vsock_offer(&b->vsock, near, 7, PORT);
    assert_op(b, VSOCK_REQUEST);
    assert_int_equal(b->packet.src_cid, 7);
    assert_int_equal(b->packet.dst_port, PORT);
    assert_silence(b); /* nothing before the guest has agreed */
    struct vsock_packet packet = packet_of(PORT, b->packet.src_port, VSOCK_RESPONSE);
    packet.dst_cid = 7;
    deliver(b, packet, bytes_of(NULL, 0));
    assert_op(b, VSOCK_RW);
    assert_heard(b, "early");
    assert_int_equal(b->packet.src_cid, 7);
}

static void a_guest_that_does_not_listen_ends_the_hosts_connection(void **state)
{
    struct bench *b = *state;
    vsock_offer(&b->vsock, open_pair(b), PARENT, PORT);
    assert_op(b, VSOCK_REQUEST);
    tell(b, b->packet.src_port, VSOCK_RST);
    assert_host_end(b);
    assert_silence(b);
}

static void the_wrong_places_are_refused(void **state)
{
    static const struct {
        uint64_t cid;
        uint32_t port;
        uint16_t type;
    } cases[] = {
        {2, SERVICE, 1}, {0, SERVICE, 1},     {GUEST, SERVICE, 1},  {UINT64_MAX, SERVICE, 1},
        {PARENT, 9, 1},  {PARENT, NOBODY, 1}, {PARENT, SERVICE, 2}, {PARENT, SERVICE, 0},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct vsock_packet packet = packet_of(PORT, cases[i].port, VSOCK_REQUEST);
        packet.dst_cid = cases[i].cid;
        packet.type = cases[i].type;
        deliver(b, packet, bytes_of(NULL, 0));
        assert_op(b, VSOCK_RST);
        assert_true(b->packet.src_cid == cases[i].cid);
        assert_int_equal(b->packet.src_port, cases[i].port);
        assert_int_equal(b->packet.type, cases[i].type);
        assert_silence(b);
    }
    assert_int_equal(b->vsock.stream_count, 0);
}

static void the_host_ends_first(void **state)
{
    struct bench *b = *state;
    open_stream(b);
    host_says(b, "last");
    shutdown(b->far, SHUT_WR);
    assert_op(b, VSOCK_RW);
    assert_op(b, VSOCK_SHUTDOWN);
    assert_int_equal(b->packet.flags, VSOCK_NO_SEND);
    assert_silence(b);
    tell_data(b, SERVICE, bytes_text("still"));
    assert_host_reads(b, "still");
    tell_flags(b, SERVICE, VSOCK_NO_RECEIVE | VSOCK_NO_SEND);
    assert_host_end(b);
    assert_op(b, VSOCK_RST);
    assert_int_equal(b->vsock.stream_count, 0);
}

static void the_guest_ends_first(void **state)
{
    struct bench *b = *state;
    open_stream(b);
    tell_data(b, SERVICE, bytes_text("last"));
    tell_flags(b, SERVICE, VSOCK_NO_SEND);
    assert_host_reads(b, "last");
    assert_host_end(b);
    host_says(b, "still");
    assert_op(b, VSOCK_RW);
    assert_heard(b, "still");
    shutdown(b->far, SHUT_WR);
    assert_op(b, VSOCK_SHUTDOWN);
    assert_int_equal(b->packet.flags, VSOCK_NO_RECEIVE | VSOCK_NO_SEND);
    tell(b, SERVICE, VSOCK_RST);
    assert_int_equal(b->vsock.stream_count, 0);
    assert_silence(b);
}

static void a_host_that_closes_both_is_told_as_such(void **state)
{
    struct bench *b = *state;
    open_stream(b);
    host_says(b, "last");
    close_far(b);
    assert_op(b, VSOCK_RW);
    assert_heard(b, "last");
    assert_op(b, VSOCK_SHUTDOWN);
    assert_int_equal(b->packet.flags, VSOCK_NO_RECEIVE | VSOCK_NO_SEND);
    tell_data(b, SERVICE, bytes_text("on its way")); /* forgotten, not answered */
    assert_silence(b);
    tell_flags(b, SERVICE, VSOCK_NO_RECEIVE | VSOCK_NO_SEND);
    assert_op(b, VSOCK_RST);
    assert_int_equal(b->vsock.stream_count, 0);
}

static void a_host_that_reads_no_more_is_told_as_such(void **state)
{
    struct bench *b = *state;
    open_stream(b);
    shutdown(b->far, SHUT_RD);
    tell_data(b, SERVICE, bytes_text("x"));
    assert_op(b, VSOCK_SHUTDOWN);
    assert_int_equal(b->packet.flags, VSOCK_NO_RECEIVE);
    host_says(b, "but it writes");
    assert_op(b, VSOCK_RW);
    assert_heard(b, "but it writes");
}

static void a_guest_that_reads_no_more_is_told_to_the_host(void **state)
{
    struct bench *b = *state;
    open_stream(b);
    tell_flags(b, SERVICE, VSOCK_NO_RECEIVE);
    assert_int_equal(send(b->far, "x", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
    tell_data(b, SERVICE, bytes_text("but it writes"));
    assert_host_reads(b, "but it writes");
    tell_flags(b, SERVICE, VSOCK_NO_SEND); /* both, in two steps */
    assert_op(b, VSOCK_RST);
    assert_host_end(b);
}

static void no_more_is_sent_than_the_guest_has_room_for(void **state)
{
    struct bench *b = *state;
    static const char much[3 * ALLOC];
    open_stream(b);
    assert_int_equal(send(b->far, much, sizeof much, 0), sizeof much);
    assert_op(b, VSOCK_RW);
    assert_int_equal(b->packet.len, ALLOC);
    assert_op(b, VSOCK_CREDIT_REQUEST);
    assert_silence(b); /* asked once */
    struct vsock_packet update = packet_of(PORT, SERVICE, VSOCK_CREDIT_UPDATE);
    update.fwd_cnt = 100;
    deliver(b, update, bytes_of(NULL, 0));
    assert_op(b, VSOCK_RW);
    assert_int_equal(b->packet.len, 100);
    assert_op(b, VSOCK_CREDIT_REQUEST);
    /* what a guest claims to have forwarded beyond what was sent makes no room */
    update.fwd_cnt = ALLOC + 101;
    deliver(b, update, bytes_of(NULL, 0));
    assert_silence(b);
    update.fwd_cnt = 100 + ALLOC;
    update.buf_alloc = UINT32_MAX;
    deliver(b, update, bytes_of(NULL, 0));
    assert_op(b, VSOCK_RW);
    assert_int_equal(b->packet.len, 2 * ALLOC - 100);
}

static void a_small_buffer_of_the_guest_gets_a_small_packet(void **state)
{
    struct bench *b = *state;
    open_stream(b);
    host_says(b, "abcdef");
    turn(b);
    assert_true(vsock_next(&b->vsock, &b->packet, b->payload, 4));
    assert_heard(b, "abcd");
    assert_op(b, VSOCK_RW);
    assert_heard(b, "ef");
}

/* Fills the host socket and then the window; returns how many bytes were taken. */
static size_t fill(struct bench *b)
{
    static const uint8_t chunk[16384];
    size_t total = 0;
    uint32_t known = 0; /* of fwd_cnt */
    for (;;) {
        while (hear(b) != VSOCK_INVALID)
            known = b->packet.fwd_cnt;
        if (total + sizeof chunk - known > VSOCK_WINDOW)
            return total;
        tell_data(b, SERVICE, bytes_of(chunk, sizeof chunk));
        assert_true(b->vsock.stream_count == 1);
        total += sizeof chunk;
    }
}

static size_t host_reads_all(const struct bench *b)
{
    static uint8_t chunk[65536];
    size_t total = 0;
    ssize_t n;
    while ((n = recv(b->far, chunk, sizeof chunk, 0)) > 0)
        total += (size_t)n;
    return total;
}

/* A guest whose own buffer is small sends no more until it hears of it. */
static void what_the_host_took_is_said_early(void **state)
{
    static const uint8_t chunk[VSOCK_CREDIT_STEP];
    struct bench *b = *state;
    open_stream(b);
    tell_data(b, SERVICE, bytes_of(chunk, sizeof chunk - 1));
    assert_int_equal(hear(b), VSOCK_INVALID);
    tell_data(b, SERVICE, bytes_of(chunk, 1));
    assert_op(b, VSOCK_CREDIT_UPDATE);
    assert_int_equal(b->packet.fwd_cnt, sizeof chunk);
    assert_true(sizeof chunk < ADDRESS_UNREAD_BYTES);
}

static void a_slow_host_is_waited_for(void **state)
{
    struct bench *b = *state;
    open_stream(b);
    size_t total = fill(b), got = host_reads_all(b);
    assert_true(got > 0 && got < total);
    turn(b);
    assert_op(b, VSOCK_CREDIT_UPDATE); /* there is room again */
    assert_true(b->packet.fwd_cnt > 0);
    got += host_reads_all(b);
    turn(b);
    got += host_reads_all(b);
    assert_int_equal(got, total);
}

static void more_than_was_granted_is_a_reset(void **state)
{
    struct bench *b = *state;
    static const uint8_t chunk[65536];
    open_stream(b);
    (void)fill(b);
    tell_data(b, SERVICE, bytes_of(chunk, sizeof chunk));
    assert_op(b, VSOCK_RST);
    assert_int_equal(b->vsock.stream_count, 0);
}

static void what_a_guest_sent_before_it_closed_still_arrives(void **state)
{
    struct bench *b = *state;
    open_stream(b);
    size_t total = fill(b);
    tell_flags(b, SERVICE, VSOCK_NO_RECEIVE | VSOCK_NO_SEND);
    assert_op(b, VSOCK_RST); /* the guest does not wait for it */
    assert_int_equal(b->vsock.stream_count, 1);
    /* the same ports can be used anew meanwhile */
    int first = b->far;
    open_stream(b);
    int second = b->far;
    b->far = first;
    size_t got = 0;
    while (b->vsock.stream_count == 2) {
        got += host_reads_all(b);
        turn(b);
    }
    got += host_reads_all(b);
    assert_int_equal(got, total);
    assert_host_end(b);
    close(first);
    b->far = second;
}

static void ending_takes_its_limits(void **state)
{
    struct bench *b = *state;
    int64_t now = clock_monotonic_ms();
    open_stream(b);
    (void)fill(b);
    tell_flags(b, SERVICE, VSOCK_NO_RECEIVE | VSOCK_NO_SEND);
    assert_op(b, VSOCK_RST);
    vsock_tick(&b->vsock, now + VSOCK_CONNECT_MS);
    assert_int_equal(b->vsock.stream_count, 1);
    vsock_tick(&b->vsock, now + 2 * VSOCK_DRAIN_MS);
    assert_int_equal(b->vsock.stream_count, 0);
    close_far(b);
    open_stream(b);
    close_far(b);
    assert_op(b, VSOCK_SHUTDOWN);
    vsock_tick(&b->vsock, now + 2 * VSOCK_DRAIN_MS);
    assert_op(b, VSOCK_RST);
    assert_int_equal(b->vsock.stream_count, 0);
    vsock_offer(&b->vsock, open_pair(b), PARENT, PORT);
    assert_op(b, VSOCK_REQUEST);
    vsock_tick(&b->vsock, now + 2 * VSOCK_DRAIN_MS);
    assert_op(b, VSOCK_RST);
    assert_host_end(b);
}

static void a_standing_connection_has_no_limit(void **state)
{
    struct bench *b = *state;
    open_stream(b);
    vsock_tick(&b->vsock, INT64_MAX - 1);
    assert_silence(b);
    assert_int_equal(b->vsock.stream_count, 1);
}

static void connections_take_turns(void **state)
{
    struct bench *b = *state;
    int far[3];
    static const char much[ALLOC / 2];
    for (uint32_t i = 0; i < 3; i++) {
        deliver(b, packet_of(PORT + i, SERVICE, VSOCK_REQUEST), bytes_of(NULL, 0));
        assert_op(b, VSOCK_RESPONSE);
        far[i] = b->far;
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(send(far[i], much, sizeof much, 0), sizeof much);
    turn(b);
    unsigned seen[3] = {0};
    for (int i = 0; i < 6; i++) {
        assert_true(vsock_next(&b->vsock, &b->packet, b->payload, 100));
        seen[b->packet.dst_port - PORT]++;
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seen[i], 2);
        close(far[i]);
    }
    b->far = -1;
}

static void one_that_has_no_credit_holds_nobody(void **state)
{
    struct bench *b = *state;
    static const char much[3 * ALLOC];
    open_stream(b);
    int first = b->far;
    assert_int_equal(send(first, much, sizeof much, 0), sizeof much);
    assert_op(b, VSOCK_RW);
    assert_op(b, VSOCK_CREDIT_REQUEST);
    assert_silence(b);
    deliver(b, packet_of(PORT + 1, SERVICE, VSOCK_REQUEST), bytes_of(NULL, 0));
    assert_op(b, VSOCK_RESPONSE);
    host_says(b, "unhindered");
    assert_op(b, VSOCK_RW);
    assert_heard(b, "unhindered");
    close(first);
}

static void what_does_not_fit_the_state_is_a_reset(void **state)
{
    static const uint16_t ops[] = {VSOCK_REQUEST, VSOCK_RESPONSE, VSOCK_INVALID, 8, 0xffff};
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        open_stream(b);
        tell(b, SERVICE, ops[i]);
        assert_op(b, VSOCK_RST);
        assert_host_end(b);
        close_far(b);
        assert_silence(b);
    }
    open_stream(b);
    tell_flags(b, SERVICE, VSOCK_NO_SEND);
    tell_data(b, SERVICE, bytes_text("after the end"));
    assert_op(b, VSOCK_RST);
    assert_int_equal(b->vsock.stream_count, 0);
}

static void packets_for_nobody_are_answered_but_not_resets(void **state)
{
    struct bench *b = *state;
    static const uint16_t ops[] = {VSOCK_RESPONSE, VSOCK_SHUTDOWN, VSOCK_RW, VSOCK_CREDIT_UPDATE,
                                   99};
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        tell(b, SERVICE, ops[i]);
        assert_op(b, VSOCK_RST);
    }
    tell(b, SERVICE, VSOCK_RST);
    assert_silence(b);
}

static void what_no_driver_sends_ends_the_device(void **state)
{
    struct bench *b = *state;
    struct vsock_packet packet = packet_of(PORT, SERVICE, VSOCK_REQUEST);
    packet.src_cid = GUEST + 1;
    assert_false(vsock_receive(&b->vsock, &packet, bytes_of(NULL, 0), &b->err));
    assert_non_null(strstr(b->err.cause, "CID 17"));
    packet = packet_of(PORT, SERVICE, VSOCK_REQUEST);
    packet.len = 1;
    assert_false(vsock_receive(&b->vsock, &packet, bytes_of("x", 1), &b->err));
}

static void resets_for_a_guest_that_takes_none_are_bounded(void **state)
{
    struct bench *b = *state;
    for (uint32_t i = 0; i < 3 * VSOCK_RESETS_MAX; i++) {
        struct vsock_packet packet = packet_of(i, 9, VSOCK_REQUEST);
        assert_true(vsock_receive(&b->vsock, &packet, bytes_of(NULL, 0), &b->err));
    }
    unsigned count = 0;
    while (hear(b) == VSOCK_RST)
        count++;
    assert_int_equal(count, VSOCK_RESETS_MAX);
}

static void connections_are_bounded(void **state)
{
    struct bench *b = *state;
    b->targets[2].open = NULL; /* a socket with a backlog, so that none needs a descriptor yet */
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0"};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof(sa_family_t)), 0);
    struct address *address = &b->targets[2].address;
    assert_true(address_bound(listener, address, &b->err));
    assert_int_equal(listen(listener, 0), 0); /* one waits there, all others are asked again */
    for (uint32_t i = 0; i < VSOCK_STREAMS_MAX + 10; i++) {
        struct vsock_packet packet = packet_of(i, BY_PATH, VSOCK_REQUEST);
        assert_true(vsock_receive(&b->vsock, &packet, bytes_of(NULL, 0), &b->err));
    }
    assert_int_equal(b->vsock.stream_count, VSOCK_STREAMS_MAX);
    unsigned resets = 0;
    for (uint16_t op; (op = hear(b)) != VSOCK_INVALID;)
        resets += op == VSOCK_RST;
    assert_int_equal(resets, 10);
    /* more descriptors than there may be streams would be needed to take them all */
    int taken = accept(listener, NULL, NULL);
    assert_true(taken >= 0);
    close(taken);
    close(listener);
    vsock_tick(&b->vsock, clock_monotonic_ms()); /* the others are refused now */
    unsigned refused = 0;
    while (hear(b) == VSOCK_RST)
        refused++;
    assert_true(refused >= VSOCK_RESETS_MAX); /* as many as may wait for a guest's buffers */
}

static void packets_survive_the_wire(void **state)
{
    (void)state;
    static const uint8_t wire[VSOCK_HEADER_SIZE] = {
        16, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0xd2, 0x04, 0, 0, 0x40, 0x1f,
        0,  0, 5, 1, 0, 0, 1, 0, 5, 0, 2, 0, 0, 0, 0, 0, 4,    0,    9, 8, 7,    6};
    struct vsock_packet packet;
    uint8_t again[VSOCK_HEADER_SIZE];
    vsock_packet_load(&packet, wire);
    assert_int_equal(packet.src_cid, 16);
    assert_int_equal(packet.dst_cid, 3);
    assert_int_equal(packet.src_port, 1234);
    assert_int_equal(packet.dst_port, 8000);
    assert_int_equal(packet.len, 261);
    assert_int_equal(packet.op, VSOCK_RW);
    assert_int_equal(packet.flags, 2);
    assert_int_equal(packet.buf_alloc, 0x40000);
    assert_int_equal(packet.fwd_cnt, 0x06070809);
    vsock_packet_store(again, &packet);
    assert_memory_equal(again, wire, sizeof wire);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_survive_the_wire),
        CASE(bytes_go_both_ways),
        CASE(a_connection_of_the_host_is_announced),
        CASE(a_guest_that_does_not_listen_ends_the_hosts_connection),
        CASE(the_wrong_places_are_refused),
        CASE(the_host_ends_first),
        CASE(the_guest_ends_first),
        CASE(a_host_that_closes_both_is_told_as_such),
        CASE(a_host_that_reads_no_more_is_told_as_such),
        CASE(a_guest_that_reads_no_more_is_told_to_the_host),
        CASE(no_more_is_sent_than_the_guest_has_room_for),
        CASE(a_small_buffer_of_the_guest_gets_a_small_packet),
        CASE(what_the_host_took_is_said_early),
        CASE(a_slow_host_is_waited_for),
        CASE(more_than_was_granted_is_a_reset),
        CASE(what_a_guest_sent_before_it_closed_still_arrives),
        CASE(ending_takes_its_limits),
        CASE(a_standing_connection_has_no_limit),
        CASE(connections_take_turns),
        CASE(one_that_has_no_credit_holds_nobody),
        CASE(what_does_not_fit_the_state_is_a_reset),
        CASE(packets_for_nobody_are_answered_but_not_resets),
        CASE(what_no_driver_sends_ends_the_device),
        CASE(resets_for_a_guest_that_takes_none_are_bounded),
        CASE(connections_are_bounded),
    };
    return cmocka_run_group_tests_name("vsock", tests, NULL, NULL);
}
