/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials of the machine's role: EC2 instance metadata (EC2 User Guide, "Use the Instance
 * Metadata Service", version 2 only: a token by PUT, then GETs with it). Each way in which it can
 * fail has a cause and a remedy of its own (IAM User Guide, "Troubleshoot IAM and Amazon EC2").
 */
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "codec/json.h"
#include "formats/text.h"
#include "host/credentials/credentials_internal.h"

#define URL_SIZE    512
#define HEADER_SIZE 4200
#define SAID_SIZE   200 /* of what the service says about a failure */

#define ROLES_PATH "/latest/meta-data/iam/security-credentials/"

static const char instance[] = "instance metadata";

static const char *instance_endpoint(void)
{
    const char *endpoint = credentials_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = credentials_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (endpoint != NULL)
        return endpoint;
    return mode != NULL && strcasecmp(mode, "ipv6") == 0 ? "http://[fd00:ec2::254]"
                                                         : "http://169.254.169.254";
}

static bool make_url(char out[URL_SIZE], const char *path, struct bytes role, struct error *err)
{
    const char *endpoint = instance_endpoint();
    int trimmed = (int)strcspn(endpoint, " \t\r\n");
    while (trimmed > 0 && endpoint[trimmed - 1] == '/')
        trimmed--;
    int len = snprintf(out, URL_SIZE, "%.*s%s%.*s", trimmed, endpoint, path, (int)role.len,
                       role.len > 0 ? (const char *)role.at : "");
    if (len < 0 || len >= URL_SIZE)
        return error_set(err, ERROR_CREDENTIAL_SOURCE, "the URL of %s is too long", instance);
    return true;
}

/* The PUT for a token. ERROR_NETWORK: nobody is there. */
static bool fetch_token(const char *url, struct buffer *answer, struct error *err)
{
    long status;
    struct error web;
    const struct web_request request = {
        .method = "PUT",
        .url = url,
        .headers = {"X-aws-ec2-metadata-token-ttl-seconds: 21600", "Content-Type:"},
        .body = bytes_of("", 0), /* Content-Length: 0, and no Content-Type */
        .connect_ms = METADATA_CONNECT_MS,
        .total_ms = METADATA_TOTAL_MS,
    };
    if (!web_exchange(&request, &status, answer, &web)) {
        if (web.code == ERROR_DEADLINE)
            return error_set(err, ERROR_CREDENTIAL_SOURCE,
                             "%s takes the request for a token but its answer does not arrive: in "
                             "a container the hop limit of the instance is too low; raise it with "
                             "aws ec2 modify-instance-metadata-options --instance-id ID "
                             "--http-put-response-hop-limit 2",
                             instance);
        enum error_code code = web.code == ERROR_NETWORK ? web.code : ERROR_CREDENTIAL_SOURCE;
        return error_set(err, code, "%s: %.200s", instance, web.cause);
    }
    if (status == 403)
        return error_set(err, ERROR_CREDENTIAL_SOURCE,
                         "%s gives no token (HTTP 403): it is switched off for this instance; "
                         "aws ec2 modify-instance-metadata-options --instance-id ID "
                         "--http-endpoint enabled switches it on",
                         instance);
    return status == 200 ||
           error_set(err, ERROR_CREDENTIAL_SOURCE,
                     "%s answered HTTP %ld to the request for a token: what answers there has no "
                     "version 2",
                     instance, status);
}

/* Makes the header that carries the token of this session; it ends with a zero. */
static bool take_token(struct buffer *header, struct buffer *answer, struct error *err)
{
    char url[URL_SIZE];
    if (!make_url(url, "/latest/api/token", bytes_of(NULL, 0), err) ||
        !fetch_token(url, answer, err))
        return false;
    for (size_t i = 0; i < answer->len; i++)
        if (answer->at[i] <= ' ' || answer->at[i] >= 0x7f)
            return error_set(err, ERROR_CREDENTIAL_SOURCE, "%s gave a malformed token", instance);
    buffer_text(header, "X-aws-ec2-metadata-token: ");
    buffer_append(header, buffer_bytes(answer));
    buffer_byte(header, 0);
    if (header->failed || answer->len == 0)
        return error_set(err, ERROR_CREDENTIAL_SOURCE, "%s gave a malformed token", instance);
    return true;
}

/* IAM's rule for the names of roles: 1 to 64 letters, digits, and +=,.@_- */
static bool is_role_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum(name.at[i]) && memchr("+=,.@_-", name.at[i], 7) == NULL)
            return false;
    return name.len > 0 && name.len <= 64;
}

