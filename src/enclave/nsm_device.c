/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev/nsm. Its one ioctl is declared here, after Linux include/uapi/linux/nsm.h: Debian 12's
 * kernel headers do not have that file yet.
 */
#include "enclave/nsm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
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

struct device {
    int fd;
};

/* EINTR: drivers give it only while waiting for their lock, before anything is sent. */
static int exchange_raw(int fd, struct nsm_raw *raw)
{
    int result;
    do {
        result = ioctl(fd, NSM_IOCTL_RAW, raw);
    } while (result < 0 && errno == EINTR);
    return result;
}

static bool device_exchange(void *context, struct bytes request, uint8_t *response,
                            size_t *response_len, struct error *err)
{
    const struct device *device = context;
    struct nsm_raw raw = {
        .request = {.addr = (uintptr_t)request.at, .len = request.len},
        .response = {.addr = (uintptr_t)response, .len = NSM_RESPONSE_MAX},
    };
    if (exchange_raw(device->fd, &raw) < 0) {
        if (errno == ENOTTY)
            return error_set(err, ERROR_NSM, "the device is not a Nitro Security Module");
        return error_set_errno(err, ERROR_NSM, "the driver failed");
    }
    if (raw.response.len > NSM_RESPONSE_MAX)
        return error_set(err, ERROR_NSM, "the driver claims an answer of more than %u bytes",
                         NSM_RESPONSE_MAX);
    *response_len = (size_t)raw.response.len;
    return true;
}

static void device_close(void *context)
{
    struct device *device = context;
    close(device->fd);
    free(device);
}

static bool cannot_open(const char *path, struct error *err)
{
    switch (errno) {
    case ENOENT:
        return error_set(err, ERROR_NSM,
                         "there is no %s: this is not a Nitro enclave, or its kernel lacks the NSM "
                         "driver (CONFIG_NSM, or nsm.ko not loaded); outside an enclave use "
                         "enclaved-dev with --nsm",
                         path);
    case EACCES:
    case EPERM:
        return error_set(err, ERROR_NSM,
                         "no permission to open %s: it must be readable and writable for this user "
                         "(mode 0666, as the driver makes it)",
                         path);
    case ENXIO:
    case ENODEV:
        return error_set(
            err, ERROR_NSM,
            "%s exists but no driver stands behind it: the kernel lacks the NSM driver "
            "(CONFIG_NSM, or nsm.ko not loaded)",
            path);
    default:
        return error_set_errno(err, ERROR_NSM, "%s cannot be opened", path);
    }
}

bool nsm_open_device(struct nsm *nsm, const char *path, struct error *err)
{
    *nsm = (struct nsm){0};
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return cannot_open(path, err);
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISCHR(status.st_mode)) {
        close(fd);
        return error_set(err, ERROR_NSM, "%s is not a device", path);
    }
    struct device *device = malloc(sizeof *device);
    if (device == NULL) {
        close(fd);
        return error_set(err, ERROR_NSM, "out of memory");
    }
    device->fd = fd;
    nsm->transport = (struct nsm_transport){
        .exchange = device_exchange, .close = device_close, .context = device};
    return true;
}
