/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl image inspect. */
#include <inttypes.h>

#include "base/hex.h"
#include "formats/json_print.h"
#include "host/image/image.h"
#include "host/image/image_common.h"
#include "image/eif_cmdline.h"
#include "image/eif_metadata.h"
#include "image/eif_sign.h"
#include "image/eif_signature.h"
#include "pki/certificate.h"

struct inspect {
    struct common common;
    const char *path;
    struct eif_file file;
    struct eif_measurements measurements;
    uint32_t crc; /* computed from the file */
    struct buffer cmdline;
    struct buffer metadata_text;
    struct json metadata; /* empty if it is not valid */
    bool has_metadata;
    struct error metadata_error;
    struct certificate *certificate; /* of the signature; NULL if there is none */
    bool signature_good;
    struct error signature_error;
    const char *at;
    int64_t at_s; /* since 1970 */
    bool dates_good;
    struct error dates_error;
};

static const struct cli_option options[] = {
    CLI_TEXT("at", "DATE", struct inspect, at, IMAGE_AT_HELP),
    OPTION_JSON(struct inspect),
};
static const struct cli_option operand =
    CLI_TEXT(NULL, "FILE", struct inspect, path, "the image", .needed = true);

static bool read_metadata(struct inspect *s, struct error *err)
{
    size_t i = eif_file_find(&s->file, EIF_METADATA);
    if (i == EIF_NO_SECTION) {
        error_set(&s->metadata_error, ERROR_FORMAT, "there is none");
        return true;
    }
    if (!eif_file_read(&s->file, i, &s->metadata_text, err))
        return false;
    s->has_metadata =
        eif_metadata_parse(&s->metadata, buffer_bytes(&s->metadata_text), &s->metadata_error);
    return true;
}

static bool read_signature(struct inspect *s, struct error *err)
{
    size_t i = eif_file_find(&s->file, EIF_SIGNATURE);
    if (i == EIF_NO_SECTION)
        return true;
    struct eif_signature signature = {0};
    struct buffer section;
    buffer_init(&section, EIF_SIGNATURE_MAX);
    bool good = eif_file_read(&s->file, i, &section, err) &&
                eif_signature_parse(&signature, buffer_bytes(&section), err);
    if (good) {
        s->certificate = certificate_from_pem(buffer_bytes(&signature.certificate), err);
        good = s->certificate != NULL;
    }
    s->signature_good = good && eif_signature_verify(buffer_bytes(&section), s->measurements.pcr0,
                                                     &s->signature_error);
    s->dates_good = good && certificate_valid_at(s->certificate, s->at_s, &s->dates_error);
    buffer_clear(&section);
    eif_signature_clear(&signature);
    return good;
}

static bool read_cmdline(struct inspect *s, struct error *err)
{
    struct error why = {0};
    size_t i = eif_file_find(&s->file, EIF_CMDLINE); /* an image without one was not measured */
    return eif_cmdline_read(&s->file, i, &s->cmdline, &why) ||
           error_set(err, why.code, "%.200s: %s", s->path, why.cause);
}

static bool read_all(struct inspect *s, struct error *err)
{
    return eif_file_open(&s->file, s->path, err) &&
           eif_file_measure(&s->file, &s->measurements, err) && read_cmdline(s, err) &&
           eif_file_crc(&s->file, &s->crc, err) && read_metadata(s, err) && read_signature(s, err);
}

/* A member of the metadata, or of one of its objects (part). */
static json_value find(const struct inspect *s, const char *part, const char *name)
{
    json_value in = part == NULL ? 0 : json_member(&s->metadata, 0, part);
    return s->has_metadata ? json_member(&s->metadata, in, name) : JSON_NONE;
}

static const char *const build_members[] = {"BuildTime", "BuildTool", "BuildToolVersion",
                                            "OperatingSystem", "KernelVersion"};

static void put_verbatim(struct json_writer *w, const struct inspect *s, const char *name,
                         json_value v)
{
    if (v != JSON_NONE)
        json_verbatim(w, name, json_raw(&s->metadata, v));
}

/* Whether a member of CustomMetadata has the name of a member that is shown beside it. */
static bool is_build_member(const struct json *doc, json_value name)
{
    for (size_t i = 0; i < ARRAY_LEN(build_members); i++)
        if (json_string_is(doc, name, build_members[i]))
            return true;
    return json_string_is(doc, name, "DockerInfo");
}

/* nitro-cli shows the members of CustomMetadata beside those of BuildMetadata. */
static void put_metadata(struct json_writer *w, const struct inspect *s)
{
    const struct json *doc = &s->metadata;
    put_verbatim(w, s, "ImageName", find(s, NULL, "ImageName"));
    put_verbatim(w, s, "ImageVersion", find(s, NULL, "ImageVersion"));
    if (!s->has_metadata)
        return;
    json_object(w, "Metadata");
    for (size_t i = 0; i < ARRAY_LEN(build_members); i++)
        put_verbatim(w, s, build_members[i], find(s, "BuildMetadata", build_members[i]));
    put_verbatim(w, s, "DockerInfo", find(s, NULL, "DockerInfo"));
    json_value custom = find(s, NULL, "CustomMetadata");
    if (json_type(doc, custom) == JSON_OBJECT)
        for (json_value n = json_first(doc, custom); n != JSON_NONE; n = json_next(doc, custom, n))
            if (!is_build_member(doc, n)) {
                json_begin(w, NULL);
                buffer_append(w->out, json_raw(doc, n));
                buffer_text(w->out, ": ");
                buffer_append(w->out, json_raw(doc, n + 1));
            }
    json_end(w);
}

