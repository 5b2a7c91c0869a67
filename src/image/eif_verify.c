/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that can be wrong with an image, reported one by one. */
#include <inttypes.h>

#include "image/eif_cmdline.h"
#include "image/eif_internal.h"
#include "image/eif_metadata.h"
#include "image/eif_sign.h"
#include "image/eif_signature.h"
#include "image/kernel.h"
#include "pki/certificate.h"

struct check {
    struct findings findings;
    int64_t at_s; /* the second in which the signing certificate must be valid */
    struct eif_verdict *verdict;
};

/* The place of a section's type in the required order; -1: an unknown type. */
static int rank(uint16_t type)
{
    static const enum eif_type order[] = {EIF_KERNEL, EIF_CMDLINE, EIF_METADATA, EIF_RAMDISK,
                                          EIF_SIGNATURE};
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        if (order[i] == type)
            return (int)i;
    return -1;
}

static void check_header(const struct eif_header *header, struct findings *findings)
{
    if ((header->flags & ~EIF_FLAG_ARM64) != 0)
        findings_add(findings, "the header's flags are 0x%04x; only bit 0 is defined",
                     header->flags);
    if (header->reserved != 0)
        findings_add(findings, "the header's reserved field is 0x%04x, not 0", header->reserved);
    if (header->unused != 0)
        findings_add(findings, "the header's unused field is 0x%08x, not 0", header->unused);
    for (size_t i = header->section_count; i < EIF_SECTIONS_MAX; i++)
        if (header->offset[i] != 0 || header->size[i] != 0)
            findings_add(
                findings,
                "the header counts %u sections, but has an offset or a size for number %zu",
                header->section_count, i);
}

static size_t count_of(const struct eif_file *file, enum eif_type type)
{
    size_t count = 0;
    for (size_t i = 0; i < file->section_count; i++)
        count += file->sections[i].type == type;
    return count;
}

static void check_counts(const struct eif_file *file, struct findings *findings)
{
    static const struct {
        enum eif_type type;
        size_t least, most;
    } wanted[] = {{EIF_KERNEL, 1, 1},
                  {EIF_CMDLINE, 1, 1},
                  {EIF_METADATA, 1, 1},
                  {EIF_RAMDISK, 1, EIF_SECTIONS_MAX},
                  {EIF_SIGNATURE, 0, 1}};
    /* If the layout could not be read to its end, a missing section cannot be reported. */
    bool whole = file->section_count == file->header.section_count;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        size_t count = count_of(file, wanted[i].type);
        const char *name = eif_type_name((uint16_t)wanted[i].type);
        if (count < wanted[i].least && whole)
            findings_add(findings, "there is no %s section", name);
        if (count > wanted[i].most)
            findings_add(findings, "there are %zu %s sections; only one is allowed", count, name);
    }
}

static void check_sections(const struct eif_file *file, struct findings *findings)
{
    int highest = -1;
    for (size_t i = 0; i < file->section_count; i++) {
        const struct eif_section *section = &file->sections[i];
        int place = rank(section->type);
        if (place < 0)
            findings_add(findings, "section %zu has the unknown type %u", i, section->type);
        else if (place < highest)
            findings_add(findings,
                         "section %zu (%s) is out of order; the order is kernel, cmdline, "
                         "metadata, ramdisks, signature",
                         i, eif_type_name(section->type));
        if (place > highest)
            highest = place;
        if (section->flags != 0)
            findings_add(findings, "section %zu (%s) has flags 0x%04x, not 0", i,
                         eif_type_name(section->type), section->flags);
        if (section->size == 0)
            findings_add(findings, "section %zu (%s) is empty", i, eif_type_name(section->type));
    }
}

static bool check_crc(const struct eif_file *file, struct findings *findings, struct error *err)
{
    uint32_t crc;
    if (!eif_file_crc(file, &crc, err))
        return false;
    if (crc != file->header.crc)
        findings_add(findings,
                     "the CRC in the header is %08" PRIx32 "; the CRC of the file is %08" PRIx32,
                     file->header.crc, crc);
    return true;
}

static bool check_cmdline(const struct eif_file *file, size_t i, struct findings *findings,
                          struct error *err)
{
    struct error why = {0};
    BUFFER_AUTO cmdline;
    buffer_init(&cmdline, EIF_CMDLINE_MAX);
    if (eif_cmdline_read(file, i, &cmdline, &why))
        return true;
    if (why.code != ERROR_FORMAT) {
        *err = why;
        return false;
    }
    findings_add(findings, "section %zu (cmdline): %s", i, why.cause);
    return true;
}

