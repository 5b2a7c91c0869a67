/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of an image, as the hypervisor computes them before it starts one. */
#include "base/hex.h"
#include "formats/json_print.h"
#include "image/eif_internal.h"
#include "image/eif_signature.h"
#include "image/registers.h"

struct registers {
    struct sha384_stream *all;   /* PCR0 */
    struct sha384_stream *boot;  /* PCR1 */
    struct sha384_stream *later; /* PCR2 */
};

struct targets {
    struct sha384_stream *first, *second;
};

static bool hash_piece(void *context, struct bytes piece, struct error *err)
{
    const struct targets *to = context;
    (void)err;
    sha384_update(to->first, piece);
    sha384_update(to->second, piece);
    return true;
}

static bool hash_sections(const struct eif_file *file, const struct registers *registers,
                          struct error *err)
{
    size_t ramdisks = 0;
    for (size_t i = 0; i < file->section_count; i++) {
        const struct eif_section *section = &file->sections[i];
        struct targets to = {.first = registers->all, .second = registers->boot};
        if (section->type == EIF_RAMDISK)
            to.second = ramdisks++ == 0 ? registers->boot : registers->later;
        else if (section->type != EIF_KERNEL && section->type != EIF_CMDLINE)
            continue;
        if (!eif_stream(file, section->offset, section->size, hash_piece, &to, err))
            return false;
    }
    return true;
}

static bool finish(struct sha384_stream *stream, uint8_t out[SHA384_SIZE])
{
    return sha384_end(stream, out) && sha384_register(out, out);
}

static bool measure_signature(const struct eif_file *file, size_t section,
                              struct eif_measurements *out, struct error *err)
{
    BUFFER_AUTO data;
    buffer_init(&data, EIF_SIGNATURE_MAX);
    struct eif_signature signature = {0};
    struct error why = {0};
    bool good = eif_file_read(file, section, &data, err);
    if (good && !eif_signature_parse(&signature, buffer_bytes(&data), &why))
        good = error_set(err, ERROR_FORMAT, "%.200s: %.200s", file->path, why.cause);
    if (good && !register_of_certificate(out->pcr8, buffer_bytes(&signature.certificate), &why))
        good = error_set(err, ERROR_FORMAT, "%.200s: signature section: %.200s", file->path,
                         why.cause);
    eif_signature_clear(&signature);
    return good;
}

bool eif_file_measure(const struct eif_file *file, struct eif_measurements *out, struct error *err)
{
    static const enum eif_type wanted[] = {EIF_KERNEL, EIF_CMDLINE, EIF_RAMDISK};
    *out = (struct eif_measurements){0};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (eif_file_find(file, wanted[i]) == EIF_NO_SECTION)
            return error_set(err, ERROR_FORMAT, "%.200s has no %s section", file->path,
                             eif_type_name((uint16_t)wanted[i]));
    struct registers registers = {sha384_begin(), sha384_begin(), sha384_begin()};
    bool read = hash_sections(file, &registers, err);
    bool all = finish(registers.all, out->pcr0), boot = finish(registers.boot, out->pcr1);
    bool later = finish(registers.later, out->pcr2);
    if (!read)
        return false;
    if (!all || !boot || !later)
        return error_set(err, ERROR_CRYPTO, "SHA-384 failed");
    size_t signature = eif_file_find(file, EIF_SIGNATURE);
    out->is_signed = signature != EIF_NO_SECTION;
    return !out->is_signed || measure_signature(file, signature, out, err);
}

void eif_measurements_json(const struct eif_measurements *measurements, struct buffer *out)
{
    struct json_writer w = json_writer(out);
    json_object(&w, NULL);
    json_text(&w, "HashAlgorithm", "Sha384 { ... }"); /* how Rust prints nitro-cli's hasher */
    json_hex(&w, "PCR0", bytes_of(measurements->pcr0, SHA384_SIZE));
    json_hex(&w, "PCR1", bytes_of(measurements->pcr1, SHA384_SIZE));
    json_hex(&w, "PCR2", bytes_of(measurements->pcr2, SHA384_SIZE));
    if (measurements->is_signed)
        json_hex(&w, "PCR8", bytes_of(measurements->pcr8, SHA384_SIZE));
    json_end(&w);
}
