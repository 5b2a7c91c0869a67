/* SPDX-License-Identifier: Apache-2.0 */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define FORMS "vsock:CID:PORT, tcp:HOST:PORT or unix:PATH"

/* A decimal number without sign or space, up to max. */
static bool read_number(const char *text, uint32_t max, uint32_t *out)
{
    uint64_t value = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > max)
            return false;
    }
    *out = (uint32_t)value;
    return true;
}

static void set_text(struct address *address)
{
    if (address->family == ADDRESS_VSOCK) {
        const struct sockaddr_vm *vm = (const struct sockaddr_vm *)&address->storage;
        if (vm->svm_cid == VMADDR_CID_ANY)
            snprintf(address->text, sizeof address->text, "vsock:any:%u", vm->svm_port);
        else
            snprintf(address->text, sizeof address->text, "vsock:%u:%u", vm->svm_cid, vm->svm_port);
    } else if (address->family == ADDRESS_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
        snprintf(address->text, sizeof address->text, "unix:%.*s", (int)sizeof un->sun_path,
                 un->sun_path);
    } else if (address->storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->storage;
        char host[INET6_ADDRSTRLEN] = "";
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(address->text, sizeof address->text, "tcp:[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in4 = (const struct sockaddr_in *)&address->storage;
        char host[INET_ADDRSTRLEN] = "";
        inet_ntop(AF_INET, &in4->sin_addr, host, sizeof host);
        snprintf(address->text, sizeof address->text, "tcp:%s:%u", host, ntohs(in4->sin_port));
    }
}

/* Splits "HOST:PORT" at its last colon; host takes what stands before it. */
static bool split_port(const char *rest, char *host, size_t host_size, uint32_t max, uint32_t *port)
{
    const char *colon = strrchr(rest, ':');
    if (colon == NULL || (size_t)(colon - rest) >= host_size)
        return false;
    memcpy(host, rest, (size_t)(colon - rest));
    host[colon - rest] = '\0';
    return read_number(colon + 1, max, port);
}

static bool parse_vsock(struct address *out, const char *rest, struct error *err)
{
    struct sockaddr_vm *vm = (struct sockaddr_vm *)&out->storage;
    char cid[32];
    uint32_t port, number;
    if (!split_port(rest, cid, sizeof cid, UINT32_MAX - 1, &port))
        return error_set(err, ERROR_ADDRESS, "vsock:%s: want vsock:CID:PORT", rest);
    if (strcmp(cid, "any") == 0)
        number = VMADDR_CID_ANY;
    else if (strcmp(cid, "host") == 0)
        number = VMADDR_CID_HOST;
    else if (!read_number(cid, UINT32_MAX - 1, &number))
        return error_set(err, ERROR_ADDRESS, "vsock:%s: the CID is a number, any or host", rest);
    vm->svm_family = AF_VSOCK;
    vm->svm_cid = number;
    vm->svm_port = port;
    out->len = sizeof *vm;
    return true;
}

static bool parse_tcp(struct address *out, const char *rest, struct error *err)
{
    struct sockaddr_in *in4 = (struct sockaddr_in *)&out->storage;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->storage;
    char host[256];
    uint32_t port;
    if (!split_port(rest, host, sizeof host, 65535, &port))
        return error_set(err, ERROR_ADDRESS, "tcp:%s: want tcp:HOST:PORT", rest);
    size_t len = strlen(host);
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1) {
            in6->sin6_family = AF_INET6;
            in6->sin6_port = htons((uint16_t)port);
            out->len = sizeof *in6;
            return true;
        }
    }
    const char *numeric = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (inet_pton(AF_INET, numeric, &in4->sin_addr) != 1)
        return error_set(err, ERROR_ADDRESS,
                         "tcp:%s: give HOST as a number (127.0.0.1 or [::1]), names are not looked "
                         "up here",
                         rest);
    in4->sin_family = AF_INET;
    in4->sin_port = htons((uint16_t)port);
    out->len = sizeof *in4;
    return true;
}

static bool parse_unix(struct address *out, const char *path, struct error *err)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&out->storage;
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof un->sun_path)
        return error_set(err, ERROR_ADDRESS, "unix:%s: a path has 1 to %zu bytes", path,
                         sizeof un->sun_path - 1);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, len + 1);
    out->len = (socklen_t)sizeof *un;
    return true;
}

