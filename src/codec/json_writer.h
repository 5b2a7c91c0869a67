/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing JSON into a buffer. Separators are Python's (", " and ": "), as in the reference program.
 * A failure is sticky in the buffer: write it all, check out->failed once.
 *
 *     struct json_writer w = json_writer(&out);
 *     json_object(&w, NULL);
 *     json_text(&w, "status", "success");
 *     json_integer(&w, "iteration", 1);
 *     json_end(&w);
 */
#ifndef CODEC_JSON_WRITER_H
#define CODEC_JSON_WRITER_H

#include "base/buffer.h"

#define JSON_WRITER_DEPTH 32

struct json_writer {
    struct buffer *out;
    uint32_t depth;
    uint32_t is_array;  /* bit d: level d is an array */
    uint32_t has_items; /* bit d: level d needs a separator before its next item */
};

struct json_writer json_writer(struct buffer *out);

/*
 * In each, name is the member's name (ASCII that needs no escape) within an object, and NULL within
 * an array or at the top.
 */
void json_object(struct json_writer *w, const char *name);
void json_array(struct json_writer *w, const char *name);
void json_end(struct json_writer *w); /* closes the innermost object or array */

/* A string: valid UTF-8 is escaped as needed; bytes that are not UTF-8 become U+FFFD. */
void json_text(struct json_writer *w, const char *name, const char *text);
void json_text_bytes(struct json_writer *w, const char *name, struct bytes text);
void json_base64(struct json_writer *w, const char *name, struct bytes bytes);
void json_integer(struct json_writer *w, const char *name, int64_t value);
void json_boolean(struct json_writer *w, const char *name, bool value);
void json_null(struct json_writer *w, const char *name);
/* Valid JSON, which is copied as it is. */
void json_verbatim(struct json_writer *w, const char *name, struct bytes json);
/* For further kinds of value (formats/json_print.h): what comes before one, and a quoted string. */
void json_begin(struct json_writer *w, const char *name);
void json_put_string(struct buffer *out, struct bytes text);

#endif
