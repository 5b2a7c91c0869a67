/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the way to KMS: the relay, TLS through it, and the date in the answer of KMS. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/tls.h"
#include "formats/http_header.h"
#include "host/doctor/doctor.h"
#include "host/resolve.h"
#include "net/deadline.h"
#include "system/file.h"

#define ROOTS_LIMIT  (4u << 20) /* bytes */
#define SKEW_SECONDS 300        /* the deviation of a signature's date that AWS accepts */
#define ANSWER_LIMIT 65536

/* Where distributions keep the roots they trust. */
static const char *const bundles[] = {
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Amazon Linux, Fedora, RHEL */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* the same, by its older name */
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Alpine, Arch */
    "/etc/ssl/ca-bundle.pem",                            /* SUSE */
};

/* --roots, else the first bundle that there is. */
static bool find_roots(const struct doctor *doctor, char out[DOCTOR_PATH_SIZE])
{
    if (doctor->roots != NULL)
        return snprintf(out, DOCTOR_PATH_SIZE, "%s", doctor->roots) < DOCTOR_PATH_SIZE;
    for (size_t i = 0; i < ARRAY_LEN(bundles); i++)
        if (doctor_there(doctor, bundles[i]))
            return doctor_path(doctor, bundles[i], out);
    return false;
}

static bool wait_for(void *context, int fd, short events, struct error *err)
{
    const struct deadline *deadline = context;
    return deadline_wait(deadline, fd, events, err);
}

/* --endpoint, else kms.REGION.amazonaws.com from arn:PARTITION:kms:REGION:…; false if neither. */
static bool find_endpoint(const struct doctor *doctor, char out[256])
{
    char partition[32], region[64];
    if (doctor->endpoint != NULL)
        return snprintf(out, 256, "%s", doctor->endpoint) < 256;
    if (sscanf(doctor->key_arn, "arn:%31[a-z-]:kms:%63[a-z0-9-]:", partition, region) != 2)
        return false;
    const char *suffix = strcmp(partition, "aws-cn") == 0     ? "amazonaws.com.cn"
                         : strcmp(partition, "aws-eusc") == 0 ? "amazonaws.eu"
                                                              : "amazonaws.com";
    return snprintf(out, 256, "kms.%s.%s", region, suffix) < 256;
}

/* Sends a GET and reads the answer into text. False if the other side does not speak HTTP. */
static bool get_answer(struct tls *tls, const char *host, struct buffer *text,
                       struct http_response *response)
{
    struct error err;
    buffer_printf(text, "GET / HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n", host);
    if (text->failed || !tls_write(tls, buffer_bytes(text), &err))
        return false;
    buffer_reset(text);
    enum http_progress progress = HTTP_INCOMPLETE;
    while (progress == HTTP_INCOMPLETE) {
        size_t got = 0;
        uint8_t *at = buffer_reserve(text, 4096);
        if (at == NULL || !tls_read(tls, at, 4096, &got, &err) || got == 0)
            return false;
        buffer_commit(text, got);
        progress = http_response_parse(response, buffer_bytes(text), ANSWER_LIMIT, &err);
    }
    return progress == HTTP_COMPLETE;
}

/* The time in an answer's header Date, in seconds. */
static bool date_of(const struct http_response *response, int64_t *seconds)
{
    struct bytes date = http_header(response, "date");
    char copy[64];
    struct tm parts = {0};
    snprintf(copy, sizeof copy, "%.*s", (int)(date.len < 63 ? date.len : 63),
             date.len > 0 ? (const char *)date.at : "");
    if (strptime(copy, "%a, %d %b %Y %H:%M:%S GMT", &parts) == NULL)
        return false;
    *seconds = (int64_t)timegm(&parts);
    return true;
}

/* Compares the clocks. Nothing is added if the other side sends no date. */
static void compare_clocks(struct doctor *doctor, struct tls *tls, const char *host)
{
    BUFFER_AUTO text;
    struct http_response response;
    int64_t date;
    buffer_init(&text, ANSWER_LIMIT);
    if (!get_answer(tls, host, &text, &response) || !date_of(&response, &date))
        return;
    long long skew = (long long)(clock_wall_us() / 1000000 - date);
    if (llabs(skew) >= SKEW_SECONDS)
        doctor_add(doctor, "kms clock", CHECK_FAIL, "set the clock: KMS refuses such signatures",
                   "this clock is %lld seconds %s that of %.100s", llabs(skew),
                   skew > 0 ? "ahead of" : "behind", host);
    else
        doctor_add(doctor, "kms clock", CHECK_OK, NULL, "within %lld seconds of %.100s",
                   llabs(skew), host);
}

