/* SPDX-License-Identifier: Apache-2.0 */
/* enclaved-dev: the same on a developer's machine, with an NSM behind a unix socket. Never
 * deployed. */
#include <sys/socket.h>

#include <linux/vm_sockets.h>

#include "dev/nsm_unix.h"
#include "enclave/platform.h"

#define EXCHANGE_MS 10000

static bool open_module(struct nsm *nsm, const char *where, struct error *err)
{
    if (where == NULL)
        return nsm_open_device(nsm, "/dev/nsm", err);
    if (strncmp(where, "unix:", 5) != 0)
        return error_set(err, ERROR_USAGE, "--nsm %s: want unix:PATH", where);
    return nsm_open_unix(nsm, where + 5, EXCHANGE_MS, err);
}

int main(int argc, char **argv)
{
    static const struct platform platform = {
        .program = "enclaved-dev",
        .nsm_option = "nsm",
        .nsm_help =
            "  --nsm unix:PATH    the simulated NSM (enclave-sim nsm) instead of /dev/nsm\n",
        .open_nsm = open_module,
        .credit = ENTROPY_MIX,
        .lock_required = false,
        .peer_cid = VMADDR_CID_ANY,
    };
    return enclaved_main(argc, argv, &platform);
}
