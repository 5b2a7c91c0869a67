/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDs (RFC 4122), which name keys and requests. */
#ifndef SIM_KMS_STORE_KMS_ID_H
#define SIM_KMS_STORE_KMS_ID_H

#include "base/bytes.h"

#define KMS_ID_SIZE 37 /* the text and a terminator */

/* Writes a random UUID (version 4). False if there are no random bytes. */
MUST_USE bool kms_id_new(char out[KMS_ID_SIZE]);

/* The 16 bytes that the text stands for; false if it is not a UUID. */
MUST_USE bool kms_id_to_bytes(const char *id, uint8_t out[16]);
void kms_id_from_bytes(char out[KMS_ID_SIZE], const uint8_t in[16]);

#endif
