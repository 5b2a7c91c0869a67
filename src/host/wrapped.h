/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wrapped TSK as people have it: what the AWS CLI printed, in any of its output formats, or the
 * bytes of a CiphertextBlob. enclaved takes base64 only (docs/protocol.md).
 */
#ifndef HOST_WRAPPED_H
#define HOST_WRAPPED_H

#include "base/buffer.h"
#include "base/error.h"

#define WRAPPED_TSK_MAX  6144                  /* KMS's limit on a CiphertextBlob, bytes */
#define WRAPPED_FILE_MAX (2 * WRAPPED_TSK_MAX) /* of the text around it, too */

/*
 * Appends the CiphertextBlob that given holds to out, as one line of base64. given is one of
 *
 *     base64, whose lines may be broken             --query CiphertextBlob --output text
 *     a JSON string                                 --query CiphertextBlob
 *     an object with the member CiphertextBlob      the default output
 *     fields: the blob, then the key's ARN          --output text
 *     lines NAME: VALUE                             --output yaml
 *     bytes that are not text                       base64 --decode
 *
 * Any other text is refused, and the error says what it is: ERROR_NO_WRAPPED_TSK with origin, a
 * path or the name of a variable. *plaintext: the unwrapped key is in it, too.
 */
MUST_USE bool wrapped_read(struct buffer *out, struct bytes given, const char *origin,
                           bool *plaintext, struct error *err);

/* The same for a file of --wrapped-tsk-file; "-" is standard input. A note warns of plaintext. */
MUST_USE bool wrapped_read_file(struct buffer *out, const char *path, struct error *err);

/* The same for the variable ENCRYPTED_TSK. Appends nothing where it is not set. */
MUST_USE bool wrapped_read_variable(struct buffer *out, struct error *err);

#endif
