/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the AWS credentials that `configure` would deliver from here, and of whose they are. */
#include <stdio.h>

#include "base/clock.h"
#include "host/credentials/credentials_find.h"
#include "host/credentials/sts.h"
#include "host/doctor/doctor.h"
#include "host/report.h"

#define NAME      "aws"
#define SHOWN_MAX 40 /* characters of an access key id */

/* IAM User Guide, "IAM identifiers": AKIA begins a long-term key, ASIA one of AWS STS. */
static bool begins(const struct credentials *found, const char *prefix)
{
    struct bytes id = buffer_bytes(&found->access_key_id);
    return id.len >= strlen(prefix) && memcmp(id.at, prefix, strlen(prefix)) == 0;
}

static bool has_form(const struct credentials *found)
{
    struct bytes id = buffer_bytes(&found->access_key_id);
    for (size_t i = 0; i < id.len; i++)
        if ((id.at[i] < 'A' || id.at[i] > 'Z') && (id.at[i] < '0' || id.at[i] > '9'))
            return false;
    return id.len == 20 && (begins(found, "AKIA") || begins(found, "ASIA"));
}

/* What can be told of a key without asking anybody. */
static void judge_form(struct doctor *doctor, const struct credentials *found)
{
    bool token = found->session_token.len > 0;
    if (!has_form(found))
        doctor_add(doctor, NAME, CHECK_WARN, "check what the source gives",
                   "the access key id is not AKIA or ASIA and 16 capital letters and digits");
    else if (begins(found, "ASIA") && !token)
        doctor_add(doctor, NAME, CHECK_FAIL, "give the session token, too: AWS_SESSION_TOKEN",
                   "a key that begins with ASIA is temporary, and its session token is missing");
    else if (begins(found, "AKIA") && token)
        doctor_add(doctor, NAME, CHECK_FAIL, "leave AWS_SESSION_TOKEN out: it is of another key",
                   "a key that begins with AKIA has no session token, and there is one");
}

/* The region of the pinned key, where the environment names none. */
static const char *region_of(const struct doctor *doctor, char region[STS_REGION_SIZE])
{
    return sscanf(doctor->key_arn, "arn:%*[^:]:kms:%32[a-z0-9-]:", region) == 1 ? region : NULL;
}

static void add_found(struct doctor *doctor, const struct credentials *found)
{
    static const char remedy[] = "renew them at their source; configure --watch then delivers them";
    struct bytes id = buffer_bytes(&found->access_key_id);
    char expiry[ISO_Z_SIZE + 24] = "no known expiry";
    bool known = found->expires_us != CREDENTIALS_NEVER_EXPIRE;
    bool soon = known && found->expires_us - clock_wall_us() < DOCTOR_SOON_US;
    if (known) {
        char when[ISO_Z_SIZE];
        iso_z(when, found->expires_us);
        snprintf(expiry, sizeof expiry, "good until %s", when);
    }
    doctor_add(doctor, NAME, soon ? CHECK_WARN : CHECK_OK, soon ? remedy : NULL,
               "credentials from %.200s: access key %.*s, %s", found->source,
               (int)(id.len < SHOWN_MAX ? id.len : SHOWN_MAX), (const char *)id.at, expiry);
}

/* Whose they are is what AWS STS says; where it cannot be asked, only the form is judged. */
static void identify(struct doctor *doctor, const struct credentials *found)
{
    char arn[STS_ARN_SIZE], region[STS_REGION_SIZE];
    struct error err = {0};
    if (sts_caller_identity(arn, found, region_of(doctor, region), &err)) {
        doctor_add(doctor, NAME, CHECK_OK, NULL, "they are of %.300s", arn);
        return;
    }
    if (err.code != ERROR_NETWORK)
        doctor_add(doctor, NAME, CHECK_FAIL, "correct the source, or name another with --profile",
                   "%s", err.cause);
    else
        doctor_add(doctor, NAME, CHECK_WARN,
                   "see whose they are where AWS STS can be reached: aws sts get-caller-identity",
                   "whose they are is not known: %.400s", err.cause);
    judge_form(doctor, found);
}

void doctor_credentials(struct doctor *doctor)
{
    CREDENTIALS_AUTO found;
    struct error err = {0};
    credentials_init(&found);
    if (credentials_find(&found, doctor->profile, -1, &err)) {
        add_found(doctor, &found);
        identify(doctor, &found);
        return;
    }
    /* Not every machine delivers credentials. */
    enum check_result result = err.code == ERROR_NO_CREDENTIALS ? CHECK_WARN : CHECK_FAIL;
    const char *remedy = remedy_for_name(error_name(err.code));
    doctor_add(doctor, NAME, result, remedy != NULL ? remedy : "correct this source", "%s",
               err.cause[0] != '\0' ? err.cause : error_text(err.code));
}
