/* SPDX-License-Identifier: Apache-2.0 */
/* What json.c uses of json_names.c, and what both use of json_access.c. Not for other files. */
#ifndef CODEC_JSON_INTERNAL_H
#define CODEC_JSON_INTERNAL_H

#include "codec/json.h"

/*
 * json_names.c: the first member name of an object that equals an earlier one; JSON_NONE if all
 * differ. The object must be the last one of the index: all nodes after it are its own.
 */
json_value json_repeated_name(struct json *doc, json_value object);

/* json_access.c: four hex digits as a number; -1 if one of them is not a hex digit. */
int32_t json_hex4(const uint8_t *at);

/*
 * json_access.c: the order of two names by their unescaped bytes: below, equal to or above 0. A
 * lone surrogate counts as three bytes that no valid UTF-8 holds, so distinct names stay distinct.
 */
int json_compare_names(const struct json *doc, json_value a, json_value b);

/* json_access.c: a hash of a name's unescaped bytes, not keyed: anyone can make names collide. */
uint16_t json_name_key(const struct json *doc, json_value name);

#endif
