/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, configuring and stopping what `enclavectl dev` runs. */
#include <stdio.h>
#include <unistd.h>

#include "host/client/delivery.h"
#include "host/dev/dev.h"
#include "host/report.h"

#define ZEROS_24 "000000000000000000000000"
#define NO_PCR0  ("0=" ZEROS_24 ZEROS_24 ZEROS_24 ZEROS_24)

static bool start_nsm(struct dev *dev, const char *pcr0, struct error *err)
{
    char root[DEV_PATH_MAX], state[DEV_PATH_MAX], listen[128], ready[300];
    if (!dev_path(dev, "nsm-root.pem", root, err) || !dev_path(dev, "nsm", state, err))
        return false;
    snprintf(listen, sizeof listen, "unix:%s/nsm.sock", dev->run);
    const char *const options[] = {
        "nsm", "--listen", listen, "--write-nsm-root", root, "--pcr", pcr0, "--state", state, NULL};
    return dev_launch(dev, &dev->nsm, "nsm", "enclave-sim", options, DEV_WAIT_MS, ready,
                      sizeof ready, err);
}

static bool start_kms(struct dev *dev, struct error *err)
{
    char db[DEV_PATH_MAX], root[DEV_PATH_MAX], ca[DEV_PATH_MAX], credentials[DEV_PATH_MAX];
    if (!dev_path(dev, "kms.db", db, err) || !dev_path(dev, "nsm-root.pem", root, err) ||
        !dev_path(dev, "kms-ca.pem", ca, err) ||
        !dev_path(dev, "credentials.json", credentials, err))
        return false;
    const char *const options[] = {
        "kms",
        "--listen",
        "tcp:127.0.0.1:0",
        "--db",
        db,
        "--nsm-root",
        root,
        "--write-roots",
        ca,
        "--region",
        DEV_REGION,
        "--account",
        DEV_ACCOUNT,
        "--host",
        (DEV_HOST),
        "--credentials",
        credentials,
        NULL,
    };
    if (!dev_launch(dev, &dev->kms, "kms", "enclave-sim", options, DEV_WAIT_MS, dev->relay,
                    sizeof dev->relay, err))
        return false;
    return strncmp(dev->relay, "tcp:", 4) == 0 ||
           error_set(err, ERROR_FORMAT, "the simulated KMS does not listen on TCP");
}

static bool start_enclaved(struct dev *dev, struct error *err)
{
    char config[DEV_PATH_MAX], nsm[128];
    if (!dev_path(dev, "enclaved.json", config, err))
        return false;
    snprintf(nsm, sizeof nsm, "unix:%s/nsm.sock", dev->run);
    const char *const options[] = {"--config", config, "--nsm", nsm, "--listen", dev->listen, NULL};
    return dev_launch(dev, &dev->enclaved, "enclaved", "enclaved-dev", options, DEV_WAIT_MS,
                      dev->address, sizeof dev->address, err);
}

/* The NSM makes its root at its first start; later ones find it. */
static bool make_root(struct dev *dev, struct error *err)
{
    char root[DEV_PATH_MAX];
    if (!dev_path(dev, "nsm-root.pem", root, err))
        return false;
    if (access(root, R_OK) == 0)
        return true;
    if (!start_nsm(dev, NO_PCR0, err))
        return false;
    child_stop(&dev->nsm, DEV_GRACE_MS);
    return true;
}

/*
 * The simulated KMS needs the NSM's root, the policy needs PCR0, PCR0 covers the configuration, and
 * the configuration names the key and the address of KMS. So the NSM is started once to make its
 * root, and again with the measurement; a virtual machine has its own.
 */
static bool start_simulators(struct dev *dev, struct error *err)
{
    char pcr0[128];
    bool vm = dev->kernel != NULL;
    if (!make_root(dev, err) || !start_kms(dev, err) || !dev_key(dev, err) ||
        !dev_write_config(dev, err) || !(vm ? dev_image(dev, err) : dev_measure(dev, err)) ||
        !dev_policy(dev, err) || !dev_wrap(dev, err))
        return false;
    snprintf(pcr0, sizeof pcr0, "0=%s", dev->pcr0);
    return vm || start_nsm(dev, pcr0, err);
}

/* Delivers session to enclaved. whole: with the wrapped TSK. */
static bool configure(struct dev *dev, bool whole, struct error *err)
{
    char wrapped[DEV_PATH_MAX];
    const struct delivery delivery = {
        .wrapped_tsk_file = wrapped,
        .context = {DEV_CONTEXT_1, DEV_CONTEXT_2},
        .context_count = 2,
    };
    CLIENT_AUTO client;
    client_init(&client, dev->common.timeout_ms, FRAME_LIMIT, dev->stop_fd);
    if (!dev_path(dev, "tsk.b64", wrapped, err) ||
        !delivery_send(&delivery, dev->address, &dev->session, whole, &client, err))
        return false;
    if (!client_refused(&client))
        return true;
    BUFFER_AUTO text;
    buffer_init(&text, 4096);
    append_json_text(&text, &client.answer, json_member(&client.answer, 0, "error"));
    buffer_text(&text, ": ");
    append_json_text(&text, &client.answer, json_member(&client.answer, 0, "cause"));
    return error_set(err, ERROR_KMS_DENIED, "enclaved refused its configuration: %.*s",
                     (int)(text.len < 400 ? text.len : 400), (const char *)text.at);
}

bool dev_start(struct dev *dev, struct error *err)
{
    return dev_folders(dev, err) && dev_new_credentials(&dev->admin, "AKIA", 0, err) &&
           dev_new_credentials(&dev->session, "ASIA", dev->credential_seconds, err) &&
           dev_write_credentials(dev, err) && start_simulators(dev, err) &&
           (dev->image_only ||
            ((dev->kernel != NULL ? dev_boot(dev, err) : start_enclaved(dev, err)) &&
             configure(dev, true, err)));
}

bool dev_renew(struct dev *dev, struct error *err)
{
    struct credentials oldest = dev->previous;
    dev->previous = dev->session;
    credentials_clear(&oldest);
    credentials_init(&dev->session);
    return dev_new_credentials(&dev->session, "ASIA", dev->credential_seconds, err) &&
           dev_write_credentials(dev, err) && configure(dev, false, err);
}

void dev_stop(struct dev *dev)
{
    child_stop(&dev->enclaved, DEV_GRACE_MS);
    child_stop(&dev->way_out, DEV_GRACE_MS);
    child_stop(&dev->kms, DEV_GRACE_MS);
    child_stop(&dev->nsm, DEV_GRACE_MS);
}
