/* SPDX-License-Identifier: Apache-2.0 */
#include "host/keypolicy/registers.h"

#include "image/eif_file.h"
#include "image/registers.h"
#include "system/file.h"

bool registers_from_json(struct registers *out, const struct json *doc, struct error *err)
{
    return measurements_read(out, doc, err) &&
           (registers_has(out, 0) || error_set(err, ERROR_FORMAT, "the measurements have no PCR0"));
}

bool registers_from_measurements(struct registers *out, const char *path, struct error *err)
{
    struct json doc;
    struct error why = {0};
    BUFFER_AUTO text;
    buffer_init(&text, MEASUREMENTS_MAX);
    json_init(&doc, JSON_DEPTH);
    bool ok = file_read(path, &text, &why) && json_parse(&doc, buffer_bytes(&text), &why) &&
              registers_from_json(out, &doc, &why);
    json_clear(&doc);
    if (ok)
        return true;
    if (why.code == ERROR_SYSTEM || why.code == ERROR_USAGE)
        return error_set(err, why.code, "%s", why.cause);
    return error_set(err, ERROR_FORMAT, "%.200s: %.250s", path,
                     why.cause[0] != '\0' ? why.cause : error_text(why.code));
}

static void set(struct registers *out, unsigned index, const uint8_t value[PCR_SIZE])
{
    memcpy(out->value[index], value, PCR_SIZE);
    out->present |= UINT32_C(1) << index;
}

bool registers_from_image(struct registers *out, const char *path, struct error *err)
{
    struct eif_file file = {0};
    struct eif_measurements m;
    *out = (struct registers){0};
    if (!eif_file_open(&file, path, err))
        return false;
    bool ok = eif_file_measure(&file, &m, err);
    eif_file_close(&file);
    if (!ok)
        return false;
    set(out, 0, m.pcr0);
    set(out, 1, m.pcr1);
    set(out, 2, m.pcr2);
    set(out, 8, m.pcr8);
    return true;
}

void registers_from_document(struct registers *out, const struct attestation *document)
{
    *out = (struct registers){0};
    for (unsigned i = 0; i < PCR_COUNT; i++)
        if ((document->pcr_present >> i & 1) != 0 && document->pcr[i].len == PCR_SIZE)
            set(out, i, document->pcr[i].at);
}

bool registers_set_text(struct registers *out, unsigned index, const char *text, struct error *err)
{
    uint8_t value[SHA384_SIZE];
    if (!register_of_text(value, bytes_text(text)))
        return error_set(err, ERROR_CRYPTO, "PCR%u cannot be computed", index);
    set(out, index, value);
    return true;
}

bool registers_has(const struct registers *r, unsigned index)
{
    return (r->present >> index & 1) != 0;
}

bool registers_is_zero(const struct registers *r, unsigned index)
{
    static const uint8_t zeros[PCR_SIZE];
    return registers_has(r, index) && memcmp(r->value[index], zeros, PCR_SIZE) == 0;
}

bool registers_is_debug(const struct registers *r)
{
    bool debug = registers_is_zero(r, 0);
    for (unsigned i = 1; i <= 2; i++)
        debug = debug && (!registers_has(r, i) || registers_is_zero(r, i));
    return debug;
}

void registers_attributes(const struct registers *r, struct policy_attributes *out)
{
    for (unsigned i = 0; i < PCR_COUNT; i++)
        if (registers_has(r, i))
            policy_attributes_add_register(out, i, bytes_of(r->value[i], PCR_SIZE));
}
