/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/attestation.h"

#include "formats/cbor_types.h"

/*
 * {"module_id": text, "digest": "SHA384", "timestamp": u, "pcrs": {u: bstr…}, "certificate": bstr,
 *  "cabundle": [bstr…], "public_key": bstr / null, "user_data": bstr / null, "nonce": bstr / null}
 */

static bool malformed(struct error *err, const char *member, const char *what)
{
    return error_set(err, ERROR_FORMAT, "attestation document: %s %s", member, what);
}

static bool read_module_id(struct attestation *out, struct cbor_reader *r, struct error *err)
{
    out->module_id = cbor_text(r);
    return (!r->failed && out->module_id.len > 0 &&
            out->module_id.len <= ATTESTATION_MODULE_ID_MAX) ||
           malformed(err, "module_id", "is not a text of 1 to 256 bytes");
}

static bool read_digest(struct attestation *out, struct cbor_reader *r, struct error *err)
{
    (void)out;
    return bytes_equal_text(cbor_text(r), "SHA384") || malformed(err, "digest", "is not SHA384");
}

static bool read_timestamp(struct attestation *out, struct cbor_reader *r, struct error *err)
{
    out->timestamp_ms = cbor_unsigned(r);
    return (!r->failed && out->timestamp_ms <= INT64_MAX) ||
           malformed(err, "timestamp", "is not a number of milliseconds");
}

static bool read_pcrs(struct attestation *out, struct cbor_reader *r, struct error *err)
{
    struct cbor_items map = cbor_enter(r, CBOR_MAP);
    while (cbor_next(r, &map)) {
        uint64_t index = cbor_unsigned(r);
        struct bytes value = cbor_bytes(r);
        if (r->failed || index >= PCR_COUNT || value.len != PCR_SIZE)
            return malformed(err, "pcrs", "has a key beyond 31 or a value that is not 48 bytes");
        if ((out->pcr_present & (uint32_t)1 << index) != 0)
            return malformed(err, "pcrs", "lists a register twice");
        out->pcr_present |= (uint32_t)1 << index;
        out->pcr[index] = value;
    }
    return (!r->failed && out->pcr_present != 0) ||
           malformed(err, "pcrs", "is not a map of one register at least");
}

static bool certificate(struct bytes *out, struct cbor_reader *r)
{
    *out = cbor_bytes(r);
    return !r->failed && out->len > 0 && out->len <= ATTESTATION_CERT_MAX;
}

static bool read_certificate(struct attestation *out, struct cbor_reader *r, struct error *err)
{
    return certificate(&out->certificate, r) ||
           malformed(err, "certificate", "is not a byte string of 1 to 1024 bytes");
}

static bool read_cabundle(struct attestation *out, struct cbor_reader *r, struct error *err)
{
    struct cbor_items array = cbor_enter(r, CBOR_ARRAY);
    while (cbor_next(r, &array)) {
        if (out->cabundle_count == ATTESTATION_CABUNDLE_MAX)
            return malformed(err, "cabundle", "has more than 16 certificates");
        if (!certificate(&out->cabundle[out->cabundle_count++], r))
            return malformed(err, "cabundle", "has an entry that is not 1 to 1024 bytes");
    }
    return (!r->failed && out->cabundle_count > 0) ||
           malformed(err, "cabundle", "is not an array of one certificate at least");
}

static bool optional(struct attestation_optional *out, struct cbor_reader *r, const char *member,
                     struct error *err)
{
    if (cbor_null(r))
        return true;
    out->present = true;
    out->value = cbor_bytes(r);
    return (!r->failed && out->value.len <= ATTESTATION_FIELD_MAX) ||
           malformed(err, member, "is neither null nor a byte string of up to 1024 bytes");
}

static bool read_public_key(struct attestation *out, struct cbor_reader *r, struct error *err)
{
    return optional(&out->public_key, r, "public_key", err);
}