/* Compares the architectures of kernel and header. An unknown kind of kernel is not a finding. */
static bool check_kernel(const struct eif_file *file, size_t i, struct findings *findings,
                         struct error *err)
{
    struct input input = {.fd = file->fd,
                          .path = file->path,
                          .base = file->sections[i].offset,
                          .size = file->sections[i].size};
    struct kernel kernel;
    struct error why = {0};
    enum machine flagged =
        (file->header.flags & EIF_FLAG_ARM64) != 0 ? MACHINE_AARCH64 : MACHINE_X86_64;
    if (!kernel_identify(&kernel, &input, &why)) {
        if (why.code == ERROR_FORMAT)
            return true;
        *err = why;
        return false;
    }
    if (kernel.machine != flagged)
        findings_add(findings, "the header is for %s, but the kernel is for %s",
                     machine_name(flagged), machine_name(kernel.machine));
    return true;
}

/* Reads a whole section into memory. *read: false if it is too long, which is a finding. */
static bool read_whole(const struct eif_file *file, size_t i, struct buffer *out,
                       struct findings *findings, bool *read, struct error *err)
{
    *read = file->sections[i].size <= out->limit;
    if (*read)
        return eif_file_read(file, i, out, err);
    findings_add(findings, "section %zu (%s) has %" PRIu64 " bytes; the limit is %zu", i,
                 eif_type_name(file->sections[i].type), file->sections[i].size, out->limit);
    return true;
}

static bool check_metadata(const struct eif_file *file, size_t i, struct findings *findings,
                           struct error *err)
{
    struct json doc;
    struct error why = {0};
    bool read;
    BUFFER_AUTO text;
    buffer_init(&text, EIF_METADATA_MAX);
    if (!read_whole(file, i, &text, findings, &read, err))
        return false;
    json_init(&doc, JSON_DEPTH);
    if (read && !eif_metadata_parse(&doc, buffer_bytes(&text), &why))
        findings_add(findings, "%s", why.cause);
    json_clear(&doc);
    return true;
}

/* nitro-cli does not start an image whose certificate has expired or is not valid yet. */
static void check_dates(struct bytes section, int64_t at_s, struct findings *findings,
                        struct eif_verdict *out)
{
    struct eif_signature signature = {0};
    struct error why = {0};
    struct certificate *certificate =
        eif_signature_parse(&signature, section, &why)
            ? certificate_from_pem(buffer_bytes(&signature.certificate), &why)
            : NULL;
    if (certificate != NULL) { /* otherwise a finding already */
        out->has_dates = certificate_dates(certificate, &out->not_before_s, &out->not_after_s);
        if (!certificate_valid_at(certificate, at_s, &why))
            findings_add(findings, "the signing certificate: %s", why.cause);
    }
    certificate_free(certificate);
    eif_signature_clear(&signature);
}

static bool check_signature(const struct eif_file *file, size_t i, struct check *check,
                            struct error *err)
{
    struct findings *findings = &check->findings;
    struct eif_measurements measurements;
    struct error why = {0};
    bool read;
    BUFFER_AUTO section;
    buffer_init(&section, EIF_SIGNATURE_MAX);
    if (!read_whole(file, i, &section, findings, &read, err))
        return false;
    if (!read)
        return true;
    /* A file that cannot be measured lacks a section, which is a finding already. */
    if (!eif_file_measure(file, &measurements, &why) && why.code == ERROR_SYSTEM) {
        *err = why;
        return false;
    }
    if (!eif_signature_verify(buffer_bytes(&section), measurements.pcr0, &why))
        findings_add(findings, "%s", why.cause);
    check_dates(buffer_bytes(&section), check->at_s, findings, check->verdict);
    return true;
}

static bool check_contents(const struct eif_file *file, struct check *check, struct error *err)
{
    struct findings *findings = &check->findings;
    bool good = true;
    for (size_t i = 0; good && i < file->section_count; i++) {
        if (file->sections[i].size == 0)
            continue; /* a finding already */
        if (file->sections[i].type == EIF_KERNEL)
            good = check_kernel(file, i, findings, err);
        else if (file->sections[i].type == EIF_CMDLINE)
            good = check_cmdline(file, i, findings, err);
        else if (file->sections[i].type == EIF_METADATA)
            good = check_metadata(file, i, findings, err);
        else if (file->sections[i].type == EIF_SIGNATURE)
            good = check_signature(file, i, check, err);
    }
    return good;
}

bool eif_verify(const char *path, int64_t at_s, eif_report report, void *context,
                struct eif_verdict *out, struct error *err)
{
    struct check check = {
        .findings = {.report = report, .context = context}, .at_s = at_s, .verdict = out};
    struct findings *findings = &check.findings;
    struct eif_file file;
    *out = (struct eif_verdict){0};
    enum eif_opened opened = eif_open_header(&file, path, findings, err);
    bool good = opened != EIF_UNREADABLE;
    if (opened == EIF_OPENED) {
        check_header(&file.header, findings);
        good = eif_read_layout(&file, findings, err);
        check_counts(&file, findings);
        check_sections(&file, findings);
        good = good && check_crc(&file, findings, err) && check_contents(&file, &check, err);
    }
    eif_file_close(&file);
    out->count = findings->count;
    return good;
}
