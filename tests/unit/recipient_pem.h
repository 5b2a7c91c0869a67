/* SPDX-License-Identifier: Apache-2.0 */
/* Recipients of given keys, for tests with others' vectors: enclaved makes a new one each boot. */
#ifndef TESTS_UNIT_RECIPIENT_PEM_H
#define TESTS_UNIT_RECIPIENT_PEM_H

#include "crypto/recipient.h"

/* A key in PEM (PKCS#8 or PKCS#1). NULL and *err on failure. */
MUST_USE struct recipient *recipient_from_pem(struct bytes pem, struct error *err);

#endif
