/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/hardening.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/secret.h"

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

#define LOCK_ROOM ((size_t)256 << 20) /* bytes of address space that must be lockable */

static void raise_to_maximum(__rlimit_resource_t resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(resource, &limit);
}

/*
 * Locks the process, and what it maps later. Without CAP_IPC_LOCK all of that counts against
 * RLIMIT_MEMLOCK, touched or not, and a mapping beyond the limit fails, a thread's stack included.
 * So a limit without room for that is treated as a failure to lock.
 */
static bool lock_process(void)
{
    /* On fault: pages are locked as they are touched, so that address space costs nothing. */
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
        return false;
    void *room =
        mmap(NULL, LOCK_ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room != MAP_FAILED) {
        munmap(room, LOCK_ROOM);
        return true;
    }
    int number = errno;
    munlockall();
    errno = number;
    return false;
}

static bool lock_memory(bool required, struct error *err)
{
    raise_to_maximum(RLIMIT_MEMLOCK);
    if (lock_process()) {
        secret_require_lock(required);
        return true;
    }
    if (required)
        return error_set_errno(err, ERROR_SYSTEM,
                               "cannot lock memory (raise RLIMIT_MEMLOCK or grant CAP_IPC_LOCK)");
    log_warning("memory is not locked: %s; raise RLIMIT_MEMLOCK to have it locked",
                strerror(errno));
    return true;
}

bool harden_process(bool lock_required, struct error *err)
{
    const struct rlimit none = {0, 0};
    umask(077);
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return error_set_errno(err, ERROR_SYSTEM, "cannot harden the process");
    raise_to_maximum(RLIMIT_NOFILE);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return error_set_errno(err, ERROR_SYSTEM, "cannot ignore SIGPIPE");
    return lock_memory(lock_required, err);
}
