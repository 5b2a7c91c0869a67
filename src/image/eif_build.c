/* SPDX-License-Identifier: Apache-2.0 */
#include "image/eif_build.h"

#include <stdio.h>

#include "image/eif_cmdline.h"
#include "image/eif_writer.h"
#include "image/ramdisk.h"

#define MODULE_NAME_MAX 100

static bool put_kernel(struct eif_writer *writer, const struct eif_plan *plan, struct error *err)
{
    struct input input;
    struct kernel kernel;
    if (!input_open(&input, plan->kernel, plan->stop_fd, err))
        return false;
    bool good = kernel_identify(&kernel, &input, err);
    if (good && kernel.machine != plan->machine)
        good = error_set(err, ERROR_USAGE, "%.200s is a kernel for %s, not for %s", plan->kernel,
                         machine_name(kernel.machine), machine_name(plan->machine));
    good = good && eif_writer_begin(writer, EIF_KERNEL, err) &&
           input_stream(&input, output_write, &writer->output, err) && eif_writer_end(writer, err);
    input_close(&input);
    return good;
}

static bool put_ramdisk(struct eif_writer *writer, struct ramdisk_entry *entries, size_t count,
                        int stop_fd, struct error *err)
{
    return eif_writer_begin(writer, EIF_RAMDISK, err) &&
           ramdisk_write(entries, count, stop_fd, output_write, &writer->output, err) &&
           eif_writer_end(writer, err);
}

/* modules/NN-name.ko: the init loads the files of that folder in the order of their names. */
static bool name_module(char out[MODULE_NAME_MAX], const char *path, size_t i, struct error *err)
{
    static const char *const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789_-.";
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    size_t len = strlen(base);
    if (len < 4 || len > 64 || strcmp(base + len - 3, ".ko") != 0 || strspn(base, allowed) != len)
        return error_set(err, ERROR_USAGE,
                         "%.200s cannot be the name of a module: want NAME.ko of letters, digits, "
                         "'_', '-' and '.', and an uncompressed file (unxz, unzstd)",
                         path);
    snprintf(out, MODULE_NAME_MAX, "modules/%02zu-%s", i + 1, base);
    return true;
}

/* is_closed: the image has no other ramdisk, so nothing could hold a dynamic loader. */
static bool check_elf(const char *path, enum machine machine, bool module, bool is_closed,
                      struct error *err)
{
    struct input input;
    bool interpreted = false;
    if (!input_open(&input, path, -1, err))
        return false;
    bool good = module ? elf_is_module(&input, machine, err)
                       : elf_is_program(&input, machine, &interpreted, err);
    input_close(&input);
    if (good && interpreted && is_closed)
        return error_set(err, ERROR_FORMAT,
                         "%.200s is linked dynamically, and the image has no libraries: link it "
                         "statically, or add them with --ramdisk",
                         path);
    return good;
}

/* The program and what it needs to start; PCR1 measures it with kernel and command line. */
static bool put_boot(struct eif_writer *writer, const struct eif_plan *plan, struct error *err)
{
    static const struct ramdisk_entry fixed[] = {
        {.kind = RAMDISK_FOLDER, .name = "dev", .mode = 0755},
        /* The kernel opens this console for the init before anything is mounted. */
        {.kind = RAMDISK_DEVICE, .name = "dev/console", .mode = 0600, .major = 5, .minor = 1},
        {.kind = RAMDISK_FOLDER, .name = "modules", .mode = 0755},
        {.kind = RAMDISK_FOLDER, .name = "proc", .mode = 0555},
        {.kind = RAMDISK_FOLDER, .name = "run", .mode = 0755},
        {.kind = RAMDISK_FOLDER, .name = "sys", .mode = 0555},
        {.kind = RAMDISK_FOLDER, .name = "tmp", .mode = 01777},
    };
    struct ramdisk_entry entries[ARRAY_LEN(fixed) + 1 + EIF_MODULES_MAX];
    char names[EIF_MODULES_MAX][MODULE_NAME_MAX];
    size_t count = ARRAY_LEN(fixed);
    memcpy(entries, fixed, sizeof fixed);
    if (!check_elf(plan->init, plan->machine, false, plan->ramdisk_count == 0, err))
        return false;
    entries[count++] = (struct ramdisk_entry){
        .kind = RAMDISK_FILE, .name = "init", .mode = 0755, .path = plan->init};
    for (size_t i = 0; i < plan->module_count; i++) {
        if (!name_module(names[i], plan->modules[i], i, err) ||
            !check_elf(plan->modules[i], plan->machine, true, true, err))
            return false;
        entries[count++] = (struct ramdisk_entry){
            .kind = RAMDISK_FILE, .name = names[i], .mode = 0644, .path = plan->modules[i]};
    }
    return put_ramdisk(writer, entries, count, plan->stop_fd, err);
}

