/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl policy render: the policy of the KMS key that images may use. */
#include <stdio.h>

#include "formats/json_print.h"
#include "host/context.h"
#include "host/keypolicy/policy_write.h"
#include "host/policy/policy_names.h"
#include "host/policy/policy_verbs.h"
#include "host/report.h"
#include "system/file.h"

#define BIT(n) (UINT32_C(1) << (n))

struct source {
    const char *path;
    bool is_image; /* an EIF, not measurements */
};

struct render {
    struct common common;
    struct policy_names names;
    const char *role; /* as given */
    const char *instance_role;
    const char *provisioner;
    const char *output;
    bool pcr1, pcr2, pcr3, pcr8;
    bool allow_debug;
    struct source sources[POLICY_IMAGES_MAX];
    size_t image_count;
    const char *instances[POLICY_INSTANCES_MAX];
    size_t instance_count;
    const char *context[CONTEXT_PAIRS_MAX];
    size_t context_count;
    /* settled */
    uint32_t selected; /* registers of the image besides PCR0 */
    struct policy_image images[POLICY_IMAGES_MAX];
    char role_arn[POLICY_ARN_SIZE];
    char provisioner_arn[POLICY_ARN_SIZE];
    uint8_t pcr3_value[PCR_SIZE];
    uint8_t pcr4_values[POLICY_INSTANCES_MAX][PCR_SIZE];
};

static bool take_image(void *place, const char *option, const char *text, struct error *err)
{
    struct source *source = place;
    (void)option;
    (void)err;
    *source = (struct source){.path = text, .is_image = true};
    return true;
}

static bool take_measurements(void *place, const char *option, const char *text, struct error *err)
{
    struct source *source = place;
    (void)option;
    (void)err;
    *source = (struct source){.path = text};
    return true;
}

static bool take_account(void *place, const char *option, const char *text, struct error *err)
{
    (void)option;
    return policy_names_account(place, text, err);
}

static bool take_partition(void *place, const char *option, const char *text, struct error *err)
{
    (void)option;
    return policy_names_partition(place, text, err);
}

static const struct cli_option options[] = {
    CLI_PARSED_LIST("image", "FILE", struct render, sources, image_count, take_image,
                    "an enclave image (EIF) that may decrypt; repeatable", .shared = true),
    CLI_PARSED_LIST("measurements", "FILE", struct render, sources, image_count, take_measurements,
                    "the same by nitro-cli's JSON (PCR0, ...); repeatable", .shared = true),
    CLI_PARSED("account", "ID", struct render, names, take_account,
               "the key's account, twelve digits (default: of the role's ARN)", .shared = true),
    CLI_TEXT("role", "NAME|ARN", struct render, role, "whose credentials the enclave gets",
             .needed = true, .once = true),
    CLI_PARSED("partition", "NAME", struct render, names, take_partition,
               "aws, aws-cn, aws-us-gov, ... (default: of the role's ARN, else aws)",
               .shared = true),
    CLI_FLAG("pcr1", struct render, pcr1, "bind to kernel and first ramdisk (PCR1) as well"),
    CLI_FLAG("pcr2", struct render, pcr2, "bind to the application's ramdisks (PCR2) as well"),
    CLI_FLAG("pcr3", struct render, pcr3,
             "bind to the parent instance's IAM role (PCR3), which is --role"),
    CLI_TEXT("instance-role", "NAME|ARN", struct render, instance_role,
             "the same where the instance has another role", .once = true),
    CLI_TEXTS("instance-id", "ID", struct render, instances, instance_count,
              "bind to this parent instance (PCR4); repeatable: any of them",
              .check = policy_instance_check, .old = "pcr4"),
    CLI_FLAG("pcr8", struct render, pcr8,
             "bind to the certificate that signed the image (PCR8) as well"),
    CLI_TEXTS("encryption-context", "NAME=VALUE", struct render, context, context_count,
              "a pair that every use must name; repeatable", .check = policy_context_check),
    CLI_TEXT("provisioner", "NAME|ARN", struct render, provisioner,
             "who may make wrapped keys without seeing them", .once = true),
    CLI_FLAG("allow-debug", struct render, allow_debug,
             "accept registers that are zero, as of any enclave in debug mode"),
    CLI_TEXT("output", "FILE", struct render, output,
             "write there, in one step, instead of to standard output", .once = true),
    OPTION_JSON(struct render),
};

