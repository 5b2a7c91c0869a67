/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl image pcr. */
#include "base/hex.h"
#include "formats/arn.h"
#include "formats/json_print.h"
#include "host/image/image.h"
#include "host/image/image_common.h"
#include "image/eif_build.h"
#include "image/eif_cmdline.h"
#include "image/registers.h"
#include "system/file.h"

#define REGISTERS_MAX 7 /* PCR0 to PCR4, PCR8, and one of a file */

struct pcr {
    struct common common;
    const char *kernel, *cmdline, *role, *instance, *certificate, *file;
    const char *ramdisks[EIF_SECTIONS_MAX];
    size_t ramdisk_count;
    struct {
        const char *name;
        uint8_t value[SHA384_SIZE];
    } found[REGISTERS_MAX];
    size_t count;
};

static const struct cli_option options[] = {
    CLI_TEXT("kernel", "FILE", struct pcr, kernel,
             "with --ramdisk: PCR0, PCR1 and PCR2 of these parts"),
    CLI_TEXT("cmdline", "TEXT", struct pcr, cmdline,
             "the kernel's command line (default: nitro-cli's)"),
    CLI_TEXTS("ramdisk", "FILE", struct pcr, ramdisks, ramdisk_count,
              "a ramdisk as it stands in the image; repeatable, in order"),
    CLI_TEXT("instance-role", "ARN", struct pcr, role, "PCR3 of the parent instance's IAM role",
             .old = "role-arn"),
    CLI_TEXT("instance-id", "ID", struct pcr, instance, "PCR4 of the parent instance"),
    CLI_TEXT("certificate", "FILE", struct pcr, certificate,
             "PCR8 of a signing certificate in PEM"),
    CLI_TEXT("file", "FILE", struct pcr, file,
             "a register that is extended once by this file's digest"),
    OPTION_JSON(struct pcr),
};

/* Adds a register with this name; returns the place of its value. */
static uint8_t *next_register(struct pcr *p, const char *name)
{
    p->found[p->count].name = name;
    return p->found[p->count++].value;
}

static bool find_parts(struct pcr *p, struct error *err)
{
    struct input input;
    struct kernel kernel;
    if (p->kernel == NULL && p->ramdisk_count == 0 && p->cmdline == NULL)
        return true;
    if (p->kernel == NULL || p->ramdisk_count == 0)
        return error_set(err, ERROR_USAGE, "PCR0 to PCR2 need --kernel and at least one --ramdisk");
    if (!input_open(&input, p->kernel, -1, err))
        return false;
    bool good = kernel_identify(&kernel, &input, err);
    input_close(&input);
    if (!good)
        return false;
    const char *cmdline = p->cmdline != NULL ? p->cmdline : machine_cmdline(kernel.machine);
    if (!eif_cmdline_check(bytes_text(cmdline), ERROR_USAGE, err))
        return false;
    struct register_parts parts = {.kernel = p->kernel,
                                   .cmdline = bytes_text(cmdline),
                                   .ramdisks = p->ramdisks,
                                   .ramdisk_count = p->ramdisk_count};
    uint8_t *pcr0 = next_register(p, "PCR0"), *pcr1 = next_register(p, "PCR1"),
            *pcr2 = next_register(p, "PCR2");
    return registers_of_parts(pcr0, pcr1, pcr2, &parts, err);
}

static bool find_text(struct pcr *p, const char *name, const char *text, struct error *err)
{
    return register_of_text(next_register(p, name), bytes_text(text)) ||
           error_set(err, ERROR_CRYPTO, "SHA-384 failed");
}

/* Tools print the ARN of a session, which is not the ARN of its role. */
static bool find_role(struct pcr *p, struct error *err)
{
    if (p->role == NULL)
        return true;
    if (strstr(p->role, ":assumed-role/") != NULL)
        return error_set(err, ERROR_USAGE,
                         "%.200s is the ARN of a session; PCR3 is made from that of its role, "
                         "arn:aws:iam::ACCOUNT:role/NAME",
                         p->role);
    if (!arn_is_principal(bytes_text(p->role)) || strstr(p->role, ":role/") == NULL)
        return error_set(err, ERROR_USAGE,
                         "--instance-role is the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME");
    return find_text(p, "PCR3", p->role, err);
}

static bool find_instance(struct pcr *p, struct error *err)
{
    if (p->instance == NULL)
        return true;
    size_t digits =
        strncmp(p->instance, "i-", 2) == 0 ? strspn(p->instance + 2, "0123456789abcdef") : 0;
    if ((digits != 8 && digits != 17) || p->instance[2 + digits] != '\0')
        return error_set(err, ERROR_USAGE,
                         "--instance-id is i- and 17 (or 8) hex digits in lower case");
    return find_text(p, "PCR4", p->instance, err);
}

static bool find_certificate(struct pcr *p, struct error *err)
{
    struct error why = {0};
    BUFFER_AUTO pem;
    buffer_init(&pem, IMAGE_PEM_MAX);
    if (p->certificate == NULL)
        return true;
    if (!file_read(p->certificate, &pem, err))
        return false;
    return register_of_certificate(next_register(p, "PCR8"), buffer_bytes(&pem), &why) ||
           error_set(err, ERROR_CERTIFICATE, "%.200s: %s", p->certificate, why.cause);
}

static bool find_all(struct pcr *p, struct error *err)
{
    if (!find_parts(p, err) || !find_role(p, err) || !find_instance(p, err) ||
        !find_certificate(p, err))
        return false;
    if (p->file != NULL && !register_of_file(next_register(p, "PCR"), p->file, err))
        return false;
    return p->count > 0 ||
           error_set(err, ERROR_USAGE, "give a register; see enclavectl image pcr --help");
}

/* Prints JSON in the form of nitro-cli pcr, or one line for each register. */
static int show(const struct pcr *p)
{
    BUFFER_AUTO out;
    buffer_init(&out, IMAGE_TEXT_MAX);
    struct json_writer w = json_writer(&out);
    if (p->common.json) {
        json_object(&w, NULL);
        json_text(&w, "status", "success");
    }
    for (size_t i = 0; i < p->count; i++) {
        struct bytes value = bytes_of(p->found[i].value, SHA384_SIZE);
        char hex[2 * SHA384_SIZE + 1] = "";
        hex_encode(hex, value);
        if (p->common.json)
            json_hex(&w, p->found[i].name, value);
        else
            buffer_printf(&out, "%-4s %s\n", p->found[i].name, hex);
    }
    if (p->common.json) {
        json_end(&w);
        buffer_byte(&out, '\n');
    }
    return report_print(&p->common, buffer_bytes(&out));
}

static int run(void *given)
{
    struct pcr *pcr = given;
    struct error err = {0};
    return find_all(pcr, &err) ? show(pcr) : report_file_failure(&pcr->common, &err, NULL);
}

const struct cli_command image_pcr = {
    .name = "pcr",
    .summary = "compute a register from its parts",
    .synopsis = "[--kernel FILE --ramdisk FILE...] [OPTION...]",
    .about = "Computes registers from their parts, without building an image.",
    .examples = "  enclavectl image pcr --instance-role arn:aws:iam::123456789012:role/enclave\n"
                "  enclavectl image pcr --certificate cert.pem --json\n"
                "  enclavectl image pcr --kernel bzImage --ramdisk boot.gz --ramdisk app.gz\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .size = sizeof(struct pcr),
    .run = run,
};
