/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Enclave Image File, version 4: its header and section headers as bytes. All integers are
 * big-endian. Format: aws-nitro-enclaves-image-format src/defs/mod.rs; docs/image-format.md.
 */
#ifndef FORMATS_EIF_H
#define FORMATS_EIF_H

#include "base/bytes.h"
#include "base/error.h"

#define EIF_HEADER_SIZE         548
#define EIF_SECTION_HEADER_SIZE 12
#define EIF_SECTIONS_MAX        32
#define EIF_VERSION             4
#define EIF_FLAG_ARM64          0x0001
#define EIF_CRC_OFFSET          0x220 /* of the header's last four bytes, which the CRC leaves out */

enum eif_type {
    EIF_KERNEL = 1,
    EIF_CMDLINE = 2,
    EIF_RAMDISK = 3,
    EIF_SIGNATURE = 4,
    EIF_METADATA = 5,
};

struct eif_header {
    uint16_t version;
    uint16_t flags;
    uint64_t default_memory; /* bytes */
    uint64_t default_cpus;
    uint16_t reserved; /* 0 */
    uint16_t section_count;
    uint64_t offset[EIF_SECTIONS_MAX]; /* of each section's header, from the start of the file */
    uint64_t size[EIF_SECTIONS_MAX];   /* of its data, the section header not counted */
    uint32_t unused;                   /* 0 */
    uint32_t crc;                      /* CRC-32 (IEEE) of the file without these four bytes */
};

struct eif_section_header {
    uint16_t type; /* enum eif_type, or unknown */
    uint16_t flags;
    uint64_t size; /* of the data */
};

/*
 * Reads a header and checks only that it is one: its magic number, and that it counts no more
 * sections than it has room for. ERROR_FORMAT.
 */
MUST_USE bool eif_header_parse(struct eif_header *out, const uint8_t at[EIF_HEADER_SIZE],
                               struct error *err);
void eif_header_write(uint8_t at[EIF_HEADER_SIZE], const struct eif_header *header);

void eif_section_parse(struct eif_section_header *out, const uint8_t at[EIF_SECTION_HEADER_SIZE]);
void eif_section_write(uint8_t at[EIF_SECTION_HEADER_SIZE],
                       const struct eif_section_header *section);

/* "kernel", "cmdline", "ramdisk", "signature", "metadata" or "unknown". */
const char *eif_type_name(uint16_t type);

/* The CRC-32 (IEEE 802.3) of some bytes, whose CRC-32 is crc, and more; crc is 0 for none. */
uint32_t eif_crc(uint32_t crc, struct bytes more);

#endif
