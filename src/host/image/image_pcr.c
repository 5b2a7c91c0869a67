/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl image pcr. */
#include "base/hex.h"
#include "formats/json_print.h"
#include "host/image/image.h"
#include "host/image/image_common.h"
#include "image/eif_build.h"
#include "image/registers.h"
#include "system/file.h"

#define REGISTERS_MAX 7 /* PCR0 to PCR4, PCR8, and one of a file */

static const struct option_spec options[] = {
    {"kernel", "FILE", "with --ramdisk: PCR0, PCR1 and PCR2 of these parts"},
    {"cmdline", "TEXT", "the kernel's command line (default: nitro-cli's)"},
    {"ramdisk", "FILE", "a ramdisk as it stands in the image; repeatable, in order"},
    {"role-arn", "ARN", "PCR3 of the parent instance's IAM role"},
    {"instance-id", "ID", "PCR4 of the parent instance"},
    {"certificate", "FILE", "PCR8 of a signing certificate in PEM"},
    {"file", "FILE", "a register that is extended once by this file's digest"},
    OPTION_JSON,
    OPTION_HELP,
};

static const struct command_help help = {
    .name = "image pcr",
    .synopsis = "[--kernel FILE --ramdisk FILE...] [--role-arn ARN] [--certificate FILE] ...",
    .about = "Computes registers from their parts, without building an image.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "  enclavectl image pcr --role-arn arn:aws:iam::123456789012:role/enclave\n"
                "  enclavectl image pcr --certificate cert.pem --json\n"
                "  enclavectl image pcr --kernel bzImage --ramdisk boot.gz --ramdisk app.gz\n",
};

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

static bool take(void *context, const char *name, const char *value, struct error *err)
{
    struct pcr *p = context;
    const struct {
        const char *name;
        const char **at;
    } single[] = {
        {"kernel", &p->kernel},        {"cmdline", &p->cmdline},         {"role-arn", &p->role},
        {"instance-id", &p->instance}, {"certificate", &p->certificate}, {"file", &p->file},
    };
    if (name == NULL)
        return error_set(err, ERROR_USAGE, "unexpected argument %.60s", value);
    if (strcmp(name, "ramdisk") == 0) {
        if (p->ramdisk_count == ARRAY_LEN(p->ramdisks))
            return error_set(err, ERROR_USAGE, "at most %d ramdisks", EIF_SECTIONS_MAX);
        p->ramdisks[p->ramdisk_count++] = value;
    }
    for (size_t i = 0; i < ARRAY_LEN(single); i++)
        if (strcmp(name, single[i].name) == 0)
            *single[i].at = value;
    return true;
}

/* Where the next register goes. */
static uint8_t *next(struct pcr *p, const char *name)
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
    struct register_parts parts = {.kernel = p->kernel,
                                   .cmdline = bytes_text(cmdline),
                                   .ramdisks = p->ramdisks,
                                   .ramdisk_count = p->ramdisk_count};
    uint8_t *pcr0 = next(p, "PCR0"), *pcr1 = next(p, "PCR1"), *pcr2 = next(p, "PCR2");
    return registers_of_parts(pcr0, pcr1, pcr2, &parts, err);
}

static bool find_text(struct pcr *p, const char *name, const char *text, struct error *err)
{
    return register_of_text(next(p, name), bytes_text(text)) ||
           error_set(err, ERROR_CRYPTO, "SHA-384 failed");
}

/* A session's ARN, which tools print, is not the role's. */
static bool find_role(struct pcr *p, struct error *err)
{
    if (p->role == NULL)
        return true;
    if (strstr(p->role, ":assumed-role/") != NULL)
        return error_set(err, ERROR_USAGE,
                         "%.200s is the ARN of a session; PCR3 is made from its role's, "
                         "arn:aws:iam::ACCOUNT:role/NAME",
                         p->role);
    if (strncmp(p->role, "arn:", 4) != 0 || strstr(p->role, ":role/") == NULL)
        return error_set(err, ERROR_USAGE,
                         "--role-arn is the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME");
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
    return register_of_certificate(next(p, "PCR8"), buffer_bytes(&pem), &why) ||
           error_set(err, ERROR_CERTIFICATE, "%.200s: %s", p->certificate, why.cause);
}

static bool find_all(struct pcr *p, struct error *err)
{
    if (!find_parts(p, err) || !find_role(p, err) || !find_instance(p, err) ||
        !find_certificate(p, err))
        return false;
    if (p->file != NULL && !register_of_file(next(p, "PCR"), p->file, err))
        return false;
    return p->count > 0 ||
           error_set(err, ERROR_USAGE, "which register? see enclavectl image pcr --help");
}

/* JSON in the shape of nitro-cli pcr, else a line for each. */
static int tell(const struct pcr *p)
{
    BUFFER_AUTO out;
    buffer_init(&out, IMAGE_TEXT_MAX);
    struct json_writer w = json_writer(&out);
    if (p->common.json)
        json_object(&w, NULL);
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

int image_pcr(int argc, char **argv)
{
    struct pcr pcr = {0};
    struct error err = {0};
    int ended = options_parse(&help, argc, argv, &pcr.common, take, &pcr);
    if (ended != OPTIONS_GO_ON)
        return ended;
    return find_all(&pcr, &err) ? tell(&pcr) : report_file_failure(&pcr.common, &err, NULL);
}
