/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of STS, in XML, read by expat. Elements other than those asked for are passed over.
 * Refused: what is not well-formed UTF-8, a document type (and so every entity of one's own), an
 * element asked for that occurs twice, elements nested more than 16 deep.
 */
#ifndef HOST_CREDENTIALS_STS_ANSWER_H
#define HOST_CREDENTIALS_STS_ANSWER_H

#include "base/buffer.h"

#define STS_ANSWER_MAX 65536 /* longest answer read, bytes */

/* An element that is asked for, and where its text goes. */
struct sts_element {
    const char *path;     /* "ErrorResponse/Error/Code" */
    struct buffer *value; /* its text is appended; bounded by its limit */
    bool found;           /* set by sts_answer_read */
};

/* Whether the text is such a document and every text fits. Nothing is to be used otherwise. */
MUST_USE bool sts_answer_read(struct bytes text, struct sts_element *elements, size_t count);

#endif
