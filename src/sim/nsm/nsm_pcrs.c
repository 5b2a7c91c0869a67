/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nsm/nsm_pcrs.h"

#include "base/hex.h"
#include "formats/measurements.h"
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

bool nsm_pcrs_from_json(struct nsm_engine_config *config, struct bytes text, struct error *err)
{
    struct json doc;
    struct registers registers;
    json_init(&doc, JSON_DEPTH);
    bool ok = json_parse(&doc, text, err) && measurements_read(&registers, &doc, err);
    json_clear(&doc);
    for (unsigned i = 0; ok && i < PCR_COUNT; i++)
        if ((registers.present >> i & 1) != 0)
            memcpy(config->pcr[i], registers.value[i], PCR_SIZE);
    if (ok)
        config->pcr_given |= registers.present;
    return ok;
}
