/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl policy check: how a key policy decides about an enclave, and why. */
#include <stdio.h>

#include "base/clock.h"
#include "formats/clock_parse.h"
#include "formats/text.h"
#include "host/context.h"
#include "host/policy/policy_evidence.h"
#include "host/policy/policy_explain.h"
#include "host/policy/policy_names.h"
#include "host/policy/policy_verbs.h"
#include "host/report.h"
#include "pki/attestation_verify.h"
#include "system/file.h"

/* When a document must be valid. */
struct moment {
    bool given;
    int64_t ms;
};

struct check {
    struct common common;
    const char *policy;
    struct evidence evidence;
    struct moment at;
    const char *instance_role;
    const char *instance;
    const char *principal;
    const char *action;
    const char *key;
    const char *context[CONTEXT_PAIRS_MAX];
    size_t context_count;
    struct policy_question question;
};

static bool take_evidence(struct evidence *evidence, enum evidence_kind kind, const char *path,
                          struct error *err)
{
    if (evidence->path != NULL)
        return error_set(err, ERROR_USAGE,
                         "give one of --document, --image and --measurements, once");
    evidence->kind = kind;
    evidence->path = path;
    return true;
}

static bool take_document(void *place, const char *option, const char *text, struct error *err)
{
    (void)option;
    return take_evidence(place, EVIDENCE_DOCUMENT, text, err);
}

static bool take_image(void *place, const char *option, const char *text, struct error *err)
{
    (void)option;
    return take_evidence(place, EVIDENCE_IMAGE, text, err);
}

static bool take_measurements(void *place, const char *option, const char *text, struct error *err)
{
    (void)option;
    return take_evidence(place, EVIDENCE_MEASUREMENTS, text, err);
}

static bool take_moment(void *place, const char *option, const char *text, struct error *err)
{
    struct moment *at = place;
    int64_t us;
    *at = (struct moment){.given = true, .ms = ATTESTATION_OWN_TIME};
    if (strcmp(text, "document") == 0)
        return true;
    if (!clock_parse(bytes_text(text), &us))
        return error_set(err, ERROR_USAGE,
                         "%s takes a time like 2026-11-22T13:16:23Z, or the word document", option);
    at->ms = us / 1000;
    return true;
}

static bool check_role(const char *option, const char *text, struct error *err)
{
    struct policy_names names = {0};
    char arn[POLICY_ARN_SIZE];
    return policy_names_arn(&names, option, text, POLICY_ROLE_ONLY, arn, err);
}

static bool check_action(const char *option, const char *text, struct error *err)
{
    return strchr(text, ':') != NULL ||
           error_set(err, ERROR_USAGE, "%s %.60s is not service:name", option, text);
}

static const struct cli_option options[] = {
    CLI_TEXT("policy", "FILE", struct check, policy, "the key policy, JSON", .needed = true),
    CLI_PARSED("document", "FILE", struct check, evidence, take_document,
               "an attestation document, raw or in base64, which is verified first",
               .shared = true),
    CLI_PARSED("image", "FILE", struct check, evidence, take_image, "or: an enclave image (EIF)",
               .shared = true),
    CLI_PARSED("measurements", "FILE", struct check, evidence, take_measurements,
               "or: nitro-cli's JSON (PCR0, ...)", .shared = true),
    CLI_TEXT("nsm-root", "FILE", struct check, evidence.root,
             "the root that a document must have, PEM or DER (default: AWS's)", .old = "root"),
    CLI_PARSED("at", "TIME", struct check, at, take_moment,
               "when a document must be valid: 2026-11-22T13:16:23Z, or document (default: now)"),
    CLI_TEXT("instance-role", "ARN", struct check, instance_role,
             "with an image: the role of the parent instance (PCR3)", .check = check_role),
    CLI_TEXT("instance-id", "ID", struct check, instance,
             "with an image: the parent instance (PCR4)", .check = policy_instance_check),
    CLI_TEXT("principal", "ARN", struct check, principal,
             "who asks (default: the first whom a condition is about)",
             .check = policy_principal_check),
    CLI_TEXT("action", "NAME", struct check, action,
             "the action that is asked for (default: kms:Decrypt)", .check = check_action),
    CLI_TEXT("key", "ARN", struct check, key,
             "the key that it is about (default: whatever the policy names)",
             .check = policy_key_check),
    CLI_TEXTS("encryption-context", "NAME=VALUE", struct check, context, context_count,
              "a pair of the request's encryption context; repeatable",
              .check = policy_context_check),
    OPTION_JSON(struct check),
};