/* What the program must trust; PCR2 measures it. */
static bool put_application(struct eif_writer *writer, const struct eif_plan *plan,
                            struct error *err)
{
    struct ramdisk_entry entries[] = {
        {.kind = RAMDISK_FOLDER, .name = "etc", .mode = 0755},
        {.kind = RAMDISK_FOLDER, .name = "etc/enclaved", .mode = 0755},
        {.kind = RAMDISK_BYTES, .name = &EIF_PATH_CONFIG[1], .mode = 0644, .content = plan->config},
        {.kind = RAMDISK_BYTES, .name = &EIF_PATH_ROOTS[1], .mode = 0644, .content = plan->roots},
        {.kind = RAMDISK_BYTES,
         .name = &EIF_PATH_WRAPPED[1],
         .mode = 0644,
         .content = plan->wrapped_tsk},
    };
    size_t count = ARRAY_LEN(entries) - (plan->wrapped_tsk.len == 0 ? 1 : 0);
    return put_ramdisk(writer, entries, count, plan->stop_fd, err);
}

/* Loaders concatenate the ramdisks; the kernel finds an uncompressed one only at a multiple of four
 * bytes (Linux, init/initramfs.c). at: the bytes before it. */
static bool check_alignment(const struct input *input, uint64_t at, struct error *err)
{
    uint8_t head[5];
    size_t got;
    if (!input_peek(input, 0, head, sizeof head, &got, err))
        return false;
    if (at % 4 == 0 || got < sizeof head || memcmp(head, "07070", sizeof head) != 0)
        return true;
    return error_set(err, ERROR_USAGE,
                     "%.200s is not compressed, and the ramdisks before it do not end at a "
                     "multiple of four bytes: the kernel would not find it; compress it with gzip",
                     input->path);
}

/* The ramdisks of the caller. */
static bool put_others(struct eif_writer *writer, const struct eif_plan *plan, struct error *err)
{
    uint64_t at = 0; /* our own two are padded */
    for (size_t i = 0; i < plan->ramdisk_count; i++) {
        struct input input;
        if (!input_open(&input, plan->ramdisks[i], plan->stop_fd, err))
            return false;
        bool good =
            check_alignment(&input, at, err) && eif_writer_begin(writer, EIF_RAMDISK, err) &&
            input_stream(&input, output_write, &writer->output, err) && eif_writer_end(writer, err);
        at += input.size;
        input_close(&input);
        if (!good)
            return false;
    }
    return true;
}

static bool put_ramdisks(struct eif_writer *writer, const struct eif_plan *plan, struct error *err)
{
    return put_boot(writer, plan, err) && put_application(writer, plan, err) &&
           put_others(writer, plan, err);
}

/* Measures the file that was written, so that the result is true whatever was meant. */
static bool measure(const struct eif_writer *writer, struct eif_measurements *out,
                    struct error *err)
{
    struct eif_file file;
    bool good = eif_file_open(&file, writer->output.next, err) && eif_file_measure(&file, out, err);
    eif_file_close(&file);
    return good;
}

bool eif_build(const struct eif_plan *plan, struct eif_measurements *out, struct error *err)
{
    struct eif_writer writer;
    uint16_t flags = plan->machine == MACHINE_AARCH64 ? EIF_FLAG_ARM64 : 0;
    if (!eif_cmdline_check(plan->cmdline, ERROR_USAGE, err))
        return false;
    bool good = eif_writer_open(&writer, plan->output, flags, err) &&
                put_kernel(&writer, plan, err) &&
                eif_writer_section(&writer, EIF_CMDLINE, plan->cmdline, err) &&
                eif_writer_section(&writer, EIF_METADATA, plan->metadata, err) &&
                put_ramdisks(&writer, plan, err) && eif_writer_finish(&writer, err) &&
                measure(&writer, out, err) && output_commit(&writer.output, err);
    eif_writer_discard(&writer);
    return good;
}
