/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An EIF on disk, as host tools and the simulator read it: in a stream, so that memory does not
 * grow with the image, and believing no number in it before it has been compared with the file.
 */
#ifndef IMAGE_EIF_FILE_H
#define IMAGE_EIF_FILE_H

#include "base/buffer.h"
#include "formats/eif.h"
#include "pki/sha384.h"

struct eif_section {
    uint16_t type;
    uint16_t flags;
    uint64_t offset; /* of the data */
    uint64_t size;   /* of the data; offset + size lies within the file */
};

struct eif_file {
    int fd;
    const char *path; /* for messages; the caller's */
    uint64_t bytes;   /* the file's size */
    struct eif_header header;
    struct eif_section sections[EIF_SECTIONS_MAX];
    size_t section_count;
};

/*
 * Opens path and reads header and section headers. Refuses (ERROR_FORMAT, naming the field, its
 * value and what it should be) what two readers could see differently, one that follows the
 * header's offsets and one that walks from section to section: magic, version, number of sections,
 * an offset or a size that lies outside the file or disagrees with the section's own header,
 * sections that overlap, gaps, bytes behind the last section. What else may be wrong is for
 * eif_verify.
 */
MUST_USE bool eif_file_open(struct eif_file *file, const char *path, struct error *err);
/* Safe on a zeroed struct. */
void eif_file_close(struct eif_file *file);

/* Called for each disagreement; text is one line without its end, escaped for a terminal. */
typedef void (*eif_report)(void *context, const char *text);

/*
 * Strict: everything that is not exactly as the format has it is reported, all of it: CRC, order,
 * gaps, overlaps, sizes, unknown types, missing or repeated sections, trailing bytes, reserved
 * fields, metadata that is not what version 4 asks for, a signature that does not verify or is over
 * other registers. Opens path itself, so that it can report what eif_file_open refuses. *count:
 * how many. False with *err only if the file cannot be read at all.
 */
MUST_USE bool eif_verify(const char *path, eif_report report, void *context, size_t *count,
                         struct error *err);

struct eif_measurements {
    uint8_t pcr0[SHA384_SIZE]; /* kernel ‖ cmdline ‖ every ramdisk */
    uint8_t pcr1[SHA384_SIZE]; /* kernel ‖ cmdline ‖ first ramdisk */
    uint8_t pcr2[SHA384_SIZE]; /* ramdisks after the first */
    uint8_t pcr8[SHA384_SIZE]; /* DER of the signing certificate; zeros if not signed */
    bool is_signed;
};

/*
 * Each is SHA384(0⁴⁸ ‖ SHA384(data)), the data in the file's order. Streams. ERROR_FORMAT if there
 * is no kernel, cmdline or ramdisk. A signature section is parsed for its certificate, not
 * verified.
 */
MUST_USE bool eif_file_measure(const struct eif_file *file, struct eif_measurements *out,
                               struct error *err);

/* The number of the first section of that type, or EIF_NO_SECTION. */
#define EIF_NO_SECTION SIZE_MAX
size_t eif_file_find(const struct eif_file *file, enum eif_type type);

/* The CRC of the file as it stands; the header's is file->header.crc. */
MUST_USE bool eif_file_crc(const struct eif_file *file, uint32_t *out, struct error *err);

/* Appends a section's data; ERROR_FORMAT if it exceeds out's limit. For cmdline and metadata. */
MUST_USE bool eif_file_read(const struct eif_file *file, size_t section, struct buffer *out,
                            struct error *err);

/* Copies a section's data to the descriptor to, in pieces. */
MUST_USE bool eif_file_extract(const struct eif_file *file, size_t section, int to,
                               struct error *err);

/* The measurements in nitro-cli's shape: {"HashAlgorithm": "Sha384 { ... }", "PCR0": "hex", …}, as
 * a JSON value appended to out. */
void eif_measurements_json(const struct eif_measurements *measurements, struct buffer *out);

#endif
