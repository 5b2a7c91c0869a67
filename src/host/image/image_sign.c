/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl image sign. */
#include "codec/json_writer.h"
#include "formats/cose.h"
#include "formats/json_print.h"
#include "host/aws/aws_kms.h"
#include "host/credentials/credentials_find.h"
#include "host/image/image.h"
#include "host/image/image_common.h"
#include "image/eif_sign.h"
#include "pki/ecdsa_sign.h"
#include "system/file.h"

#define SIGNATURE_MAX 4096 /* bytes of a signature's file */

struct sign {
    struct common common;
    const char *path, *certificate, *output, *profile;
    /* One of them says how; what is done with it is below. */
    const char *key, *kms_key, *attach, *export;
    bool remove;
};

static const struct cli_option options[] = {
    CLI_TEXT("private-key", "FILE", struct sign, key,
             "the private key in PEM: P-256, P-384 or P-521, not encrypted", .old = "key"),
    CLI_TEXT("kms-key", "ARN", struct sign, kms_key,
             "a key in AWS KMS instead: KeySpec ECC_NIST_P384, for SIGN_VERIFY"),
    CLI_TEXT("attach-signature", "FILE", struct sign, attach,
             "a signature that another program made of the digest: DER, or r and s"),
    CLI_TEXT("certificate", "FILE", struct sign, certificate,
             "the key's certificate in PEM, which PCR8 measures"),
    CLI_TEXT("export-digest", "FILE", struct sign, export,
             "write the digest that another program is to sign, and print what it is of"),
    CLI_FLAG("remove", struct sign, remove, "remove the signature instead"),
    CLI_TEXT("output", "FILE", struct sign, output,
             "write the image there (default: in place); - is standard output"),
    CLI_TEXT("profile", "NAME", struct sign, profile,
             "the AWS profile to take credentials from, for --kms-key"),
    OPTION_JSON(struct sign),
};
static const struct cli_option operand =
    CLI_TEXT(NULL, "FILE", struct sign, path, "the image", .needed = true);

/* An image may be signed in place. */
static bool check_outputs(const struct sign *s, struct error *err)
{
    const char *const inputs[] = {s->key, s->attach, s->certificate, s->path};
    return file_check_output(s->output, inputs, ARRAY_LEN(inputs) - 1, err) &&
           file_check_output(s->export, inputs, ARRAY_LEN(inputs), err);
}

/* One way, with the certificate that it wants. */
static bool check_way(const struct sign *s, struct error *err)
{
    int signers = (s->key != NULL) + (s->kms_key != NULL) + (s->attach != NULL);
    int ways = signers + (s->export != NULL) + s->remove;
    bool wanted = signers == 1, refused = s->remove, given = s->certificate != NULL;
    return (ways == 1 && (given ? !refused : !wanted)) ||
           error_set(err, ERROR_USAGE,
                     "give --certificate and one of --private-key, --kms-key and "
                     "--attach-signature; or --export-digest; or --remove alone");
}

/* What belongs to another way than the one chosen. */
static bool check_rest(const struct sign *s, struct error *err)
{
    if (s->export != NULL && s->output != NULL)
        return error_set(err, ERROR_USAGE, "--export-digest writes no image: leave --output out");
    if (s->profile != NULL && s->kms_key == NULL)
        return error_set(err, ERROR_USAGE, "--profile is for --kms-key only");
    if (s->export != NULL && strcmp(s->export, "-") == 0 && s->common.json)
        return error_set(err, ERROR_USAGE,
                         "--export-digest - writes to standard output: leave --json out");
    return true;
}

static bool check_keys(const struct sign *s, struct error *err)
{
    struct aws_kms_key kms;
    if (s->key != NULL && strncmp(s->key, "arn:", 4) == 0)
        return error_set(err, ERROR_USAGE,
                         "--private-key is a file: give the ARN of a KMS key as --kms-key");
    return s->kms_key == NULL || aws_kms_key(&kms, s->kms_key, err);
}

static bool check(void *given, struct error *err)
{
    const struct sign *s = given;
    return check_way(s, err) && check_rest(s, err) && check_keys(s, err) &&
           image_check_stream(&s->common, s->output, NULL, err) && check_outputs(s, err);
}

/* --- signatures --- */

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

