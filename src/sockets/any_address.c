/* SPDX-License-Identifier: Apache-2.0 */
#include "sockets/any_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

/* A decimal number without sign or space, up to 65535. */
static bool read_port(const char *text, uint16_t *out)
{
    unsigned value = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > 65535)
            return false;
    }
    *out = (uint16_t)value;
    return true;
}

static void set_text(struct address *address)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (address_is_vsock(address)) {
        const struct sockaddr_vm *vm = (const struct sockaddr_vm *)&address->storage;
        if (vm->svm_cid == VMADDR_CID_ANY)
            snprintf(address->text, sizeof address->text, "vsock:any:%u", vm->svm_port);
        else
            snprintf(address->text, sizeof address->text, "vsock:%u:%u", vm->svm_cid, vm->svm_port);
    } else if (address_is_unix(address)) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
        snprintf(address->text, sizeof address->text, "unix:%.*s", (int)sizeof un->sun_path,
                 un->sun_path);
    } else if (address->storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->storage;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(address->text, sizeof address->text, "tcp:[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in4 = (const struct sockaddr_in *)&address->storage;
        inet_ntop(AF_INET, &in4->sin_addr, host, sizeof host);
        snprintf(address->text, sizeof address->text, "tcp:%s:%u", host, ntohs(in4->sin_port));
    }
}

static bool prepare_tcp(const struct address *address, int fd, bool to_listen)
{
    int on = 1;
    (void)address;
    if (to_listen)
        return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return true;
}

/* Removes the socket file of a server that was killed: one on which nobody answers. */
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

/* The file's mode is set before bind, so that there is no moment when others may connect. */
static bool prepare_unix(const struct address *address, int fd, bool to_listen)
{
    if (!to_listen)
        return true;
    remove_stale_socket(address);
    return fchmod(fd, 0600) == 0;
}

static bool parse_vsock(struct address *out, const char *rest, struct error *err)
{
    if (!address_parse(out, rest - strlen("vsock:"), NULL))
        return error_set(err, ERROR_ADDRESS,
                         "vsock:%.100s: want vsock:CID:PORT, where CID is a number, any or host",
                         rest);
    set_text(out);
    return true;
}

void address_set_tcp(struct address *out, const struct sockaddr *at, socklen_t len)
{
    memset(out, 0, sizeof *out);
    memcpy(&out->storage, at, len);
    out->len = len;
    out->prepare = prepare_tcp;
    set_text(out);
}

static bool parse_tcp(struct address *out, const char *rest, struct error *err)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    char host[256];
    uint16_t port;
    const char *colon = strrchr(rest, ':');
    if (colon == NULL || (size_t)(colon - rest) >= sizeof host || !read_port(colon + 1, &port))
        return error_set(err, ERROR_ADDRESS, "tcp:%.100s: want tcp:HOST:PORT", rest);
    size_t len = (size_t)(colon - rest);
    memcpy(host, rest, len);
    host[len] = '\0';
    in4.sin_port = in6.sin6_port = htons(port);
    const char *numeric = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (inet_pton(AF_INET, numeric, &in4.sin_addr) == 1) {
        address_set_tcp(out, (const struct sockaddr *)&in4, sizeof in4);
        return true;
    }
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        if (inet_pton(AF_INET6, host + 1, &in6.sin6_addr) == 1) {
            address_set_tcp(out, (const struct sockaddr *)&in6, sizeof in6);
            return true;
        }
    }
    return error_set(
        err, ERROR_ADDRESS,
        "tcp:%.100s: give HOST as a number (127.0.0.1 or [::1]), names are not resolved here",
        rest);
}

static bool parse_unix(struct address *out, const char *path, struct error *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof un.sun_path)
        return error_set(err, ERROR_ADDRESS, "unix:%.200s: a path has 1 to %zu bytes", path,
                         sizeof un.sun_path - 1);
    memcpy(un.sun_path, path, len + 1);
    memset(out, 0, sizeof *out);
    memcpy(&out->storage, &un, sizeof un);
    out->len = (socklen_t)sizeof un;
    out->prepare = prepare_unix;
    set_text(out);
    return true;
}

bool any_address_parse(struct address *out, const char *text, struct error *err)
{
    static const struct {
        const char *prefix;
        bool (*parse)(struct address *out, const char *rest, struct error *err);
    } forms[] = {{"vsock:", parse_vsock}, {"tcp:", parse_tcp}, {"unix:", parse_unix}};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        size_t len = strlen(forms[i].prefix);
        if (strncmp(text, forms[i].prefix, len) == 0)
            return forms[i].parse(out, text + len, err);
    }
    return error_set(
        err, ERROR_ADDRESS,
        "\"%.100s\" is not an address: want vsock:CID:PORT, tcp:HOST:PORT or unix:PATH", text);
}

bool address_bound(int fd, struct address *out, struct error *err)
{
    memset(out, 0, sizeof *out);
    out->len = sizeof out->storage;
    if (getsockname(fd, (struct sockaddr *)&out->storage, &out->len) != 0)
        return error_set_errno(err, ERROR_SYSTEM, "getsockname");
    if (address_is_unix(out))
        out->prepare = prepare_unix;
    else if (address_is_tcp(out))
        out->prepare = prepare_tcp;
    set_text(out);
    return true;
}

void address_unlink(const struct address *address)
{
    if (address_is_unix(address))
        unlink(((const struct sockaddr_un *)&address->storage)->sun_path);
}
