/* SPDX-License-Identifier: Apache-2.0 */
/* What the tools write besides and enclaved does not. */
#ifndef FORMATS_JSON_PRINT_H
#define FORMATS_JSON_PRINT_H

#include "codec/json_writer.h"

void json_hex(struct json_writer *w, const char *name, struct bytes bytes);
/* For member names from outside: as json_text_bytes with an arbitrary (UTF-8) name. */
void json_text_named(struct json_writer *w, struct bytes name, struct bytes text);

/* Appends compact (valid JSON, as the writer writes it) on lines, each level indented by two. */
void json_indented(struct buffer *out, struct bytes compact);

#endif