/* The first line of the list of roles; an instance has one role. */
static bool take_role(struct buffer *role, const char *header, struct error *err)
{
    char url[URL_SIZE];
    struct bytes rest, line = {0};
    long status;
    if (!make_url(url, ROLES_PATH, bytes_of(NULL, 0), err) ||
        !credentials_get(url, header, &status, role, instance, err))
        return false;
    if (status != 200 && status != 404)
        return error_set(err, ERROR_CREDENTIAL_SOURCE,
                         "%s answered HTTP %ld to the question for the role", instance, status);
    rest = buffer_bytes(role);
    if (status == 200 && text_line(&rest, &line) && line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    role->len = line.len;
    return is_role_name(line) ||
           error_set(err, ERROR_CREDENTIAL_SOURCE,
                     "%s names no role: attach one to the instance with aws ec2 "
                     "associate-iam-instance-profile (its instance profile must contain a role)",
                     instance);
}

/* Copies the text of a member for a message; empty if there is none. */
static void take_said(char out[SAID_SIZE], const struct json *doc, const char *name)
{
    BUFFER_AUTO text;
    buffer_init(&text, METADATA_ANSWER_LIMIT);
    json_value v = json_member(doc, 0, name);
    bool good = v != JSON_NONE && json_type(doc, v) == JSON_STRING && json_string(doc, v, &text);
    credentials_quote(out, SAID_SIZE, good ? buffer_bytes(&text) : bytes_of(NULL, 0));
}

/* Whether the document names no cause of a failure, which takes the place of credentials. */
static bool check_code(struct bytes text, struct bytes role, struct error *err)
{
    char code[SAID_SIZE] = "", message[SAID_SIZE] = "";
    struct json doc;
    struct error parse;
    json_init(&doc, JSON_DEPTH);
    if (json_parse(&doc, text, &parse) && json_type(&doc, 0) == JSON_OBJECT) {
        take_said(code, &doc, "Code");
        take_said(message, &doc, "Message");
    }
    json_clear(&doc);
    if (code[0] == '\0' || strcmp(code, "Success") == 0)
        return true;
    bool trust = strcmp(code, "AssumeRoleUnauthorizedAccess") == 0;
    return error_set(err, ERROR_CREDENTIAL_SOURCE,
                     "%s has no credentials for role %.*s: %.64s%s%s%s", instance, (int)role.len,
                     (const char *)role.at, code, message[0] != '\0' ? ": " : "", message,
                     trust ? "; the role's trust policy must allow sts:AssumeRole to "
                             "ec2.amazonaws.com"
                           : "; see the role and the instance profile in IAM");
}

static bool take_credentials(struct credentials *out, struct bytes role, const char *header,
                             struct buffer *answer, struct error *err)
{
    char url[URL_SIZE];
    long status;
    if (!make_url(url, ROLES_PATH, role, err) ||
        !credentials_get(url, header, &status, answer, instance, err) ||
        !check_code(buffer_bytes(answer), role, err))
        return false;
    if (status != 200)
        return error_set(err, ERROR_CREDENTIAL_SOURCE,
                         "%s answered HTTP %ld to the question for the credentials of role %.*s",
                         instance, status, (int)role.len, (const char *)role.at);
    return credentials_from_json(out, buffer_bytes(answer), "Token", false, instance, err);
}

static bool take_instance(struct credentials *out, struct buffer *header, struct buffer *role,
                          struct buffer *answer, struct error *err)
{
    if (!take_token(header, answer, err) || !take_role(role, (const char *)header->at, err))
        return false;
    snprintf(out->source, sizeof out->source, "%s, role %.*s", instance, (int)role->len,
             (const char *)role->at);
    return take_credentials(out, buffer_bytes(role), (const char *)header->at, answer, err);
}

enum provider_result credentials_from_instance(struct credentials *out, struct error *err)
{
    const char *off = credentials_variable("AWS_EC2_METADATA_DISABLED");
    if (off != NULL && strcasecmp(off, "true") == 0) {
        error_set(err, ERROR_NO_CREDENTIALS, "%s is switched off by AWS_EC2_METADATA_DISABLED",
                  instance);
        return PROVIDER_ABSENT;
    }
    struct buffer header, role, answer;
    buffer_init_secret(&header, HEADER_SIZE);
    buffer_init(&role, METADATA_ANSWER_LIMIT);
    buffer_init_secret(&answer, METADATA_ANSWER_LIMIT);
    bool good = take_instance(out, &header, &role, &answer, err);
    buffer_clear(&header);
    buffer_clear(&role);
    buffer_clear(&answer);
    if (good)
        return PROVIDER_FOUND;
    return err->code == ERROR_NETWORK ? PROVIDER_ABSENT : PROVIDER_FAILED;
}
