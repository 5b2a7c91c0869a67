/* SPDX-License-Identifier: Apache-2.0 */
#include "host/resolve.h"

#include <netdb.h>
#include <stdio.h>

bool address_resolve(struct address *out, const char *text, struct error *err)
{
    struct error numeric = {0};
    if (any_address_parse(out, text, &numeric))
        return true;
    const char *colon = strrchr(text, ':');
    char host[256], port[32] = "";
    if (colon != NULL)
        snprintf(port, sizeof port, "tcp:127.0.0.1%s", colon); /* getaddrinfo takes any number */
    if (strncmp(text, "tcp:", 4) != 0 || colon == NULL || colon <= text + 4 ||
        (size_t)(colon - text - 4) >= sizeof host || !any_address_parse(out, port, NULL))
        return error_set(err, numeric.code, "%s", numeric.cause);
    memcpy(host, text + 4, (size_t)(colon - text - 4));
    host[colon - text - 4] = '\0';

    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int result = getaddrinfo(host, colon + 1, &hints, &found);
    if (result != 0)
        return error_set(err, ERROR_ADDRESS, "%s: %s", text, gai_strerror(result));
    address_set_tcp(out, found->ai_addr, found->ai_addrlen);
    snprintf(out->text, sizeof out->text, "%s", text);
    freeaddrinfo(found);
    return true;
}
