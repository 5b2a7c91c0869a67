/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults on request, for tests only: the next COUNT requests for an operation are answered wrongly.
 * A fault is a line `OPERATION FAULT COUNT`, where OPERATION may be `*` for any and FAULT is:
 *
 *     400, 403         ValidationException, AccessDeniedException with that HTTP status
 *     500, 503         KMSInternalException, DependencyTimeoutException
 *     throttle         ThrottlingException
 *     garbage          200 with a body that is not JSON
 *     large            the right answer, followed by 256 KiB of spaces
 *     half             half of the right body, then the end of the connection
 *     hang             no answer
 *     reset            the connection is reset
 *     other-key        the answer names another key
 *     no-key           the answer names no key
 *     other-recipient  the envelope is for another RSA key
 *     broken-envelope  the envelope's content does not end in padding
 *     plaintext        Plaintext in place of CiphertextForRecipient
 *     short-tsk        the plaintext is 31 bytes long
 *     long-tsk         the plaintext is one byte longer
 */
#ifndef SIM_KMS_KMS_FAULT_H
#define SIM_KMS_KMS_FAULT_H

#include "base/error.h"

enum kms_fault {
    KMS_FAULT_NONE,
    KMS_FAULT_400,
    KMS_FAULT_403,
    KMS_FAULT_500,
    KMS_FAULT_503,
    KMS_FAULT_THROTTLE,
    KMS_FAULT_GARBAGE,
    KMS_FAULT_LARGE,
    KMS_FAULT_HALF,
    KMS_FAULT_HANG,
    KMS_FAULT_RESET,
    KMS_FAULT_OTHER_KEY,
    KMS_FAULT_NO_KEY,
    KMS_FAULT_OTHER_RECIPIENT,
    KMS_FAULT_BROKEN_ENVELOPE,
    KMS_FAULT_PLAINTEXT,
    KMS_FAULT_SHORT_TSK,
    KMS_FAULT_LONG_TSK,
};

struct kms_faults;

/* path: a file of such lines, read again whenever it changes; it may be missing. NULL: no file. */
MUST_USE struct kms_faults *kms_faults_new(const char *path, struct error *err);
void kms_faults_free(struct kms_faults *faults);

/* Judges one line, as the row of an option does (cli/cli.h). */
MUST_USE bool kms_fault_check(const char *option, const char *line, struct error *err);

/* Adds one line. ERROR_USAGE says what is wrong with it. */
MUST_USE bool kms_faults_add(struct kms_faults *faults, const char *line, struct error *err);

/* The fault for this request for operation, which is counted. */
enum kms_fault kms_faults_take(struct kms_faults *faults, const char *operation);

const char *kms_fault_name(enum kms_fault fault);

#endif
