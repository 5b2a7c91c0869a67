/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seeding: an enclave has no entropy to speak of before the NSM gives some. Done explicitly, before
 * any key is made, and checked: no key is made from a generator that was not seeded.
 */
#ifndef ENCLAVE_ENTROPY_H
#define ENCLAVE_ENTROPY_H

#include "enclave/nsm.h"

enum entropy_credit {
    ENTROPY_CREDIT, /* RNDADDENTROPY: the kernel counts it; needs CAP_SYS_ADMIN */
    ENTROPY_MIX,    /* mixed in, not counted: for a machine whose kernel is seeded already */
};

/*
 * Takes 512 bytes from the module, gives them to the kernel's and to OpenSSL's generator, and makes
 * sure that both use them. To be called before OpenSSL draws. ERROR_NSM, ERROR_SYSTEM,
 * ERROR_CRYPTO; the bytes are wiped.
 */
MUST_USE bool entropy_seed(struct nsm *nsm, enum entropy_credit credit, struct error *err);

#endif
