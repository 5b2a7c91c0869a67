/* SPDX-License-Identifier: Apache-2.0 */
#include "host/image/image_settings.h"

#include <stdio.h>

#include "base/hex.h"
#include "config/kms_wrapped.h"
#include "crypto/hash.h"
#include "crypto/tls.h"
#include "host/report.h"
#include "host/wrapped.h"
#include "image/eif_build.h"
#include "system/file.h"

void image_settings_init(struct image_settings *settings)
{
    buffer_init(&settings->config_text, CONFIG_FILE_MAX);
    buffer_init(&settings->roots_text, CONFIG_FILE_MAX);
    buffer_init(&settings->wrapped_text, KMS_WRAPPED_TEXT_MAX);
}

void image_settings_clear(struct image_settings *settings)
{
    buffer_clear(&settings->config_text);
    buffer_clear(&settings->roots_text);
    buffer_clear(&settings->wrapped_text);
}

/* A file that the configuration names, and where the image has it. */
struct place {
    const char *member, *option;
    const char *named; /* in the configuration; empty: not at all */
    const char *there; /* in the image; NULL: not at all */
};

static bool check_place(const struct place *place, bool others, struct error *err)
{
    char cause[1200];
    if (place->there == NULL ? place->named[0] == '\0' : strcmp(place->named, place->there) == 0)
        return true;
    if (place->named[0] == '\0') {
        report_note("note: the configuration has no kms.%s; --%s is in the image as %s",
                    place->member, place->option, place->there);
        return true;
    }
    if (place->there == NULL)
        snprintf(cause, sizeof cause, "the configuration's kms.%s is %.400s, and --%s is not given",
                 place->member, place->named, place->option);
    else
        snprintf(cause, sizeof cause,
                 "the configuration's kms.%s is %.400s, but --%s is in the image as %s",
                 place->member, place->named, place->option, place->there);
    if (!others)
        return error_set(err, ERROR_CONFIG, "%s: enclaved would not start", cause);
    report_note("note: %s", cause);
    return true;
}

static bool read_config(struct image_settings *s, bool others, struct error *err)
{
    struct config config;
    if (!file_read(s->config, &s->config_text, err) ||
        !config_parse(&config, buffer_bytes(&s->config_text), s->config, address_parse, err))
        return false;
    const struct place roots = {"roots_file", "roots", config.roots_file, EIF_PATH_ROOTS};
    const struct place wrapped = {"wrapped_tsk_file", "wrapped-tsk-file", config.wrapped_tsk_file,
                                  s->wrapped != NULL ? EIF_PATH_WRAPPED : NULL};
    bool good = check_place(&roots, others, err) && check_place(&wrapped, others, err);
    s->pins = config.wrapped_pins;
    config_clear(&config);
    return good;
}

static bool read_roots(struct image_settings *s, struct error *err)
{
    struct error why = {0};
    if (!file_read(s->roots, &s->roots_text, err))
        return false;
    struct tls_roots *roots = tls_roots_new(buffer_bytes(&s->roots_text), &why);
    bool good = roots != NULL;
    tls_roots_free(roots);
    return good || error_set(err, why.code, "%.200s: %s", s->roots, why.cause);
}

static bool check_pins(const struct image_settings *s, struct bytes wrapped, struct error *err)
{
    uint8_t digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE];
    if (!sha256(digest, wrapped))
        return error_set(err, ERROR_CRYPTO, "%.200s cannot be hashed", s->wrapped);
    hex_encode(hex, bytes_of(digest, sizeof digest));
    return config_pins_allow(&s->pins, digest) ||
           error_set(err, ERROR_CONFIG,
                     "%.200s: its SHA-256, %.64s, is not in the configuration's "
                     "kms.wrapped_tsk_sha256: enclaved would refuse it",
                     s->wrapped, hex);
}

/* What the AWS CLI printed becomes the base64 that enclaved reads. */
static bool read_wrapped(struct image_settings *s, struct error *err)
{
    if (s->wrapped == NULL)
        return true;
    if (!wrapped_read_file(&s->wrapped_text, s->wrapped, err))
        return false;
    buffer_byte(&s->wrapped_text, '\n');
    struct buffer decoded;
    bool good = kms_decode_wrapped(&decoded, buffer_bytes(&s->wrapped_text))
                    ? check_pins(s, buffer_bytes(&decoded), err)
                    : error_set(err, ERROR_USAGE, "%.200s: %s", s->wrapped, KMS_WRAPPED_FORM);
    buffer_clear(&decoded);
    return good;
}

bool image_settings_read(struct image_settings *settings, bool others, struct error *err)
{
    return read_config(settings, others, err) && read_roots(settings, err) &&
           read_wrapped(settings, err);
}
