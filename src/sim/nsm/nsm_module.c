/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nsm/nsm_module.h"

#include "base/clock.h"
#include "formats/cbor_types.h"
#include "formats/measurements.h"
#include "pki/attestation_verify.h"
#include "sim/nsm/nsm_pcrs.h"
#include "system/file.h"

bool nsm_module_read_pcrs(struct nsm_engine_config *config, const char *path, struct error *err)
{
    BUFFER_AUTO text = {.limit = MEASUREMENTS_MAX};
    struct error why = {0};
    if (!file_read(path, &text, &why))
        return error_set(err, ERROR_USAGE, "%s", why.cause);
    return nsm_pcrs_from_json(config, buffer_bytes(&text), &why) ||
           error_set(err, ERROR_USAGE, "%s: %s", path, why.cause);
}

static int64_t now_ms(void)
{
    return clock_wall_us() / 1000;
}

static bool obtain_identity(struct nsm_identity *identity, const char *folder, struct error *err)
{
    bool found = false;
    if (folder != NULL && !nsm_identity_load(identity, folder, &found, err))
        return false;
    if (found)
        return true;
    return nsm_identity_new(identity, now_ms() / 1000, err) &&
           (folder == NULL || nsm_identity_save(identity, folder, err));
}

/* The document in an answer to Attestation; empty if the answer is not one. */
static struct bytes document_in(struct bytes response)
{
    struct cbor_reader r = cbor_reader(response);
    (void)cbor_enter(&r, CBOR_MAP);
    bool is_document = bytes_equal_text(cbor_text(&r), "Attestation");
    (void)cbor_enter(&r, CBOR_MAP);
    is_document = is_document && bytes_equal_text(cbor_text(&r), "document");
    struct bytes document = cbor_bytes(&r);
    return is_document ? document : bytes_of(NULL, 0);
}

/* A first document must verify: the files of a state folder may not belong together. */
static bool check_engine(struct nsm_engine *engine, struct bytes root_der, struct error *err)
{
    BUFFER_AUTO request = {.limit = 64};
    BUFFER_AUTO response = {.limit = NSM_ENGINE_RESPONSE_MAX};
    cbor_put_map(&request, 1);
    cbor_put_text(&request, "Attestation");
    cbor_put_map(&request, 0);
    int64_t now = now_ms();
    nsm_engine_answer(engine, buffer_bytes(&request), now, &response);
    struct attestation document;
    struct error why = {0};
    return attestation_verify(&document, document_in(buffer_bytes(&response)), root_der, now,
                              &why) ||
           error_set(err, ERROR_CERTIFICATE, "the module's own documents do not verify: %s",
                     why.cause);
}

static bool write_root(const char *path, struct bytes der, struct error *err)
{
    BUFFER_AUTO pem = {.limit = 65536};
    if (!pki_der_to_pem(der, &pem))
        return error_set(err, ERROR_CRYPTO, "cannot write the root certificate as PEM");
    return file_replace(path, buffer_bytes(&pem), 0644, err);
}

bool nsm_module_start(struct nsm_module *module, const struct nsm_engine_config *config,
                      const char *state, const char *root, struct error *err)
{
    struct nsm_identity *identity = &module->identity;
    struct buffer *root_der = &identity->certs[NSM_CERT_ROOT];
    return obtain_identity(identity, state, err) &&
           (module->engine = nsm_engine_new(identity, config, err)) != NULL &&
           check_engine(module->engine, buffer_bytes(root_der), err) &&
           (root == NULL || write_root(root, buffer_bytes(root_der), err));
}

void nsm_module_stop(struct nsm_module *module)
{
    nsm_engine_free(module->engine);
    module->engine = NULL;
    nsm_identity_clear(&module->identity);
}
