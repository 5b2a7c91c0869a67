/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl image sign. */
#include "host/image/image.h"
#include "host/image/image_common.h"
#include "image/eif_sign.h"
#include "system/file.h"

static const struct option_spec options[] = {
    {"key", "FILE", "the private key in PEM: P-256, P-384 or P-521, not encrypted"},
    {"certificate", "FILE", "its certificate in PEM, which PCR8 measures"},
    {"remove", NULL, "remove the signature instead"},
    {"output", "FILE", "write the image there (default: in place)"},
    OPTION_JSON,
    OPTION_HELP,
};

static const struct command_help help = {
    .name = "image sign",
    .synopsis = "FILE (--key FILE --certificate FILE | --remove) [--output FILE]",
    .about =
        "Signs PCR0 of an image with ES256, ES384 or ES512, by the key's curve, in place of any\n"
        "signature it had, and prints its measurements. Only the signature section changes:\n"
        "PCR0, PCR1 and PCR2 stay.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "  enclavectl image sign enclaved.eif --key key.pem --certificate cert.pem\n"
                "  enclavectl image sign signed.eif --remove --output unsigned.eif\n",
};

struct sign {
    struct common common;
    const char *path, *key, *certificate, *output;
    bool remove;
};

static bool take(void *context, const char *name, const char *value, struct error *err)
{
    struct sign *s = context;
    if (name == NULL) {
        if (s->path != NULL)
            return error_set(err, ERROR_USAGE, "unexpected argument %.60s", value);
        s->path = value;
    } else if (strcmp(name, "key") == 0) {
        s->key = value;
    } else if (strcmp(name, "certificate") == 0) {
        s->certificate = value;
    } else if (strcmp(name, "output") == 0) {
        s->output = value;
    } else {
        s->remove = true;
    }
    return true;
}

static bool check(const struct sign *s, struct error *err)
{
    bool both = s->key != NULL && s->certificate != NULL;
    bool none = s->key == NULL && s->certificate == NULL;
    if (s->path == NULL)
        return error_set(err, ERROR_USAGE, "which FILE? see enclavectl image sign --help");
    return (s->remove ? none : both) ||
           error_set(err, ERROR_USAGE, "give --key and --certificate, or --remove alone");
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

static int tell(const struct common *common, const struct eif_measurements *measurements)
{
    struct buffer out;
    buffer_init(&out, IMAGE_TEXT_MAX);
    buffer_text(&out, "{\"Measurements\": ");
    eif_measurements_json(measurements, &out);
    buffer_text(&out, "}\n");
    int ended = report_print(common, buffer_bytes(&out));
    buffer_clear(&out);
    return ended;
}

int image_sign(int argc, char **argv)
{
    struct sign s = {0};
    struct error err = {0};
    struct eif_measurements measurements;
    struct signing_key *key = NULL;
    int ended = options_parse(&help, argc, argv, &s.common, take, &s);
    if (ended != OPTIONS_GO_ON)
        return ended;
    struct buffer certificate;
    buffer_init(&certificate, IMAGE_PEM_MAX);
    bool good = check(&s, &err);
    if (good && !s.remove) {
        key = read_key(s.key, &err);
        good = key != NULL && file_read(s.certificate, &certificate, &err);
    }
    int stop_fd = good ? image_hold_signals(&err) : -1;
    good = stop_fd >= 0 && eif_sign(s.path, s.output != NULL ? s.output : s.path, key,
                                    buffer_bytes(&certificate), &measurements, &err);
    signing_key_free(key);
    buffer_clear(&certificate);
    ended = good ? tell(&s.common, &measurements) : report_file_failure(&s.common, &err, NULL);
    image_release_signals(stop_fd);
    return ended;
}
