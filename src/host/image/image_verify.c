/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl image verify. */
#include "codec/json_writer.h"
#include "host/image/image.h"
#include "host/image/image_common.h"
#include "image/eif_file.h"

#define PROBLEMS_MAX 1000 /* told; there are more places to be wrong in, but nobody reads them */

static const struct option_spec options[] = {OPTION_JSON, OPTION_HELP};

static const struct command_help help = {
    .name = "image verify",
    .synopsis = "FILE",
    .about =
        "Checks an image strictly and names everything that is not as the format has it: CRC,\n"
        "offsets, sizes, gaps, overlaps, order, unknown, missing and repeated sections, trailing\n"
        "bytes, reserved fields, metadata, and a signature that does not verify or is over\n"
        "another PCR0. Ends with 1 if anything is wrong.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "  enclavectl image verify enclaved.eif\n"
                "  enclavectl image verify enclaved.eif --json\n",
};

struct verify {
    struct common common;
    const char *path;
    struct buffer out;
    struct json_writer w;
    size_t told;
};

static bool take(void *context, const char *name, const char *value, struct error *err)
{
    struct verify *v = context;
    if (name != NULL || v->path != NULL)
        return error_set(err, ERROR_USAGE, "unexpected argument %.60s", value);
    v->path = value;
    return true;
}

static void report(void *context, const char *text)
{
    struct verify *v = context;
    if (v->told++ >= PROBLEMS_MAX)
        return;
    if (v->common.json) {
        json_text(&v->w, NULL, text);
        return;
    }
    append_escaped(&v->out, bytes_text(text));
    buffer_byte(&v->out, '\n');
}

static int tell(struct verify *v, size_t count)
{
    if (v->common.json) {
        json_end(&v->w);
        json_integer(&v->w, "count", (int64_t)count);
        json_text(&v->w, "status", count == 0 ? "success" : "error");
        json_end(&v->w);
        buffer_byte(&v->out, '\n');
    } else if (count == 0) {
        append_escaped(&v->out, bytes_text(v->path));
        buffer_text(&v->out, ": nothing is wrong\n");
    } else {
        append_escaped(&v->out, bytes_text(v->path));
        buffer_printf(&v->out, ": %zu %s wrong\n", count, count == 1 ? "thing is" : "things are");
    }
    int printed = report_print(&v->common, buffer_bytes(&v->out));
    return printed != EXIT_OK || count == 0 ? printed : (int)EXIT_REFUSED;
}

int image_verify(int argc, char **argv)
{
    struct verify v = {0};
    struct error err = {0};
    size_t count = 0;
    int ended = options_parse(&help, argc, argv, &v.common, take, &v);
    if (ended != OPTIONS_GO_ON)
        return ended;
    buffer_init(&v.out, IMAGE_TEXT_MAX);
    v.w = json_writer(&v.out);
    if (v.common.json) {
        json_object(&v.w, NULL);
        json_array(&v.w, "problems");
    }
    if (v.path == NULL)
        error_set(&err, ERROR_USAGE, "which FILE? see enclavectl image verify --help");
    bool read = v.path != NULL && eif_verify(v.path, report, &v, &count, &err);
    ended = read ? tell(&v, count) : report_file_failure(&v.common, &err, NULL);
    buffer_clear(&v.out);
    return ended;
}