bool address_parse(struct address *out, const char *text, struct error *err)
{
    static const struct {
        const char *prefix;
        enum address_family family;
        bool (*parse)(struct address *out, const char *rest, struct error *err);
    } forms[] = {
        {"vsock:", ADDRESS_VSOCK, parse_vsock},
        {"tcp:", ADDRESS_TCP, parse_tcp},
        {"unix:", ADDRESS_UNIX, parse_unix},
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        size_t len = strlen(forms[i].prefix);
        if (strncmp(text, forms[i].prefix, len) != 0)
            continue;
        memset(out, 0, sizeof *out);
        out->family = forms[i].family;
        if (!forms[i].parse(out, text + len, err))
            return false;
        set_text(out);
        return true;
    }
    return error_set(err, ERROR_ADDRESS, "\"%.100s\" is no address: want " FORMS, text);
}

static bool open_socket(const struct address *address, int *fd, struct error *err)
{
    *fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd >= 0)
        return true;
    if (errno == EAFNOSUPPORT && address->family == ADDRESS_VSOCK)
        return error_set(err, ERROR_NO_VSOCK,
                         "%s: this kernel has no AF_VSOCK; load the vsock module, or use "
                         "tcp:127.0.0.1:PORT or unix:PATH outside an enclave",
                         address->text);
    return error_set_errno(err, ERROR_SYSTEM, "socket for %s", address->text);
}

/* Removes a socket file that nobody answers on, left behind by a server that was killed. */
static void remove_stale_socket(const struct address *address)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
    struct stat st;
    if (lstat(un->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return;
    if (connect(probe, (const struct sockaddr *)un, address->len) != 0 && errno == ECONNREFUSED)
        unlink(un->sun_path);
    close(probe);
}

static bool bind_and_listen(const struct address *address, int backlog, int fd)
{
    if (address->family == ADDRESS_TCP) {
        int on = 1;
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
            return false;
    }
    /* The file's mode is set before bind, so that there is no moment when others may connect. */
    if (address->family == ADDRESS_UNIX && fchmod(fd, 0600) != 0)
        return false;
    return bind(fd, (const struct sockaddr *)&address->storage, address->len) == 0 &&
           listen(fd, backlog) == 0;
}

bool address_listen(const struct address *address, int backlog, int *fd, struct error *err)
{
    if (address->family == ADDRESS_UNIX)
        remove_stale_socket(address);
    if (!open_socket(address, fd, err))
        return false;
    if (bind_and_listen(address, backlog, *fd))
        return true;
    error_set_errno(err, ERROR_SYSTEM, "cannot listen on %s", address->text);
    close(*fd);
    *fd = -1;
    return false;
}

/* Waits for a connect under way and returns its errno, or -1 with *err when waiting failed. */
static int finish_connect(int fd, const struct deadline *deadline, struct error *err)
{
    if (!deadline_wait(deadline, fd, POLLOUT, err))
        return -1;
    int result = 0;
    socklen_t len = sizeof result;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &len) == 0 ? result : errno;
}

bool address_connect(const struct address *address, const struct deadline *deadline, int *fd,
                     struct error *err)
{
    if (!open_socket(address, fd, err))
        return false;
    int result = 0;
    if (connect(*fd, (const struct sockaddr *)&address->storage, address->len) != 0)
        result =
            errno == EINPROGRESS || errno == EINTR ? finish_connect(*fd, deadline, err) : errno;
    if (result == 0) {
        int on = 1;
        if (address->family == ADDRESS_TCP)
            (void)setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return true;
    }
    if (result > 0) {
        errno = result;
        error_set_errno(err, ERROR_NETWORK, "cannot connect to %s", address->text);
    }
    close(*fd);
    *fd = -1;
    return false;
}

bool address_of(int fd, struct address *out, struct error *err)
{
    memset(out, 0, sizeof *out);
    out->len = sizeof out->storage;
    if (getsockname(fd, (struct sockaddr *)&out->storage, &out->len) != 0)
        return error_set_errno(err, ERROR_SYSTEM, "getsockname");
    int family = out->storage.ss_family;
    out->family = family == AF_VSOCK  ? ADDRESS_VSOCK
                  : family == AF_UNIX ? ADDRESS_UNIX
                                      : ADDRESS_TCP;
    set_text(out);
    return true;
}
