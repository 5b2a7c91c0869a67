/* SPDX-License-Identifier: Apache-2.0 */
/* What enclaved is in an enclave, as PID 1 or not. */
#include "enclave/platform.h"

#define PARENT_CID 3 /* how every enclave sees its parent instance */

static bool open_device(struct nsm *nsm, const char *where, struct error *err)
{
    (void)where;
    return nsm_open_device(nsm, "/dev/nsm", err);
}

const struct platform enclaved_platform = {
    .program = "enclaved",
    .parse_address = address_parse,
    .open_nsm = open_device,
    .credit = ENTROPY_CREDIT,
    .lock_required = true,
    .peer_cid = PARENT_CID,
};
