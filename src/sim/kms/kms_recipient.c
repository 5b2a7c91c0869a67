/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recipient: the attestation document of a request, and the envelope in its answer (KMS API,
 * RecipientInfo). KMS documents no special exception for a bad document, so a ValidationException
 * says what is wrong with it.
 */
#include "sim/kms/kms_recipient.h"

#include "base/log.h"
#include "crypto/recipient.h"
#include "pki/attestation_verify.h"
#include "sim/kms/kms_input.h"

#define DOCUMENT_MAX 262144 /* bytes: KMS API, RecipientInfo */

/* How every RSA-2048 SubjectPublicKeyInfo with exponent 65537 begins and ends (RFC 3279). */
static const uint8_t spki_head[] = {0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a,
                                    0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
                                    0x00, 0x03, 0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01,
                                    0x0a, 0x02, 0x82, 0x01, 0x01, 0x00};
static const uint8_t spki_tail[] = {0x02, 0x03, 0x01, 0x00, 0x01};

static bool is_rsa_2048(struct bytes spki)
{
    return spki.len == RECIPIENT_SPKI_SIZE && memcmp(spki.at, spki_head, sizeof spki_head) == 0 &&
           (spki.at[sizeof spki_head] & 0x80) != 0 &&
           memcmp(spki.at + spki.len - sizeof spki_tail, spki_tail, sizeof spki_tail) == 0;
}

static bool read_members(struct kms_call *call)
{
    if (!kms_input_given(call, "KeyEncryptionAlgorithm"))
        return kms_fail(&call->failure, "ValidationException",
                        "Recipient must name a KeyEncryptionAlgorithm");
    if (!json_string_is(&call->in, json_member(&call->in, call->scope, "KeyEncryptionAlgorithm"),
                        "RSAES_OAEP_SHA_256"))
        return kms_fail(&call->failure, "ValidationException",
                        "1 validation error detected: Value at 'recipient.keyEncryptionAlgorithm' "
                        "failed to satisfy constraint: Member must satisfy enum value set: "
                        "[RSAES_OAEP_SHA_256]");
    return kms_input_blob(call, "AttestationDocument", KMS_REQUIRED, DOCUMENT_MAX, &call->document);
}

static bool verify(struct kms_call *call)
{
    struct error err = {.code = ERROR_NONE};
    int64_t now_ms = kms_now_us(call->service) / 1000;
    if (!attestation_verify(&call->attestation, buffer_bytes(&call->document),
                            call->service->nsm_root, now_ms, &err)) {
        log_warning("request %s: attestation document refused: %s", call->request->id, err.cause);
        return kms_fail(&call->failure, "ValidationException",
                        "The attestation document is not valid: %s", err.cause);
    }
    if (!call->attestation.public_key.present)
        return kms_fail(&call->failure, "ValidationException",
                        "The attestation document has no public key");
    if (!is_rsa_2048(call->attestation.public_key.value))
        return kms_fail(&call->failure, "ValidationException",
                        "The public key in the attestation document is not an RSA 2048 "
                        "SubjectPublicKeyInfo");
    call->attested = true;
    struct bytes module = call->attestation.module_id;
    log_info("request %s: attestation document of %.*s over an RSA-2048 key: root, chain, validity "
             "and signature verified",
             call->request->id, (int)module.len, (const char *)module.at);
    return true;
}

bool kms_take_recipient(struct kms_call *call)
{
    json_value recipient = json_member(&call->in, 0, "Recipient");
    if (recipient == JSON_NONE || json_type(&call->in, recipient) == JSON_NULL)
        return true;
    if (json_type(&call->in, recipient) != JSON_OBJECT)
        return kms_fail(&call->failure, "SerializationException", "Recipient must be an object");
    call->scope = recipient;
    bool ok = read_members(call);
    call->scope = 0;
    return ok && verify(call);
}

/*
 * For KMS_FAULT_BROKEN_ENVELOPE. In CBC, flipping a bit in the last byte of the last ciphertext
 * block but one flips that bit in the last byte of plaintext. That byte is the length of the
 * padding, 1 to 16, and becomes larger than 16. The ciphertext is followed by the end marks of four
 * or five indefinite levels.
 */
static void break_padding(struct buffer *envelope, enum cms_content form)
{
    size_t end_marks = form == CMS_CONSTRUCTED ? 10 : 8; /* bytes */
    envelope->at[envelope->len - end_marks - 17] ^= 0x40;
}

static bool seal(struct kms_call *call, struct bytes spki, struct bytes plaintext)
{
    struct error err = {.code = ERROR_NONE};
    BUFFER_AUTO envelope;
    buffer_init(&envelope, 64u << 10);
    if (!cms_seal(&envelope, spki, plaintext, call->service->envelope, &err))
        return kms_fail_internal(call, err.cause);
    if (call->fault == KMS_FAULT_BROKEN_ENVELOPE)
        break_padding(&envelope, call->service->envelope);
    json_base64(&call->out, "CiphertextForRecipient", buffer_bytes(&envelope));
    return true;
}

/* For KMS_FAULT_OTHER_RECIPIENT: to a key whose private half is thrown away. */
static bool seal_to_nobody(struct kms_call *call, struct bytes plaintext)
{
    struct error err = {.code = ERROR_NONE};
    struct recipient *other = recipient_new(&err);
    if (other == NULL)
        return kms_fail_internal(call, err.cause);
    bool ok = seal(call, recipient_spki(other), plaintext);
    recipient_free(other);
    return ok;
}

/* For KMS_FAULT_LONG_TSK. */
static bool answer_longer(struct kms_call *call, struct bytes plaintext)
{
    BUFFER_AUTO longer;
    buffer_init_secret(&longer, plaintext.len + 1);
    buffer_append(&longer, plaintext);
    buffer_byte(&longer, 0);
    return longer.failed ? kms_fail_internal(call, "no memory for a longer plaintext")
                         : seal(call, call->attestation.public_key.value, buffer_bytes(&longer));
}

bool kms_answer_plaintext(struct kms_call *call, struct bytes plaintext)
{
    if (call->fault == KMS_FAULT_SHORT_TSK && plaintext.len > 31)
        plaintext.len = 31;
    if (!call->attested || call->fault == KMS_FAULT_PLAINTEXT) {
        json_base64(&call->out, "Plaintext", plaintext);
        return true;
    }
    if (call->fault == KMS_FAULT_OTHER_RECIPIENT)
        return seal_to_nobody(call, plaintext);
    if (call->fault == KMS_FAULT_LONG_TSK)
        return answer_longer(call, plaintext);
    return seal(call, call->attestation.public_key.value, plaintext);
}
