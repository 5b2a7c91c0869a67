/* SPDX-License-Identifier: Apache-2.0 */
/* enclaved: what runs in an enclave. */
#include "enclave/enclaved.h"

static bool open_device(struct nsm *nsm, const char *where, struct error *err)
{
    (void)where;
    return nsm_open_device(nsm, "/dev/nsm", err);
}

int main(int argc, char **argv)
{
    static const struct platform platform = {
        .program = "enclaved",
        .open_nsm = open_device,
        .credit = ENTROPY_CREDIT,
        .lock_required = true,
    };
    return enclaved_main(argc, argv, &platform);
}
