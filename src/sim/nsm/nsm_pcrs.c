/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nsm/nsm_pcrs.h"

#include "base/hex.h"
#include "codec/json.h"
#include "formats/text.h"

/* One or two decimal digits, 0..31. */
static bool read_index(struct bytes digits, unsigned *index)
{
    if (digits.len < 1 || digits.len > 2)
        return false;
    *index = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.at[i] < '0' || digits.at[i] > '9')
            return false;
        *index = *index * 10 + (unsigned)(digits.at[i] - '0');
    }
    return *index < NSM_ENGINE_PCRS;
}

static bool set(struct nsm_engine_config *config, unsigned index, struct bytes hex)
{
    uint8_t value[NSM_ENGINE_PCR_SIZE];
    if (hex.len != 2 * sizeof value || !hex_decode(value, hex))
        return false;
    memcpy(config->pcr[index], value, sizeof value);
    config->pcr_given |= (uint32_t)1 << index;
    return true;
}

bool nsm_pcrs_parse(struct nsm_engine_config *config, const char *text, struct error *err)
{
    struct text_pair pair;
    unsigned index;
    return (text_pair(&pair, text) && read_index(pair.name, &index) &&
            set(config, index, pair.value)) ||
           error_set(err, ERROR_USAGE,
                     "%s is not a register: want N=HEX, with N from 0 to 31 and 96 hex digits",
                     text);
}

/* A member of the object: PCR<n> with its value, or another one, which is ignored. */
static bool read_member(struct nsm_engine_config *config, const struct json *doc, json_value name,
                        struct error *err)
{
    BUFFER_AUTO text = {.limit = 64};
    BUFFER_AUTO hex = {.limit = 256};
    unsigned index;
    if (!json_string(doc, name, &text) || text.len < 3 || memcmp(text.at, "PCR", 3) != 0)
        return true;
    if (read_index(bytes_from(buffer_bytes(&text), 3), &index) &&
        json_string(doc, name + 1, &hex) && set(config, index, buffer_bytes(&hex)))
        return true;
    return error_set(err, ERROR_FORMAT, "%.*s is not a register of 96 hex digits", (int)text.len,
                     (const char *)text.at);
}

bool nsm_pcrs_from_json(struct nsm_engine_config *config, struct bytes text, struct error *err)
{
    struct json doc;
    json_init(&doc, JSON_DEPTH);
    bool ok = json_parse(&doc, text, err);
    if (ok) {
        json_value measurements = json_member(&doc, 0, "Measurements");
        json_value object = measurements == JSON_NONE ? 0 : measurements;
        ok = json_type(&doc, object) == JSON_OBJECT ||
             error_set(err, ERROR_FORMAT, "not an object of registers");
        for (json_value n = ok ? json_first(&doc, object) : JSON_NONE; ok && n != JSON_NONE;
             n = json_next(&doc, object, n))
            ok = read_member(config, &doc, n, err);
        ok = ok && (config->pcr_given != 0 ||
                    error_set(err, ERROR_FORMAT, "it contains none of PCR0 to PCR31"));
    }
    json_clear(&doc);
    return ok;
}
