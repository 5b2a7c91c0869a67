/* SPDX-License-Identifier: Apache-2.0 */
#include "host/policy/policy_names.h"

#include <stdio.h>

#include "host/context.h"

#define DIGITS       "0123456789"
#define LOWER        "abcdefghijklmnopqrstuvwxyz"
#define UPPER        "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define NAME_MAX_LEN 64  /* of a role or user (IAM User Guide, "IAM and AWS STS quotas") */
#define PATH_MAX_LEN 512 /* of the path before the name */

bool policy_names_partition(struct policy_names *names, const char *text, struct error *err)
{
    size_t len = strlen(text);
    if (strncmp(text, "aws", 3) != 0 || (len > 3 && text[3] != '-') ||
        strspn(text, LOWER DIGITS "-") != len || len >= POLICY_PARTITION_SIZE ||
        text[len - 1] == '-')
        return error_set(err, ERROR_USAGE,
                         "%.60s is not a partition: want aws, aws-cn, aws-us-gov, ...", text);
    memcpy(names->partition, text, len + 1);
    return true;
}

bool policy_names_account(struct policy_names *names, const char *text, struct error *err)
{
    if (!arn_is_account(bytes_text(text)))
        return error_set(err, ERROR_USAGE, "%.60s is not an account id: want 12 digits", text);
    memcpy(names->account, text, POLICY_ACCOUNT_SIZE);
    return true;
}

/* [PATH/]NAME, by IAM's rules for roles and users. */
static bool is_name(const char *text)
{
    const char *slash = strrchr(text, '/');
    const char *name = slash != NULL ? slash + 1 : text;
    size_t len = strlen(name);
    return len > 0 && len <= NAME_MAX_LEN && strspn(name, UPPER LOWER DIGITS "+=,.@_-") == len &&
           text[0] != '/' && (size_t)(name - text) <= PATH_MAX_LEN &&
           strspn(text, UPPER LOWER DIGITS "+=,.@_-/") == strlen(text) &&
           strstr(text, "//") == NULL;
}

/* The part of an ARN after the account: role/[PATH/]NAME and, where allowed, user/… or root. */
static bool is_resource(const char *text, enum policy_principal allowed)
{
    if (strncmp(text, "role/", 5) == 0)
        return is_name(text + 5);
    if (allowed == POLICY_ROLE_ONLY)
        return false;
    return strcmp(text, "root") == 0 || (strncmp(text, "user/", 5) == 0 && is_name(text + 5));
}

static bool not_a_principal(const char *what, const char *text, struct error *err)
{
    if (strstr(text, ":assumed-role/") != NULL)
        return error_set(err, ERROR_USAGE,
                         "%s: %.200s is a session: give the role itself, "
                         "arn:aws:iam::ACCOUNT:role/NAME",
                         what, text);
    return error_set(err, ERROR_USAGE,
                     "%s: %.200s is neither a name nor an ARN like arn:aws:iam::ACCOUNT:role/NAME",
                     what, text);
}

/* arn:PARTITION:iam::ACCOUNT:RESOURCE */
static bool take_arn(struct policy_names *names, const char *what, const char *text,
                     enum policy_principal allowed, char out[POLICY_ARN_SIZE], struct error *err)
{
    struct policy_names own = {0};
    char partition[POLICY_PARTITION_SIZE], account[POLICY_ACCOUNT_SIZE];
    int resource = 0;
    if (sscanf(text, "arn:%31[^:]:iam::%12[^:]:%n", partition, account, &resource) != 2 ||
        resource == 0 || strlen(text) >= POLICY_ARN_SIZE ||
        !policy_names_partition(&own, partition, NULL) ||
        !policy_names_account(&own, account, NULL) || !is_resource(text + resource, allowed))
        return not_a_principal(what, text, err);
    if (names->partition[0] == '\0')
        memcpy(names->partition, own.partition, sizeof own.partition);
    if (strcmp(names->partition, own.partition) != 0)
        return error_set(err, ERROR_USAGE, "%s is in partition %s, but the key is in %s", what,
                         own.partition, names->partition);
    if (names->account[0] == '\0')
        memcpy(names->account, own.account, sizeof own.account);
    memcpy(out, text, strlen(text) + 1);
    return true;
}

bool policy_names_arn(struct policy_names *names, const char *what, const char *text,
                      enum policy_principal allowed, char out[POLICY_ARN_SIZE], struct error *err)
{
    if (strncmp(text, "arn:", 4) == 0)
        return take_arn(names, what, text, allowed, out, err);
    if (!is_name(text))
        return not_a_principal(what, text, err);
    if (names->account[0] == '\0')
        return error_set(err, ERROR_USAGE,
                         "%s is given by name: also give --account, or give its ARN", what);
    if (names->partition[0] == '\0')
        memcpy(names->partition, "aws", sizeof "aws");
    snprintf(out, POLICY_ARN_SIZE, "arn:%s:iam::%s:role/%s", names->partition, names->account,
             text);
    return true;
}

bool policy_instance_check(const char *option, const char *text, struct error *err)
{
    (void)option;
    size_t len = strlen(text);
    if (strncmp(text, "i-", 2) != 0 || (len != 2 + 8 && len != 2 + 17) ||
        strspn(text + 2, DIGITS "abcdef") != len - 2)
        return error_set(err, ERROR_USAGE,
                         "%.60s is not an instance id: want one like i-0123456789abcdef0", text);
    return true;
}

bool policy_context_check(const char *option, const char *text, struct error *err)
{
    if (!context_check(option, text, err))
        return false;
    return strstr(text, "${") == NULL ||
           error_set(err, ERROR_USAGE, "%s %.60s: ${ starts a policy variable", option, text);
}
