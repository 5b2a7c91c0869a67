/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the relay that runs on this parent, by what it reports at its status address. */
#include <stdio.h>

#include "host/doctor/doctor.h"
#include "host/relay_status.h"
#include "host/show.h"

#define NAME "relay status"

static void copy_text(char *out, size_t size, const struct json *doc, json_value object,
                      const char *name)
{
    if (!json_copy_string(doc, json_member(doc, object, name), out, size))
        out[0] = '\0';
}

/* The names of AWS's endpoints; an address, or a name of one's own, may lead anywhere. */
static bool is_of_aws(const char *to)
{
    static const char *const parts[] = {".amazonaws.com", ".api.aws:", ".amazonwebservices.com"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (strstr(to, parts[i]) != NULL)
            return true;
    return false;
}

/* The pinned key's region is in the name of its endpoint, of which there are several kinds. */
static bool may_lead_to_key(const struct doctor *doctor, const char *to)
{
    char region[64], part[66];
    if (sscanf(doctor->key_arn, "arn:%*[^:]:kms:%63[a-z0-9-]:", region) != 1)
        return true; /* the key is not known */
    snprintf(part, sizeof part, ".%s.", region);
    return !is_of_aws(to) || (strstr(to, "kms") != NULL && strstr(to, part) != NULL);
}

static void check_route(struct doctor *doctor, const struct json *doc, json_value route,
                        bool *to_key)
{
    struct doctor_route found = {0};
    int64_t complete = 0, open = 0;
    json_value allowed = json_member(doc, route, "allowed");
    copy_text(found.listen, sizeof found.listen, doc, route, "listen");
    copy_text(found.to, sizeof found.to, doc, route, "to");
    if (!json_int64(doc, json_member(doc, route, "complete"), &complete) ||
        !json_int64(doc, json_member(doc, route, "open"), &open))
        complete = open = 0;
    if (doctor->route_count < DOCTOR_ROUTES)
        doctor->routes[doctor->route_count++] = found;
    *to_key = *to_key || may_lead_to_key(doctor, found.to);
    if (allowed != JSON_NONE && json_type(doc, allowed) == JSON_FALSE)
        doctor_add(doctor, NAME, CHECK_FAIL, "allow it in its list, and reload it (SIGHUP)",
                   "%s -> %s: its list does not allow this destination", found.listen, found.to);
    else
        doctor_add(doctor, NAME, CHECK_OK, NULL, "%s -> %s: %lld connections open, %lld complete",
                   found.listen, found.to, (long long)open, (long long)complete);
}

static void check_last_failure(struct doctor *doctor, const struct json *doc)
{
    char when[64], cause[300];
    json_value last = json_member(doc, 0, "last_failure");
    if (last == JSON_NONE || json_type(doc, last) != JSON_OBJECT)
        return;
    copy_text(when, sizeof when, doc, last, "time");
    copy_text(cause, sizeof cause, doc, last, "cause");
    doctor_add(doctor, NAME, CHECK_WARN, "see its counts: enclavectl relay --query ADDRESS",
               "the last connection that failed, at %s: %s", when, cause);
}

static void check_status(struct doctor *doctor, const struct json *doc)
{
    bool to_key = false;
    json_value routes = json_member(doc, 0, "routes");
    for (json_value r = json_first(doc, routes); r != JSON_NONE; r = json_next(doc, routes, r))
        check_route(doctor, doc, r, &to_key);
    if (!to_key)
        doctor_add(doctor, NAME, CHECK_FAIL,
                   "start it with --destination kms.REGION.amazonaws.com:443 of the key's region",
                   "no route leads to KMS in the region of the pinned key, %.200s",
                   doctor->key_arn);
    if (json_string_is(doc, json_member(doc, 0, "state"), "stopping"))
        doctor_add(doctor, NAME, CHECK_WARN, "start it again", "the relay is stopping");
    check_last_failure(doctor, doc);
}

static void ask(struct doctor *doctor, const char *where)
{
    struct json doc;
    struct error err = {0};
    BUFFER_AUTO text;
    buffer_init(&text, RELAY_STATUS_MAX);
    json_init(&doc, JSON_DEPTH);
    if (relay_status_read(where, doctor->common.timeout_ms, &text, &doc, &err))
        check_status(doctor, &doc);
    else
        doctor_add(doctor, NAME, CHECK_FAIL,
                   err.code == ERROR_FORMAT
                       ? "name the --status address of enclavectl relay with --relay-status"
                       : "run as root; see whether the relay runs: systemctl status enclaved-relay",
                   "the relay's status cannot be read: %.400s", err.cause);
    json_clear(&doc);
}

void doctor_deployed(struct doctor *doctor)
{
    char where[DOCTOR_PATH_SIZE + sizeof "unix:"];
    char path[DOCTOR_PATH_SIZE];
    if (doctor->relay_status != NULL) {
        ask(doctor, doctor->relay_status);
    } else if (doctor_there(doctor, RELAY_STATUS_PATH) &&
               doctor_path(doctor, RELAY_STATUS_PATH, path)) {
        snprintf(where, sizeof where, "unix:%s", path);
        ask(doctor, where);
    } else if (doctor_there(doctor, "/dev/nitro_enclaves")) {
        doctor_add(doctor, NAME, CHECK_WARN,
                   "systemctl start enclaved-relay; or name another's status with --relay-status",
                   "this is a parent instance, and no relay reports at " RELAY_STATUS_ADDRESS);
    }
}
