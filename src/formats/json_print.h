/* SPDX-License-Identifier: Apache-2.0 */
/* JSON that only the tools write. */
#ifndef FORMATS_JSON_PRINT_H
#define FORMATS_JSON_PRINT_H

#include "codec/json_writer.h"

/* A string of hex digits. */
void json_hex(struct json_writer *w, const char *name, struct bytes bytes);
/* As json_text_bytes, with any name in UTF-8: for member names from outside. */
void json_text_named(struct json_writer *w, struct bytes name, struct bytes text);

/* Appends compact (valid JSON of the writer) in lines, each level indented by two spaces. */
void json_indented(struct buffer *out, struct bytes compact);

#endif
