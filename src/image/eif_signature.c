/* SPDX-License-Identifier: Apache-2.0 */
#include "image/eif_signature.h"

#include "formats/cbor_types.h"

static bool malformed(struct error *err, const char *what)
{
    return error_set(err, ERROR_FORMAT, "signature section: %s", what);
}

/* An array of integers 0..255. False, and the reader has failed, if it is anything else. */
static bool read_octets(struct cbor_reader *r, struct buffer *out)
{
    struct cbor_items items = cbor_enter(r, CBOR_ARRAY);
    while (cbor_next(r, &items)) {
        uint64_t octet = cbor_unsigned(r);
        if (octet > UINT8_MAX)
            r->failed = true;
        else
            buffer_byte(out, (uint8_t)octet);
    }
    return !r->failed && !out->failed;
}

static void put_octets(struct buffer *out, struct bytes octets)
{
    cbor_put_array(out, octets.len);
    for (size_t i = 0; i < octets.len; i++)
        cbor_put_unsigned(out, octets.at[i]);
}

/* Whether name is wanted, for the first time in this map. */
static bool is_first(struct bytes name, const char *wanted, bool *seen)
{
    if (*seen || !bytes_equal_text(name, wanted))
        return false;
    *seen = true;
    return true;
}

/* {"signing_certificate": …, "signature": …}, each once and nothing else. */
static bool read_entry(struct cbor_reader *r, struct eif_signature *out, struct error *err)
{
    bool certificate = false, cose = false; /* seen */
    struct cbor_items map = cbor_enter(r, CBOR_MAP);
    while (cbor_next(r, &map)) {
        struct bytes name = cbor_text(r);
        if (is_first(name, "signing_certificate", &certificate)) {
            if (!read_octets(r, &out->certificate))
                return malformed(err, "the certificate is not an array of bytes");
        } else if (is_first(name, "signature", &cose)) {
            if (!read_octets(r, &out->cose))
                return malformed(err, "the signature is not an array of bytes");
        } else {
            return malformed(err, "a member is unknown or occurs twice");
        }
    }
    if (r->failed)
        return malformed(err, "its element is not a map");
    return (certificate && cose) || malformed(err, "certificate or signature is missing");
}

bool eif_signature_parse(struct eif_signature *out, struct bytes section, struct error *err)
{
    eif_signature_clear(out);
    /* Each byte of content takes at least one byte of the section. */
    buffer_init(&out->certificate, section.len);
    buffer_init(&out->cose, section.len);
    struct cbor_reader r = cbor_reader(section);
    struct cbor_items array = cbor_enter(&r, CBOR_ARRAY);
    if (r.failed)
        return malformed(err, "not a CBOR array");
    if (!cbor_next(&r, &array))
        return malformed(err, "it contains no signature");
    if (!read_entry(&r, out, err))
        return false;
    if (cbor_next(&r, &array))
        return malformed(err, "it contains more than one signature");
    return cbor_reader_done(&r) || malformed(err, "something follows the signature");
}

void eif_signature_clear(struct eif_signature *signature)
{
    buffer_clear(&signature->certificate);
    buffer_clear(&signature->cose);
}

void eif_signature_put(struct buffer *out, struct bytes certificate_pem, struct bytes cose)
{
    cbor_put_array(out, 1);
    cbor_put_map(out, 2);
    cbor_put_text(out, "signing_certificate");
    put_octets(out, certificate_pem);
    cbor_put_text(out, "signature");
    put_octets(out, cose);
}

bool eif_payload_parse(struct bytes payload, uint64_t *index, uint8_t value[SHA384_SIZE],
                       struct error *err)
{
    BUFFER_AUTO octets;
    buffer_init(&octets, SHA384_SIZE);
    bool has_index = false, has_value = false;
    struct cbor_reader r = cbor_reader(payload);
    struct cbor_items map = cbor_enter(&r, CBOR_MAP);
    while (cbor_next(&r, &map)) {
        struct bytes name = cbor_text(&r);
        if (is_first(name, "register_index", &has_index)) {
            *index = cbor_unsigned(&r);
        } else if (is_first(name, "register_value", &has_value)) {
            if (!read_octets(&r, &octets) || octets.len != SHA384_SIZE)
                return malformed(err, "the signed register is not an array of 48 bytes");
        } else {
            return malformed(err, "a member of the signed payload is unknown or occurs twice");
        }
    }
    if (!has_index || !has_value || !cbor_reader_done(&r))
        return malformed(err, "the signed payload is not a register's index and value");
    memcpy(value, octets.at, SHA384_SIZE);
    return true;
}

void eif_payload_put(struct buffer *out, uint64_t index, const uint8_t value[SHA384_SIZE])
{
    cbor_put_map(out, 2);
    cbor_put_text(out, "register_index");
    cbor_put_unsigned(out, index);
    cbor_put_text(out, "register_value");
    put_octets(out, bytes_of(value, SHA384_SIZE));
}
