/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl policy render: from images to the policy of the KMS key that they may use. */
#include <stdio.h>

#include "formats/json_print.h"
#include "host/context.h"
#include "host/keypolicy/policy_write.h"
#include "host/policy/policy_names.h"
#include "host/policy/policy_verbs.h"
#include "host/report.h"
#include "system/file.h"

#define BIT(n) (UINT32_C(1) << (n))

struct render {
    struct common common;
    struct policy_names names;
    const char *role; /* as given */
    const char *instance_role;
    const char *provisioner;
    const char *output;
    bool pcr3;
    bool allow_debug;
    uint32_t selected; /* registers of the image besides PCR0 */
    struct policy_image images[POLICY_IMAGES_MAX];
    bool is_image[POLICY_IMAGES_MAX]; /* an EIF, not measurements */
    size_t image_count;
    const char *instances[POLICY_INSTANCES_MAX];
    size_t instance_count;
    const char *context[CONTEXT_PAIRS_MAX];
    size_t context_count;
    /* settled */
    char role_arn[POLICY_ARN_SIZE];
    char provisioner_arn[POLICY_ARN_SIZE];
    uint8_t pcr3_value[PCR_SIZE];
    uint8_t pcr4_values[POLICY_INSTANCES_MAX][PCR_SIZE];
};

static const struct option_spec options[] = {
    {"image", "FILE", "an enclave image (EIF) that may decrypt; repeatable"},
    {"measurements", "FILE", "the same by nitro-cli's JSON (PCR0, …); repeatable"},
    {"account", "ID", "the key's account, twelve digits (default: of the role's ARN)"},
    {"role", "NAME|ARN", "whose credentials the enclave gets"},
    {"partition", "NAME", "aws, aws-cn, aws-us-gov, … (default: of the role's ARN, else aws)"},
    {"pcr1", NULL, "bind to kernel and first ramdisk (PCR1), too"},
    {"pcr2", NULL, "bind to the application's ramdisks (PCR2), too"},
    {"pcr3", NULL, "bind to the parent instance's IAM role (PCR3), which is --role"},
    {"instance-role", "NAME|ARN", "the same where the instance has another role"},
    {"pcr4", "INSTANCE-ID", "bind to this parent instance (PCR4); repeatable: any of them"},
    {"pcr8", NULL, "bind to the certificate that signed the image (PCR8), too"},
    {"encryption-context", "K=V", "a pair that every use must name; repeatable"},
    {"provisioner", "NAME|ARN", "who may make wrapped keys without seeing them"},
    {"allow-debug", NULL, "take registers that are zero: any enclave in debug mode"},
    {"output", "FILE", "write there, in one step, instead of to standard output"},
    OPTION_JSON,
    OPTION_HELP,
};

static const struct command_help help = {
    .name = "policy render",
    .synopsis =
        "--image FILE... --role NAME|ARN [--account ID] [--pcr1] [--pcr2] [--pcr3] [--pcr8]",
    .about =
        "Prints the policy of the KMS key that wraps the session key: the account may administer\n"
        "the key but not use it, and the role may decrypt with it from an enclave whose PCR0 is\n"
        "that of an image given, and no other way. PCR0 covers all that runs in the image; the\n"
        "switches bind further. Several images: any of them, each with its own registers, as a\n"
        "rolling update needs.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples =
        "  enclavectl policy render --image build/enclaved.eif --account 111122223333 \\\n"
        "      --role enclave --encryption-context purpose=tsk --output policy.json\n"
        "  aws kms put-key-policy --key-id KEY --policy-name default --policy file://policy.json\n"
        "  enclavectl policy render --image old.eif --image new.eif --pcr8 --pcr3 \\\n"
        "      --role arn:aws:iam::111122223333:role/enclave\n",
};

static bool add_image(struct render *r, const char *path, bool is_image, struct error *err)
{
    if (r->image_count == POLICY_IMAGES_MAX)
        return error_set(err, ERROR_USAGE, "at most %d images", POLICY_IMAGES_MAX);
    r->images[r->image_count].path = path;
    r->is_image[r->image_count++] = is_image;
    return true;
}

static bool add_instance(struct render *r, const char *id, struct error *err)
{
    if (!policy_instance_check(id, err))
        return false;
    for (size_t i = 0; i < r->instance_count; i++)
        if (strcmp(r->instances[i], id) == 0)
            return error_set(err, ERROR_USAGE, "--pcr4 %s is given twice", id);
    if (r->instance_count == POLICY_INSTANCES_MAX)
        return error_set(err, ERROR_USAGE, "at most %d instances", POLICY_INSTANCES_MAX);
    r->instances[r->instance_count++] = id;
    return true;
}

static bool add_context(struct render *r, const char *pair, struct error *err)
{
    if (!policy_context_check(pair, err))
        return false;
    size_t len = strcspn(pair, "=") + 1;
    for (size_t i = 0; i < r->context_count; i++) /* IAM's condition keys know no case */
        if (strncasecmp(r->context[i], pair, len) == 0)
            return error_set(err, ERROR_USAGE, "--encryption-context %.60s is given twice",
                             r->context[i]);
    if (r->context_count == CONTEXT_PAIRS_MAX)
        return error_set(err, ERROR_USAGE, "at most %d pairs of encryption context",
                         CONTEXT_PAIRS_MAX);
    r->context[r->context_count++] = pair;
    return true;
}