static bool sign_here(const char *path, const struct eif_signing *image, struct buffer *signature,
                      struct error *err)
{
    struct signing_key *key = read_key(path, err);
    if (key == NULL)
        return false;
    bool good = signing_key_matches(key, buffer_bytes(&image->spki)) ||
                error_set(err, ERROR_CERTIFICATE, "the key does not belong to the certificate");
    good = good && (ecdsa_sign_raw(key, buffer_bytes(&image->message), signature) ||
                    error_set(err, ERROR_CRYPTO, "cannot sign the image"));
    signing_key_free(key);
    return good;
}

static bool ask_kms(const struct aws_kms_key *key, const struct aws_keys *keys,
                    const struct eif_signing *image, struct buffer *signature, struct error *err)
{
    BUFFER_AUTO spki;
    buffer_init(&spki, AWS_KMS_SPKI_MAX);
    if (!aws_kms_public_key(key, keys, &spki, err))
        return false;
    if (!bytes_equal(buffer_bytes(&spki), buffer_bytes(&image->spki)))
        return error_set(err, ERROR_CERTIFICATE,
                         "the KMS key does not belong to the certificate: their public keys "
                         "differ");
    return aws_kms_sign(key, keys, buffer_bytes(&image->digest), signature, err);
}

static bool sign_in_kms(const struct sign *s, const struct eif_signing *image,
                        struct buffer *signature, struct error *err)
{
    struct aws_kms_key key;
    CREDENTIALS_AUTO credentials;
    credentials_init(&credentials);
    if (image->algorithm != COSE_ES384)
        return error_set(err, ERROR_CERTIFICATE,
                         "the certificate is not for a P-384 key, and a key in KMS is one");
    if (!aws_kms_key(&key, s->kms_key, err) || !credentials_find(&credentials, s->profile, -1, err))
        return false;
    const struct aws_keys keys = {
        .access_key_id = buffer_bytes(&credentials.access_key_id),
        .secret_access_key = buffer_bytes(&credentials.secret_access_key),
        .session_token = buffer_bytes(&credentials.session_token),
    };
    return ask_kms(&key, &keys, image, signature, err);
}

static bool make_signature(const struct sign *s, const struct eif_signing *image,
                           struct buffer *signature, struct error *err)
{
    if (s->key != NULL)
        return sign_here(s->key, image, signature, err);
    return s->kms_key != NULL ? sign_in_kms(s, image, signature, err)
                              : file_read(s->attach, signature, err);
}

/* --- what is done --- */

static const char *remedy_of(const struct sign *s, const struct error *err)
{
    if (s->kms_key == NULL)
        return NULL;
    switch (err->code) {
    case ERROR_KMS_DENIED:
        return strstr(err->cause, "AccessDenied") != NULL
                   ? "the key policy must allow kms:GetPublicKey and kms:Sign to these credentials"
                   : NULL;
    case ERROR_TLS:
        return "AWS_CA_BUNDLE names the certificates to trust, where the endpoint needs others";
    case ERROR_NO_CREDENTIALS:
    case ERROR_CREDENTIALS_EXPIRED:
        return remedy_for_name(error_name(ERROR_NO_CREDENTIALS));
    default:
        return NULL;
    }
}

static int fail(const struct sign *s, const struct error *err)
{
    return report_file_failure(&s->common, err, remedy_of(s, err));
}

static int show(const struct sign *s, const char *output,
                const struct eif_measurements *measurements)
{
    bool is_stream = strcmp(output, "-") == 0;
    return is_stream ? (int)EXIT_OK : image_print_measurements(&s->common, measurements);
}

static int remove_signature(const struct sign *s, const char *output)
{
    struct error err = {0};
    struct eif_measurements measurements;
    int stop_fd = image_hold_signals(&err);
    bool good = stop_fd >= 0 && eif_unsign(s->path, output, &measurements, &err);
    int code = good ? show(s, output, &measurements) : fail(s, &err);
    image_release_signals(stop_fd);
    return code;
}

static const char *algorithm_name(int64_t algorithm)
{
    return algorithm == COSE_ES256 ? "ES256" : algorithm == COSE_ES384 ? "ES384" : "ES512";
}

