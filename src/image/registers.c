/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registers.h"

#include "pki/certificate.h"

#define DER_MAX (1u << 20)

static bool hash_failed(struct error *err)
{
    return error_set(err, ERROR_CRYPTO, "SHA-384 failed");
}

bool register_of_text(uint8_t out[SHA384_SIZE], struct bytes text)
{
    static const uint8_t zero[SHA384_SIZE];
    return sha384_pair(out, bytes_of(zero, sizeof zero), text);
}

bool register_of_certificate(uint8_t out[SHA384_SIZE], struct bytes pem, struct error *err)
{
    struct certificate *certificate = certificate_from_pem(pem, err);
    if (certificate == NULL)
        return false;
    BUFFER_AUTO der;
    buffer_init(&der, DER_MAX);
    certificate_der(certificate, &der);
    certificate_free(certificate);
    return (!der.failed && sha384(out, buffer_bytes(&der)) && sha384_register(out, out)) ||
           hash_failed(err);
}

bool register_pair_update(void *context, struct bytes piece, struct error *err)
{
    const struct register_pair *pair = context;
    (void)err;
    sha384_update(pair->first, piece);
    sha384_update(pair->second, piece);
    return true;
}

void image_registers_begin(struct image_registers *registers)
{
    *registers = (struct image_registers){sha384_begin(), sha384_begin(), sha384_begin(), 0};
}

struct register_pair image_registers_part(struct image_registers *registers, enum image_part part)
{
    bool is_later = part == IMAGE_RAMDISK && registers->ramdisks++ > 0;
    return (struct register_pair){registers->all, is_later ? registers->later : registers->boot};
}

static bool finish(struct sha384_stream *stream, uint8_t out[SHA384_SIZE])
{
    return sha384_end(stream, out) && sha384_register(out, out);
}

bool image_registers_end(struct image_registers *registers, uint8_t pcr0[SHA384_SIZE],
                         uint8_t pcr1[SHA384_SIZE], uint8_t pcr2[SHA384_SIZE])
{
    bool all = finish(registers->all, pcr0), boot = finish(registers->boot, pcr1);
    bool later = finish(registers->later, pcr2); /* each is ended, whatever the others did */
    return all && boot && later;
}

static bool hash_file(const char *path, struct register_pair to, struct error *err)
{
    struct input input;
    if (!input_open(&input, path, -1, err))
        return false;
    bool good = input_stream(&input, register_pair_update, &to, err);
    input_close(&input);
    return good;
}

bool register_of_file(uint8_t out[SHA384_SIZE], const char *path, struct error *err)
{
    struct register_pair to = {.first = sha384_begin()};
    bool read = hash_file(path, to, err);
    bool hashed = finish(to.first, out);
    return read && (hashed || hash_failed(err));
}

bool registers_of_parts(uint8_t pcr0[SHA384_SIZE], uint8_t pcr1[SHA384_SIZE],
                        uint8_t pcr2[SHA384_SIZE], const struct register_parts *parts,
                        struct error *err)
{
    struct image_registers registers;
    image_registers_begin(&registers);
    struct register_pair boot = image_registers_part(&registers, IMAGE_CMDLINE);
    bool read = hash_file(parts->kernel, image_registers_part(&registers, IMAGE_KERNEL), err) &&
                register_pair_update(&boot, parts->cmdline, err);
    for (size_t i = 0; read && i < parts->ramdisk_count; i++)
        read = hash_file(parts->ramdisks[i], image_registers_part(&registers, IMAGE_RAMDISK), err);
    bool hashed = image_registers_end(&registers, pcr0, pcr1, pcr2);
    return read && (hashed || hash_failed(err));
}
