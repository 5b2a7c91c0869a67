/* SPDX-License-Identifier: Apache-2.0 */
#include "image/eif_writer.h"

#include "image/eif_file.h"

/* The values of aws-nitro-enclaves-image-format; no loader is known to use them. */
#define DEFAULT_MEMORY (UINT64_C(1) << 30)
#define DEFAULT_CPUS   2

bool eif_writer_open(struct eif_writer *writer, const char *path, uint16_t flags, struct error *err)
{
    static const uint8_t room[EIF_HEADER_SIZE];
    writer->header = (struct eif_header){.version = EIF_VERSION,
                                         .flags = flags,
                                         .default_memory = DEFAULT_MEMORY,
                                         .default_cpus = DEFAULT_CPUS};
    return output_open(&writer->output, path, err) &&
           output_write(&writer->output, bytes_of(room, sizeof room), err);
}

bool eif_writer_begin(struct eif_writer *writer, enum eif_type type, struct error *err)
{
    struct eif_section_header section = {.type = (uint16_t)type};
    uint8_t at[EIF_SECTION_HEADER_SIZE];
    if (writer->header.section_count == EIF_SECTIONS_MAX)
        return error_set(err, ERROR_USAGE, "an image has at most %d sections", EIF_SECTIONS_MAX);
    writer->type = section.type;
    writer->header.offset[writer->header.section_count] = writer->output.size;
    eif_section_write(at, &section);
    return output_write(&writer->output, bytes_of(at, sizeof at), err);
}

bool eif_writer_end(struct eif_writer *writer, struct error *err)
{
    size_t i = writer->header.section_count++;
    uint64_t start = writer->header.offset[i];
    uint8_t at[EIF_SECTION_HEADER_SIZE];
    struct eif_section_header section = {
        .type = writer->type, .size = writer->output.size - start - EIF_SECTION_HEADER_SIZE};
    writer->header.size[i] = section.size;
    eif_section_write(at, &section);
    return output_rewrite(&writer->output, start, bytes_of(at, sizeof at), err);
}

bool eif_writer_section(struct eif_writer *writer, enum eif_type type, struct bytes data,
                        struct error *err)
{
    return eif_writer_begin(writer, type, err) && output_write(&writer->output, data, err) &&
           eif_writer_end(writer, err);
}

bool eif_writer_finish(struct eif_writer *writer, struct error *err)
{
    uint8_t at[EIF_HEADER_SIZE];
    struct eif_file written = {
        .fd = writer->output.fd, .path = writer->output.path, .bytes = writer->output.size};
    eif_header_write(at, &writer->header);
    if (!output_rewrite(&writer->output, 0, bytes_of(at, sizeof at), err) ||
        !eif_file_crc(&written, &writer->header.crc, err))
        return false;
    eif_header_write(at, &writer->header);
    return output_rewrite(&writer->output, 0, bytes_of(at, sizeof at), err);
}

void eif_writer_discard(struct eif_writer *writer)
{
    output_discard(&writer->output);
}
