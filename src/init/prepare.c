/* SPDX-License-Identifier: Apache-2.0 */
#include "init/prepare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

#define MODULES      "/modules"
#define THREAD_STACK ((size_t)1 << 20)
#define DESCRIPTORS  (1u << 17) /* more than limits.connections can be */

static bool mount_one(const char *type, const char *at, struct error *err)
{
    if (mkdir(at, 0755) != 0 && errno != EEXIST)
        return error_set_errno(err, ERROR_SYSTEM, "cannot make %s", at);
    if (mount(type, at, type, MS_NOSUID | MS_NOEXEC, NULL) != 0 && errno != EBUSY)
        return error_set_errno(err, ERROR_SYSTEM, "cannot mount %s", at);
    return true;
}

/* The kernel opens /dev/console for us where the ramdisk holds one; else it is there only now. */
static void open_console(void)
{
    if (fcntl(STDERR_FILENO, F_GETFD) >= 0)
        return;
    int fd = open("/dev/console", O_RDWR | O_NOCTTY);
    for (int standard = STDIN_FILENO; fd >= 0 && standard <= STDERR_FILENO; standard++)
        if (fd != standard)
            (void)dup2(fd, standard);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool load_module(const char *folder, const char *name, struct error *err)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return error_set(err, ERROR_SYSTEM, "module %s: the name is too long", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool loaded = fd >= 0 && syscall(SYS_finit_module, fd, "", 0) == 0;
    if (!loaded)
        error_set_errno(err, ERROR_SYSTEM, "module %s cannot be loaded", name);
    else
        log_info("module %s loaded", name);
    if (fd >= 0)
        close(fd);
    return loaded;
}

bool prepare_modules(const char *folder, struct error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_visible, by_bytes);
    if (count < 0)
        return errno == ENOENT || error_set_errno(err, ERROR_SYSTEM, "%s", folder);
    bool ok = true;
    for (int i = 0; i < count; i++) {
        ok = ok && load_module(folder, entries[i]->d_name, err);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

static bool set_kernel(const char *path, const char *value, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t len = strlen(value);
    bool set = fd >= 0 && write(fd, value, len) == (ssize_t)len;
    if (!set)
        error_set_errno(err, ERROR_SYSTEM, "%s cannot be set to %s", path, value);
    if (fd >= 0)
        close(fd);
    return set;
}

/*
 * An enclave has little memory and no swap. Were more promised than there is, a host that fills it
 * would have the kernel kill the service; so what cannot be kept is refused when it is asked for,
 * which the service answers with an error to that request alone. Stacks count in full, so they are
 * no larger than needed.
 */
static bool promise_no_more_memory(struct error *err)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0 ||
        pthread_attr_setstacksize(&attributes, THREAD_STACK) != 0 ||
        pthread_setattr_default_np(&attributes) != 0)
        return error_set(err, ERROR_SYSTEM, "cannot set the size of stacks");
    pthread_attr_destroy(&attributes);
    return set_kernel("/proc/sys/vm/overcommit_ratio", "90", err) &&
           set_kernel("/proc/sys/vm/overcommit_memory", "2", err);
}

bool prepare_descriptors(struct error *err)
{
    const struct rlimit files = {DESCRIPTORS, DESCRIPTORS};
    return setrlimit(RLIMIT_NOFILE, &files) == 0 ||
           error_set_errno(err, ERROR_SYSTEM, "cannot raise RLIMIT_NOFILE to %u", DESCRIPTORS);
}

bool prepare_system(struct error *err)
{
    if (!mount_one("devtmpfs", "/dev", err) || !mount_one("proc", "/proc", err))
        return false;
    open_console();
    return prepare_modules(MODULES, err) && promise_no_more_memory(err) && prepare_descriptors(err);
}
