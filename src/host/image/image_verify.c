/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl image verify. */
#include "codec/json_writer.h"
#include "host/image/image.h"
#include "host/image/image_common.h"
#include "image/eif_file.h"

#define PROBLEMS_MAX 1000 /* shown; nobody reads more */

struct verify {
    struct common common;
    const char *path, *at;
    int64_t at_s; /* since 1970 */
    struct buffer out;
    struct json_writer w;
    size_t shown;
};

static const struct cli_option options[] = {
    CLI_TEXT("at", "DATE", struct verify, at, IMAGE_AT_HELP),
    OPTION_JSON(struct verify),
};
static const struct cli_option operand =
    CLI_TEXT(NULL, "FILE", struct verify, path, "the image", .needed = true);

static void report(void *context, const char *text)
{
    struct verify *v = context;
    if (v->shown++ >= PROBLEMS_MAX)
        return;
    if (v->common.json) {
        json_text(&v->w, NULL, text);
        return;
    }
    append_escaped(&v->out, bytes_text(text));
    buffer_byte(&v->out, '\n');
}

static void show_dates(struct verify *v, const struct eif_verdict *verdict)
{
    char from[IMAGE_DATE_SIZE], until[IMAGE_DATE_SIZE];
    if (!verdict->has_dates || !image_date(from, verdict->not_before_s) ||
        !image_date(until, verdict->not_after_s))
        return;
    if (!v->common.json) {
        buffer_printf(&v->out, "signing certificate: valid from %s until %s\n", from, until);
        return;
    }
    json_object(&v->w, "signing_certificate");
    json_text(&v->w, "not_before", from);
    json_text(&v->w, "not_after", until);
    json_end(&v->w);
}

static int show(struct verify *v, const struct eif_verdict *verdict)
{
    size_t count = verdict->count;
    if (v->common.json)
        json_end(&v->w); /* of the problems */
    show_dates(v, verdict);
    if (v->common.json) {
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

static bool check(void *given, struct error *err)
{
    struct verify *v = given;
    return image_read_date(v->at, &v->at_s, err);
}

static int run(void *given)
{
    struct verify *v = given;
    struct error err = {0};
    struct eif_verdict verdict;
    buffer_init(&v->out, IMAGE_TEXT_MAX);
    v->w = json_writer(&v->out);
    if (v->common.json) {
        json_object(&v->w, NULL);
        json_array(&v->w, "problems");
    }
    bool read = eif_verify(v->path, v->at_s, report, v, &verdict, &err);
    int ended = read ? show(v, &verdict) : report_file_failure(&v->common, &err, NULL);
    buffer_clear(&v->out);
    return ended;
}

const struct cli_command image_verify = {
    .name = "verify",
    .summary = "check an image strictly, and name all that is wrong",
    .synopsis = "FILE [--at DATE]",
    .about =
        "Checks an image strictly and names everything that is not as the format has it: CRC,\n"
        "offsets, sizes, gaps, overlaps, order, unknown, missing and repeated sections, trailing\n"
        "bytes, reserved fields, command line, metadata, a signature that does not verify or is\n"
        "over another PCR0, and a signing certificate that has expired or is not valid yet.\n"
        "Ends with 1 if anything is wrong.",
    .examples = "  enclavectl image verify enclaved.eif\n"
                "  enclavectl image verify enclaved.eif --json\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .operand = &operand,
    .size = sizeof(struct verify),
    .check = check,
    .run = run,
};
