/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `enclavectl dev --kernel`: enclaved in an image of its own, booted in a virtual machine. It
 * reaches KMS as an enclave does: over vsock through a relay.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/hex.h"
#include "host/dev/dev.h"
#include "image/eif_file.h"

#define BUILD_WAIT_MS 120000 /* for the image */
#define BOOT_WAIT_MS  180000 /* for its heartbeat: emulation without KVM is slow */

/* Runs `enclavectl image build` to its end; its log is image.log. */
static bool build_image(const struct dev *dev, const char *image, struct error *err)
{
    char config[DEV_PATH_MAX], roots[DEV_PATH_MAX], measurements[DEV_PATH_MAX];
    char init[DEV_PATH_MAX + 64], self[DEV_PATH_MAX + 64];
    if (!dev_path(dev, "enclaved.json", config, err) || !dev_path(dev, "kms-ca.pem", roots, err) ||
        !dev_path(dev, "measurements.json", measurements, err))
        return false;
    snprintf(self, sizeof self, "%s/enclavectl", dev->programs);
    snprintf(init, sizeof init, "%s/enclaved-init", dev->programs);
    const char *argv[] = {self,         "image",
                          "build",      "--kernel",
                          dev->kernel,  "--enclaved",
                          init,         "--config",
                          config,       "--roots",
                          roots,        "--output",
                          image,        "--write-measurements",
                          measurements, NULL,
                          NULL,         NULL};
    if (dev->kernel_lock != NULL) {
        argv[ARRAY_LEN(argv) - 3] = "--kernel-lock";
        argv[ARRAY_LEN(argv) - 2] = dev->kernel_lock;
    }
    return dev_run(dev, "image", argv, BUILD_WAIT_MS, err);
}

static bool measure_image(struct dev *dev, const char *image, struct error *err)
{
    struct eif_file file;
    struct eif_measurements measured;
    if (!eif_file_open(&file, image, err))
        return false;
    bool good = eif_file_measure(&file, &measured, err);
    eif_file_close(&file);
    if (!good)
        return false;
    hex_encode(dev->pcr0, bytes_of(measured.pcr0, sizeof measured.pcr0));
    dev->pcr0[2 * sizeof measured.pcr0] = '\0';
    return true;
}

bool dev_image(struct dev *dev, struct error *err)
{
    char image[DEV_PATH_MAX];
    return dev_path(dev, "enclaved.eif", image, err) && build_image(dev, image, err) &&
           measure_image(dev, image, err);
}

/* The relay connects to the simulated KMS by a name that it allows: localhost:PORT. */
static bool start_relay(struct dev *dev, struct error *err)
{
    char listen[128], to[64], ready[300];
    const char *port = strrchr(dev->relay, ':');
    snprintf(listen, sizeof listen, "unix:%s/relay.sock", dev->run);
    snprintf(to, sizeof to, "localhost:%s", port == NULL ? "" : port + 1);
    const char *const options[] = {"relay", "--listen", listen, "--destination",
                                   to,      "--allow",  to,     NULL};
    return dev_launch(dev, &dev->way_out, "relay", "enclavectl", options, DEV_WAIT_MS, ready,
                      sizeof ready, err);
}

bool dev_boot(struct dev *dev, struct error *err)
{
    char image[DEV_PATH_MAX], state[DEV_PATH_MAX], root[DEV_PATH_MAX];
    char listen[300], out[128];
    if (!start_relay(dev, err) || !dev_path(dev, "enclaved.eif", image, err) ||
        !dev_path(dev, "nsm", state, err) || !dev_path(dev, "nsm-root.pem", root, err))
        return false;
    snprintf(listen, sizeof listen, "5000=%s", dev->listen);
    snprintf(out, sizeof out, "8000=unix:%s/relay.sock", dev->run);
    const char *options[24] = {"vm",
                               dev->boot != NULL ? dev->boot : image,
                               "--state",
                               state,
                               "--write-nsm-root",
                               root,
                               "--listen",
                               listen,
                               "--connect",
                               out};
    size_t count = 10;
    if (dev->memory != NULL) {
        options[count++] = "--memory";
        options[count++] = dev->memory;
    }
    if (dev->cpus != NULL) {
        options[count++] = "--cpus";
        options[count++] = dev->cpus;
    }
    if (dev->debug_mode)
        options[count++] = "--debug-mode";
    return dev_launch(dev, &dev->enclaved, "enclaved", "enclave-sim", options, BOOT_WAIT_MS,
                      dev->address, sizeof dev->address, err);
}
