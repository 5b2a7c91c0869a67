/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl image sign. */
#include "host/image/image.h"
#include "host/image/image_common.h"
#include "image/eif_sign.h"
#include "system/file.h"

struct sign {
    struct common common;
    const char *path, *key, *certificate, *output;
    bool remove;
};

static const struct cli_option options[] = {
    CLI_TEXT("private-key", "FILE", struct sign, key,
             "the private key in PEM: P-256, P-384 or P-521, not encrypted", .old = "key"),
    CLI_TEXT("certificate", "FILE", struct sign, certificate,
             "its certificate in PEM, which PCR8 measures"),
    CLI_FLAG("remove", struct sign, remove, "remove the signature instead"),
    CLI_TEXT("output", "FILE", struct sign, output, "write the image there (default: in place)"),
    OPTION_JSON(struct sign),
};
static const struct cli_option operand =
    CLI_TEXT(NULL, "FILE", struct sign, path, "the image", .needed = true);

static bool check(void *given, struct error *err)
{
    const struct sign *s = given;
    bool both = s->key != NULL && s->certificate != NULL;
    bool none = s->key == NULL && s->certificate == NULL;
    return (s->remove ? none : both) ||
           error_set(err, ERROR_USAGE, "give --private-key and --certificate, or --remove alone");
}

static struct signing_key *read_key(const char *path, struct error *err)
{
    struct error why = {0};
    struct buffer pem;
    buffer_init_secret(&pem, IMAGE_PEM_MAX);
    struct signing_key *key = NULL;
    if (file_read(path, &pem, err)) {
        key = signing_key_from_pem(buffer_bytes(&pem), &why);
        if (key == NULL)
            error_set(err, ERROR_CRYPTO, "%.200s: %s", path, why.cause);
    }
    buffer_clear(&pem);
    return key;
}

static int show(const struct common *common, const struct eif_measurements *measurements)
{
    BUFFER_AUTO out;
    image_measurements(&out, measurements);
    return report_print(common, buffer_bytes(&out));
}

static int run(void *given)
{
    const struct sign *s = given;
    struct error err = {0};
    struct eif_measurements measurements;
    struct signing_key *key = NULL;
    struct buffer certificate;
    buffer_init(&certificate, IMAGE_PEM_MAX);
    bool good = true;
    if (!s->remove) {
        key = read_key(s->key, &err);
        good = key != NULL && file_read(s->certificate, &certificate, &err);
    }
    int stop_fd = good ? image_hold_signals(&err) : -1;
    good = stop_fd >= 0 && eif_sign(s->path, s->output != NULL ? s->output : s->path, key,
                                    buffer_bytes(&certificate), &measurements, &err);
    signing_key_free(key);
    buffer_clear(&certificate);
    int code = good ? show(&s->common, &measurements) : report_file_failure(&s->common, &err, NULL);
    image_release_signals(stop_fd);
    return code;
}

const struct cli_command image_sign = {
    .name = "sign",
    .summary = "sign an image, or remove its signature",
    .synopsis = "FILE (--private-key FILE --certificate FILE | --remove) [--output FILE]",
    .about =
        "Signs PCR0 of an image with ES256, ES384 or ES512, by the key's curve, in place of any\n"
        "signature it had, and prints its measurements. Only the signature section changes:\n"
        "PCR0, PCR1 and PCR2 stay.",
    .examples =
        "  enclavectl image sign enclaved.eif --private-key key.pem --certificate cert.pem\n"
        "  enclavectl image sign signed.eif --remove --output unsigned.eif\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .operand = &operand,
    .size = sizeof(struct sign),
    .check = check,
    .run = run,
};