typedef void (*certificate_text)(const struct certificate *certificate, struct buffer *out);

static void put_text(struct json_writer *w, const char *name, const struct inspect *s,
                     certificate_text text, bool json)
{
    BUFFER_AUTO value;
    buffer_init(&value, IMAGE_TEXT_MAX);
    text(s->certificate, &value);
    if (value.failed)
        w->out->failed = true;
    else if (json)
        json_verbatim(w, name, buffer_bytes(&value));
    else
        json_text_bytes(w, name, buffer_bytes(&value));
}

static void put_certificate(struct json_writer *w, const struct inspect *s)
{
    if (s->certificate == NULL)
        return;
    json_object(w, "SigningCertificate");
    put_text(w, "IssuerName", s, certificate_issuer_json, true);
    put_text(w, "SubjectName", s, certificate_subject_json, true);
    put_text(w, "Algorithm", s, certificate_algorithm, false);
    put_text(w, "NotBefore", s, certificate_not_before, false);
    put_text(w, "NotAfter", s, certificate_not_after, false);
    put_text(w, "Signature", s, certificate_signature, false);
    json_end(w);
}

static void put_sections(struct json_writer *w, const struct eif_file *file)
{
    json_array(w, "Sections");
    for (size_t i = 0; i < file->section_count; i++) {
        json_object(w, NULL);
        json_text(w, "Type", eif_type_name(file->sections[i].type));
        json_integer(w, "Offset", (int64_t)file->sections[i].offset);
        json_integer(w, "Size", (int64_t)file->sections[i].size);
        json_end(w);
    }
    json_end(w);
}

static const char *machine_of(const struct eif_header *header)
{
    return (header->flags & EIF_FLAG_ARM64) != 0 ? "aarch64" : "x86_64";
}

static void put_json(struct buffer *out, const struct inspect *s)
{
    BUFFER_AUTO measurements;
    buffer_init(&measurements, IMAGE_TEXT_MAX);
    eif_measurements_json(&s->measurements, &measurements);
    struct json_writer w = json_writer(out);
    json_object(&w, NULL);
    json_integer(&w, "EifVersion", s->file.header.version);
    json_verbatim(&w, "Measurements", buffer_bytes(&measurements));
    json_boolean(&w, "IsSigned", s->measurements.is_signed);
    put_certificate(&w, s);
    json_boolean(&w, "CheckCRC", s->crc == s->file.header.crc);
    if (s->measurements.is_signed)
        json_boolean(&w, "SignatureCheck", s->signature_good);
    put_metadata(&w, s);
    json_text(&w, "Architecture", machine_of(&s->file.header));
    json_text_bytes(&w, "Cmdline", buffer_bytes(&s->cmdline));
    put_sections(&w, &s->file);
    if (s->measurements.is_signed)
        json_boolean(&w, "CertificateDatesCheck", s->dates_good);
    json_text(&w, "status", "success"); /* after the members of nitro-cli */
    json_end(&w);
    buffer_byte(out, '\n');
}

static void row(struct buffer *out, const char *label)
{
    buffer_printf(out, "%-16s ", label);
}

static void append_register(struct buffer *out, const char *name, const uint8_t value[SHA384_SIZE])
{
    char hex[2 * SHA384_SIZE + 1] = "";
    hex_encode(hex, bytes_of(value, SHA384_SIZE));
    row(out, name);
    buffer_printf(out, "%s\n", hex);
}

static void append_header(struct buffer *out, const struct inspect *s)
{
    const struct eif_header *header = &s->file.header;
    bool good = s->crc == header->crc;
    row(out, "format");
    buffer_printf(out, "EIF version %u, %s, %" PRIu64 " bytes\n", header->version,
                  machine_of(header), s->file.bytes);
    row(out, "defaults");
    buffer_printf(out, "memory %" PRIu64 " bytes, %" PRIu64 " CPUs\n", header->default_memory,
                  header->default_cpus);
    row(out, "CRC");
    buffer_printf(out, "%08" PRIx32 " ", header->crc);
    append_toned(out, good ? TONE_GOOD : TONE_BAD, good ? "good" : "wrong", report_colour());
    if (!good)
        buffer_printf(out, ", computed from the file: %08" PRIx32, s->crc);
    buffer_text(out, "\n\nsections             offset       bytes\n");
    for (size_t i = 0; i < s->file.section_count; i++)
        buffer_printf(out, "  %-14s %10" PRIu64 "  %10" PRIu64 "\n",
                      eif_type_name(s->file.sections[i].type), s->file.sections[i].offset,
                      s->file.sections[i].size);
    buffer_byte(out, '\n');
}

