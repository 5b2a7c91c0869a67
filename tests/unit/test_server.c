/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server as a whole, in a thread of the test, with a real session and worker: accepting and
 * refusing, time limits, jobs, stopping. Its source is included, so that a test can say from where
 * a connection comes, and have accepting fail.
 */
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "base/clock.h"
#include "crypto/hash.h"
#include "enclave/room.h"
#include "net/frame.h"

static atomic_uint pretended_cid; /* 0: none */
static atomic_int failures_of_accept;

static int accept_or_pretend(int listener, struct sockaddr *peer, socklen_t *len, int flags)
{
    if (failures_of_accept > 0) {
        failures_of_accept--;
        errno = EMFILE;
        return -1;
    }
    int fd = accept4(listener, peer, len, flags);
    if (fd >= 0 && pretended_cid != 0)
        *(struct sockaddr_vm *)peer =
            (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = pretended_cid};
    return fd;
}

static uint64_t pretended_memory; /* 0: none */

static uint64_t memory_or_pretend(void)
{
    return pretended_memory != 0 ? pretended_memory : room_memory();
}

#define accept4     accept_or_pretend
#define room_memory memory_or_pretend
#include "enclave/server.c"

#define PARENT_CID 3
#define WAIT_MS    20000

static const char agent_a[] = "{\"mode\":\"A\",\"payload\":\"x\"}";
static const char ask_health[] = "{\"op\":\"health\"}";

struct running {
    struct config config;
    struct service service;
    struct nsm nsm;
    struct job_queue done;
    struct server_ports ports;
    in_port_t port;
    pthread_t thread;
    bool running;
    bool ok;
};

/* --- the server ------------------------------------------------------------------------------ */

static bool no_module(void *context, struct bytes request, uint8_t *response, size_t *response_len,
                      struct error *err)
{
    (void)context;
    (void)request;
    (void)response;
    (void)response_len;
    return error_set(err, ERROR_NSM, "there is none in this test");
}

static void *serve(void *context)
{
    struct running *r = context;
    struct error err = {0};
    r->ok = server_run(&r->service, &r->ports, &err);
    return NULL;
}

static void listen_somewhere(struct running *r)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    r->ports.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->ports.listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(r->ports.listener, 100), 0);
    assert_int_equal(getsockname(r->ports.listener, (struct sockaddr *)&at, &len), 0);
    r->port = at.sin_port;
}

static void set_limits(struct limits *limits)
{
    *limits = (struct limits){.frame_bytes = 4u << 20,
                              .buffered_bytes = 64u << 20,
                              .connections = 3,
                              .idle_ms = 60000,
                              .frame_ms = 60000,
                              .write_ms = 60000,
                              .drain_ms = 60000,
                              .json_depth = 16,
                              .json_values = 1000};
}

static int set_up(void **state)
{
    struct running *r = calloc(1, sizeof *r);
    assert_non_null(r);
    set_limits(&r->config.limits);
    buffer_init(&r->config.encryption_context, 16);
    buffer_text(&r->config.encryption_context, "{}");
    r->ports.peer_cid = PARENT_CID;
    pretended_cid = 0;
    pretended_memory = 0;
    failures_of_accept = 0;
    *state = r;
    return 0;
}

/* After a test has set the limits. */
static void start(struct running *r)
{
    static const uint8_t key[AEAD_KEY_SIZE] = "a key of thirty-two bytes ......";
    struct initial_secrets secrets = {0};
    bool rotated;
    r->nsm.transport.exchange = no_module;
    r->ports.done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->ports.signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    job_queue_init(&r->done, r->ports.done_fd);
    r->ports.done = &r->done;
    listen_somewhere(r);
    r->service.config = &r->config;
    r->service.started_ms = clock_monotonic_ms();
    r->service.ring = keyring_new(1000);
    assert_true(keyring_install(r->service.ring, key, &rotated, NULL));
    r->service.session =
        session_start(&r->config, NULL, r->service.ring, &r->nsm, &secrets, &r->done, NULL);
    assert_non_null(r->service.session);
    assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
    r->running = true;
}

static void tell_to_stop(struct running *r)
{
    const uint64_t one = 1;
    assert_int_equal(write(r->ports.signal_fd, &one, sizeof one), sizeof one);
}

static void wait_for_end(struct running *r)
{
    pthread_join(r->thread, NULL);
    r->running = false;
    assert_true(r->ok);
    assert_int_equal(r->service.connections, 0);
    keyring_free(r->service.ring);
    close(r->ports.done_fd);
    close(r->ports.signal_fd);
}

static void stop(struct running *r)
{
    tell_to_stop(r);
    wait_for_end(r);
}

static int tear_down(void **state)
{
    struct running *r = *state;
    if (r->running) /* the test has failed */
        stop(r);
    buffer_clear(&r->config.encryption_context);
    free(r);
    return 0;
}

/* --- clients --------------------------------------------------------------------------------- */

static int connect_to(struct running *r)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = r->port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = WAIT_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void send_bytes(int fd, struct bytes bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        assert_true(n > 0);
        bytes = bytes_from(bytes, (size_t)n);
    }
}

