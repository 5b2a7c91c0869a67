/* SPDX-License-Identifier: Apache-2.0 */
/* enclaved-dev: the same on a developer's machine, with an NSM at a unix socket. Never
 * deployed. */
#include <sys/socket.h>

#include <linux/vm_sockets.h>

#include "dev/nsm_unix.h"
#include "enclave/command_line.h"
#include "enclave/environment.h"
#include "sockets/any_address.h"

#define EXCHANGE_MS 10000

static bool open_module(struct nsm *nsm, const char *where, struct error *err)
{
    if (where == NULL)
        return nsm_open_device(nsm, "/dev/nsm", err);
    if (strncmp(where, "unix:", 5) != 0)
        return error_set(err, ERROR_USAGE, "--nsm %s: want unix:PATH", where);
    return nsm_open_unix(nsm, where + 5, EXCHANGE_MS, err);
}

/* Port 0 has become a port, whose number "ready" must show. */
static bool name_port(struct address *listen, int fd, struct error *err)
{
    return address_bound(fd, listen, err);
}

int main(int argc, char **argv)
{
    static const struct platform platform = {
        .program = "enclaved-dev",
        .parse_address = any_address_parse,
        .open_nsm = open_module,
        .credit = ENTROPY_MIX,
        .lock_required = false,
        .peer_cid = VMADDR_CID_ANY,
        .take_secrets = environment_take,
        .listening = name_port,
        .stopped = address_unlink,
    };
    static const char nsm_help[] =
        "                     (vsock:any:PORT, tcp:HOST:PORT or unix:PATH)\n"
        "  --nsm unix:PATH    the simulated NSM (enclave-sim nsm) instead of /dev/nsm\n";
    return command_line_run(argc, argv, &platform, nsm_help);
}
