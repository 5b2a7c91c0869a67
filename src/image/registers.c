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

/* Two streams that see the same bytes; either may be NULL. */
struct pair {
    struct sha384_stream *first, *second;
};

static bool hash_piece(void *context, struct bytes piece, struct error *err)
{
    const struct pair *to = context;
    (void)err;
    sha384_update(to->first, piece);
    sha384_update(to->second, piece);
    return true;
}

static bool hash_file(const char *path, struct pair to, struct error *err)
{
    struct input input;
    if (!input_open(&input, path, -1, err))
        return false;
    bool good = input_stream(&input, hash_piece, &to, err);
    input_close(&input);
    return good;
}

static bool finish(struct sha384_stream *stream, uint8_t out[SHA384_SIZE])
{
    return sha384_end(stream, out) && sha384_register(out, out);
}

bool register_of_file(uint8_t out[SHA384_SIZE], const char *path, struct error *err)
{
    struct pair to = {.first = sha384_begin()};
    bool read = hash_file(path, to, err);
    bool hashed = finish(to.first, out);
    return read && (hashed || hash_failed(err));
}

bool registers_of_parts(uint8_t pcr0[SHA384_SIZE], uint8_t pcr1[SHA384_SIZE],
                        uint8_t pcr2[SHA384_SIZE], const struct register_parts *parts,
                        struct error *err)
{
    struct sha384_stream *all = sha384_begin(), *boot = sha384_begin(), *later = sha384_begin();
    struct pair both = {all, boot};
    bool read = hash_file(parts->kernel, both, err) && hash_piece(&both, parts->cmdline, err);
    for (size_t i = 0; read && i < parts->ramdisk_count; i++) {
        struct pair to = {all, i == 0 ? boot : later};
        read = hash_file(parts->ramdisks[i], to, err);
    }
    bool hashed = finish(all, pcr0), boot_hashed = finish(boot, pcr1);
    bool later_hashed = finish(later, pcr2);
    return read && ((hashed && boot_hashed && later_hashed) || hash_failed(err));
}
