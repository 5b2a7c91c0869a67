/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "host/resolve.h"
#include "sockets/any_address.h"
#include "sockets/deadline_sleep.h"
#include "sockets/frame_io.h"

static char folder[] = "/tmp/test_net_XXXXXX"; /* for sockets */

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void addresses_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *canonical; /* NULL: refused */
    } rows[] = {
        {"vsock:any:5000", "vsock:any:5000"},
        {"vsock:3:8000", "vsock:3:8000"},
        {"vsock:host:1", "vsock:2:1"},
        {"tcp:127.0.0.1:80", "tcp:127.0.0.1:80"},
        {"tcp:localhost:0", "tcp:127.0.0.1:0"},
        {"tcp:[::1]:65535", "tcp:[::1]:65535"},
        {"unix:/tmp/x y", "unix:/tmp/x y"},
        {"", NULL},
        {"tcp", NULL},
        {"tcp:", NULL},
        {"tcp:127.0.0.1", NULL},
        {"tcp:127.0.0.1:", NULL},
        {"tcp:127.0.0.1:65536", NULL},
        {"tcp:127.0.0.1:-1", NULL},
        {"tcp:127.0.0.1:+1", NULL},
        {"tcp:127.0.0.1: 1", NULL},
        {"tcp:example.invalid:1", NULL},
        {"tcp:[::1:80", NULL},
        {"vsock:5000", NULL},
        {"vsock:x:5000", NULL},
        {"vsock::5000", NULL},
        {"vsock:3:4294967295", NULL},
        {"vsock:99999999999:1", NULL},
        {"unix:", NULL},
        {"http://127.0.0.1", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address address;
        struct error err = {0};
        bool ok = any_address_parse(&address, rows[i].text, &err);
        if (ok != (rows[i].canonical != NULL))
            fail_msg("%s: %s", rows[i].text, ok ? address.text : err.cause);
        if (ok)
            assert_string_equal(address.text, rows[i].canonical);
        else
            assert_int_equal(err.code, ERROR_ADDRESS);
    }
    char path[300] = "unix:";
    memset(path + 5, 'a', 200);
    struct address address;
    assert_false(any_address_parse(&address, path, NULL));
}

/* enclaved's own parser: what else there is, is named. */
/* What the kernel keeps unread for each connection is no matter of its default. */
static void a_listening_vsock_bounds_what_its_connections_hold(void **state)
{
    struct address address;
    char text[32];
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint64_t size = 0;
    socklen_t len = sizeof size;
    (void)state;
    if (fd < 0)
        skip(); /* a kernel without vsock */
    close(fd);
    snprintf(text, sizeof text, "vsock:any:%d", 100000 + (int)getpid());
    assert_true(address_parse(&address, text, NULL));
    assert_true(address_listen(&address, 1, &fd, NULL));
    assert_int_equal(getsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, &len), 0);
    assert_int_equal(size, ADDRESS_UNREAD_BYTES);
    close(fd);
    /* As a client it must say early what it has read. */
    fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(address.prepare(&address, fd, false));
    assert_int_equal(getsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, &len), 0);
    assert_int_equal(size, ADDRESS_CLIENT_BYTES);
    close(fd);
}

static void an_enclave_has_vsock_only(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"vsock:any:5000", true},
        {"vsock:host:1", true},
        {"vsock:3:4294967294", true},
        {"vsock:3:4294967295", false},
        {"vsock:18446744073709551616:1", false},
        {"vsock:3: 1", false},
        {"vsock:+3:1", false},
        {"vsock:3:1x", false},
        {"vsock:3:", false},
        {"vsock:any", false},
        {"vsock:", false},
        {"vsock", false},
        {"", false},
        {"tcp:127.0.0.1:80", false},
        {"unix:/tmp/x", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct address address;
        struct error err = {0};
        if (address_parse(&address, rows[i].text, &err) != rows[i].good)
            fail_msg("%s", rows[i].text);
        if (rows[i].good) {
            assert_string_equal(address.text, rows[i].text);
            continue;
        }
        assert_int_equal(err.code, ERROR_ADDRESS);
        assert_non_null(strstr(err.cause, "vsock:CID:PORT"));
        assert_non_null(strstr(err.cause, "enclaved-dev"));
    }
}

