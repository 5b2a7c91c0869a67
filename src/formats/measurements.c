/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/measurements.h"

#include <stdio.h>

#include "base/hex.h"

#define NAMES_SHOWN 160 /* bytes of the names of enclaves that a message repeats */

/* The name of an enclave in a list, in quotes; at is NULL if v is no such item. */
static struct bytes name_of(const struct json *doc, json_value v)
{
    json_value name = json_member(doc, v, "EnclaveName");
    if (name == JSON_NONE)
        name = json_member(doc, v, "EnclaveID"); /* nitro-cli before 1.1 knows no names */
    return name == JSON_NONE ? (struct bytes){0} : json_raw(doc, name);
}

static bool several(const struct json *doc, struct error *err)
{
    BUFFER_AUTO names = {.limit = NAMES_SHOWN};
    unsigned count = 0;
    for (json_value v = json_first(doc, 0); v != JSON_NONE; v = json_next(doc, 0, v)) {
        struct bytes name = name_of(doc, v);
        if (!names.failed && names.len + name.len + 2 <= NAMES_SHOWN) {
            buffer_text(&names, count > 0 ? ", " : "");
            buffer_append(&names, name);
        }
        count++;
    }
    return error_set(err, ERROR_FORMAT,
                     "the list has %u enclaves, and one is wanted (%.*s): take one of them, as "
                     "jq '.[0]' does",
                     count, (int)names.len, (const char *)names.at);
}

/* The document, or the one item of a list. */
static bool find_item(const struct json *doc, json_value *item, struct error *err)
{
    *item = 0;
    if (json_type(doc, 0) != JSON_ARRAY)
        return true;
    *item = json_first(doc, 0);
    if (*item == JSON_NONE)
        return error_set(err, ERROR_FORMAT, "the list has no enclave: none was running");
    return json_next(doc, 0, *item) == JSON_NONE || several(doc, err);
}

/* PCR0 to PCR31, without zeros in front. */
static bool read_index(struct bytes name, unsigned *index)
{
    char text[8];
    for (*index = 0; *index < PCR_COUNT; ++*index) {
        snprintf(text, sizeof text, "\"PCR%u\"", *index);
        if (bytes_equal_text(name, text))
            return true;
    }
    return false;
}

/* A member: a register, or something else, as HashAlgorithm. */
static bool read_member(struct registers *out, const struct json *doc, json_value name,
                        struct error *err)
{
    struct bytes text = json_raw(doc, name), hex = json_raw(doc, name + 1);
    unsigned index;
    if (text.len < 4 || memcmp(text.at, "\"PCR", 4) != 0)
        return true;
    if (!read_index(text, &index))
        return error_set(err, ERROR_FORMAT, "%.*s of the measurements is none of PCR0 to PCR31",
                         (int)(text.len < 40 ? text.len : 40), (const char *)text.at);
    if (json_type(doc, name + 1) != JSON_STRING || hex.len != 2 * PCR_SIZE + 2 ||
        !hex_decode(out->value[index], bytes_of(hex.at + 1, 2 * PCR_SIZE)))
        return error_set(err, ERROR_FORMAT, "PCR%u of the measurements is not %d hex digits", index,
                         2 * PCR_SIZE);
    out->present |= UINT32_C(1) << index;
    return true;
}

static bool nothing_in(const struct json *doc, json_value item, struct error *err)
{
    struct bytes name = name_of(doc, item);
    if (name.at == NULL)
        return error_set(err, ERROR_FORMAT, "the measurements have no PCR0");
    return error_set(
        err, ERROR_FORMAT,
        "the enclave %.*s is listed without Measurements, as older versions of nitro-cli "
        "do it: take what build-enclave printed, or the image",
        (int)(name.len < NAMES_SHOWN ? name.len : NAMES_SHOWN), (const char *)name.at);
}

bool measurements_read(struct registers *out, const struct json *doc, struct error *err)
{
    json_value item;
    *out = (struct registers){0};
    if (!find_item(doc, &item, err))
        return false;
    json_value inner = json_member(doc, item, "Measurements");
    if (inner == JSON_NONE)
        inner = json_member(doc, item, "measurements");
    json_value from = inner != JSON_NONE ? inner : item;
    if (json_type(doc, from) == JSON_OBJECT)
        for (json_value n = json_first(doc, from); n != JSON_NONE; n = json_next(doc, from, n))
            if (!read_member(out, doc, n, err))
                return false;
    if (out->present == 0)
        return nothing_in(doc, item, err);
    json_value flags = json_member(doc, item, "Flags");
    if (flags != JSON_NONE && json_string_is(doc, flags, "DEBUG_MODE"))
        memset(out->value, 0, sizeof out->value);
    return true;
}
