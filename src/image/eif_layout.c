/* SPDX-License-Identifier: Apache-2.0 */
/* Where the sections of an EIF are: its header compared with their own headers. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/eif_internal.h"

#define SECTIONS_MIN 2 /* a kernel and a command line: aws-nitro-enclaves-image-format, utils */

void findings_add(struct findings *findings, const char *format, ...)
{
    char line[400];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    findings->count++;
    findings->report(findings->context, line);
}

bool eif_read_at(const struct eif_file *file, uint8_t *out, size_t size, uint64_t offset,
                 struct error *err)
{
    while (size > 0) {
        ssize_t n = pread(file->fd, out, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, ERROR_SYSTEM, "cannot read %.200s", file->path);
        if (n == 0)
            return error_set(err, ERROR_SYSTEM, "%.200s became shorter while it was read",
                             file->path);
        out += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

enum eif_opened eif_open_header(struct eif_file *file, const char *path, struct findings *findings,
                                struct error *err)
{
    struct stat status;
    uint8_t header[EIF_HEADER_SIZE];
    struct error why = {0};
    /* O_NONBLOCK: if path is a pipe, do not wait for a writer. */
    *file = (struct eif_file){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), .path = path};
    if (file->fd < 0 || fstat(file->fd, &status) != 0) {
        error_set_errno(err, ERROR_SYSTEM, "cannot open %.200s", path);
        return EIF_UNREADABLE;
    }
    if (!S_ISREG(status.st_mode)) {
        error_set(err, ERROR_SYSTEM, "%.200s is not a regular file", path);
        return EIF_UNREADABLE;
    }
    file->bytes = (uint64_t)status.st_size;
    if (file->bytes < EIF_HEADER_SIZE) {
        findings_add(findings, "not an EIF: it has %" PRIu64 " bytes; the header alone has %d",
                     file->bytes, EIF_HEADER_SIZE);
        return EIF_NO_HEADER;
    }
    if (!eif_read_at(file, header, sizeof header, 0, err))
        return EIF_UNREADABLE;
    if (!eif_header_parse(&file->header, header, &why)) {
        findings_add(findings, "%s", why.cause);
        return EIF_NO_HEADER;
    }
    return EIF_OPENED;
}

static void check_counts(const struct eif_header *header, struct findings *findings)
{
    if (header->version != EIF_VERSION)
        findings_add(findings, "the version is %u; only version %d is supported", header->version,
                     EIF_VERSION);
    if (header->section_count < SECTIONS_MIN)
        findings_add(findings, "the header counts %u sections; an image has at least %d",
                     header->section_count, SECTIONS_MIN);
}

/* Compares where section i begins with where the previous one ended. */
static void check_begin(size_t i, uint64_t offset, uint64_t wanted, struct findings *findings)
{
    if (offset > wanted)
        findings_add(findings,
                     "section %zu begins at %" PRIu64 ": a gap of %" PRIu64 " bytes after %" PRIu64,
                     i, offset, offset - wanted, wanted);
    else if (offset < wanted)
        findings_add(findings,
                     "section %zu begins at %" PRIu64
                     ": it overlaps the previous one, which ends at %" PRIu64,
                     i, offset, wanted);
}

/* Reads the header of section i. *inside: the section lies within the file. */
static bool read_section(struct eif_file *file, size_t i, struct findings *findings, bool *inside,
                         struct error *err)
{
    uint64_t offset = file->header.offset[i], named = file->header.size[i];
    uint8_t at[EIF_SECTION_HEADER_SIZE];
    struct eif_section_header section;
    *inside = offset <= file->bytes && file->bytes - offset >= EIF_SECTION_HEADER_SIZE;
    if (!*inside) {
        findings_add(findings,
                     "section %zu begins at %" PRIu64 ", outside the file of %" PRIu64 " bytes", i,
                     offset, file->bytes);
        return true;
    }
    if (!eif_read_at(file, at, sizeof at, offset, err))
        return false;
    eif_section_parse(&section, at);
    uint64_t room = file->bytes - offset - EIF_SECTION_HEADER_SIZE;
    if (section.size != named)
        findings_add(findings,
                     "section %zu (%s) has %" PRIu64 " bytes by the file's header, %" PRIu64
                     " by its own",
                     i, eif_type_name(section.type), named, section.size);
    *inside = section.size <= room;
    if (!*inside)
        findings_add(findings,
                     "section %zu (%s) has %" PRIu64 " bytes; only %" PRIu64
                     " are left in the file",
                     i, eif_type_name(section.type), section.size, room);
    file->sections[i] = (struct eif_section){.type = section.type,
                                             .flags = section.flags,
                                             .offset = offset + EIF_SECTION_HEADER_SIZE,
                                             .size = section.size};
    return true;
}

bool eif_read_layout(struct eif_file *file, struct findings *findings, struct error *err)
{
    uint64_t end = EIF_HEADER_SIZE;
    check_counts(&file->header, findings);
    for (size_t i = 0; i < file->header.section_count; i++) {
        bool inside;
        check_begin(i, file->header.offset[i], end, findings);
        if (!read_section(file, i, findings, &inside, err))
            return false;
        if (!inside)
            return true; /* where the next section should begin is unknown */
        end = file->sections[i].offset + file->sections[i].size;
        file->section_count = i + 1;
    }
    if (end < file->bytes)
        findings_add(findings, "%" PRIu64 " bytes follow the last section, from %" PRIu64 " on",
                     file->bytes - end, end);
    return true;
}