static bool read_user_data(struct attestation *out, struct cbor_reader *r, struct error *err)
{
    return optional(&out->user_data, r, "user_data", err);
}

static bool read_nonce(struct attestation *out, struct cbor_reader *r, struct error *err)
{
    return optional(&out->nonce, r, "nonce", err);
}

static const struct member {
    const char *name;
    bool (*read)(struct attestation *out, struct cbor_reader *r, struct error *err);
    bool required;
} members[] = {
    {"module_id", read_module_id, true},
    {"digest", read_digest, true},
    {"timestamp", read_timestamp, true},
    {"pcrs", read_pcrs, true},
    {"certificate", read_certificate, true},
    {"cabundle", read_cabundle, true},
    {"public_key", read_public_key, false},
    {"user_data", read_user_data, false},
    {"nonce", read_nonce, false},
};

/* Reads one member's value; one that is not known is passed over. seen: bit per row of members. */
static bool read_member(struct attestation *out, struct cbor_reader *r, unsigned *seen,
                        struct error *err)
{
    struct bytes key = cbor_text(r);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (!bytes_equal_text(key, members[i].name))
            continue;
        if ((*seen & 1u << i) != 0)
            return malformed(err, members[i].name, "is given twice");
        *seen |= 1u << i;
        return members[i].read(out, r, err);
    }
    (void)cbor_skip(r);
    return true;
}

bool attestation_parse(struct attestation *out, struct bytes payload, struct error *err)
{
    *out = (struct attestation){0};
    struct cbor_reader r = cbor_reader(payload);
    unsigned seen = 0;
    struct cbor_items map = cbor_enter(&r, CBOR_MAP);
    while (cbor_next(&r, &map))
        if (!read_member(out, &r, &seen, err))
            return false;
    if (!cbor_reader_done(&r))
        return error_set(err, ERROR_FORMAT,
                         "attestation document: payload is not one map of text keys: %s",
                         r.failed ? cbor_failure_text(r.failed) : "something follows it");
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (members[i].required && (seen & 1u << i) == 0)
            return malformed(err, members[i].name, "is missing");
    return true;
}

static void put_optional(struct buffer *out, const char *name,
                         const struct attestation_optional *field)
{
    cbor_put_text(out, name);
    if (field->present)
        cbor_put_bytes(out, field->value);
    else
        cbor_put_null(out);
}

static void put_pcrs(struct buffer *out, const struct attestation *a)
{
    cbor_put_text(out, "pcrs");
    cbor_put_map(out, (uint64_t)__builtin_popcount(a->pcr_present));
    for (size_t i = 0; i < PCR_COUNT; i++) {
        if ((a->pcr_present & (uint32_t)1 << i) == 0)
            continue;
        cbor_put_unsigned(out, i);
        cbor_put_bytes(out, a->pcr[i]);
    }
}

static void put_certificates(struct buffer *out, const struct attestation *a)
{
    cbor_put_text(out, "certificate");
    cbor_put_bytes(out, a->certificate);
    cbor_put_text(out, "cabundle");
    cbor_put_array(out, a->cabundle_count);
    for (size_t i = 0; i < a->cabundle_count; i++)
        cbor_put_bytes(out, a->cabundle[i]);
}

void attestation_put(struct buffer *out, const struct attestation *a, bool indefinite)
{
    if (indefinite)
        cbor_put_map_indefinite(out);
    else
        cbor_put_map(out, ARRAY_LEN(members));
    cbor_put_text(out, "module_id");
    cbor_put_text_bytes(out, a->module_id);
    cbor_put_text(out, "digest");
    cbor_put_text(out, "SHA384");
    cbor_put_text(out, "timestamp");
    cbor_put_unsigned(out, a->timestamp_ms);
    put_pcrs(out, a);
    put_certificates(out, a);
    put_optional(out, "public_key", &a->public_key);
    put_optional(out, "user_data", &a->user_data);
    put_optional(out, "nonce", &a->nonce);
    if (indefinite)
        cbor_put_break(out);
}
