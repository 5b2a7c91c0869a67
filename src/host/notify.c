/* SPDX-License-Identifier: Apache-2.0 */
#include "host/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

/* A path, or '@' and a name in the abstract namespace. */
static bool find_manager(struct sockaddr_un *to, socklen_t *len)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t size = path != NULL ? strlen(path) : 0;
    if (size < 2 || size >= sizeof to->sun_path || (path[0] != '/' && path[0] != '@'))
        return false;
    memset(to, 0, sizeof *to);
    to->sun_family = AF_UNIX;
    memcpy(to->sun_path, path, size);
    if (path[0] == '@')
        to->sun_path[0] = '\0';
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    return true;
}

bool notify_check(struct error *err)
{
    struct sockaddr_un to;
    socklen_t len;
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || path[0] == '\0' || find_manager(&to, &len))
        return true;
    return error_set(err, ERROR_CONFIG, "NOTIFY_SOCKET is %.100s: want a path or @NAME", path);
}

static void send_state(const char *state)
{
    struct sockaddr_un to;
    socklen_t len;
    if (!find_manager(&to, &len))
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                         (const struct sockaddr *)&to, len) < 0)
        log_warning("cannot report to the service manager: %m");
    if (fd >= 0)
        close(fd);
}

void notify_ready(const char *status)
{
    char state[512];
    snprintf(state, sizeof state, "READY=1\nSTATUS=%.400s", status);
    send_state(state);
}

/* The time must not be before the manager's request, so it is given to the microsecond. */
void notify_reloading(void)
{
    struct timespec now;
    char state[80];
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    send_state(state);
}

void notify_stopping(void)
{
    send_state("STOPPING=1");
}