static bool check_all(void *given, struct error *err)
{
    const struct check *c = given;
    bool document = c->evidence.path != NULL && c->evidence.kind == EVIDENCE_DOCUMENT;
    if (c->evidence.path == NULL)
        return error_set(err, ERROR_USAGE,
                         "nothing to compare with: give --document, --image or --measurements");
    if (!document && (c->evidence.root != NULL || c->at.given))
        return error_set(err, ERROR_USAGE, "--nsm-root and --at need --document");
    if (document && (c->instance_role != NULL || c->instance != NULL))
        return error_set(err, ERROR_USAGE,
                         "--instance-role and --instance-id need --image or --measurements: a "
                         "document has PCR3 and PCR4");
    return true;
}

/* --- output --- */

static const char *const verdicts[] = {
    [POLICY_ALLOWED] = "allowed",
    [POLICY_DENIED_EXPLICITLY] = "denied explicitly",
    [POLICY_NOT_ALLOWED] = "not allowed",
};
static const char *const verdict_names[] = {
    [POLICY_ALLOWED] = "allowed",
    [POLICY_DENIED_EXPLICITLY] = "denied_explicitly",
    [POLICY_NOT_ALLOWED] = "not_allowed",
};
static const char *const kinds[] = {
    [EVIDENCE_DOCUMENT] = "document",
    [EVIDENCE_IMAGE] = "image",
    [EVIDENCE_MEASUREMENTS] = "measurements",
};

#define DEBUG_NOTE "PCR0, PCR1 and PCR2 are zero: an enclave in debug mode, whatever runs in it"

/* Calls put for every line of reasons. */
static void each_reason(const struct buffer *reasons, void (*put)(void *context, struct bytes line),
                        void *context)
{
    struct bytes rest = buffer_bytes(reasons), line;
    while (text_line(&rest, &line))
        put(context, line);
}

static void put_json_reason(void *context, struct bytes line)
{
    json_text_bytes(context, NULL, line);
}

static void put_text_reason(void *context, struct bytes line)
{
    struct buffer *out = context;
    buffer_text(out, "reason    ");
    buffer_append(out, line);
    buffer_byte(out, '\n');
}

static void put_json_head(const struct check *c, struct json_writer *w)
{
    const struct evidence *e = &c->evidence;
    json_object(w, NULL);
    json_text(w, "policy", c->policy);
    json_text(w, "action", c->question.action);
    json_text_bytes(w, "principal", buffer_bytes(&c->question.principal));
    json_object(w, "evidence");
    json_text(w, "kind", kinds[e->kind]);
    json_text(w, "file", e->path);
    if (e->kind == EVIDENCE_DOCUMENT) {
        char when[CLOCK_ISO_SIZE];
        clock_format_iso(when, e->timestamp_ms * 1000);
        json_text(w, "root", e->root != NULL ? e->root : "AWS");
        json_text(w, "module_id", e->module_id);
        json_text(w, "made", when);
    }
    json_boolean(w, "debug", registers_is_debug(&e->registers));
    json_end(w);
    json_array(w, "statements");
}

static void put_text_head(const struct check *c, struct buffer *out)
{
    const struct evidence *e = &c->evidence;
    buffer_text(out, "policy    ");
    append_escaped(out, bytes_text(c->policy));
    buffer_text(out, "\nrequest   ");
    append_escaped(out, bytes_text(c->question.action));
    buffer_text(out, " by ");
    append_escaped(out, buffer_bytes(&c->question.principal));
    buffer_printf(out, "\nevidence  %s ", kinds[e->kind]);
    append_escaped(out, bytes_text(e->path));
    if (e->kind == EVIDENCE_DOCUMENT) {
        char when[CLOCK_ISO_SIZE];
        clock_format_iso(when, e->timestamp_ms * 1000);
        buffer_text(out, ", verified under ");
        append_escaped(out, bytes_text(e->root != NULL ? e->root : "AWS's root"));
        buffer_printf(out, ", made %.19sZ by ", when);
        append_escaped(out, bytes_text(e->module_id));
    }
    buffer_text(out, "\n\n");
}

static void put_json_tail(const struct check *c, enum policy_effect effect,
                          const struct buffer *reasons, struct json_writer *w)
{
    json_end(w); /* statements */
    json_array(w, "reasons");
    each_reason(reasons, put_json_reason, w);
    json_end(w);
    if (registers_is_debug(&c->evidence.registers))
        json_text(w, "note", DEBUG_NOTE);
    json_text(w, "status", effect == POLICY_ALLOWED ? "success" : "error");
    json_boolean(w, "allowed", effect == POLICY_ALLOWED);
    json_text(w, "verdict", verdict_names[effect]);
    json_end(w);
    buffer_byte(w->out, '\n');
}

static void put_text_tail(const struct check *c, enum policy_effect effect,
                          const struct buffer *reasons, struct buffer *out)
{
    each_reason(reasons, put_text_reason, out);
    if (registers_is_debug(&c->evidence.registers))
        buffer_text(out, "note      " DEBUG_NOTE "\n");
    buffer_text(out, "verdict   ");
    append_toned(out, effect == POLICY_ALLOWED ? TONE_GOOD : TONE_BAD, verdicts[effect],
                 report_colour());
    buffer_byte(out, '\n');
}

