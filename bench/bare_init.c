/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that booting can take: a first process that opens a vsock listener, sends the parent
 * the heartbeat, accepts connections and closes them.
 */
#include <stdint.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static int listen_at(unsigned port)
{
    const struct sockaddr_vm address = {
        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port};
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 16) != 0)
        return -1;
    return fd;
}

static int beat(void)
{
    const struct sockaddr_vm parent = {.svm_family = AF_VSOCK, .svm_cid = 3, .svm_port = 9000};
    uint8_t byte = 0xB7;
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
    int ok = fd >= 0 && connect(fd, (const struct sockaddr *)&parent, sizeof parent) == 0 &&
             write(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 1;
    if (fd >= 0)
        close(fd);
    return ok;
}

int main(void)
{
    int listener = listen_at(5000);
    if (listener >= 0 && beat())
        for (;;) {
            int fd = accept(listener, NULL, NULL);
            if (fd < 0)
                break;
            close(fd);
        }
    if (getpid() == 1)
        reboot(RB_AUTOBOOT);
    return 1;
}
