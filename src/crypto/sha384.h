/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-384: of registers and images, which enclaved leaves to the NSM. */
#ifndef CRYPTO_SHA384_H
#define CRYPTO_SHA384_H

#include "crypto/hash.h"

#define SHA384_SIZE 48

MUST_USE bool sha384(uint8_t out[SHA384_SIZE], struct bytes in);
/* SHA-384 of a ‖ b: how a PCR is extended. */
MUST_USE bool sha384_pair(uint8_t out[SHA384_SIZE], struct bytes a, struct bytes b);

#endif
