/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/recipient_pem.h"

#include "pki/pem_key.h"

struct recipient *recipient_from_pem(struct bytes pem, struct error *err)
{
    return recipient_take(pem_private_key(pem), err);
}
