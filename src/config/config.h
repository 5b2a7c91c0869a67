/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: one JSON file, part of the image and so of its measurement. What enclaved
 * trusts (key, encryption context, endpoint, roots) is here and nowhere else; nothing that
 * arrives while it runs can change it. docs/configuration.md lists the members.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/buffer.h"
#include "base/error.h"
#include "net/address.h"

#define CONFIG_FILE_DEFAULT "/etc/enclaved/enclaved.json"
#define CONFIG_FILE_MAX     (1u << 20) /* the file, and the roots it names; bytes */
#define CONFIG_ARN_MAX      256
#define CONFIG_REGION_MAX   64
#define CONFIG_HOST_MAX     254
#define CONFIG_PATH_MAX     1024
#define CONFIG_CONTEXT_MAX  8192 /* KMS's limit on an encryption context, bytes */
#define CONFIG_PINS_MAX     16   /* hashes of wrapped TSKs */
#define CONFIG_PIN_SIZE     32   /* SHA-256 */

struct limits {
    size_t frame_bytes;    /* longest frame in either direction, header not counted */
    size_t buffered_bytes; /* frames and answers held for all connections together */
    int64_t connections;   /* open at once */
    int64_t idle_ms;       /* a connection with nothing under way */
    int64_t frame_ms;      /* from a frame's first byte to its last */
    int64_t write_ms;      /* from an answer to the moment it has been taken */
    int64_t drain_ms;      /* from SIGTERM to exit */
    uint32_t json_depth;
    uint32_t json_values;
};

/* The SHA-256 of each wrapped TSK, decoded, that may be installed; none: any may. */
struct wrapped_pins {
    bool given; /* in the file, be it as an empty list */
    size_t count;
    uint8_t sha256[CONFIG_PINS_MAX][CONFIG_PIN_SIZE];
};

struct config {
    struct address listen;
    struct limits limits;

    char key_arn[CONFIG_ARN_MAX];
    char region[CONFIG_REGION_MAX];   /* from the ARN */
    char host[CONFIG_HOST_MAX];       /* from the region unless given */
    struct buffer encryption_context; /* a JSON object of strings, as in the file; {} if none */
    struct address relay;
    char roots_file[CONFIG_PATH_MAX];
    char wrapped_tsk_file[CONFIG_PATH_MAX]; /* base64; empty: none */
    struct wrapped_pins wrapped_pins;       /* unless given, the start pins that file's content */
    int64_t attempt_ms;                     /* to ask KMS once, at most total_ms */
    int64_t total_ms;                       /* of versions that repeated attempts themselves */
    int64_t previous_key_ms; /* how long a state under the previous TSK is still opened */
};

/*
 * Reads and checks path; parse_address says which addresses there are. ERROR_CONFIG names the
 * member and what it may be.
 */
MUST_USE bool config_load(struct config *config, const char *path, address_parser *parse_address,
                          struct error *err);
/* The same from text; name stands for the file in causes. */
MUST_USE bool config_parse(struct config *config, struct bytes text, const char *name,
                           address_parser *parse_address, struct error *err);
void config_clear(struct config *config);

/* Whether a wrapped TSK of that SHA-256 may be installed. */
bool config_pins_allow(const struct wrapped_pins *pins, const uint8_t sha256[CONFIG_PIN_SIZE]);

/* Appends the whole of a regular file of at most limit bytes (out's). ERROR_CONFIG names it. */
MUST_USE bool config_read_file(const char *path, struct buffer *out, struct error *err);

#endif
