/* SPDX-License-Identifier: Apache-2.0 */
/* What PID 1 does that needs no kernel of its own; tests/system/test_image_boot.py has the rest. */
#include "tests/unit/check.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/heartbeat.h"
#include "init/prepare.h"

/* Exchanges with a parent that has already sent answer (len 0: closed instead); how it ended. */
static enum error_code beat(const char *answer, size_t len, bool closed, int64_t wait_ms)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(send(pair[1], answer, len, 0), len);
    if (closed)
        assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    struct error err = {0};
    const struct deadline deadline = deadline_in(wait_ms);
    bool ok = heartbeat_exchange(pair[0], &deadline, &err);
    uint8_t sent = 0;
    assert_int_equal(recv(pair[1], &sent, 1, 0), 1);
    assert_int_equal(sent, 0xB7);
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(ok, err.code == ERROR_NONE);
    return err.code;
}

static void heartbeats(void **state)
{
    (void)state;
    assert_int_equal(beat("\xB7", 1, false, 10000), ERROR_NONE);
    assert_int_equal(beat("\xB8", 1, false, 10000), ERROR_FORMAT);
    assert_int_equal(beat("", 0, true, 10000), ERROR_CLOSED);
    assert_int_equal(beat("", 0, false, 10), ERROR_DEADLINE);
}

static void no_parent_no_heartbeat(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    close(pair[1]);
    struct error err = {0};
    const struct deadline deadline = deadline_in(10000);
    assert_false(heartbeat_exchange(pair[0], &deadline, &err));
    assert_int_equal(err.code, ERROR_NETWORK);
    close(pair[0]);
}

static void write_file(const char *folder, const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "no module", 9), 9);
    close(fd);
}

static void remove_file(const char *folder, const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

/* The first that cannot be loaded ends it, and is named. */
static void modules_load_in_order(void **state)
{
    (void)state;
    char folder[] = "/tmp/test-init-XXXXXX";
    struct error err = {0};
    assert_true(prepare_modules("/nonexistent/modules", &err));
    assert_non_null(mkdtemp(folder));
    assert_true(prepare_modules(folder, &err));
    write_file(folder, "9-last.ko");
    write_file(folder, "10-first.ko");
    assert_false(prepare_modules(folder, &err));
    assert_int_equal(err.code, ERROR_SYSTEM);
    assert_non_null(strstr(err.cause, "module 10-first.ko cannot be loaded: "));
    remove_file(folder, "9-last.ko");
    remove_file(folder, "10-first.ko");
    rmdir(folder);
}

/* From the limits that a kernel leaves to its first process. */
static void descriptors_suffice_for_any_limit(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit files = {1024, 4096};
        struct error err = {0};
        if (setrlimit(RLIMIT_NOFILE, &files) != 0)
            _exit(2);
        bool raised = prepare_descriptors(&err);
        if (!raised && strstr(err.cause, "Operation not permitted") != NULL)
            _exit(3);
        _exit(!raised || getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur < 100000 + 32);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 3) {
        print_message("only root may raise RLIMIT_NOFILE\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heartbeats),
        cmocka_unit_test(no_parent_no_heartbeat),
        cmocka_unit_test(modules_load_in_order),
        cmocka_unit_test(descriptors_suffice_for_any_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