static void append_member(struct buffer *out, const char *label, const struct inspect *s,
                          json_value v)
{
    row(out, label);
    append_json_value(out, &s->metadata, v);
    buffer_byte(out, '\n');
}

static void append_metadata(struct buffer *out, const struct inspect *s)
{
    row(out, "command line");
    append_escaped(out, buffer_bytes(&s->cmdline));
    buffer_byte(out, '\n');
    if (!s->has_metadata) {
        row(out, "metadata");
        append_escaped(out, bytes_text(s->metadata_error.cause));
        buffer_byte(out, '\n');
        return;
    }
    append_member(out, "image", s, find(s, NULL, "ImageName"));
    append_member(out, "version", s, find(s, NULL, "ImageVersion"));
    append_member(out, "built", s, find(s, "BuildMetadata", "BuildTime"));
    append_member(out, "with", s, find(s, "BuildMetadata", "BuildTool"));
    append_member(out, "kernel", s, find(s, "BuildMetadata", "KernelVersion"));
    append_member(out, "custom", s, find(s, NULL, "CustomMetadata"));
}

static void append_text(struct buffer *out, const char *label, const struct inspect *s,
                        certificate_text text)
{
    BUFFER_AUTO value;
    buffer_init(&value, IMAGE_TEXT_MAX);
    text(s->certificate, &value);
    row(out, label);
    append_escaped(out, buffer_bytes(&value));
    buffer_byte(out, '\n');
}

static void append_signature(struct buffer *out, const struct inspect *s)
{
    row(out, "signature");
    if (s->certificate == NULL) {
        buffer_text(out, "none\n");
        return;
    }
    append_toned(out, s->signature_good ? TONE_GOOD : TONE_BAD,
                 s->signature_good ? "good, over this PCR0" : "wrong: ", report_colour());
    if (!s->signature_good)
        append_escaped(out, bytes_text(s->signature_error.cause));
    buffer_byte(out, '\n');
    append_text(out, "  subject", s, certificate_subject);
    append_text(out, "  issuer", s, certificate_issuer);
    append_text(out, "  valid from", s, certificate_not_before);
    append_text(out, "  valid until", s, certificate_not_after);
    row(out, "  dates");
    append_toned(out, s->dates_good ? TONE_GOOD : TONE_BAD,
                 s->dates_good ? "good" : "wrong: ", report_colour());
    if (!s->dates_good)
        append_escaped(out, bytes_text(s->dates_error.cause));
    buffer_byte(out, '\n');
    append_text(out, "  algorithm", s, certificate_algorithm);
}

static void put_plain(struct buffer *out, const struct inspect *s)
{
    append_header(out, s);
    append_metadata(out, s);
    buffer_byte(out, '\n');
    append_register(out, "PCR0", s->measurements.pcr0);
    append_register(out, "PCR1", s->measurements.pcr1);
    append_register(out, "PCR2", s->measurements.pcr2);
    if (s->measurements.is_signed)
        append_register(out, "PCR8", s->measurements.pcr8);
    buffer_byte(out, '\n');
    append_signature(out, s);
}

static int show(const struct inspect *s)
{
    struct error err = {0};
    BUFFER_AUTO out;
    buffer_init(&out, (size_t)2 * IMAGE_TEXT_MAX);
    if (s->common.json)
        put_json(&out, s);
    else
        put_plain(&out, s);
    if (!out.failed)
        return report_print(&s->common, buffer_bytes(&out));
    error_set(&err, ERROR_MEMORY, "no memory to show the image");
    return report_file_failure(&s->common, &err, NULL);
}

static bool check(void *given, struct error *err)
{
    struct inspect *s = given;
    return image_read_date(s->at, &s->at_s, err);
}

static int run(void *given)
{
    struct inspect *s = given;
    struct error err = {0};
    s->file.fd = -1;
    buffer_init(&s->cmdline, EIF_CMDLINE_MAX);
    buffer_init(&s->metadata_text, EIF_METADATA_MAX);
    json_init(&s->metadata, JSON_DEPTH);
    int ended = read_all(s, &err) ? show(s) : report_file_failure(&s->common, &err, NULL);
    certificate_free(s->certificate);
    json_clear(&s->metadata);
    buffer_clear(&s->metadata_text);
    buffer_clear(&s->cmdline);
    eif_file_close(&s->file);
    return ended;
}

const struct cli_command image_inspect = {
    .name = "inspect",
    .summary = "show what an image holds, and its measurements",
    .synopsis = "FILE [--at DATE]",
    .about =
        "Shows the header, sections, command line, metadata, measurements and signature of an\n"
        "image; with --json under the keys of nitro-cli describe-eif, with Sections,\n"
        "Cmdline and CertificateDatesCheck added. `image verify` reports what is wrong with it.",
    .examples = "  enclavectl image inspect enclaved.eif\n"
                "  enclavectl image inspect enclaved.eif --json\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .operand = &operand,
    .size = sizeof(struct inspect),
    .check = check,
    .run = run,
};
