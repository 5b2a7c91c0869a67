/* SPDX-License-Identifier: Apache-2.0 */
#include "net/address.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

/* Takes a decimal number without sign or space, and end after it. */
static bool take_number(const char **text, char end, uint32_t *out)
{
    char *after;
    unsigned long value = strtoul(*text, &after, 10);
    if (!isdigit((unsigned char)**text) || *after != end || value >= UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    *text = after + 1;
    return true;
}

static bool take_cid(const char **text, uint32_t *cid)
{
    static const struct {
        const char *name;
        uint32_t cid;
    } named[] = {{"any:", VMADDR_CID_ANY}, {"host:", VMADDR_CID_HOST}};
    for (size_t i = 0; i < ARRAY_LEN(named); i++)
        if (strncmp(*text, named[i].name, strlen(named[i].name)) == 0) {
            *cid = named[i].cid;
            *text += strlen(named[i].name);
            return true;
        }
    return take_number(text, ':', cid);
}

/* Connections that are accepted inherit it from the listening socket. */
static bool bound_unread(const struct address *address, int fd, bool to_listen)
{
    const uint64_t size = to_listen ? ADDRESS_UNREAD_BYTES : ADDRESS_CLIENT_BYTES;
    (void)address;
    return setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, sizeof size) == 0;
}

bool address_parse(struct address *out, const char *text, struct error *err)
{
    struct sockaddr_vm vm = {.svm_family = AF_VSOCK};
    const char *rest = text + strlen("vsock:");
    if (strncmp(text, "vsock:", strlen("vsock:")) != 0 || !take_cid(&rest, &vm.svm_cid) ||
        !take_number(&rest, '\0', &vm.svm_port))
        return error_set(
            err, ERROR_ADDRESS,
            "\"%.100s\": want vsock:CID:PORT, where CID is a number, any or host (tcp: "
            "and unix: addresses work with enclaved-dev only)",
            text);
    memset(out, 0, sizeof *out);
    memcpy(&out->storage, &vm, sizeof vm);
    out->len = sizeof vm;
    out->prepare = bound_unread;
    snprintf(out->text, sizeof out->text, "%s", text);
    return true;
}

static bool open_socket(const struct address *address, bool to_listen, int *fd, struct error *err)
{
    *fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd >= 0 && (address->prepare == NULL || address->prepare(address, *fd, to_listen)))
        return true;
    if (errno == EAFNOSUPPORT && address->storage.ss_family == AF_VSOCK)
        return error_set(err, ERROR_NO_VSOCK,
                         "%s: this kernel has no AF_VSOCK: load the vsock module, or, outside an "
                         "enclave, use tcp:127.0.0.1:PORT or unix:PATH",
                         address->text);
    return error_set_errno(err, ERROR_SYSTEM, "socket for %s", address->text);
}

static void give_up(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

bool address_listen(const struct address *address, int backlog, int *fd, struct error *err)
{
    bool opened = open_socket(address, true, fd, err);
    if (opened && bind(*fd, (const struct sockaddr *)&address->storage, address->len) == 0 &&
        listen(*fd, backlog) == 0)
        return true;
    if (opened)
        error_set_errno(err, ERROR_SYSTEM, "cannot listen on %s", address->text);
    give_up(fd);
    return false;
}

/* Waits for a connect under way and returns its errno, or -1 with *err if waiting failed. */
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
    int result = -1;
    if (open_socket(address, false, fd, err)) {
        bool done = connect(*fd, (const struct sockaddr *)&address->storage, address->len) == 0;
        result = done ? 0 : errno;
        if (result == EINPROGRESS || result == EINTR)
            result = finish_connect(*fd, deadline, err);
    }
    if (result > 0) {
        errno = result;
        error_set_errno(err, ERROR_NETWORK, "cannot connect to %s", address->text);
    }
    if (result != 0)
        give_up(fd);
    return result == 0;
}
