/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev/nsm. Its one ioctl is declared here, after Linux include/uapi/linux/nsm.h: Debian 12's
 * kernel headers do not have that file yet.
 */
#include "enclave/nsm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* struct nsm_iovec and struct nsm_raw: 16 and 32 bytes on every 64-bit machine. */
struct nsm_iovec {
    uint64_t addr;
    uint64_t len; /* the driver writes the true length back */
};

struct nsm_raw {
    struct nsm_iovec request;
    struct nsm_iovec response;
};

#define NSM_IOCTL_RAW _IOWR(0x0A, 0x0, struct nsm_raw)

_Static_assert(sizeof(struct nsm_raw) == 32, "the size is part of the ioctl's number");
_Static_assert(NSM_IOCTL_RAW == 0xC0200A00, "x86-64 and aarch64");

/* EINTR: drivers give it only while waiting for their lock, before anything is sent. */
static int exchange_raw(int fd, struct nsm_raw *raw)
{
    int result;
    do {
        result = ioctl(fd, NSM_IOCTL_RAW, raw);
    } while (result < 0 && errno == EINTR);
    return result;
}

/* context: the descriptor itself. */
static bool device_exchange(void *context, struct bytes request, uint8_t *response,
                            size_t *response_len, struct error *err)
{
    struct nsm_raw raw = {
        .request = {.addr = (uintptr_t)request.at, .len = request.len},
        .response = {.addr = (uintptr_t)response, .len = NSM_RESPONSE_MAX},
    };
    if (exchange_raw((int)(intptr_t)context, &raw) < 0)
        return error_set_errno(err, ERROR_NSM, "the driver failed");
    if (raw.response.len > NSM_RESPONSE_MAX)
        return error_set(err, ERROR_NSM, "the driver claims an answer of more than %u bytes",
                         NSM_RESPONSE_MAX);
    *response_len = (size_t)raw.response.len;
    return true;
}

static void device_close(void *context)
{
    close((int)(intptr_t)context);
}

bool nsm_open_device(struct nsm *nsm, const char *path, struct error *err)
{
    *nsm = (struct nsm){0};
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_set_errno(
            err, ERROR_NSM,
            "%s cannot be opened (an enclave needs the NSM driver in its kernel; "
            "what is not a Nitro enclave runs enclaved-dev)",
            path);
    nsm->transport = (struct nsm_transport){
        .exchange = device_exchange, .close = device_close, .context = (void *)(intptr_t)fd};
    return true;
}
