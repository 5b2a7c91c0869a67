/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials of a container: the endpoint of its agent (SDKs and Tools Reference Guide, "Container
 * credential provider").
 */
#include <stdio.h>
#include <strings.h>

#include "formats/text.h"
#include "host/credentials/credentials_internal.h"

#define URL_SIZE    512
#define HEADER_SIZE 4200

static const char container[] = "the container's credentials";

/* The token is a secret: plain HTTP only goes to the agents' own addresses and to this machine. */
static bool url_allowed(const char *uri)
{
    static const char *const plain[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]",
                                        "localhost",     "127.0.0.1",      "[::1]"};
    const char *end = uri + strcspn(uri, "@");
    if (*end == '@') /* what looks like the host could be a user's name */
        return false;
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
    const char *file = credentials_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = credentials_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    if (file == NULL && token == NULL)
        return true;
    buffer_text(header, "Authorization: ");
    if (file != NULL && !credentials_read(file, header, err))
        return false;
    if (file == NULL)
        buffer_text(header, token);
    header->len = text_trim(buffer_bytes(header)).len;
    for (size_t i = 0; i < header->len; i++)
        if (header->at[i] < ' ')
            return error_set(err, ERROR_CREDENTIAL_SOURCE, "the token of %s is malformed",
                             container);
    buffer_byte(header, 0);
    return !header->failed ||
           error_set(err, ERROR_CREDENTIAL_SOURCE, "the token of %s is too long", container);
}

static bool container_url(char out[URL_SIZE], const char *relative, const char *full,
                          struct error *err)
{
    int len = relative != NULL ? snprintf(out, URL_SIZE, "http://169.254.170.2%s", relative)
                               : snprintf(out, URL_SIZE, "%s", full);
    if (len > 0 && len < URL_SIZE && (relative == NULL || relative[0] == '/') && url_allowed(out))
        return true;
    return error_set(err, ERROR_CREDENTIAL_SOURCE,
                     "the URI of %s must be https, or http to the container agent or this machine",
                     container);
}

static bool fetch(struct credentials *out, const char *url, const char *header,
                  struct buffer *answer, struct error *err)
{
    long status;
    struct error why;
    if (!credentials_get(url, header, &status, answer, container, &why))
        return error_set(err, why.code,
                         "%.300s; AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI must be that "
                         "of the container's agent",
                         why.cause);
    if (status != 200)
        return error_set(err, ERROR_CREDENTIAL_SOURCE,
                         "%s: the agent answered HTTP %ld: see the role of the task or pod, and "
                         "its token",
                         container, status);
    return credentials_from_json(out, buffer_bytes(answer), "Token", false, container, err);
}

enum provider_result credentials_from_container(struct credentials *out, struct error *err)
{
    const char *relative = credentials_variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = credentials_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    char url[URL_SIZE];
    if (relative == NULL && full == NULL)
        return PROVIDER_ABSENT;
    if (!container_url(url, relative, full, err))
        return PROVIDER_FAILED;
    struct buffer header, answer;
    buffer_init_secret(&header, (size_t)2 * HEADER_SIZE);
    buffer_init_secret(&answer, METADATA_ANSWER_LIMIT);
    snprintf(out->source, sizeof out->source, "%s", container);
    bool good = take_authorization(&header, err) &&
                fetch(out, url, header.len > 0 ? (const char *)header.at : NULL, &answer, err);
    buffer_clear(&header);
    buffer_clear(&answer);
    return good ? PROVIDER_FOUND : PROVIDER_FAILED;
}