static void send_frame(int fd, struct bytes content)
{
    uint8_t header[FRAME_HEADER_SIZE];
    be32_store(header, (uint32_t)content.len);
    send_bytes(fd, bytes_of(header, sizeof header));
    send_bytes(fd, content);
}

static bool receive_bytes(int fd, uint8_t *at, size_t len)
{
    ssize_t n = 0;
    for (size_t got = 0; got < len; got += (size_t)n)
        if ((n = recv(fd, at + got, len - got, 0)) <= 0)
            return false;
    return true;
}

/* Receives one answer into a text that the next call overwrites. */
static const char *receive_text(int fd)
{
    static char text[8u << 20];
    uint8_t header[FRAME_HEADER_SIZE];
    assert_true(receive_bytes(fd, header, sizeof header));
    size_t len = be32_load(header);
    assert_true(len < sizeof text);
    assert_true(receive_bytes(fd, (uint8_t *)text, len));
    text[len] = '\0';
    return text;
}

static void assert_answer(int fd, const char *part)
{
    const char *text = receive_text(fd);
    if (strstr(text, part) == NULL)
        fail_msg("%.300s: no %s", text, part);
}

static const char *ask(int fd, const char *request)
{
    send_frame(fd, bytes_text(request));
    return receive_text(fd);
}

static void assert_asking(int fd, const char *request, const char *part)
{
    const char *text = ask(fd, request);
    if (strstr(text, part) == NULL)
        fail_msg("%.1500s: no %s", text, part);
}

static void assert_closed(int fd)
{
    uint8_t byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
    close(fd);
}

/* {"mode": "A", "payload": "xxx…"}: as many bytes as content says. */
static void send_large(int fd, size_t len)
{
    static const char head[] = "{\"mode\":\"A\",\"payload\":\"", tail[] = "\"}";
    static char content[4u << 20];
    assert_true(len <= sizeof content);
    memset(content, 'x', len);
    memcpy(content, head, sizeof head - 1);
    memcpy(content + len - sizeof tail + 1, tail, sizeof tail - 1);
    send_frame(fd, bytes_of(content, len));
}