static void try_tls(struct doctor *doctor, int fd, const char *host, struct deadline *deadline)
{
    BUFFER_AUTO pem;
    struct error err = {0};
    char path[DOCTOR_PATH_SIZE];
    buffer_init(&pem, ROOTS_LIMIT);
    if (!find_roots(doctor, path)) {
        doctor_add(doctor, "tls", CHECK_FAIL, "install ca-certificates, or give --roots FILE",
                   "not tried: this system has no CA bundle in /etc/pki or /etc/ssl");
        return;
    }
    struct tls_roots *roots =
        file_read(path, &pem, &err) ? tls_roots_new(buffer_bytes(&pem), &err) : NULL;
    if (roots == NULL) {
        doctor_add(doctor, "tls", CHECK_FAIL, "give --roots FILE", "%s", err.cause);
        return;
    }
    struct tls *tls = tls_connect(fd, roots, host, wait_for, deadline, &err);
    if (tls == NULL) {
        doctor_add(
            doctor, "tls", CHECK_FAIL,
            "the relay must be raw TCP and lead to this name, port 443 (enclavectl relay --query "
            "shows where, and what failed); check roots and clock",
            "no trusted TLS connection to %.100s: %.400s", host, err.cause);
    } else {
        doctor_add(doctor, "tls", CHECK_OK, NULL,
                   "the certificate of %.100s is trusted under %.200s", host, path);
        compare_clocks(doctor, tls, host);
    }
    tls_free(tls);
    tls_roots_free(roots);
}

/* The remedy is the command that starts a relay to the KMS of this key. */
static void add_unreachable(struct doctor *doctor, const struct error *err)
{
    char host[256], remedy[400];
    if (!find_endpoint(doctor, host))
        snprintf(host, sizeof host, "kms.REGION.amazonaws.com");
    snprintf(remedy, sizeof remedy,
             "on the parent: enclavectl relay --listen vsock:any:8000 --destination %.250s:443",
             host);
    doctor_add(doctor, "relay", CHECK_FAIL, remedy, "%s",
               err->cause[0] != '\0' ? err->cause : error_text(err->code));
}

static void try_endpoint(struct doctor *doctor, int fd, struct deadline *deadline)
{
    char host[256];
    if (find_endpoint(doctor, host))
        try_tls(doctor, fd, host, deadline);
    else
        doctor_add(doctor, "tls", CHECK_WARN, "give --endpoint kms.REGION.amazonaws.com",
                   "not tried: the name of KMS is unknown");
}

/* The route of the relay that runs here which listens at this port of vsock; NULL: none. */
static const struct doctor_route *find_route(const struct doctor *doctor,
                                             const struct address *relay)
{
    const char *port = strrchr(relay->text, ':');
    for (size_t i = 0; address_is_vsock(relay) && i < doctor->route_count; i++) {
        const char *listen = doctor->routes[i].listen, *own = strrchr(listen, ':');
        if (strncmp(listen, "vsock:", 6) == 0 && own != NULL && strcmp(own, port) == 0)
            return &doctor->routes[i];
    }
    return NULL;
}

/* A parent cannot connect to itself over vsock. What its relay reports is known, and what lies
 * beyond the relay can be tried from here. */
static void try_beyond(struct doctor *doctor, const struct doctor_route *route)
{
    char to[sizeof route->to + sizeof "tcp:"];
    struct address destination;
    struct deadline deadline = deadline_in(doctor->common.timeout_ms);
    struct error err = {0};
    int fd = -1;
    snprintf(to, sizeof to, "tcp:%s", route->to);
    doctor_add(doctor, "relay", CHECK_OK, NULL,
               "it listens at %s, as its status says; only the enclave can connect to that",
               route->listen);
    if (!address_resolve(&destination, to, &err) ||
        !address_connect(&destination, &deadline, &fd, &err)) {
        doctor_add(doctor, "tls", CHECK_FAIL,
                   "let this parent reach KMS, by a route, or a VPC endpoint for kms",
                   "the relay's destination cannot be reached: %.400s", err.cause);
        return;
    }
    try_endpoint(doctor, fd, &deadline);
    close(fd);
}

void doctor_relay(struct doctor *doctor)
{
    struct address relay;
    struct deadline deadline = deadline_in(doctor->common.timeout_ms);
    struct error err = {0};
    int fd = -1;
    bool parsed = address_resolve(&relay, doctor->relay, &err);
    const struct doctor_route *route = parsed ? find_route(doctor, &relay) : NULL;
    if (route != NULL) {
        try_beyond(doctor, route);
        return;
    }
    if (!parsed || !address_connect(&relay, &deadline, &fd, &err)) {
        add_unreachable(doctor, &err);
        return;
    }
    doctor_add(doctor, "relay", CHECK_OK, NULL, "%s accepts connections", relay.text);
    try_endpoint(doctor, fd, &deadline);
    close(fd);
}