static enum policy_effect answer(const struct check *c, const struct policy *policy,
                                 struct buffer *out)
{
    BUFFER_AUTO reasons;
    buffer_init(&reasons, POLICY_EXPLANATION_MAX);
    struct json_writer w = json_writer(out);
    struct policy_explainer explainer;
    policy_explainer_init(&explainer);
    explainer.json = c->common.json;
    explainer.colour = report_colour();
    explainer.unknown =
        c->evidence.kind == EVIDENCE_DOCUMENT ? "not in the document" : "not known of an image";
    explainer.out = out;
    explainer.w = &w;
    explainer.reasons = &reasons;
    if (c->common.json)
        put_json_head(c, &w);
    else
        put_text_head(c, out);
    enum policy_effect effect = policy_explain_all(&explainer, policy, &c->question);
    if (reasons.len == 0)
        buffer_printf(&reasons,
                      "no statement is about %s by this principal: name another with --principal\n",
                      c->question.action);
    if (c->common.json)
        put_json_tail(c, effect, &reasons, &w);
    else
        put_text_tail(c, effect, &reasons, out);
    out->failed = out->failed || reasons.failed;
    policy_explainer_clear(&explainer);
    return effect;
}

/* --- the question --- */

/* An image does not contain these registers, but its user knows them. */
static bool add_parent(struct check *c, struct error *err)
{
    struct registers *r = &c->evidence.registers;
    return (c->instance_role == NULL || registers_set_text(r, 3, c->instance_role, err)) &&
           (c->instance == NULL || registers_set_text(r, 4, c->instance, err));
}

static bool read_policy(struct check *c, struct buffer *text, struct json *doc,
                        struct policy **policy, struct error *err)
{
    struct error why = {0};
    if (!file_read(c->policy, text, err))
        return false;
    *policy = policy_new(buffer_bytes(text), &why);
    if (*policy == NULL || !json_parse(doc, buffer_bytes(text), &why))
        return error_set(err, why.code == ERROR_MEMORY ? ERROR_MEMORY : ERROR_FORMAT,
                         "%.150s is not a key policy: %.300s", c->policy, why.cause);
    return true;
}

static int check(struct check *c)
{
    struct error err = {0};
    const char *remedy = NULL;
    struct json doc;
    struct policy *policy = NULL;
    BUFFER_AUTO text;
    BUFFER_AUTO out;
    buffer_init(&text, POLICY_TEXT_MAX);
    buffer_init(&out, POLICY_EXPLANATION_MAX);
    json_init(&doc, JSON_DEPTH);
    bool ok = read_policy(c, &text, &doc, &policy, &err) &&
              evidence_read(&c->evidence, c->at.ms, &remedy, &err) && add_parent(c, &err) &&
              policy_question_set(&c->question, &doc, c->principal, &c->evidence.registers,
                                  c->context, c->context_count, &err);
    enum policy_effect effect = ok ? answer(c, policy, &out) : POLICY_NOT_ALLOWED;
    policy_free(policy);
    json_clear(&doc);
    if (ok && out.failed)
        ok = error_set(&err, ERROR_MEMORY, "the explanation does not fit into memory");
    if (!ok)
        return report_file_failure(&c->common, &err, remedy);
    int printed = report_print(&c->common, buffer_bytes(&out));
    return printed != EXIT_OK ? printed : effect == POLICY_ALLOWED ? EXIT_OK : EXIT_REFUSED;
}

static int run(void *given)
{
    struct check *c = given;
    policy_question_init(&c->question);
    if (c->action != NULL)
        c->question.action = c->action;
    if (c->key != NULL)
        c->question.key_arn = c->key;
    if (!c->at.given)
        c->at.ms = clock_wall_us() / 1000;
    int code = check(c);
    policy_question_clear(&c->question);
    return code;
}

const struct cli_command policy_check = {
    .name = "check",
    .summary = "what a key policy says to an enclave, condition by condition",
    .synopsis = "--policy FILE (--document FILE | --image FILE | --measurements FILE)\n"
                "       [OPTION...]",
    .about =
        "Decides by a key policy, as the simulated KMS does, and shows every condition with the\n"
        "wanted and the actual value. A document is verified before any of it is believed.\n"
        "Exit code 0: allowed, 1: not.",
    .examples =
        "  enclavectl policy check --policy policy.json --image enclaved.eif\n"
        "  enclavectl policy check --policy policy.json --document doc.b64 --at document \\\n"
        "      --encryption-context purpose=tsk --json\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .size = sizeof(struct check),
    .check = check_all,
    .run = run,
};
