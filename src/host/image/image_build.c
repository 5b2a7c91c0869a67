/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl image build. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "codec/json_writer.h"
#include "host/image/image.h"
#include "host/image/image_common.h"
#include "host/image/image_settings.h"
#include "image/eif_build.h"
#include "image/eif_metadata.h"
#include "system/file.h"

struct build {
    struct common common;
    struct eif_plan plan;
    struct image_settings settings;
    const char *cmdline, *lock, *measurements;
    struct eif_metadata metadata;
    const char *modules[EIF_MODULES_MAX];
    const char *ramdisks[EIF_RAMDISKS_MAX];
    const char *pairs[EIF_METADATA_PAIRS];
    char init[PATH_MAX];
    struct buffer lock_text, metadata_text;
};

static const struct cli_option options[] = {
    CLI_TEXT("kernel", "FILE", struct build, plan.kernel,
             "the kernel: a bzImage (x86_64) or an Image (aarch64)", .needed = true),
    CLI_TEXT("config", "FILE", struct build, settings.config,
             "enclaved's configuration, in the image " EIF_PATH_CONFIG, .needed = true),
    CLI_TEXT("roots", "FILE", struct build, settings.roots,
             "the CA roots in PEM, in the image " EIF_PATH_ROOTS, .needed = true),
    CLI_TEXT("output", "FILE", struct build, plan.output, "the image; - is standard output",
             .needed = true),
    CLI_TEXT("cmdline", "TEXT", struct build, cmdline,
             "the kernel's command line (default: nitro-cli's)"),
    CLI_TEXT("enclaved", "FILE", struct build, plan.init,
             "what becomes /init (default: enclaved-init beside enclavectl)"),
    CLI_TEXT("wrapped-tsk-file", "FILE", struct build, settings.wrapped,
             "the wrapped TSK, as configure takes it; in the image " EIF_PATH_WRAPPED,
             .old = "wrapped-tsk"),
    CLI_TEXTS("module", "FILE", struct build, modules, plan.module_count,
              "a kernel module, uncompressed; repeatable, loaded in this order"),
    CLI_TEXTS("ramdisk", "FILE", struct build, ramdisks, plan.ramdisk_count,
              "a further ramdisk, taken as it is; repeatable"),
    CLI_CHOICE("arch", "ARCH", struct build, plan.machine, machine_names, MACHINE_X86_64,
               "x86_64 or aarch64 (default: the kernel's)"),
    CLI_TEXT("image-name", "TEXT", struct build, metadata.name,
             "the image's name in its metadata (default: enclaved)", .old = "name"),
    CLI_TEXT("image-version", "TEXT", struct build, metadata.version,
             "the image's version in its metadata (default: enclaved's)", .old = "version"),
    CLI_TEXTS("metadata", "KEY=VALUE", struct build, pairs, metadata.pair_count,
              "a pair for its CustomMetadata; repeatable"),
    CLI_TEXT("kernel-lock", "FILE", struct build, lock,
             "JSON that says where the kernel comes from, for its metadata"),
    CLI_TEXT("write-measurements", "FILE", struct build, measurements,
             "write the measurements there as well", .old = "measurements"),
    OPTION_JSON(struct build),
};

/* enclaved-init in the folder of this program, else enclaved there. */
static bool default_init(struct build *b, struct error *err)
{
    static const char *const names[] = {"enclaved-init", "enclaved"};
    char folder[PATH_MAX];
    if (!file_program_folder(folder, sizeof folder, err))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        int n = snprintf(b->init, sizeof b->init, "%s/%s", folder, names[i]);
        if (n > 0 && n < (int)sizeof b->init && access(b->init, R_OK) == 0) {
            b->plan.init = b->init;
            return true;
        }
    }
    return error_set(err, ERROR_SYSTEM, "no enclaved-init in %.200s: give --enclaved FILE", folder);
}

static bool read_lock(struct build *b, struct error *err)
{
    struct json doc;
    struct error why = {0};
    if (b->lock == NULL)
        return true;
    if (!file_read(b->lock, &b->lock_text, err))
        return false;
    json_init(&doc, JSON_DEPTH);
    bool good = json_parse(&doc, buffer_bytes(&b->lock_text), &why);
    b->metadata.kernel_source = good ? json_raw(&doc, 0) : bytes_of(NULL, 0);
    json_clear(&doc);
    return good || error_set(err, ERROR_FORMAT, "%.200s: %s (%.200s)", b->lock,
                             json_failure_text(why.code), why.cause);
}

/* https://reproducible-builds.org/specs/source-date-epoch */
static bool read_epoch(int64_t *out, struct error *err)
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    *out = 0;
    if (text == NULL || text[0] == '\0')
        return true;
    return cli_integer("SOURCE_DATE_EPOCH", text, 0, INT64_C(253402300799), out, err);
}

/* Without --arch the machine is the kernel's; with it the build compares the two. */
static bool read_kernel(struct build *b, struct kernel *kernel, struct error *err)
{
    struct input input;
    if (!input_open(&input, b->plan.kernel, -1, err))
        return false;
    bool good = kernel_identify(kernel, &input, err);
    input_close(&input);
    if (good && b->plan.machine == MACHINE_UNKNOWN)
        b->plan.machine = kernel->machine;
    return good;
}

