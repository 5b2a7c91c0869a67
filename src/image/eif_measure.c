/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of an image, computed as the hypervisor does before it starts the image. */
#include "base/hex.h"
#include "formats/json_print.h"
#include "image/eif_internal.h"
#include "image/eif_signature.h"
#include "image/registers.h"

static bool hash_sections(const struct eif_file *file, struct image_registers *registers,
                          struct error *err)
{
    for (size_t i = 0; i < file->section_count; i++) {
        const struct eif_section *section = &file->sections[i];
        struct register_pair pair;
        if (section->type == EIF_KERNEL)
            pair = image_registers_part(registers, IMAGE_KERNEL);
        else if (section->type == EIF_CMDLINE)
            pair = image_registers_part(registers, IMAGE_CMDLINE);
        else if (section->type == EIF_RAMDISK)
            pair = image_registers_part(registers, IMAGE_RAMDISK);
        else
            continue;
        if (!eif_stream(file, section->offset, section->size, register_pair_update, &pair, err))
            return false;
    }
    return true;
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
    struct image_registers registers;
    image_registers_begin(&registers);
    bool read = hash_sections(file, &registers, err);
    bool hashed = image_registers_end(&registers, out->pcr0, out->pcr1, out->pcr2);
    if (!read)
        return false;
    if (!hashed)
        return error_set(err, ERROR_CRYPTO, "SHA-384 failed");
    size_t signature = eif_file_find(file, EIF_SIGNATURE);
    out->is_signed = signature != EIF_NO_SECTION;
    return !out->is_signed || measure_signature(file, signature, out, err);
}

void eif_measurements_json(const struct eif_measurements *measurements, struct buffer *out)
{
    struct json_writer w = json_writer(out);
    json_object(&w, NULL);
    json_text(&w, "HashAlgorithm", "Sha384 { ... }"); /* as nitro-cli prints it */
    json_hex(&w, "PCR0", bytes_of(measurements->pcr0, SHA384_SIZE));
    json_hex(&w, "PCR1", bytes_of(measurements->pcr1, SHA384_SIZE));
    json_hex(&w, "PCR2", bytes_of(measurements->pcr2, SHA384_SIZE));
    if (measurements->is_signed)
        json_hex(&w, "PCR8", bytes_of(measurements->pcr8, SHA384_SIZE));
    json_end(&w);
}
