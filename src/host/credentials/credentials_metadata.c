/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials of the machine: EC2 instance metadata (EC2 User Guide, "Use the Instance Metadata
 * Service", version 2 only: a token by PUT, then GETs with it) and the container agent's endpoint
 * (SDKs and Tools Reference Guide, "Container credential provider").
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "formats/text.h"
#include "host/credentials/credentials_internal.h"
#include "host/web.h"
#include "system/file.h"

#define URL_SIZE     512
#define HEADER_SIZE  4200
#define ANSWER_LIMIT 65536 /* bytes */
#define CONNECT_MS   1000  /* as AWS's tools: outside EC2 there is no answer */
#define TOTAL_MS     5000

static const char *value_of(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool exchange(const char *method, const char *url, const char *header, struct buffer *answer,
                     const char *origin, struct error *err)
{
    struct web_request request = {
        .method = method,
        .url = url,
        .headers = {header},
        .connect_ms = CONNECT_MS,
        .total_ms = TOTAL_MS,
    };
    long status;
    struct error web;
    if (strcmp(method, "PUT") == 0) {
        request.body = bytes_of("", 0); /* Content-Length: 0, and no Content-Type */
        request.headers[1] = "Content-Type:";
    }
    if (!web_exchange(&request, &status, answer, &web))
        return error_set(err, web.code, "%s: %.200s", origin, web.cause);
    if (status != 200)
        return error_set(err, ERROR_NO_CREDENTIALS, "%s answered HTTP %ld", origin, status);
    return true;
}

/* --- instance metadata --- */

static const char instance[] = "instance metadata";

static const char *instance_endpoint(void)
{
    const char *endpoint = value_of("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = value_of("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
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
        return error_set(err, ERROR_NO_CREDENTIALS, "the URL of %s is too long", instance);
    return true;
}

/* Makes the header that carries the token of this session; it ends with a zero. */
static bool take_token(struct buffer *header, struct buffer *answer, struct error *err)
{
    char url[URL_SIZE];
    if (!make_url(url, "/latest/api/token", bytes_of(NULL, 0), err) ||
        !exchange("PUT", url, "X-aws-ec2-metadata-token-ttl-seconds: 21600", answer, instance, err))
        return false;
    for (size_t i = 0; i < answer->len; i++)
        if (answer->at[i] <= ' ' || answer->at[i] >= 0x7f)
            return error_set(err, ERROR_NO_CREDENTIALS, "%s gave a malformed token", instance);
    buffer_text(header, "X-aws-ec2-metadata-token: ");
    buffer_append(header, buffer_bytes(answer));
    buffer_byte(header, 0);
    if (header->failed || answer->len == 0)
        return error_set(err, ERROR_NO_CREDENTIALS, "%s gave a malformed token", instance);
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
    if (!make_url(url, "/latest/meta-data/iam/security-credentials/", bytes_of(NULL, 0), err) ||
        !exchange("GET", url, header, role, "the role of instance metadata", err))
        return false;
    rest = buffer_bytes(role);
    if (text_line(&rest, &line) && line.len > 0 && line.at[line.len - 1] == '\r')
        line.len--;
    role->len = line.len;
    return is_role_name(line) ||
           error_set(err, ERROR_NO_CREDENTIALS, "%s names no role: attach one to the instance",
                     instance);
}

static bool take_instance(struct credentials *out, struct buffer *header, struct buffer *role,
                          struct buffer *answer, struct error *err)
{
    char url[URL_SIZE];
    snprintf(out->source, sizeof out->source, "%s", instance);
    return take_token(header, answer, err) && take_role(role, (const char *)header->at, err) &&
           make_url(url, "/latest/meta-data/iam/security-credentials/", buffer_bytes(role), err) &&
           exchange("GET", url, (const char *)header->at, answer, instance, err) &&
           credentials_from_json(out, buffer_bytes(answer), "Token", false, instance, err);
}

enum provider_result credentials_from_instance(struct credentials *out, struct error *err)
{
    const char *off = value_of("AWS_EC2_METADATA_DISABLED");
    if (off != NULL && strcasecmp(off, "true") == 0) {
        error_set(err, ERROR_NO_CREDENTIALS, "%s is switched off", instance);
        return PROVIDER_ABSENT;
    }
    struct buffer header, role, answer;
    buffer_init_secret(&header, HEADER_SIZE);
    buffer_init(&role, ANSWER_LIMIT);
    buffer_init_secret(&answer, ANSWER_LIMIT);
    bool good = take_instance(out, &header, &role, &answer, err);
    buffer_clear(&header);
    buffer_clear(&role);
    buffer_clear(&answer);
    if (good)
        return PROVIDER_FOUND;
    return err->code == ERROR_NETWORK || err->code == ERROR_DEADLINE ? PROVIDER_ABSENT
                                                                     : PROVIDER_FAILED;
}

/* --- container --- */

static const char container[] = "the container's credentials";

/* The token is a secret: plain HTTP only goes to the agents' own addresses and to this machine. */
static bool full_uri_allowed(const char *uri)
{
    static const char *const plain[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]",
                                        "localhost",     "127.0.0.1",      "[::1]"};
    if (strncmp(uri, "https://", 8) == 0)
        return true;
    if (strncmp(uri, "http://", 7) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        size_t len = strlen(plain[i]);
        if (strncmp(uri + 7, plain[i], len) == 0 && strchr(":/", uri[7 + len]) != NULL)
            return true;
    }
    return false;
}

/* Makes the header Authorization of the token, if there is one; it ends with a zero then. */
static bool take_authorization(struct buffer *header, struct error *err)
{
    const char *file = value_of("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = value_of("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    if (file == NULL && token == NULL)
        return true;
    buffer_text(header, "Authorization: ");
    if (file != NULL && !file_read(file, header, err))
        return false;
    if (file == NULL)
        buffer_text(header, token);
    header->len = text_trim(buffer_bytes(header)).len;
    for (size_t i = 0; i < header->len; i++)
        if (header->at[i] < ' ')
            return error_set(err, ERROR_NO_CREDENTIALS, "the token of %s is malformed", container);
    buffer_byte(header, 0);
    return !header->failed ||
           error_set(err, ERROR_NO_CREDENTIALS, "the token of %s is too long", container);
}

static bool container_url(char out[URL_SIZE], const char *relative, const char *full,
                          struct error *err)
{
    int len = relative != NULL ? snprintf(out, URL_SIZE, "http://169.254.170.2%s", relative)
                               : snprintf(out, URL_SIZE, "%s", full);
    if (len > 0 && len < URL_SIZE && (relative == NULL || relative[0] == '/') &&
        full_uri_allowed(out))
        return true;
    return error_set(err, ERROR_NO_CREDENTIALS,
                     "the URI of %s must be https, or http to the container agent or this machine",
                     container);
}

enum provider_result credentials_from_container(struct credentials *out, struct error *err)
{
    const char *relative = value_of("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = value_of("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    char url[URL_SIZE];
    if (relative == NULL && full == NULL)
        return PROVIDER_ABSENT;
    if (!container_url(url, relative, full, err))
        return PROVIDER_FAILED;
    struct buffer header, answer;
    buffer_init_secret(&header, (size_t)2 * HEADER_SIZE);
    buffer_init_secret(&answer, ANSWER_LIMIT);
    snprintf(out->source, sizeof out->source, "%s", container);
    bool good = take_authorization(&header, err) &&
                exchange("GET", url, header.len > 0 ? (const char *)header.at : NULL, &answer,
                         container, err) &&
                credentials_from_json(out, buffer_bytes(&answer), "Token", false, container, err);
    buffer_clear(&header);
    buffer_clear(&answer);
    return good ? PROVIDER_FOUND : PROVIDER_FAILED;
}