static bool take_flag(struct render *r, const char *name)
{
    if (strcmp(name, "pcr1") == 0)
        r->selected |= BIT(1);
    else if (strcmp(name, "pcr2") == 0)
        r->selected |= BIT(2);
    else if (strcmp(name, "pcr8") == 0)
        r->selected |= BIT(8);
    else if (strcmp(name, "pcr3") == 0)
        r->pcr3 = true;
    else if (strcmp(name, "allow-debug") == 0)
        r->allow_debug = true;
    else
        return false;
    return true;
}

static bool take(void *context, const char *name, const char *value, struct error *err)
{
    struct render *r = context;
    if (name == NULL)
        return error_set(err, ERROR_USAGE, "unexpected argument %.60s", value);
    if (take_flag(r, name))
        return true;
    if (strcmp(name, "image") == 0 || strcmp(name, "measurements") == 0)
        return add_image(r, value, strcmp(name, "image") == 0, err);
    if (strcmp(name, "account") == 0)
        return policy_names_account(&r->names, value, err);
    if (strcmp(name, "partition") == 0)
        return policy_names_partition(&r->names, value, err);
    if (strcmp(name, "pcr4") == 0)
        return add_instance(r, value, err);
    if (strcmp(name, "encryption-context") == 0)
        return add_context(r, value, err);
    const char **place = strcmp(name, "role") == 0            ? &r->role
                         : strcmp(name, "instance-role") == 0 ? &r->instance_role
                         : strcmp(name, "provisioner") == 0   ? &r->provisioner
                                                              : &r->output;
    if (*place != NULL)
        return error_set(err, ERROR_USAGE, "--%s is given twice", name);
    *place = value;
    return true;
}

/* A register that a condition will ask for must say something about the image. */
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
                         "which any enclave can have; give --allow-debug to take them",
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
        if (r->is_image[i] ? !registers_from_image(&image->registers, image->path, err)
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

/* The policy, on lines as far as these fit into what KMS takes. */
static bool lay_out(const struct policy_plan *plan, struct buffer *out, struct error *err)
{
    BUFFER_AUTO compact;
    buffer_init(&compact, (size_t)16 * POLICY_TEXT_MAX);
    policy_write(plan, &compact);
    buffer_byte(&compact, '\n');
    json_indented(out, buffer_bytes(&compact));
    if (compact.failed || compact.len > POLICY_TEXT_MAX)
        return error_set(err, ERROR_USAGE,
                         "the policy would have %zu bytes and KMS takes %d: give fewer images, "
                         "instances or switches",
                         compact.len, POLICY_TEXT_MAX);
    if (out->failed) {
        buffer_reset(out);
        buffer_append(out, buffer_bytes(&compact));
    }
    struct error why = {0};
    struct policy *policy =
        policy_new(buffer_bytes(out), &why); /* what is refused is not printed */
    if (policy == NULL)
        return error_set(err, ERROR_INTERNAL, "the policy is not valid: %.300s", why.cause);
    policy_free(policy);
    return true;
}

/* Whose key, whose enclave, and on which parents. */
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

/* What is allowed but may surprise. */
static void warn(const struct render *r)
{
    const char *account = strstr(r->role_arn, "::");
    if (account == NULL || strncmp(account + 2, r->names.account, POLICY_ACCOUNT_SIZE - 1) != 0)
        report_note("note: the role is of another account than the key: its own IAM policy must "
                    "allow kms:Decrypt, too");
    for (size_t i = 0; i < r->image_count; i++)
        if (registers_is_zero(&r->images[i].registers, 0))
            report_note("warning: this policy lets any enclave in debug mode decrypt, whatever "
                        "runs in it: for development only");
}

int policy_render(int argc, char **argv)
{
    static struct render r; /* large, and there is one */
    struct error err = {0};
    int ended = options_parse(&help, argc, argv, &r.common, take, &r);
    if (ended != OPTIONS_GO_ON)
        return ended;
    if (r.image_count == 0 || r.role == NULL) {
        error_set(&err, ERROR_USAGE, "%s",
                  r.image_count == 0 ? "no image: give --image or --measurements"
                                     : "nobody may decrypt: give --role");
        return report_failure_with(&r.common, &err, "see enclavectl policy render --help");
    }
    BUFFER_AUTO out;
    buffer_init(&out, POLICY_TEXT_MAX); /* the end of the line counts: file:// sends it, too */
    if (!render(&r, &out, &err))
        return report_file_failure(&r.common, &err, NULL);
    warn(&r);
    if (r.output == NULL)
        return report_print(&r.common, buffer_bytes(&out));
    return file_replace(r.output, buffer_bytes(&out), 0644, &err)
               ? EXIT_OK
               : report_file_failure(&r.common, &err, NULL);
}
