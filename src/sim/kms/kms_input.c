/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A member of the wrong type is a SerializationException, one outside its limits a
 * ValidationException; the messages are those of KMS.
 */
#include "sim/kms/kms_input.h"

#include <ctype.h>
#include <stdio.h>

#include "base/base64.h"

static json_value given(const struct kms_call *call, const char *name)
{
    json_value value = json_member(&call->in, call->scope, name);
    return value != JSON_NONE && json_type(&call->in, value) == JSON_NULL ? JSON_NONE : value;
}

bool kms_input_given(const struct kms_call *call, const char *name)
{
    return given(call, name) != JSON_NONE;
}

/* Constraints name members as the service's own model does: with a small first letter. */
static bool violated(struct kms_call *call, const char *name, const char *constraint)
{
    return kms_fail(&call->failure, "ValidationException",
                    "1 validation error detected: Value at '%c%s' failed to satisfy constraint: "
                    "%s",
                    tolower((unsigned char)name[0]), name + 1, constraint);
}

static bool missing(struct kms_call *call, const char *name)
{
    return kms_fail(&call->failure, "ValidationException",
                    "1 validation error detected: Value null at '%c%s' failed to satisfy "
                    "constraint: Member must not be null",
                    tolower((unsigned char)name[0]), name + 1);
}

static bool wrong_type(struct kms_call *call, const char *name, const char *wanted)
{
    return kms_fail(&call->failure, "SerializationException", "%s must be %s", name, wanted);
}

static bool check_length(struct kms_call *call, const char *name, size_t len, size_t min,
                         size_t max)
{
    char constraint[96];
    if (len >= min && len <= max)
        return true;
    snprintf(constraint, sizeof constraint, "Member must have length %s than or equal to %zu",
             len < min ? "greater" : "less", len < min ? min : max);
    return violated(call, name, constraint);
}

/* Whether value can be a string of at most max bytes: an escape takes at most 6 for one. */
static bool plausible(const struct kms_call *call, json_value value, size_t max)
{
    return json_raw(&call->in, value).len <= 6 * max + 2;
}

bool kms_input_text(struct kms_call *call, const char *name, enum kms_presence presence, size_t min,
                    size_t max, struct buffer *out)
{
    json_value value = given(call, name);
    if (value == JSON_NONE)
        return presence == KMS_OPTIONAL || missing(call, name);
    if (json_type(&call->in, value) != JSON_STRING)
        return wrong_type(call, name, "a string");
    buffer_reset(out);
    if (!plausible(call, value, max))
        return check_length(call, name, max + 1, min, max);
    if (!json_string(&call->in, value, out)) {
        if (out->failed)
            return check_length(call, name, max + 1, min, max);
        return wrong_type(call, name, "a string of Unicode characters");
    }
    return check_length(call, name, out->len, min, max);
}

bool kms_input_blob(struct kms_call *call, const char *name, enum kms_presence presence, size_t max,
                    struct buffer *out)
{
    json_value value = given(call, name);
    if (value == JSON_NONE)
        return presence == KMS_OPTIONAL || missing(call, name);
    if (json_type(&call->in, value) != JSON_STRING)
        return wrong_type(call, name, "a string of base64");
    BUFFER_AUTO text;
    BUFFER_AUTO decoded;
    buffer_init(&text, KMS_BODY_MAX);
    buffer_init(&decoded, KMS_BODY_MAX);
    if (!json_string(&call->in, value, &text) || !base64_decode(&decoded, buffer_bytes(&text)))
        return wrong_type(call, name, "base64");
    if (!check_length(call, name, decoded.len, 1, max))
        return false;
    buffer_reset(out);
    buffer_append(out, buffer_bytes(&decoded));
    return !out->failed || kms_fail_internal(call, "no memory for a member");
}

bool kms_input_integer(struct kms_call *call, const char *name, int64_t min, int64_t max,
                       int64_t *out)
{
    json_value value = given(call, name);
    char constraint[96];
    int64_t number;
    if (value == JSON_NONE)
        return true;
    if (!json_int64(&call->in, value, &number))
        return wrong_type(call, name, "an integer");
    if (number < min || number > max) {
        snprintf(constraint, sizeof constraint, "Member must have value %s than or equal to %lld",
                 number < min ? "greater" : "less", (long long)(number < min ? min : max));
        return violated(call, name, constraint);
    }
    *out = number;
    return true;
}

