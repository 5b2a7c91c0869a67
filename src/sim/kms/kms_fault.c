/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms/kms_fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "sim/watched_file.h"

#define RULES_MAX 32
#define COUNT_MAX 1000000

static const char *const names[] = {
    [KMS_FAULT_NONE] = "none",
    [KMS_FAULT_400] = "400",
    [KMS_FAULT_403] = "403",
    [KMS_FAULT_500] = "500",
    [KMS_FAULT_503] = "503",
    [KMS_FAULT_THROTTLE] = "throttle",
    [KMS_FAULT_GARBAGE] = "garbage",
    [KMS_FAULT_LARGE] = "large",
    [KMS_FAULT_HALF] = "half",
    [KMS_FAULT_HANG] = "hang",
    [KMS_FAULT_RESET] = "reset",
    [KMS_FAULT_OTHER_KEY] = "other-key",
    [KMS_FAULT_NO_KEY] = "no-key",
    [KMS_FAULT_OTHER_RECIPIENT] = "other-recipient",
    [KMS_FAULT_BROKEN_ENVELOPE] = "broken-envelope",
    [KMS_FAULT_PLAINTEXT] = "plaintext",
    [KMS_FAULT_SHORT_TSK] = "short-tsk",
    [KMS_FAULT_LONG_TSK] = "long-tsk",
};

struct rule {
    char operation[64];
    enum kms_fault fault;
    unsigned left;
};

struct kms_faults {
    struct watched_file file;
    struct rule rules[RULES_MAX];
    size_t count;
};

const char *kms_fault_name(enum kms_fault fault)
{
    return names[fault];
}

struct kms_faults *kms_faults_new(const char *path, struct error *err)
{
    struct kms_faults *faults = calloc(1, sizeof *faults);
    if (faults == NULL)
        error_set(err, ERROR_MEMORY, "no memory for faults");
    else
        faults->file.path = path;
    return faults;
}

void kms_faults_free(struct kms_faults *faults)
{
    free(faults);
}

static bool parse(struct rule *rule, const char *line, struct error *err)
{
    char name[32];
    char count[8];
    char more;
    int words = sscanf(line, "%63s %31s %7[0-9] %c", rule->operation, name, count, &more);
    rule->left = words == 3 ? (unsigned)strtoul(count, NULL, 10) : 0;
    if (rule->left == 0 || rule->left > COUNT_MAX)
        return error_set(err, ERROR_USAGE, "a fault is OPERATION FAULT COUNT, not: %s", line);
    for (size_t i = 1; i < ARRAY_LEN(names); i++) {
        if (strcmp(names[i], name) != 0)
            continue;
        rule->fault = (enum kms_fault)i;
        return true;
    }
    return error_set(err, ERROR_USAGE, "no such fault: %s", name);
}

bool kms_fault_check(const char *option, const char *line, struct error *err)
{
    struct rule rule;
    (void)option;
    return parse(&rule, line, err);
}

bool kms_faults_add(struct kms_faults *faults, const char *line, struct error *err)
{
    if (faults->count == RULES_MAX)
        return error_set(err, ERROR_USAGE, "more than %d faults", RULES_MAX);
    if (!parse(&faults->rules[faults->count], line, err))
        return false;
    faults->count++;
    return true;
}

/* A file that has changed replaces all rules. */
static void reload(struct kms_faults *faults)
{
    const char *path = faults->file.path;
    if (!watched_file_changed(&faults->file))
        return;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        log_error("cannot read %s: %s", path, strerror(errno));
        faults->file = (struct watched_file){.path = path}; /* try again */
        return;
    }
    faults->count = 0;
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        struct error err;
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\0' && line[0] != '#' && !kms_faults_add(faults, line, &err))
            log_error("%s: %s", path, err.cause);
    }
    fclose(file);
}

enum kms_fault kms_faults_take(struct kms_faults *faults, const char *operation)
{
    reload(faults);
    for (size_t i = 0; i < faults->count; i++) {
        struct rule *rule = &faults->rules[i];
        if (rule->left > 0 &&
            (strcmp(rule->operation, "*") == 0 || strcmp(rule->operation, operation) == 0)) {
            rule->left--;
            return rule->fault;
        }
    }
    return KMS_FAULT_NONE;
}
