/* SPDX-License-Identifier: Apache-2.0 */
/* What the eif_ files share. */
#ifndef IMAGE_EIF_INTERNAL_H
#define IMAGE_EIF_INTERNAL_H

#include "image/eif_file.h"
#include "image/sink.h"

/* What is wrong with a file: each finding is reported at once and counted. */
struct findings {
    eif_report report;
    void *context;
    size_t count;
};

void findings_add(struct findings *findings, const char *format, ...) PRINTF_LIKE(2, 3);

/* Opens path, a regular file, and reads and parses its header. */
enum eif_opened {
    EIF_UNREADABLE, /* the system failed: *err */
    EIF_NO_HEADER,  /* too short, or no magic: a finding */
    EIF_OPENED,
};
enum eif_opened eif_open_header(struct eif_file *file, const char *path, struct findings *findings,
                                struct error *err);

/*
 * Reads the section headers. All that makes a file ambiguous (eif_file_open) becomes a finding.
 * Fills file->sections up to the first that does not lie within the file. False if the system
 * failed.
 */
MUST_USE bool eif_read_layout(struct eif_file *file, struct findings *findings, struct error *err);

/* Reads exactly size bytes from offset on. */
MUST_USE bool eif_read_at(const struct eif_file *file, uint8_t *out, size_t size, uint64_t offset,
                          struct error *err);

/* Passes size bytes from offset on to a sink in pieces of at most PIECE_SIZE. */
MUST_USE bool eif_stream(const struct eif_file *file, uint64_t offset, uint64_t size,
                         byte_sink sink, void *context, struct error *err);

#endif