bool kms_input_boolean(struct kms_call *call, const char *name, bool *out)
{
    json_value value = given(call, name);
    if (value == JSON_NONE)
        return true;
    enum json_type type = json_type(&call->in, value);
    if (type != JSON_TRUE && type != JSON_FALSE)
        return wrong_type(call, name, "true or false");
    *out = type == JSON_TRUE;
    return true;
}

/* "A, B" */
static void list_names(char *out, size_t size, const char *const *names)
{
    size_t len = 0;
    for (size_t i = 0; names[i] != NULL && len < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%s", i > 0 ? ", " : "", names[i]);
}

enum choice { CHOICE_KNOWN, CHOICE_UNKNOWN, CHOICE_NO_TEXT };

/* An absent member is known, too, and leaves *out as it is. */
static enum choice find_choice(struct kms_call *call, const char *name, const char *const *names,
                               size_t *out)
{
    json_value value = given(call, name);
    if (value == JSON_NONE)
        return CHOICE_KNOWN;
    if (json_type(&call->in, value) != JSON_STRING)
        return CHOICE_NO_TEXT;
    for (size_t i = 0; names[i] != NULL; i++)
        if (json_string_is(&call->in, value, names[i])) {
            *out = i;
            return CHOICE_KNOWN;
        }
    return CHOICE_UNKNOWN;
}

bool kms_input_choice(struct kms_call *call, const char *name, enum kms_presence presence,
                      const char *const *names, size_t *out)
{
    char list[512], constraint[600];
    if (presence == KMS_REQUIRED && !kms_input_given(call, name))
        return missing(call, name);
    enum choice choice = find_choice(call, name, names, out);
    if (choice != CHOICE_UNKNOWN)
        return choice == CHOICE_KNOWN || wrong_type(call, name, "a string");
    list_names(list, sizeof list, names);
    snprintf(constraint, sizeof constraint, "Member must satisfy enum value set: [%s]", list);
    return violated(call, name, constraint);
}

bool kms_input_simulated(struct kms_call *call, const char *name, const char *const *names,
                         size_t *out)
{
    char list[256];
    enum choice choice = find_choice(call, name, names, out);
    if (choice != CHOICE_UNKNOWN)
        return choice == CHOICE_KNOWN || wrong_type(call, name, "a string");
    list_names(list, sizeof list, names);
    return kms_fail(&call->failure, "UnsupportedOperationException",
                    "%s must be one of %s: no other value is simulated", name, list);
}

bool kms_input_only(struct kms_call *call, const char *name, const char *only)
{
    json_value value = given(call, name);
    if (value == JSON_NONE || json_string_is(&call->in, value, only))
        return true;
    if (json_type(&call->in, value) != JSON_STRING)
        return wrong_type(call, name, "a string");
    return kms_fail(&call->failure, "UnsupportedOperationException",
                    "%s must be %s: no other value is simulated", name, only);
}

bool kms_input_context(struct kms_call *call)
{
    json_value value = given(call, "EncryptionContext");
    if (value == JSON_NONE)
        return true;
    switch (kms_context_read(&call->context, &call->in, value)) {
    case KMS_CONTEXT_OK:
        return true;
    case KMS_CONTEXT_TYPE:
        return wrong_type(call, "EncryptionContext", "an object of strings");
    case KMS_CONTEXT_SIZE:
        return kms_fail(&call->failure, "ValidationException",
                        "EncryptionContext is longer than %d bytes", KMS_CONTEXT_MAX);
    case KMS_CONTEXT_MEMORY:
        break;
    }
    return kms_fail_internal(call, "no memory for the encryption context");
}

bool kms_input_unsupported(struct kms_call *call, const char *const *refused)
{
    for (; *refused != NULL; refused++) {
        json_value value = given(call, *refused);
        if (value == JSON_NONE || json_type(&call->in, value) == JSON_FALSE ||
            (json_type(&call->in, value) == JSON_ARRAY &&
             json_first(&call->in, value) == JSON_NONE))
            continue;
        return kms_fail(&call->failure, "UnsupportedOperationException", "%s is not simulated",
                        *refused);
    }
    return true;
}