/* A listener on text and a connection to it. */
static void pair_on(const char *text, int *listener, int *client, int *server)
{
    struct address address, bound;
    struct error err = {0};
    assert_true(any_address_parse(&address, text, &err));
    if (!address_listen(&address, 8, listener, &err))
        fail_msg("%s", err.cause);
    assert_true(address_bound(*listener, &bound, &err));
    struct deadline soon = deadline_in(5000);
    if (!address_connect(&bound, &soon, client, &err))
        fail_msg("%s", err.cause);
    assert_true(deadline_wait(&soon, *listener, 1, &err));
    *server = accept4(*listener, NULL, NULL, SOCK_NONBLOCK);
    assert_true(*server >= 0);
}

static void frames_travel(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "unix:%s/frames", folder);
    const char *const texts[] = {"tcp:127.0.0.1:0", path};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        int listener, client, server;
        pair_on(texts[i], &listener, &client, &server);
        struct deadline soon = deadline_in(5000);
        struct error err = {0};
        BUFFER_AUTO got;
        buffer_init(&got, 100);
        assert_true(frame_send(client, bytes_text("hello"), &soon, &err));
        assert_true(frame_send(client, bytes_text(""), &soon, &err));
        assert_true(frame_receive(server, &got, 100, &soon, &err));
        assert_bytes(buffer_bytes(&got), "hello");
        assert_true(frame_receive(server, &got, 100, &soon, &err));
        assert_int_equal(got.len, 0);
        assert_true(frame_send(client, bytes_text("longer than five"), &soon, &err));
        assert_false(frame_receive(server, &got, 5, &soon, &err));
        assert_int_equal(err.code, ERROR_FRAME_TOO_LARGE);
        assert_int_equal(got.len, 0);
        close(client);
        close(server);
        close(listener);
    }
    unlink(path + strlen("unix:"));
}

static void broken_frames_are_named(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *bytes;
        enum error_code want;
    } rows[] = {
        {0, "", ERROR_CLOSED},
        {2, "\0\0", ERROR_FRAME_TRUNCATED},
        {6, "\0\0\0\5ab", ERROR_FRAME_TRUNCATED},
        {4, "\xff\xff\xff\xff", ERROR_FRAME_TOO_LARGE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        assert_int_equal(write(fds[0], rows[i].bytes, rows[i].len), rows[i].len);
        close(fds[0]);
        struct deadline soon = deadline_in(5000);
        struct error err = {0};
        BUFFER_AUTO got;
        buffer_init(&got, 1000);
        assert_false(frame_receive(fds[1], &got, 1000, &soon, &err));
        assert_int_equal(err.code, rows[i].want);
        close(fds[1]);
    }
}

static void deadlines_and_stop(void **state)
{
    (void)state;
    int fds[2], stop[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(pipe(stop), 0);
    struct error err = {0};
    BUFFER_AUTO got;
    buffer_init(&got, 10);
    struct deadline now = deadline_in(0);
    assert_false(frame_receive(fds[0], &got, 10, &now, &err));
    assert_int_equal(err.code, ERROR_DEADLINE);
    assert_false(deadline_sleep(&now, 1000, &err));
    assert_int_equal(err.code, ERROR_DEADLINE);
    struct deadline never = {.at_ms = INT64_MAX, .stop_fd = stop[0]};
    assert_int_equal(deadline_poll_ms(&never), -1);
    assert_true(deadline_sleep(&never, 1, &err));
    assert_int_equal(write(stop[1], "x", 1), 1);
    assert_false(deadline_wait(&never, fds[0], 1, &err));
    assert_int_equal(err.code, ERROR_SHUTTING_DOWN);
    assert_false(deadline_sleep(&never, 1000, &err));
    close(fds[0]);
    close(fds[1]);
    close(stop[0]);
    close(stop[1]);
}

static void nobody_listens(void **state)
{
    (void)state;
    struct address address, bound;
    struct error err = {0};
    int fd;
    /* bound and not listening: nobody else gets the port, the client itself neither */
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(taken, (struct sockaddr *)&any, sizeof any), 0);
    assert_true(address_bound(taken, &bound, &err));
    struct deadline soon = deadline_in(5000);
    assert_false(address_connect(&bound, &soon, &fd, &err));
    assert_int_equal(err.code, ERROR_NETWORK);
    assert_int_equal(fd, -1);
    close(taken);
    assert_true(any_address_parse(&address, "unix:/nonexistent/socket", &err));
    assert_false(address_connect(&address, &soon, &fd, &err));
    assert_false(address_listen(&address, 8, &fd, &err));
    assert_int_equal(err.code, ERROR_SYSTEM);
}