static bool read_all(struct build *b, struct kernel *kernel, struct error *err)
{
    return (b->plan.init != NULL || default_init(b, err)) && read_kernel(b, kernel, err) &&
           image_settings_read(&b->settings, b->plan.ramdisk_count > 0, err) && read_lock(b, err) &&
           read_epoch(&b->metadata.build_time_s, err);
}

/* Every file that is read. */
#define INPUTS_MAX (8 + EIF_MODULES_MAX + EIF_RAMDISKS_MAX)

static bool check_outputs(const struct build *b, struct error *err)
{
    const char *inputs[INPUTS_MAX] = {b->plan.kernel,    b->plan.init,        b->settings.config,
                                      b->settings.roots, b->settings.wrapped, b->lock};
    size_t count = 6;
    for (size_t i = 0; i < b->plan.module_count; i++)
        inputs[count++] = b->modules[i];
    for (size_t i = 0; i < b->plan.ramdisk_count; i++)
        inputs[count++] = b->ramdisks[i];
    if (!file_check_output(b->plan.output, inputs, count, err))
        return false;
    inputs[count++] = b->plan.output;
    return file_check_output(b->measurements, inputs, count, err);
}

static bool check(void *given, struct error *err)
{
    const struct build *b = given;
    return image_check_stream(&b->common, b->plan.output, b->measurements, err);
}

static bool prepare(struct build *b, struct kernel *kernel, struct error *err)
{
    if (!read_all(b, kernel, err) || !check_outputs(b, err))
        return false;
    b->metadata.kernel_version = kernel->version;
    b->metadata.pairs = b->pairs;
    if (!eif_metadata_put(&b->metadata_text, &b->metadata, err))
        return false;
    b->plan.cmdline =
        bytes_text(b->cmdline != NULL ? b->cmdline : machine_cmdline(b->plan.machine));
    b->plan.metadata = buffer_bytes(&b->metadata_text);
    b->plan.config = buffer_bytes(&b->settings.config_text);
    b->plan.roots = buffer_bytes(&b->settings.roots_text);
    b->plan.wrapped_tsk = buffer_bytes(&b->settings.wrapped_text);
    b->plan.modules = b->modules;
    b->plan.ramdisks = b->ramdisks;
    return true;
}

/* Prints the measurements and, if asked to, writes them to a file. */
static int show(const struct build *b, const struct eif_measurements *measurements)
{
    struct error err = {0};
    BUFFER_AUTO out;
    image_measurements(&out, measurements);
    bool is_stream = strcmp(b->plan.output, "-") == 0;
    bool is_printed = b->measurements != NULL && strcmp(b->measurements, "-") == 0;
    if (b->measurements != NULL && !is_printed &&
        !file_replace(b->measurements, buffer_bytes(&out), 0644, &err))
        return report_file_failure(&b->common, &err, NULL);
    return is_stream ? (int)EXIT_OK : image_print_measurements(&b->common, measurements);
}

static void init_buffers(struct build *b)
{
    image_settings_init(&b->settings);
    buffer_init(&b->lock_text, IMAGE_FILE_MAX / 2);
    buffer_init(&b->metadata_text, EIF_METADATA_MAX);
}

static void clear(struct build *b)
{
    image_settings_clear(&b->settings);
    buffer_clear(&b->lock_text);
    buffer_clear(&b->metadata_text);
}

static int run(void *given)
{
    struct build *build = given;
    struct kernel kernel = {0};
    struct eif_measurements measurements;
    struct error err = {0};
    init_buffers(build);
    bool good = prepare(build, &kernel, &err);
    build->plan.stop_fd = good ? image_hold_signals(&err) : -1;
    good = build->plan.stop_fd >= 0 && eif_build(&build->plan, &measurements, &err);
    int code = good ? show(build, &measurements) : report_file_failure(&build->common, &err, NULL);
    image_release_signals(build->plan.stop_fd);
    clear(build);
    return code;
}

static const struct build initial = {
    .metadata = {.name = "enclaved", .version = ENCLAVED_VERSION},
};

const struct cli_command image_build = {
    .name = "build",
    .summary = "make an image from kernel, enclaved and its configuration",
    .synopsis = "--kernel FILE --config FILE --roots FILE --output FILE [OPTION...]",
    .about =
        "Builds an enclave image (EIF, version 4) and prints its measurements as nitro-cli does.\n"
        "PCR1 covers kernel, command line, program and modules; PCR2 configuration and roots;\n"
        "PCR0 all of it. The same files give the same image, wherever and whenever; the build\n"
        "time in its metadata is SOURCE_DATE_EPOCH, else 1970. With --output - the image is "
        "printed\n"
        "and the measurements are not.",
    .examples = "  enclavectl image build --kernel build/bzImage --config enclaved.json \\\n"
                "      --roots roots.pem --output enclaved.eif --write-measurements pcrs.json\n"
                "  enclavectl image build --kernel blobs/bzImage --module blobs/nsm.ko \\\n"
                "      --config enclaved.json --roots roots.pem --output enclaved.eif\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .size = sizeof initial,
    .initial = &initial,
    .check = check,
    .run = run,
};
