/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read an EIF share. For nobody else. */
#ifndef IMAGE_EIF_INTERNAL_H
#define IMAGE_EIF_INTERNAL_H

#include "image/eif_file.h"
#include "image/sink.h"

/* Who wants to know what is wrong with a file, and how much it was so far. */
struct judge {
    eif_report report;
    void *context;
    size_t count;
};

void judge_say(struct judge *judge, const char *format, ...) PRINTF_LIKE(2, 3);

/* Opens path: a regular file with room for a header, which is read and parsed. */
enum eif_opened {
    EIF_UNREADABLE, /* the system failed: *err */
    EIF_NO_HEADER,  /* too short, or no magic: told to the judge */
    EIF_OPENED,
};
enum eif_opened eif_open_header(struct eif_file *file, const char *path, struct judge *judge,
                                struct error *err);

/*
 * Reads the section headers and tells the judge all that makes a file ambiguous (eif_file_open).
 * Fills file->sections up to the first that does not lie within the file. False if the system
 * failed.
 */
MUST_USE bool eif_read_layout(struct eif_file *file, struct judge *judge, struct error *err);

/* Exactly size bytes from offset on. */
MUST_USE bool eif_read_at(const struct eif_file *file, uint8_t *out, size_t size, uint64_t offset,
                          struct error *err);

/* Gives size bytes from offset on to a sink in pieces of at most PIECE_SIZE; false ends it. */
MUST_USE bool eif_stream(const struct eif_file *file, uint64_t offset, uint64_t size,
                         byte_sink sink, void *context, struct error *err);

#endif
