/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an image is configured with, read by the very code with which enclaved reads it at start-up
 * (src/config, src/crypto), so that no image is built that refuses to start.
 */
#ifndef HOST_IMAGE_IMAGE_SETTINGS_H
#define HOST_IMAGE_IMAGE_SETTINGS_H

#include "base/buffer.h"
#include "base/error.h"
#include "config/config.h"

struct image_settings {
    const char *config, *roots; /* files of the caller */
    const char *wrapped;        /* NULL: none */
    struct buffer config_text, roots_text, wrapped_text;
    struct wrapped_pins pins; /* of the configuration */
};

void image_settings_init(struct image_settings *settings);
void image_settings_clear(struct image_settings *settings);

/*
 * Reads and checks the files. others: further ramdisks may bring the files that the configuration
 * names and the image does not have; what differs is then only a note. ERROR_CONFIG,
 * ERROR_CERTIFICATE, ERROR_USAGE, ERROR_SYSTEM.
 */
MUST_USE bool image_settings_read(struct image_settings *settings, bool others, struct error *err);

#endif