/* Waits until health says so. */
static void wait_for_health(int fd, const char *part)
{
    for (int i = 0; i < WAIT_MS / 10; i++) {
        if (strstr(ask(fd, ask_health), part) != NULL)
            return;
        poll(NULL, 0, 10);
    }
    fail_msg("health never has %s", part);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void clients_are_accepted_and_served(void **state)
{
    struct running *r = *state;
    start(r);
    int one = connect_to(r), other = connect_to(r);
    assert_asking(one, agent_a, "\"ciphertext\"");
    assert_asking(other, agent_a, "\"ciphertext\"");
    close(one);
    wait_for_health(other, "\"connections\": 1");
    assert_asking(other, ask_health, "\"ended\": {\"closed\": 1, \"reset\": 0, ");
    close(other);
    stop(r);
    assert_true(r->service.requests >= 4);
    assert_int_equal(r->service.errors, 0);
}

static void a_client_beyond_the_limit_displaces_the_longest_idle(void **state)
{
    struct running *r = *state;
    int held[3];
    start(r);
    for (size_t i = 0; i < 3; i++) {
        held[i] = connect_to(r);
        assert_asking(held[i], agent_a, "\"ciphertext\"");
    }
    int newcomer = connect_to(r);
    assert_asking(newcomer, agent_a, "\"ciphertext\"");
    assert_closed(held[0]);
    for (size_t i = 1; i < 3; i++)
        assert_asking(held[i], ask_health, "\"displaced\": 1");
    held[0] = connect_to(r);
    assert_asking(held[0], ask_health, "\"displaced\": 2");
    assert_closed(newcomer);
    for (size_t i = 0; i < 3; i++)
        close(held[i]);
    stop(r);
    assert_int_equal(r->service.ended[END_DISPLACED], 2);
    assert_int_equal(r->service.ended[END_TOO_MANY], 0);
    assert_int_equal(r->service.errors, 0);
}

static void little_memory_means_few_connections(void **state)
{
    struct running *r = *state;
    pretended_memory = 2 * ROOM_PART * ROOM_CONNECTION_BYTES;
    start(r);
    int first = connect_to(r), second = connect_to(r);
    assert_asking(first, agent_a, "\"ciphertext\"");
    assert_asking(second, ask_health, "\"connections\": 2");
    int third = connect_to(r);
    assert_asking(third, ask_health, "\"displaced\": 1");
    assert_closed(first);
    close(second);
    close(third);
    stop(r);
}

static void only_the_parent_is_served_over_vsock(void **state)
{
    struct running *r = *state;
    start(r);
    pretended_cid = PARENT_CID + 1;
    assert_closed(connect_to(r));
    pretended_cid = PARENT_CID;
    int parent = connect_to(r);
    assert_asking(parent, ask_health, "\"refused_peers\": 1");
    close(parent);
    stop(r);
    assert_int_equal(r->service.ended[END_PEER], 1);
}

static void accepting_goes_on_after_a_shortage(void **state)
{
    struct running *r = *state;
    start(r);
    failures_of_accept = 2;
    int64_t begun = clock_monotonic_ms();
    int fd = connect_to(r);
    assert_asking(fd, agent_a, "\"ciphertext\"");
    assert_true(clock_monotonic_ms() - begun >= 2 * ACCEPT_PAUSE_MS - 1);
    close(fd);
    stop(r);
}

static void large_requests_and_configure_go_to_other_threads(void **state)
{
    struct running *r = *state;
    start(r);
    int fd = connect_to(r);
    send_large(fd, 1u << 20);
    send_frame(fd, bytes_text("{\"op\":\"configure\"}"));
    send_large(fd, 300000);
    send_frame(fd, bytes_text(agent_a));
    assert_answer(fd, "\"ciphertext\"");
    assert_answer(fd, "\"bad_configure\"");
    assert_answer(fd, "\"ciphertext\"");
    assert_answer(fd, "\"ciphertext\"");
    close(fd);
    stop(r);
    assert_int_equal(r->service.requests, 4);
    assert_int_equal(r->service.errors, 1);
}

static void a_job_whose_client_is_gone_ends_alone(void **state)
{
    struct running *r = *state;
    const struct linger hard = {.l_onoff = 1};
    start(r);
    int watching = connect_to(r);
    for (int i = 0; i < 20; i++) {
        int fd = connect_to(r);
        send_large(fd, 1u << 20);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
        close(fd);
        wait_for_health(watching, "\"connections\": 1");
    }
    assert_asking(watching, ask_health, "\"reset\": 20");
    close(watching);
    stop(r);
}

/* One limit is short in each of these, so that no other one ends the connection first. */
static void an_idle_connection_ends(void **state)
{
    struct running *r = *state;
    r->config.limits.idle_ms = 50;
    start(r);
    assert_closed(connect_to(r));
    stop(r);
    assert_int_equal(r->service.ended[END_IDLE], 1);
}

static void an_unfinished_frame_ends_a_connection(void **state)
{
    struct running *r = *state;
    r->config.limits.frame_ms = 50;
    start(r);
    int slow = connect_to(r);
    send_bytes(slow, bytes_of("\0\0\1", 3));
    assert_answer(slow, "\"timeout\"");
    assert_closed(slow);
    stop(r);
    assert_int_equal(r->service.ended[END_TIMEOUT], 1);
}

static void an_answer_that_is_not_read_ends_a_connection(void **state)
{
    struct running *r = *state;
    const int small = 4096;
    r->config.limits.write_ms = 50;
    start(r);
    int deaf = connect_to(r), watching = connect_to(r);
    assert_int_equal(setsockopt(deaf, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    send_large(deaf, 2000000); /* its answer is more than the sockets hold */
    wait_for_health(watching, "\"slow_reader\": 1");
    close(deaf);
    close(watching);
    stop(r);
    assert_int_equal(r->service.ended[END_SLOW_READER], 1);
}

static void stopping_finishes_what_is_under_way(void **state)
{
    struct running *r = *state;
    start(r);
    int idle = connect_to(r), partial = connect_to(r), busy = connect_to(r);
    uint8_t header[FRAME_HEADER_SIZE];
    be32_store(header, sizeof agent_a - 1);
    send_bytes(partial, bytes_of(header, sizeof header));
    send_large(busy, 1u << 20);
    assert_asking(idle, agent_a, "\"ciphertext\"");
    tell_to_stop(r);
    assert_closed(idle);
    send_bytes(partial, bytes_text(agent_a));
    assert_answer(partial, "\"ciphertext\"");
    assert_closed(partial);
    assert_answer(busy, "\"ciphertext\"");
    assert_closed(busy);
    wait_for_end(r);
    assert_int_equal(r->service.ended[END_STOPPED], 3);
}

static void stopping_has_its_own_time_limit(void **state)
{
    struct running *r = *state;
    r->config.limits.drain_ms = 100;
    start(r);
    int partial = connect_to(r), other = connect_to(r);
    send_bytes(partial, bytes_of("\0\0", 2));
    assert_asking(other, agent_a, "\"ciphertext\"");
    tell_to_stop(r);
    assert_closed(other);
    assert_closed(partial);
    wait_for_end(r);
    assert_int_equal(r->service.ended[END_STOPPED], 1);
    assert_int_equal(r->service.ended[END_CUT_OFF], 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(clients_are_accepted_and_served),
        TEST(a_client_beyond_the_limit_displaces_the_longest_idle),
        TEST(little_memory_means_few_connections),
        TEST(only_the_parent_is_served_over_vsock),
        TEST(accepting_goes_on_after_a_shortage),
        TEST(large_requests_and_configure_go_to_other_threads),
        TEST(a_job_whose_client_is_gone_ends_alone),
        TEST(an_idle_connection_ends),
        TEST(an_unfinished_frame_ends_a_connection),
        TEST(an_answer_that_is_not_read_ends_a_connection),
        TEST(stopping_finishes_what_is_under_way),
        TEST(stopping_has_its_own_time_limit),
    };
    return crypto_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
