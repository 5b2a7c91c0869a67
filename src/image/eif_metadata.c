/* SPDX-License-Identifier: Apache-2.0 */
#include "image/eif_metadata.h"

#include <stdio.h>
#include <time.h>

#include "formats/json_print.h"
#include "formats/text.h"

#define KERNEL_SOURCE "KernelSource"

static struct bytes key_of(const char *text)
{
    struct text_pair pair;
    return text_pair(&pair, text) ? pair.name : bytes_of(NULL, 0);
}

static bool check_pairs(const struct eif_metadata *metadata, struct error *err)
{
    for (size_t i = 0; i < metadata->pair_count; i++) {
        struct bytes key = key_of(metadata->pairs[i]);
        if (key.len == 0)
            return error_set(err, ERROR_USAGE, "%.100s is not metadata: want KEY=VALUE",
                             metadata->pairs[i]);
        if (bytes_equal_text(key, KERNEL_SOURCE))
            return error_set(err, ERROR_USAGE,
                             "the metadata key " KERNEL_SOURCE " is reserved for --kernel-lock");
        for (size_t j = 0; j < i; j++)
            if (bytes_equal(key, key_of(metadata->pairs[j])))
                return error_set(err, ERROR_USAGE, "the metadata key %.*s is given twice",
                                 (int)(key.len < 100 ? key.len : 100), (const char *)key.at);
    }
    return true;
}

/* RFC 3339 with an offset, as Rust's chrono writes it. False for years of five digits. */
static bool format_time(char out[32], int64_t seconds)
{
    time_t when = (time_t)seconds;
    struct tm tm;
    return gmtime_r(&when, &tm) != NULL && tm.tm_year + 1900 <= 9999 &&
           strftime(out, 32, "%Y-%m-%dT%H:%M:%S+00:00", &tm) > 0;
}

bool eif_metadata_put(struct buffer *out, const struct eif_metadata *metadata, struct error *err)
{
    char when[32];
    if (!check_pairs(metadata, err))
        return false;
    if (!format_time(when, metadata->build_time_s))
        return error_set(err, ERROR_USAGE, "the build time is after the year 9999");
    struct json_writer w = json_writer(out);
    json_object(&w, NULL);
    json_text(&w, "ImageName", metadata->name);
    json_text(&w, "ImageVersion", metadata->version);
    json_object(&w, "BuildMetadata");
    json_text(&w, "BuildTime", when);
    json_text(&w, "BuildTool", "enclavectl");
    json_text(&w, "BuildToolVersion", ENCLAVED_VERSION);
    json_text(&w, "OperatingSystem", "Linux");
    json_text(&w, "KernelVersion", metadata->kernel_version);
    json_end(&w);
    json_object(&w, "DockerInfo"); /* there is no container */
    json_end(&w);
    json_object(&w, "CustomMetadata");
    for (size_t i = 0; i < metadata->pair_count; i++) {
        struct text_pair pair;
        if (text_pair(&pair, metadata->pairs[i])) /* it was checked */
            json_text_named(&w, pair.name, pair.value);
    }
    if (metadata->kernel_source.len > 0)
        json_verbatim(&w, KERNEL_SOURCE, metadata->kernel_source);
    json_end(&w);
    json_end(&w);
    return !out->failed ||
           error_set(err, ERROR_USAGE, "the metadata is longer than %u bytes", EIF_METADATA_MAX);
}

static const struct {
    const char *parent; /* NULL: the document itself */
    const char *name;
    bool is_text; /* otherwise of any type */
} members[] = {
    {NULL, "ImageName", true},
    {NULL, "ImageVersion", true},
    {NULL, "BuildMetadata", false},
    {"BuildMetadata", "BuildTime", true},
    {"BuildMetadata", "BuildTool", true},
    {"BuildMetadata", "BuildToolVersion", true},
    {"BuildMetadata", "OperatingSystem", true},
    {"BuildMetadata", "KernelVersion", true},
    {NULL, "DockerInfo", false},
    {NULL, "CustomMetadata", false},
};

bool eif_metadata_parse(struct json *doc, struct bytes text, struct error *err)
{
    struct error why = {0};
    doc->value_limit = EIF_METADATA_VALUES;
    if (!json_parse(doc, text, &why))
        return error_set(err, ERROR_FORMAT, "metadata: %s (%.200s)", json_failure_text(why.code),
                         why.cause);
    if (json_type(doc, 0) != JSON_OBJECT)
        return error_set(err, ERROR_FORMAT, "metadata: not a JSON object");
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json_value in = members[i].parent == NULL ? 0 : json_member(doc, 0, members[i].parent);
        json_value v = json_member(doc, in, members[i].name);
        const char *of = members[i].parent == NULL ? "" : "BuildMetadata.";
        if (v == JSON_NONE)
            return error_set(err, ERROR_FORMAT, "metadata: %s%s is missing", of, members[i].name);
        if (members[i].is_text && json_type(doc, v) != JSON_STRING)
            return error_set(err, ERROR_FORMAT, "metadata: %s%s is not a string", of,
                             members[i].name);
    }
    return true;
}
