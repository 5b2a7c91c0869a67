/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that people write: lines, blanks around a word, quotes, NAME=VALUE. Every result is a view
 * into the text that was given; nothing is copied. And text for people to read.
 */
#ifndef FORMATS_TEXT_H
#define FORMATS_TEXT_H

#include "base/buffer.h"

/* A space, a tab, a line feed, or a carriage return. */
bool text_is_blank(uint8_t c);

/* The text without blanks at its start and its end; at is NULL only if it was. */
struct bytes text_trim(struct bytes text);

/* The offset of the first c, or the length of the text. */
size_t text_find(struct bytes text, uint8_t c);

/* Takes the part before the first separator off *rest, and the separator; all of it without one. */
struct bytes text_cut(struct bytes *rest, uint8_t separator);

/* Takes the next line off *rest, without its line feed. False if nothing is left. */
bool text_line(struct bytes *rest, struct bytes *line);

/*
 * The text before its first blank line. Of an error message of AWS the rest is not to be shown:
 * where a signature is wrong, it is what was signed, with the session token.
 */
struct bytes text_paragraph(struct bytes text);

/* The text between a pair of double or single quotes; the whole text if it is not in quotes. */
struct bytes text_unquote(struct bytes text);

/* NAME=VALUE as an option takes it: the name is not empty, the value may be. */
struct text_pair {
    struct bytes name, value;
};

/* Splits at the first '='. False if there is none, or nothing before it. */
MUST_USE bool text_pair(struct text_pair *out, const char *text);

/*
 * Appends text as it is shown: UTF-8 as it is; control characters, what turns the direction of
 * writing, and bytes that are not UTF-8 become \xNN, so that text from outside can neither forge a
 * line nor control a terminal.
 */
void append_escaped(struct buffer *out, struct bytes text);

#endif
