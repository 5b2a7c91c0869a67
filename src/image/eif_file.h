/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An EIF on disk. It is read in pieces, so that memory does not grow with the image, and no number
 * in it is used before it has been compared with the file.
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
    uint64_t size;   /* of the data, which lies within the file */
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
 * Opens path and reads its header and section headers. Refuses a file that two readers could see
 * differently, one that follows the header's offsets and one that walks from section to section:
 * wrong magic, version or number of sections, an offset or size outside the file or different from
 * the section's own header, overlaps, gaps, bytes after the last section. ERROR_FORMAT names the
 * field, its value and what it should be. eif_verify checks everything else.
 */
MUST_USE bool eif_file_open(struct eif_file *file, const char *path, struct error *err);
/* Safe on a zeroed struct. */
void eif_file_close(struct eif_file *file);

/* Called for each finding; text is one line without its end, safe for a terminal. */
typedef void (*eif_report)(void *context, const char *text);

struct eif_verdict {
    size_t count;                      /* findings */
    bool has_dates;                    /* the image has a signing certificate, and it has these: */
    int64_t not_before_s, not_after_s; /* since 1970 */
};

/*
 * Reports everything that differs from the format: CRC, order, gaps, overlaps, sizes, unknown
 * types, missing or repeated sections, trailing bytes, reserved fields, a command line that cannot
 * be started, metadata without the members of version 4, a signature that does not verify or is
 * over other registers, a signing certificate that is not valid at_s seconds after 1970. Opens path
 * itself, so that it can also report what eif_file_open refuses. False, with *err, only if the file
 * cannot be read at all.
 */
MUST_USE bool eif_verify(const char *path, int64_t at_s, eif_report report, void *context,
                         struct eif_verdict *out, struct error *err);

struct eif_measurements {
    uint8_t pcr0[SHA384_SIZE]; /* kernel ‖ cmdline ‖ every ramdisk */
    uint8_t pcr1[SHA384_SIZE]; /* kernel ‖ cmdline ‖ first ramdisk */
    uint8_t pcr2[SHA384_SIZE]; /* ramdisks after the first */
    uint8_t pcr8[SHA384_SIZE]; /* DER of the signing certificate; zeros if not signed */
    bool is_signed;
};

/*
 * Each register is SHA384(0⁴⁸ ‖ SHA384(data)), the data in the order of the file, which is read in
 * pieces. ERROR_FORMAT if there is no kernel, cmdline or ramdisk. A signature section is parsed for
 * its certificate, but not verified.
 */
MUST_USE bool eif_file_measure(const struct eif_file *file, struct eif_measurements *out,
                               struct error *err);

/* The index of the first section of that type, or EIF_NO_SECTION. */
#define EIF_NO_SECTION SIZE_MAX
size_t eif_file_find(const struct eif_file *file, enum eif_type type);

/* The CRC of the file's bytes; the one in its header is file->header.crc. */
MUST_USE bool eif_file_crc(const struct eif_file *file, uint32_t *out, struct error *err);

/* Appends the data of a section; ERROR_FORMAT if it exceeds out's limit. */
MUST_USE bool eif_file_read(const struct eif_file *file, size_t section, struct buffer *out,
                            struct error *err);

/* Copies the data of a section to the descriptor to, in pieces. */
MUST_USE bool eif_file_extract(const struct eif_file *file, size_t section, int to,
                               struct error *err);

/* Appends the measurements as JSON in the shape of nitro-cli:
 * {"HashAlgorithm": "Sha384 { ... }", "PCR0": "hex", …}. */
void eif_measurements_json(const struct eif_measurements *measurements, struct buffer *out);

#endif
