/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /init of the images that tests/system/test_vm.py boots: a guest that obeys commands, one
 * line a connection to vsock port 5000, or by vmtest=… on the kernel's command line misbehaves.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define PARENT    3
#define HEARTBEAT 9000
#define PORT      5000
#define REQUEST   0x1000
#define RESPONSE  0x3000

struct nsm_raw { /* Linux, include/uapi/linux/nsm.h */
    unsigned long long request, request_len, response, response_len;
};
#define NSM_IOCTL _IOWR(0x0a, 0, struct nsm_raw)

static char cmdline[4096];

static int vsock(unsigned cid, unsigned port)
{
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_vm to = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static void heartbeat(void)
{
    unsigned char byte = strstr(cmdline, "vmtest=wrongbyte") != NULL ? 0x42 : 0xb7;
    int fd = vsock(PARENT, HEARTBEAT);
    if (fd < 0 || write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1 || byte != 0xb7)
        fprintf(stderr, "no heartbeat: %s\n", strerror(errno));
    close(fd);
}

/* Reads up to the end of a line, byte by byte: what follows belongs to the command. */
static void read_line(int fd, char *line, size_t size)
{
    size_t len = 0;
    while (len + 1 < size && read(fd, line + len, 1) == 1 && line[len] != '\n')
        len++;
    line[len] = '\0';
}

static size_t read_to_end(int fd)
{
    static char chunk[65536];
    size_t total = 0;
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        total += (size_t)n;
    return n < 0 ? (size_t)-1 : total;
}

static void echo(int fd)
{
    static char chunk[65536];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        for (ssize_t done = 0, w; done < n; done += w)
            if ((w = write(fd, chunk + done, (size_t)(n - done))) <= 0)
                return;
}

static void put_zeros(int fd, long long count)
{
    static char chunk[65536];
    while (count > 0) {
        ssize_t w =
            write(fd, chunk, count < (long long)sizeof chunk ? (size_t)count : sizeof chunk);
        if (w <= 0) {
            dprintf(STDERR_FILENO, "write: %s\n", strerror(errno));
            return;
        }
        count -= w;
    }
}

static unsigned nibble(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* nsm ROOM HEX: the answer in hex, for which there are ROOM bytes. */
static void nsm(int out, const char *arguments)
{
    static unsigned char request[REQUEST + 1], response[RESPONSE];
    char *hex;
    struct nsm_raw raw = {.response_len = strtoull(arguments, &hex, 10)};
    hex += *hex == ' ';
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len && i < sizeof request; i++)
        request[i] = (unsigned char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    raw.request = (unsigned long)request;
    raw.request_len = len;
    raw.response = (unsigned long)response;
    int fd = open("/dev/nsm", O_RDWR | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, NSM_IOCTL, &raw) != 0) {
        dprintf(out, "%s", strerror(errno));
        return;
    }
    for (size_t i = 0; i < raw.response_len && i < sizeof response; i++)
        dprintf(out, "%02x", response[i]);
    close(fd);
}

/* connect CID PORT: says hello there and reports what comes back until the end. */
static void connect_out(int out, unsigned cid, unsigned port)
{
    char answer[256];
    size_t len = 0;
    ssize_t n;
    int fd = vsock(cid, port);
    if (fd < 0) {
        dprintf(out, "%s", strerror(errno));
        return;
    }
    dprintf(fd, "hello from the guest");
    shutdown(fd, SHUT_WR);
    while (len < sizeof answer && (n = read(fd, answer + len, sizeof answer - len)) > 0)
        len += (size_t)n;
    dprintf(out, "%.*s", (int)len, answer);
    close(fd);
}

/* The guest ends its side first and later reports, in a file, what it still read. */
static void end_first(int fd)
{
    dprintf(fd, "over");
    shutdown(fd, SHUT_WR);
    FILE *note = fopen("/dev/shm-note", "w");
    fprintf(note, "%zu", read_to_end(fd));
    fclose(note);
}

static void tell_file(int out, const char *path)
{
    char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (n > 0)
        dprintf(out, "%.*s", (int)n, text);
}

static void flood(void)
{
    for (;;)
        fputs("a line of a guest that has more to say than anybody wants to read\n", stderr);
}

static void serve(int fd, unsigned cid)
{
    static char line[3 * REQUEST];
    unsigned a, b;
    long long count;
    read_line(fd, line, sizeof line);
    if (strcmp(line, "echo") == 0)
        echo(fd);
    else if (strcmp(line, "count") == 0)
        dprintf(fd, "%zu", read_to_end(fd));
    else if (strcmp(line, "endfirst") == 0)
        end_first(fd);
    else if (strcmp(line, "deaf") == 0) {
        shutdown(fd, SHUT_RD);
        dprintf(fd, "deaf");
        pause();
    } else if (strncmp(line, "file ", 5) == 0)
        tell_file(fd, line + 5);
    else if (strncmp(line, "nsm ", 4) == 0)
        nsm(fd, line + 4);
    else if (sscanf(line, "connect %u %u", &a, &b) == 2)
        connect_out(fd, a, b);
    else if (sscanf(line, "send %lld", &count) == 1)
        put_zeros(fd, count);
    else if (strcmp(line, "peer") == 0)
        dprintf(fd, "%u", cid);
    else if (strcmp(line, "sleep") == 0)
        pause();
    else if (strcmp(line, "say") == 0) {
        fputs("console \x1b[31mred\r\n", stderr);
        dprintf(fd, "said");
    } else if (strcmp(line, "flood") == 0)
        flood();
    else if (strcmp(line, "reboot") == 0)
        reboot(RB_AUTOBOOT);
    close(fd);
}

static void prepare(void)
{
    mkdir("/proc", 0755);
    mkdir("/dev", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    int console = open("/dev/console", O_RDWR);
    for (int i = 0; i < 3; i++)
        dup2(console, i);
    int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, cmdline, sizeof cmdline - 1) < 0)
        perror("/proc/cmdline");
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

int main(void)
{
    prepare();
    if (strstr(cmdline, "vmtest=panic") != NULL)
        return 1; /* the kernel does not live without us */
    if (strstr(cmdline, "vmtest=reboot") != NULL)
        reboot(RB_AUTOBOOT);
    if (strstr(cmdline, "vmtest=flood") != NULL)
        flood();
    if (strstr(cmdline, "vmtest=silent") != NULL)
        for (;;)
            pause();
    int listener = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_vm any = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = PORT};
    if (bind(listener, (struct sockaddr *)&any, sizeof any) != 0 || listen(listener, 512) != 0)
        perror("vsock");
    heartbeat();
    for (;;) {
        struct sockaddr_vm peer;
        socklen_t len = sizeof peer;
        int fd = accept(listener, (struct sockaddr *)&peer, &len);
        if (fd >= 0 && fork() == 0) {
            serve(fd, peer.svm_cid);
            _exit(0);
        }
        close(fd);
    }
}