static bool check_instances(const struct render *r, struct error *err)
{
    for (size_t i = 0; i < r->instance_count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(r->instances[i], r->instances[k]) == 0)
                return error_set(err, ERROR_USAGE, "--instance-id %s is given twice",
                                 r->instances[i]);
    return true;
}

static bool check_output(const struct render *r, struct error *err)
{
    for (size_t i = 0; i < r->image_count; i++)
        if (!file_check_output(r->output, &r->sources[i].path, 1, err))
            return false;
    return true;
}

static bool check(void *given, struct error *err)
{
    struct render *r = given;
    r->selected = (r->pcr1 ? BIT(1) : 0) | (r->pcr2 ? BIT(2) : 0) | (r->pcr8 ? BIT(8) : 0);
    if (r->image_count == 0)
        return error_set(err, ERROR_USAGE, "no image: give --image or --measurements");
    /* IAM's condition keys know no case */
    return check_output(r, err) && check_instances(r, err) &&
           context_check_names(r->context, r->context_count, strncasecmp, err);
}

/* A register that a condition compares must say something about the image. */
static bool check_register(const struct render *r, const struct policy_image *image, unsigned index,
                           struct error *err)
{
    if (index == 8 && (!registers_has(&image->registers, 8) ||
                       (registers_is_zero(&image->registers, 8) && !r->allow_debug)))
        return error_set(err, ERROR_USAGE,
                         "%.200s is not signed, so PCR8 says nothing: sign it, or leave --pcr8 out",
                         image->path);
    if (!registers_has(&image->registers, index))
        return error_set(err, ERROR_USAGE, "%.200s has no PCR%u", image->path, index);
    if (registers_is_zero(&image->registers, index) && !r->allow_debug)
        return error_set(err, ERROR_USAGE,
                         "PCR%u of %.200s is all zeros: these are the registers of debug mode, "
                         "which any enclave can have; give --allow-debug to accept them",
                         index, image->path);
    return true;
}

static bool same_registers(const struct render *r, const struct registers *a,
                           const struct registers *b)
{
    for (unsigned i = 0; i < PCR_COUNT; i++)
        if ((i == 0 || (r->selected & BIT(i)) != 0) &&
            memcmp(a->value[i], b->value[i], PCR_SIZE) != 0)
            return false;
    return true;
}

static bool read_images(struct render *r, struct error *err)
{
    for (size_t i = 0; i < r->image_count; i++) {
        struct policy_image *image = &r->images[i];
        image->path = r->sources[i].path;
        if (r->sources[i].is_image
                ? !registers_from_image(&image->registers, image->path, err)
                : !registers_from_measurements(&image->registers, image->path, err))
            return false;
        for (unsigned n = 0; n < PCR_COUNT; n++)
            if ((n == 0 || (r->selected & BIT(n)) != 0) && !check_register(r, image, n, err))
                return false;
        for (size_t k = 0; k < i; k++)
            if (same_registers(r, &r->images[k].registers, &image->registers))
                return error_set(err, ERROR_USAGE,
                                 "%.150s and %.150s are the same image: give each once",
                                 r->images[k].path, image->path);
    }
    return true;
}

/* Prints the policy indented, or in one line if it would be too long for KMS otherwise. */
static bool lay_out(const struct policy_plan *plan, struct buffer *out, struct error *err)
{
    BUFFER_AUTO compact;
    buffer_init(&compact, (size_t)16 * POLICY_TEXT_MAX);
    policy_write(plan, &compact);
    buffer_byte(&compact, '\n');
    json_indented(out, buffer_bytes(&compact));
    if (compact.failed || compact.len > POLICY_TEXT_MAX)
        return error_set(err, ERROR_USAGE,
                         "the policy would have %zu bytes, and KMS accepts %d: give fewer images, "
                         "instances or switches",
                         compact.len, POLICY_TEXT_MAX);
    if (out->failed) {
        buffer_reset(out);
        buffer_append(out, buffer_bytes(&compact));
    }
    struct error why = {0};
    struct policy *policy =
        policy_new(buffer_bytes(out), &why); /* a policy that is refused is not printed */
    if (policy == NULL)
        return error_set(err, ERROR_INTERNAL, "the policy is not valid: %.300s", why.cause);
    policy_free(policy);
    return true;
}

