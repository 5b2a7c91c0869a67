/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of this machine: /dev/nsm, AF_VSOCK, the clock. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/clock.h"
#include "formats/text.h"
#include "host/doctor/doctor.h"
#include "system/file.h"

#define VIRTIO_ID_NSM     33 /* VIRTIO_ID_NITRO_SEC_MOD, Linux include/uapi/linux/virtio_ids.h */
#define CLOCK_EARLIEST_US INT64_C(1704067200000000) /* 2024-01-01: this program is newer */

bool doctor_path(const struct doctor *doctor, const char *path, char out[DOCTOR_PATH_SIZE])
{
    int len = snprintf(out, DOCTOR_PATH_SIZE, "%s%s", doctor->root, path);
    return len > 0 && len < DOCTOR_PATH_SIZE;
}

bool doctor_there(const struct doctor *doctor, const char *path)
{
    char full[DOCTOR_PATH_SIZE];
    return doctor_path(doctor, path, full) && access(full, F_OK) == 0;
}

/* The first line of a small file of the kernel; empty if there is none. */
static void read_line(const struct doctor *doctor, const char *path, char out[128])
{
    char full[DOCTOR_PATH_SIZE];
    struct error err;
    BUFFER_AUTO text;
    buffer_init(&text, 4096);
    out[0] = '\0';
    if (!doctor_path(doctor, path, full) || access(full, R_OK) != 0 ||
        !file_read(full, &text, &err))
        return;
    struct bytes rest = buffer_bytes(&text), line;
    if (text_line(&rest, &line))
        snprintf(out, 128, "%.*s", (int)line.len, (const char *)line.at);
}

/* Whether the hypervisor offers a security module: a virtio device with its number. */
static bool has_virtio_nsm(const struct doctor *doctor)
{
    char full[DOCTOR_PATH_SIZE];
    bool found = false;
    DIR *folder = doctor_path(doctor, "/sys/bus/virtio/devices", full) ? opendir(full) : NULL;
    if (folder == NULL)
        return false;
    for (const struct dirent *entry; !found && (entry = readdir(folder)) != NULL;) {
        char path[DOCTOR_PATH_SIZE], line[128];
        if (entry->d_name[0] == '.' ||
            snprintf(path, sizeof path, "/sys/bus/virtio/devices/%.200s/device", entry->d_name) >=
                (int)sizeof path)
            continue;
        read_line(doctor, path, line);
        found = strtoul(line, NULL, 0) == VIRTIO_ID_NSM;
    }
    closedir(folder);
    return found;
}

/* There is no /dev/nsm. In an enclave that is a fault, elsewhere it is normal: which is it? */
static void explain_missing(struct doctor *doctor)
{
    char vendor[128], product[128], number[128];
    if (doctor_there(doctor, "/sys/devices/virtual/misc/nsm") ||
        doctor_there(doctor, "/sys/class/misc/nsm")) {
        read_line(doctor, "/sys/class/misc/nsm/dev", number);
        doctor_add(doctor, "nsm", CHECK_FAIL, "mount devtmpfs on /dev before enclaved starts",
                   "the kernel has the NSM (misc device %s), but there is no /dev/nsm",
                   number[0] != '\0' ? number : "nsm");
        return;
    }
    if (has_virtio_nsm(doctor)) {
        doctor_add(
            doctor, "nsm", CHECK_FAIL,
            "load the module nsm, or build the kernel with CONFIG_NSM (Linux 6.8 or later)",
            "this is an enclave (virtio device %d), but its kernel has no driver for the NSM",
            VIRTIO_ID_NSM);
        return;
    }
    if (doctor_there(doctor, "/sys/module/nsm")) {
        doctor_add(doctor, "nsm", CHECK_FAIL,
                   "run the image with nitro-cli run-enclave, or in QEMU with -M nitro-enclave",
                   "the driver of the NSM is loaded, but the hypervisor offers no such device");
        return;
    }
    if (doctor_there(doctor, "/dev/nitro_enclaves")) {
        doctor_add(doctor, "nsm", CHECK_OK, NULL,
                   "none here, which is normal: this is a parent instance (/dev/nitro_enclaves); "
                   "the NSM is inside the enclave");
        return;
    }
    read_line(doctor, "/sys/class/dmi/id/sys_vendor", vendor);
    read_line(doctor, "/sys/class/dmi/id/product_name", product);
    if (strstr(vendor, "Amazon EC2") != NULL) {
        doctor_add(doctor, "nsm", CHECK_WARN,
                   "start the instance with enclaves enabled and install aws-nitro-enclaves-cli",
                   "not in an enclave: an EC2 instance (%.60s) without /dev/nitro_enclaves",
                   product);
        return;
    }
    doctor_add(
        doctor, "nsm", CHECK_WARN,
        "here: enclavectl dev, with a simulated NSM; in production: nitro-cli run-enclave",
        "not in an enclave: no /dev/nsm, and no other sign of Nitro on this machine%s%.60s%s",
        product[0] != '\0' ? " (" : "", product, product[0] != '\0' ? ")" : "");
}

