/* SPDX-License-Identifier: Apache-2.0 */
#include "host/policy/policy_evidence.h"

#include "base/base64.h"
#include "pki/attestation_verify.h"
#include "pki/pki.h"
#include "system/file.h"

#define DOCUMENT_FILE_MAX 32768 /* bytes: the longest document in base64, with line ends */
#define ROOT_FILE_MAX     65536

/* An untagged COSE_Sign1 is an array of four. A tagged one counts as raw, too, and is refused
 * later. */
static bool is_raw(struct bytes content)
{
    return content.len > 0 && (content.at[0] == 0x84 || content.at[0] == 0xd2);
}

/* Appends the document that a file holds, raw or in base64 on any number of lines. */
static bool unwrap(struct bytes content, const char *path, struct buffer *out, struct error *err)
{
    if (is_raw(content)) {
        buffer_append(out, content);
        return !out->failed || error_set(err, ERROR_MEMORY, "no memory for %.200s", path);
    }
    BUFFER_AUTO dense;
    buffer_init(&dense, DOCUMENT_FILE_MAX);
    for (size_t i = 0; i < content.len; i++)
        if (content.at[i] > ' ')
            buffer_byte(&dense, content.at[i]);
    return (dense.len > 0 && !dense.failed && base64_decode(out, buffer_bytes(&dense))) ||
           error_set(
               err, ERROR_FORMAT,
               "%.200s is not an attestation document: neither a COSE_Sign1 nor base64 of one",
               path);
}

static bool read_root(const char *path, struct buffer *out, struct error *err)
{
    BUFFER_AUTO text;
    buffer_init(&text, ROOT_FILE_MAX);
    if (!file_read(path, &text, err))
        return false;
    if (text.len > 0 && text.at[0] == 0x30) { /* DER: a SEQUENCE */
        buffer_append(out, buffer_bytes(&text));
        return !out->failed || error_set(err, ERROR_MEMORY, "no memory for %.200s", path);
    }
    struct error why = {0};
    return pki_pem_to_der(buffer_bytes(&text), out, &why) ||
           error_set(err, ERROR_FORMAT, "%.200s is not a certificate: %.200s", path, why.cause);
}

static const char *remedy_for(const struct error *err)
{
    if (strstr(err->cause, "expired") != NULL || strstr(err->cause, "not yet valid") != NULL)
        return "with --at document a stored document is verified at its own time";
    if (strncmp(err->cause, "root:", 5) == 0)
        return "give the root that you trust with --nsm-root FILE, if it is not AWS's";
    return NULL;
}

static bool read_document(struct evidence *e, int64_t at_ms, const char **remedy, struct error *err)
{
    struct attestation document;
    struct error why = {0};
    BUFFER_AUTO content;
    BUFFER_AUTO raw;
    BUFFER_AUTO root;
    buffer_init(&content, DOCUMENT_FILE_MAX);
    buffer_init(&raw, DOCUMENT_FILE_MAX);
    buffer_init(&root, ROOT_FILE_MAX);
    if (!file_read(e->path, &content, err) || !unwrap(buffer_bytes(&content), e->path, &raw, err) ||
        (e->root != NULL && !read_root(e->root, &root, err)))
        return false;
    bool ok =
        e->root != NULL
            ? attestation_verify(&document, buffer_bytes(&raw), buffer_bytes(&root), at_ms, &why)
            : attestation_verify_by_fingerprint(&document, buffer_bytes(&raw), attestation_aws_root,
                                                at_ms, &why);
    if (!ok) {
        *remedy = remedy_for(&why);
        return error_set(err, why.code, "%.150s is not trusted: %.300s", e->path, why.cause);
    }
    registers_from_document(&e->registers, &document);
    if (document.module_id.len < sizeof e->module_id)
        memcpy(e->module_id, document.module_id.at, document.module_id.len);
    e->timestamp_ms = (int64_t)document.timestamp_ms;
    return true;
}

bool evidence_read(struct evidence *evidence, int64_t at_ms, const char **remedy, struct error *err)
{
    *remedy = NULL;
    switch (evidence->kind) {
    case EVIDENCE_DOCUMENT:
        return read_document(evidence, at_ms, remedy, err);
    case EVIDENCE_IMAGE:
        return registers_from_image(&evidence->registers, evidence->path, err);
    default:
        return registers_from_measurements(&evidence->registers, evidence->path, err);
    }
}