/* Determines the key's account, the enclave's role, and its parent's registers. */
static bool settle(struct render *r, struct error *err)
{
    const char *instance_role = r->instance_role != NULL ? r->instance_role : r->role;
    char parent_arn[POLICY_ARN_SIZE];
    struct registers parent = {0};
    if (!policy_names_arn(&r->names, "--role", r->role, POLICY_ROLE_ONLY, r->role_arn, err) ||
        (r->provisioner != NULL &&
         !policy_names_arn(&r->names, "--provisioner", r->provisioner, POLICY_ROLE_USER_OR_ROOT,
                           r->provisioner_arn, err)) ||
        !policy_names_arn(&r->names, "--instance-role", instance_role, POLICY_ROLE_ONLY, parent_arn,
                          err) ||
        !registers_set_text(&parent, 3, parent_arn, err))
        return false;
    memcpy(r->pcr3_value, parent.value[3], PCR_SIZE);
    for (size_t i = 0; i < r->instance_count; i++) {
        if (!registers_set_text(&parent, 4, r->instances[i], err))
            return false;
        memcpy(r->pcr4_values[i], parent.value[4], PCR_SIZE);
    }
    return true;
}

static bool render(struct render *r, struct buffer *out, struct error *err)
{
    static const char *const provisions[] = {"kms:GenerateDataKeyWithoutPlaintext", NULL};
    if (!settle(r, err) || !read_images(r, err))
        return false;
    const struct policy_plan plan = {
        .partition = r->names.partition,
        .account = r->names.account,
        .role_arn = r->role_arn,
        .provisioner_arn = r->provisioner != NULL ? r->provisioner_arn : NULL,
        .provisions = provisions,
        .images = r->images,
        .image_count = r->image_count,
        .selected = r->selected,
        .pcr3 = r->pcr3 || r->instance_role != NULL ? r->pcr3_value : NULL,
        .pcr4 = r->pcr4_values,
        .pcr4_count = r->instance_count,
        .context = r->context,
        .context_count = r->context_count,
    };
    return lay_out(&plan, out, err);
}

/* Notes what is allowed but may surprise. */
static void warn(const struct render *r)
{
    const char *account = strstr(r->role_arn, "::");
    if (account == NULL || strncmp(account + 2, r->names.account, POLICY_ACCOUNT_SIZE - 1) != 0)
        report_note(
            "note: the role belongs to a different account than the key: its own IAM policy "
            "must allow kms:Decrypt, too");
    for (size_t i = 0; i < r->image_count; i++)
        if (registers_is_zero(&r->images[i].registers, 0))
            report_note("warning: this policy lets every enclave in debug mode decrypt, whatever "
                        "it runs: use it for development only");
}

/* The answer of --json where the policy itself went to a file. */
static int report_written(const struct render *r)
{
    BUFFER_AUTO out;
    buffer_init(&out, POLICY_TEXT_MAX);
    struct json_writer w = json_writer(&out);
    json_object(&w, NULL);
    json_text(&w, "status", "success");
    json_text(&w, "output", r->output);
    json_end(&w);
    buffer_byte(&out, '\n');
    return report_print(&r->common, buffer_bytes(&out));
}

static int run(void *given)
{
    struct render *r = given;
    struct error err = {0};
    BUFFER_AUTO out;
    buffer_init(&out, POLICY_TEXT_MAX); /* the end of the line counts: file:// sends it, too */
    if (!render(r, &out, &err))
        return report_file_failure(&r->common, &err, NULL);
    warn(r);
    if (r->output == NULL)
        return report_print(&r->common, buffer_bytes(&out));
    if (!file_replace(r->output, buffer_bytes(&out), 0644, &err))
        return report_file_failure(&r->common, &err, NULL);
    return r->common.json ? report_written(r) : EXIT_OK;
}

const struct cli_command policy_render = {
    .name = "render",
    .summary = "the key policy that lets images decrypt, and nothing else",
    .synopsis = "--image FILE... --role NAME|ARN [--account ID] [OPTION...]",
    .about =
        "Prints the policy of the KMS key that wraps the session key: the account may administer\n"
        "the key but not use it, and the role may decrypt with it from an enclave whose PCR0 is\n"
        "that of an image given, and no other way. PCR0 covers all that runs in the image; the\n"
        "switches bind further. Several images: any of them, each with its own registers, as a\n"
        "rolling update needs.",
    .examples =
        "  enclavectl policy render --image build/enclaved.eif --account 111122223333 \\\n"
        "      --role enclave --encryption-context purpose=tsk --output policy.json\n"
        "  aws kms put-key-policy --key-id KEY --policy-name default --policy file://policy.json\n"
        "  enclavectl policy render --image old.eif --image new.eif --pcr8 --pcr3 \\\n"
        "      --role arn:aws:iam::111122223333:role/enclave\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .size = sizeof(struct render),
    .check = check,
    .run = run,
};