/* /dev/nsm cannot be opened; reason is the errno of that. */
static void explain_unusable(struct doctor *doctor, const char *path, int reason)
{
    struct stat status;
    if (reason == ENOENT || reason == ENOTDIR) {
        explain_missing(doctor);
    } else if (reason == EACCES || reason == EPERM) {
        unsigned mode = stat(path, &status) == 0 ? status.st_mode & 07777u : 0;
        doctor_add(doctor, "nsm", CHECK_FAIL, "run as root, or chmod 0666 /dev/nsm",
                   "/dev/nsm is there, but this user may not open it (mode %04o)", mode);
    } else {
        doctor_add(doctor, "nsm", CHECK_FAIL, "look at the kernel's log (dmesg) for nsm",
                   "/dev/nsm is there, but its driver does not answer: %s", strerror(reason));
    }
}

void doctor_nsm(struct doctor *doctor)
{
    char path[DOCTOR_PATH_SIZE];
    struct stat status;
    if (!doctor_path(doctor, "/dev/nsm", path)) {
        doctor_add(doctor, "nsm", CHECK_FAIL, "give a shorter --sysroot", "the path is too long");
        return;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        explain_unusable(doctor, path, errno);
        return;
    }
    bool device = fstat(fd, &status) == 0 && S_ISCHR(status.st_mode);
    close(fd);
    doctor_add(doctor, "nsm", device ? CHECK_OK : CHECK_FAIL,
               device ? NULL : "remove the file, and mount devtmpfs on /dev",
               device ? "/dev/nsm is there and can be opened" : "/dev/nsm is not a device");
}

/* The kernel has AF_VSOCK. Does it have a transport? */
static void check_transport(struct doctor *doctor)
{
    unsigned cid = VMADDR_CID_ANY;
    int fd = open("/dev/vsock", O_RDONLY | O_CLOEXEC);
    bool known = fd >= 0 && ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) == 0;
    if (fd >= 0)
        close(fd);
    if (known && cid != VMADDR_CID_ANY)
        doctor_add(doctor, "vsock", CHECK_OK, NULL, "AF_VSOCK works; the CID of this machine is %u",
                   cid);
    else
        doctor_add(doctor, "vsock", CHECK_WARN,
                   "modprobe vhost_vsock (on a host) or vmw_vsock_virtio_transport (in a guest)",
                   "the kernel has AF_VSOCK, but no transport: it reaches no other machine");
}

void doctor_vsock(struct doctor *doctor)
{
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int reason = errno;
    if (fd >= 0) {
        close(fd);
        check_transport(doctor);
        return;
    }
    bool needed = doctor->common.to != NULL && strncmp(doctor->common.to, "vsock:", 6) == 0;
    enum check_result result = needed ? CHECK_FAIL : CHECK_WARN;
    if (reason == EAFNOSUPPORT)
        doctor_add(doctor, "vsock", result,
                   "modprobe vsock and a transport (vhost_vsock on a host), or use tcp: or unix:",
                   "address family not supported: this kernel has no AF_VSOCK (module vsock)");
    else
        doctor_add(doctor, "vsock", result,
                   "allow socket(AF_VSOCK) in the sandbox, or use tcp: or unix:",
                   "AF_VSOCK cannot be used: %s", strerror(reason));
}

void doctor_clock(struct doctor *doctor)
{
    struct timex state = {0};
    int result = adjtimex(&state);
    if (clock_wall_us() < CLOCK_EARLIEST_US) {
        doctor_add(doctor, "clock", CHECK_FAIL,
                   "set the clock: signatures and certificates need it",
                   "the clock shows a time before 2024");
        return;
    }
    bool unknown = result < 0; /* not allowed here: nothing is known */
    bool loose = !unknown && (result == TIME_ERROR || (state.status & STA_UNSYNC) != 0);
    doctor_add(doctor, "clock", loose ? CHECK_WARN : CHECK_OK,
               loose
                   ? "run chrony; KMS refuses requests whose time is off by more than five minutes"
                   : NULL,
               unknown ? "plausible; this system does not say whether it is synchronized"
               : loose ? "nothing synchronizes the clock of this machine"
                       : "synchronized");
}
