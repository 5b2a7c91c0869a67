/* SPDX-License-Identifier: Apache-2.0 */
/* Functions and limits that the verbs of enclavectl image share. */
#ifndef HOST_IMAGE_IMAGE_COMMON_H
#define HOST_IMAGE_IMAGE_COMMON_H

#include "host/report.h"
#include "image/eif_file.h"

#define IMAGE_PEM_MAX  (1u << 20) /* bytes of roots, a key or a certificate; as enclaved's limit */
#define IMAGE_FILE_MAX (1u << 20) /* bytes of a configuration or another small file */
#define IMAGE_TEXT_MAX (4u << 20) /* bytes that a verb prints */

/*
 * Holds back SIGINT, SIGTERM and SIGHUP while a file is written. The descriptor is readable once
 * one has come; -1: ERROR_SYSTEM.
 */
MUST_USE int image_hold_signals(struct error *err);

/* Lets the held signals take effect. Nothing happens with -1. */
void image_release_signals(int stop_fd);

/*
 * Where an image is written to standard output ("-"), nothing else can be: ERROR_USAGE with json,
 * or if another output is "-", too (NULL: there is none).
 */
MUST_USE bool image_check_stream(const struct common *common, const char *output, const char *other,
                                 struct error *err);

/* --at: the second for which a signing certificate's dates are checked. */
#define IMAGE_AT_HELP                                                                           \
    "when the signing certificate must be valid, 2026-12-31 or 2026-12-31T23:59:59Z (default: " \
    "now)"
/* Reads it; NULL: now. ERROR_USAGE. */
MUST_USE bool image_read_date(const char *text, int64_t *seconds, struct error *err);

/* "2026-12-31T23:59:59Z". False for what has no such date. */
#define IMAGE_DATE_SIZE 32
MUST_USE bool image_date(char out[IMAGE_DATE_SIZE], int64_t seconds);

/* Sets out to {"Measurements": {…}} and a line feed, as nitro-cli prints them. */
void image_measurements(struct buffer *out, const struct eif_measurements *measurements);
/* Prints that; with --json as an answer, which has a status. Returns the exit code. */
int image_print_measurements(const struct common *common,
                             const struct eif_measurements *measurements);

#endif
