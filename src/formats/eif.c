/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/eif.h"

#include <zlib.h>

/* Where the header's fields lie; the CRC's place is in eif.h. */
enum {
    AT_MAGIC = 0x000,
    AT_VERSION = 0x004,
    AT_FLAGS = 0x006,
    AT_MEMORY = 0x008,
    AT_CPUS = 0x010,
    AT_RESERVED = 0x018,
    AT_COUNT = 0x01a,
    AT_OFFSETS = 0x01c,
    AT_SIZES = 0x11c,
    AT_UNUSED = 0x21c,
};

static const uint8_t magic[4] = {'.', 'e', 'i', 'f'};

static uint16_t be16_load(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void be16_store(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint64_t be64_load(const uint8_t *at)
{
    return (uint64_t)be32_load(at) << 32 | be32_load(at + 4);
}

static void be64_store(uint8_t *at, uint64_t value)
{
    be32_store(at, (uint32_t)(value >> 32));
    be32_store(at + 4, (uint32_t)value);
}

bool eif_header_parse(struct eif_header *out, const uint8_t at[EIF_HEADER_SIZE], struct error *err)
{
    *out = (struct eif_header){0};
    if (memcmp(at + AT_MAGIC, magic, sizeof magic) != 0)
        return error_set(err, ERROR_FORMAT,
                         "not an EIF: it begins with %02x %02x %02x %02x, not with \".eif\"", at[0],
                         at[1], at[2], at[3]);
    out->version = be16_load(at + AT_VERSION);
    out->flags = be16_load(at + AT_FLAGS);
    out->default_memory = be64_load(at + AT_MEMORY);
    out->default_cpus = be64_load(at + AT_CPUS);
    out->reserved = be16_load(at + AT_RESERVED);
    out->section_count = be16_load(at + AT_COUNT);
    for (size_t i = 0; i < EIF_SECTIONS_MAX; i++) {
        out->offset[i] = be64_load(at + AT_OFFSETS + 8 * i);
        out->size[i] = be64_load(at + AT_SIZES + 8 * i);
    }
    out->unused = be32_load(at + AT_UNUSED);
    out->crc = be32_load(at + EIF_CRC_OFFSET);
    if (out->section_count > EIF_SECTIONS_MAX)
        return error_set(err, ERROR_FORMAT, "the header counts %u sections; at most %d fit",
                         out->section_count, EIF_SECTIONS_MAX);
    return true;
}

void eif_header_write(uint8_t at[EIF_HEADER_SIZE], const struct eif_header *header)
{
    memcpy(at + AT_MAGIC, magic, sizeof magic);
    be16_store(at + AT_VERSION, header->version);
    be16_store(at + AT_FLAGS, header->flags);
    be64_store(at + AT_MEMORY, header->default_memory);
    be64_store(at + AT_CPUS, header->default_cpus);
    be16_store(at + AT_RESERVED, header->reserved);
    be16_store(at + AT_COUNT, header->section_count);
    for (size_t i = 0; i < EIF_SECTIONS_MAX; i++) {
        be64_store(at + AT_OFFSETS + 8 * i, header->offset[i]);
        be64_store(at + AT_SIZES + 8 * i, header->size[i]);
    }
    be32_store(at + AT_UNUSED, header->unused);
    be32_store(at + EIF_CRC_OFFSET, header->crc);
}

void eif_section_parse(struct eif_section_header *out, const uint8_t at[EIF_SECTION_HEADER_SIZE])
{
    *out = (struct eif_section_header){
        .type = be16_load(at), .flags = be16_load(at + 2), .size = be64_load(at + 4)};
}

void eif_section_write(uint8_t at[EIF_SECTION_HEADER_SIZE],
                       const struct eif_section_header *section)
{
    be16_store(at, section->type);
    be16_store(at + 2, section->flags);
    be64_store(at + 4, section->size);
}

const char *eif_type_name(uint16_t type)
{
    switch (type) {
    case EIF_KERNEL:
        return "kernel";
    case EIF_CMDLINE:
        return "cmdline";
    case EIF_RAMDISK:
        return "ramdisk";
    case EIF_SIGNATURE:
        return "signature";
    case EIF_METADATA:
        return "metadata";
    default:
        return "unknown";
    }
}

uint32_t eif_crc(uint32_t crc, struct bytes more)
{
    /* For no bytes at NULL zlib would start again. */
    return more.len == 0 ? crc : (uint32_t)crc32_z(crc, more.at, more.len);
}
