/* SPDX-License-Identifier: Apache-2.0 */
/* Writes an EIF: section after section, then its header. */
#ifndef IMAGE_EIF_WRITER_H
#define IMAGE_EIF_WRITER_H

#include "formats/eif.h"
#include "image/output.h"

struct eif_writer {
    struct output output;
    struct eif_header header;
    uint16_t type; /* of the current section */
};

/* Opens the output and leaves room for the header. flags: of the header. */
MUST_USE bool eif_writer_open(struct eif_writer *writer, const char *path, uint16_t flags,
                              struct error *err);

/* Between begin and end, write the section's data with output_write(&writer->output, …). */
MUST_USE bool eif_writer_begin(struct eif_writer *writer, enum eif_type type, struct error *err);
MUST_USE bool eif_writer_end(struct eif_writer *writer, struct error *err);
/* A section whose data is in memory. */
MUST_USE bool eif_writer_section(struct eif_writer *writer, enum eif_type type, struct bytes data,
                                 struct error *err);

/* Writes the header, with the CRC of everything that was written. The file is then complete under
 * the name writer->output.next; output_commit puts it in place. */
MUST_USE bool eif_writer_finish(struct eif_writer *writer, struct error *err);

/* Removes a file that has not been put in place. */
void eif_writer_discard(struct eif_writer *writer);

#endif
