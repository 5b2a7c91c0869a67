/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/vm/vm_image.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "image/kernel.h"

#define LOGGED_MAX 8 /* findings */

struct reported {
    const char *path;
    size_t count; /* so far */
    char first[256];
};

/* The first finding goes into the error, the following ones to the log. */
static void take_finding(void *context, const char *text)
{
    struct reported *reported = context;
    if (reported->count == 0)
        snprintf(reported->first, sizeof reported->first, "%s", text);
    else if (reported->count < LOGGED_MAX)
        log_warning("vm: %s: %s", reported->path, text);
    reported->count++;
}

static bool verify(const char *path, struct error *err)
{
    struct reported reported = {.path = path};
    struct eif_verdict verdict;
    int64_t now_s = clock_wall_us() / 1000000;
    if (!eif_verify(path, now_s, take_finding, &reported, &verdict, err))
        return false;
    if (verdict.count == 0)
        return true;
    return error_set(err, ERROR_FORMAT, "%.120s is not a valid image (%zu finding%s): %s", path,
                     verdict.count, verdict.count == 1 ? "" : "s", reported.first);
}

static bool read_cmdline(struct vm_image *image, const struct eif_file *file, size_t section,
                         struct error *err)
{
    BUFFER_AUTO text = {.limit = EIF_CMDLINE_MAX};
    struct error why = {0};
    if (!eif_cmdline_read(file, section, &text, &why))
        return error_set(err, why.code, "%.120s: %.300s", file->path, why.cause);
    memcpy(image->cmdline, text.at, text.len);
    image->cmdline[text.len] = '\0';
    return true;
}

static bool extract(const struct eif_file *file, size_t section, const char *name, int *fd,
                    struct error *err)
{
    if (*fd < 0)
        *fd = memfd_create(name, MFD_CLOEXEC);
    if (*fd < 0)
        return error_set_errno(err, ERROR_SYSTEM, "memfd_create");
    return eif_file_extract(file, section, *fd, err);
}

/* Without this check QEMU would try to boot whatever the builder took for a kernel. */
static bool take_kernel(struct vm_image *image, const struct eif_file *file, size_t section,
                        struct error *err)
{
    const struct input input = {.fd = file->fd,
                                .path = file->path,
                                .base = file->sections[section].offset,
                                .size = file->sections[section].size,
                                .stop_fd = -1};
    struct kernel kernel;
    struct error why = {0};
    if (!kernel_identify(&kernel, &input, &why))
        return error_set(err, ERROR_FORMAT, "the kernel of %.120s: %.300s", file->path, why.cause);
    if (kernel.machine != MACHINE_X86_64)
        return error_set(err, ERROR_FORMAT,
                         "the kernel of %.120s is for %s; only x86-64 can be booted here",
                         file->path, machine_name(kernel.machine));
    return extract(file, section, "kernel", &image->kernel, err);
}

static bool take_section(struct vm_image *image, const struct eif_file *file, size_t i,
                         struct error *err)
{
    switch (file->sections[i].type) {
    case EIF_KERNEL:
        return take_kernel(image, file, i, err);
    case EIF_CMDLINE:
        return read_cmdline(image, file, i, err);
    case EIF_RAMDISK:
        return extract(file, i, "ramdisk", &image->ramdisk, err);
    default:
        return true; /* the guest does not get metadata and signature */
    }
}

static bool take_apart(struct vm_image *image, const struct eif_file *file, struct error *err)
{
    image->bytes = file->bytes;
    if ((file->header.flags & EIF_FLAG_ARM64) != 0)
        return error_set(err, ERROR_FORMAT,
                         "%.120s is for aarch64; only x86-64 images can be booted here",
                         file->path);
    for (size_t i = 0; i < file->section_count; i++)
        if (!take_section(image, file, i, err))
            return false;
    return image->kernel >= 0 ||
           error_set(err, ERROR_FORMAT, "%.120s contains no kernel", file->path);
}

bool vm_image_load(struct vm_image *image, const char *path, struct error *err)
{
    struct eif_file file = {0};
    image->kernel = image->ramdisk = -1;
    if (!verify(path, err) || !eif_file_open(&file, path, err))
        return false;
    bool ok = take_apart(image, &file, err) && eif_file_measure(&file, &image->measurements, err);
    eif_file_close(&file);
    return ok;
}

void vm_image_clear(struct vm_image *image)
{
    if (image->kernel >= 0)
        close(image->kernel);
    if (image->ramdisk >= 0)
        close(image->ramdisk);
    image->kernel = image->ramdisk = -1;
}
