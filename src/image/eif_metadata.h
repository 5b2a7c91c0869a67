/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata section: JSON about the image. No register measures it.
 *
 *     {"ImageName": text, "ImageVersion": text,
 *      "BuildMetadata": {"BuildTime": text, "BuildTool": text, "BuildToolVersion": text,
 *                        "OperatingSystem": text, "KernelVersion": text},
 *      "DockerInfo": any, "CustomMetadata": any}
 *
 * Format: aws-nitro-enclaves-image-format src/defs/mod.rs (EifIdentityInfo).
 */
#ifndef IMAGE_EIF_METADATA_H
#define IMAGE_EIF_METADATA_H

#include "codec/json.h"

#define EIF_METADATA_MAX    (1u << 20) /* longest section, bytes */
#define EIF_METADATA_VALUES 65536      /* most JSON values in it */
#define EIF_METADATA_PAIRS  32         /* most --metadata */

struct eif_metadata {
    const char *name;
    const char *version;
    int64_t build_time_s; /* seconds since 1970 */
    const char *kernel_version;
    const char *const *pairs; /* "KEY=VALUE", for CustomMetadata */
    size_t pair_count;
    struct bytes kernel_source; /* JSON for CustomMetadata.KernelSource; may be empty */
};

/* Appends the JSON. ERROR_USAGE if a pair is not KEY=VALUE, or a key is given twice. */
MUST_USE bool eif_metadata_put(struct buffer *out, const struct eif_metadata *metadata,
                               struct error *err);

/*
 * Checks that text has the members of version 4 and indexes it in doc (after json_init).
 * ERROR_FORMAT names the member that is missing or has the wrong type.
 */
MUST_USE bool eif_metadata_parse(struct json *doc, struct bytes text, struct error *err);

#endif