static int show_digest(const struct common *common, const struct eif_signing *image)
{
    BUFFER_AUTO out;
    BUFFER_AUTO registers;
    buffer_init(&out, IMAGE_TEXT_MAX);
    buffer_init(&registers, IMAGE_TEXT_MAX);
    eif_measurements_json(&image->registers, &registers);
    struct json_writer w = json_writer(&out);
    json_object(&w, NULL);
    json_verbatim(&w, "Measurements", buffer_bytes(&registers));
    json_object(&w, "ToBeSigned");
    json_text(&w, "Algorithm", algorithm_name(image->algorithm));
    json_hex(&w, "Digest", buffer_bytes(&image->digest));
    json_hex(&w, "SigStructure", buffer_bytes(&image->message));
    json_end(&w);
    if (common->json)
        json_text(&w, "status", "success");
    json_end(&w);
    buffer_byte(&out, '\n');
    return report_print(common, buffer_bytes(&out));
}

static int export_digest(const struct sign *s, const struct eif_signing *image)
{
    struct error err = {0};
    if (!file_replace(s->export, buffer_bytes(&image->digest), 0644, &err))
        return fail(s, &err);
    return strcmp(s->export, "-") == 0 ? (int)EXIT_OK : show_digest(&s->common, image);
}

/* Signals are held back only while the image is written: whoever signs may take long. */
static int sign_image(const struct sign *s, struct eif_signing *image, const char *output)
{
    struct error err = {0};
    struct eif_measurements measurements;
    BUFFER_AUTO signature;
    buffer_init(&signature, SIGNATURE_MAX);
    if (!make_signature(s, image, &signature, &err))
        return fail(s, &err);
    int stop_fd = image_hold_signals(&err);
    bool good = stop_fd >= 0 &&
                eif_signing_finish(image, buffer_bytes(&signature), output, &measurements, &err);
    int code = good ? show(s, output, &measurements) : fail(s, &err);
    image_release_signals(stop_fd);
    return code;
}

static int run(void *given)
{
    const struct sign *s = given;
    struct error err = {0};
    struct eif_signing image;
    const char *output = s->output != NULL ? s->output : s->path;
    if (s->remove)
        return remove_signature(s, output);
    BUFFER_AUTO certificate;
    buffer_init(&certificate, IMAGE_PEM_MAX);
    if (s->certificate != NULL && !file_read(s->certificate, &certificate, &err))
        return fail(s, &err);
    bool good = eif_signing_open(&image, s->path, buffer_bytes(&certificate), &err);
    int code = !good               ? fail(s, &err)
               : s->export != NULL ? export_digest(s, &image)
                                   : sign_image(s, &image, output);
    eif_signing_close(&image);
    return code;
}

const struct cli_command image_sign = {
    .name = "sign",
    .summary = "sign an image, or remove its signature",
    .synopsis = "FILE --certificate FILE (--private-key FILE | --kms-key ARN |\n"
                "       --attach-signature FILE) [--output FILE]",
    .about =
        "Signs PCR0 of an image with ES256, ES384 or ES512, by the curve of the certificate's "
        "key,\n"
        "in place of any signature it had, and prints its measurements. Only the signature "
        "section\n"
        "changes: PCR0, PCR1 and PCR2 stay. Nothing is written unless the signature verifies "
        "under\n"
        "the certificate.\n"
        "\n"
        "--export-digest writes the digest for a signer elsewhere, as bytes: SHA-384, unless the\n"
        "--certificate is for P-256 (SHA-256) or P-521 (SHA-512); --attach-signature takes what\n"
        "comes back. With --kms-key, enclavectl itself calls GetPublicKey and Sign of AWS KMS, "
        "with\n"
        "the credentials that configure finds. AWS_ENDPOINT_URL_KMS, AWS_ENDPOINT_URL and\n"
        "AWS_CA_BUNDLE mean what they mean to AWS's SDKs.",
    .examples =
        "  enclavectl image sign enclaved.eif --private-key key.pem --certificate cert.pem\n"
        "  enclavectl image sign enclaved.eif --certificate cert.pem \\\n"
        "      --kms-key arn:aws:kms:eu-central-1:111122223333:key/KEY-ID\n"
        "  enclavectl image sign enclaved.eif --export-digest digest\n"
        "  openssl pkeyutl -sign -inkey key.pem -in digest -out signature\n"
        "  enclavectl image sign enclaved.eif --attach-signature signature --certificate cert.pem\n"
        "  enclavectl image sign signed.eif --remove --output unsigned.eif\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .operand = &operand,
    .size = sizeof(struct sign),
    .check = check,
    .run = run,
};