/* Where the kernel has the family, the address works; where not, the error names what to use. */
static void vsock_and_ipv6(void **state)
{
    (void)state;
    static const char *const texts[] = {"vsock:any:41237", "tcp:[::1]:0"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct address address, bound;
        struct error err = {0};
        int fd;
        assert_true(any_address_parse(&address, texts[i], &err));
        if (address_listen(&address, 8, &fd, &err)) {
            assert_true(address_bound(fd, &bound, &err));
            assert_memory_equal(bound.text, texts[i], strlen(texts[i]) - (i == 1));
            close(fd);
        } else if (err.code == ERROR_NO_VSOCK) {
            assert_non_null(strstr(err.cause, "tcp:"));
            assert_non_null(strstr(err.cause, "unix:"));
        } else {
            assert_int_equal(err.code, ERROR_SYSTEM);
        }
    }
}

static void frames_wait_for_their_reader(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    struct deadline now = deadline_in(1);
    struct error err = {0};
    BUFFER_AUTO large;
    buffer_init(&large, 16u << 20);
    uint8_t *at = buffer_reserve(&large, 8u << 20);
    assert_non_null(at);
    memset(at, 'x', 8u << 20);
    buffer_commit(&large, 8u << 20);
    assert_false(frame_send(fds[0], buffer_bytes(&large), &now, &err)); /* nobody reads */
    assert_int_equal(err.code, ERROR_DEADLINE);
    close(fds[1]);
    assert_false(frame_send(fds[0], bytes_text("x"), &now, &err));
    assert_int_equal(err.code, ERROR_NETWORK);
    BUFFER_AUTO got;
    buffer_init(&got, 100);
    int closed = fds[0];
    close(fds[0]);
    assert_false(frame_receive(closed, &got, 100, &now, &err));
    assert_int_equal(err.code, ERROR_NETWORK);
}

static void a_frame_needs_memory(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    struct deadline soon = deadline_in(5000);
    struct error err = {0};
    BUFFER_AUTO small;
    buffer_init(&small, 3);
    assert_true(frame_send(fds[0], bytes_text("four"), &soon, &err));
    assert_false(frame_receive(fds[1], &small, 100, &soon, &err));
    assert_int_equal(err.code, ERROR_MEMORY);
    close(fds[0]);
    close(fds[1]);
}

static void stale_sockets_are_replaced(void **state)
{
    (void)state;
    struct address address;
    struct error err = {0};
    int first, second;
    struct stat st;
    char text[64];
    snprintf(text, sizeof text, "unix:%s/stale", folder);
    const char *path = text + strlen("unix:");
    assert_true(any_address_parse(&address, text, &err));
    assert_true(address_listen(&address, 8, &first, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_false(address_listen(&address, 8, &second, &err)); /* somebody answers */
    close(first);
    assert_true(address_listen(&address, 8, &second, &err));
    close(second);
    unlink(path);
}

static void names_resolve_outside(void **state)
{
    (void)state;
    struct address address;
    struct error err = {0};
    assert_true(address_resolve(&address, "tcp:localhost:7", &err));
    assert_false(address_resolve(&address, "tcp:name.invalid:7", &err));
    assert_int_equal(err.code, ERROR_ADDRESS);
    static const char *const bad[] = {
        "tcp::7",           "tcp:localhost:99999", "tcp:127.0.0.1:65536",
        "tcp:localhost:7x", "tcp:localhost:",      "localhost:7"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(address_resolve(&address, bad[i], &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_parse),
        cmocka_unit_test(an_enclave_has_vsock_only),
        cmocka_unit_test(a_listening_vsock_bounds_what_its_connections_hold),
        cmocka_unit_test(frames_travel),
        cmocka_unit_test(broken_frames_are_named),
        cmocka_unit_test(deadlines_and_stop),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(stale_sockets_are_replaced),
        cmocka_unit_test(names_resolve_outside),
        cmocka_unit_test(vsock_and_ipv6),
        cmocka_unit_test(frames_wait_for_their_reader),
        cmocka_unit_test(a_frame_needs_memory),
    };
    return cmocka_run_group_tests_name("net", tests, make_folder, remove_folder);
}
