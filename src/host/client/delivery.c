/* SPDX-License-Identifier: Apache-2.0 */
#include "host/client/delivery.h"

#include <stdio.h>

#include "base/clock.h"
#include "formats/json_print.h"
#include "formats/text.h"
#include "host/client/backoff.h"
#include "host/report.h"
#include "host/wrapped.h"
#include "sockets/deadline_sleep.h"

/* Between attempts that KMS cannot serve now. */
#define PAUSE_FIRST_MS 200
#define PAUSE_MOST_MS  5000
/* With less time left than this, the last answer says more than another attempt. */
#define EXCHANGE_LEAST_MS 2000

static bool put_wrapped(const struct delivery *delivery, struct json_writer *w, struct error *err)
{
    BUFFER_AUTO encoded;
    buffer_init(&encoded, WRAPPED_FILE_MAX);
    if (!(delivery->wrapped_tsk_file != NULL
              ? wrapped_read_file(&encoded, delivery->wrapped_tsk_file, err)
              : wrapped_read_variable(&encoded, err)))
        return false;
    if (encoded.len > 0)
        json_text_bytes(w, "wrapped_tsk", buffer_bytes(&encoded));
    return true;
}

static void put_context(const struct delivery *delivery, struct json_writer *w)
{
    if (delivery->context_count == 0)
        return;
    json_object(w, "encryption_context");
    for (size_t i = 0; i < delivery->context_count; i++) {
        struct text_pair pair;
        if (text_pair(&pair, delivery->context[i]))
            json_text_named(w, pair.name, pair.value);
    }
    json_end(w);
}

/*
 * Builds the configure request in out, a secret buffer. whole: with the wrapped TSK, region and
 * context, not the credentials alone.
 */
static bool build(const struct delivery *delivery, const struct credentials *credentials,
                  bool whole, struct buffer *out, struct error *err)
{
    buffer_reset(out);
    struct json_writer w = json_writer(out);
    json_object(&w, NULL);
    json_text(&w, "op", "configure");
    json_object(&w, "credentials");
    credentials_put(&w, credentials);
    json_end(&w);
    if (whole && delivery->region != NULL)
        json_text(&w, "region", delivery->region);
    if (whole && !put_wrapped(delivery, &w, err))
        return false;
    if (whole)
        put_context(delivery, &w);
    json_end(&w);
    return !out->failed ||
           error_set(err, ERROR_USAGE, "the request would be longer than %d bytes", DELIVERY_LIMIT);
}

/* The region is part of the pinned key's ARN: arn:PARTITION:kms:REGION:… */
static bool check_region(const char *region, const struct json *health, struct error *err)
{
    char arn[300] = "", pinned[64] = "";
    json_value key = json_member(health, 0, "kms_key");
    if (!json_copy_string(health, key, arn, sizeof arn) ||
        sscanf(arn, "arn:%*[^:]:kms:%63[^:]", pinned) != 1)
        return error_set(err, ERROR_FORMAT, "the answer to health has no key");
    return strcmp(region, pinned) == 0 ||
           error_set(err, ERROR_REGION_MISMATCH,
                     "the pinned KMS key is in %s, and --region is %.100s", pinned, region);
}

/* Whether the pinned context has this pair. */
static bool has_pair(const struct json *health, json_value context, const struct text_pair *pair)
{
    for (json_value name = json_first(health, context); name != JSON_NONE;
         name = json_next(health, context, name)) {
        BUFFER_AUTO own_name;
        BUFFER_AUTO own_value;
        buffer_init(&own_name, DELIVERY_LIMIT);
        buffer_init(&own_value, DELIVERY_LIMIT);
        if (json_string(health, name, &own_name) && json_string(health, name + 1, &own_value) &&
            bytes_equal(buffer_bytes(&own_name), pair->name) &&
            bytes_equal(buffer_bytes(&own_value), pair->value))
            return true;
    }
    return false;
}

static bool check_context(const struct delivery *delivery, const struct json *health,
                          struct error *err)
{
    json_value context = json_member(health, 0, "encryption_context");
    size_t pinned = 0;
    bool same = true;
    if (context == JSON_NONE || json_type(health, context) != JSON_OBJECT)
        return error_set(err, ERROR_FORMAT, "the answer to health has no encryption context");
    for (json_value m = json_first(health, context); m != JSON_NONE;
         m = json_next(health, context, m))
        pinned++;
    for (size_t i = 0; i < delivery->context_count && same; i++) {
        struct text_pair pair;
        same = text_pair(&pair, delivery->context[i]) && has_pair(health, context, &pair);
    }
    return (same && pinned == delivery->context_count) ||
           error_set(err, ERROR_CONTEXT_MISMATCH,
                     "the pinned encryption context is not the one of --encryption-context");
}

/* enclaved always uses what is pinned: whether that is what the user expects is found out here. */
static bool check_pinned(const struct delivery *delivery, const struct json *health,
                         struct error *err)
{
    return (delivery->region == NULL || check_region(delivery->region, health, err)) &&
           (delivery->context_count == 0 || check_context(delivery, health, err));
}

/* Lets the next step of client take what is left of the time. */
static void allow_rest(struct client *client, const struct deadline *limit)
{
    int64_t left = limit->at_ms - clock_monotonic_ms();
    client->timeout_ms = left > 1 ? left : 1;
}

/* One exchange over a new connection. A service that refuses health has answered, too. */
static bool send_once(const struct delivery *delivery, const char *to, bool whole,
                      struct bytes request, const struct deadline *limit, struct client *client,
                      struct error *err)
{
    client_reset(client);
    allow_rest(client, limit);
    if (!client_connect(client, to, err))
        return false;
    if (whole && (delivery->region != NULL || delivery->context_count > 0)) {
        allow_rest(client, limit);
        if (!client_ask(client, bytes_text("{\"op\": \"health\"}"), err))
            return false;
        if (client_refused(client))
            return true;
        if (!check_pinned(delivery, &client->answer, err))
            return false;
    }
    allow_rest(client, limit);
    return client_ask(client, request, err);
}

/* Whether the answer is a failure on the way to KMS that may pass. */
static bool may_pass(const struct client *client)
{
    static const char *const codes[] = {"kms_throttled", "kms_unavailable", "relay_unreachable",
                                        "deadline"};
    json_value code = json_member(&client->answer, 0, "code");
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (json_string_is(&client->answer, code, codes[i]))
            return client_refused(client);
    return false;
}

static void note_repetition(const struct client *client, int64_t pause_ms)
{
    char code[32] = "", cause[300] = "";
    (void)!json_copy_string(&client->answer, json_member(&client->answer, 0, "code"), code,
                            sizeof code);
    (void)!json_copy_string(&client->answer, json_member(&client->answer, 0, "cause"), cause,
                            sizeof cause);
    report_note("%s: %s; trying again in %lld.%lld s", code, cause, (long long)pause_ms / 1000,
                (long long)pause_ms % 1000 / 100);
}

/* Sends once more. If the time limit cuts this short, the answer before it stays: it says more. */
static bool send_again(const struct delivery *delivery, const char *to, bool whole,
                       struct bytes request, const struct deadline *limit, struct client *client,
                       struct error *err)
{
    struct client again;
    client_init(&again, client->timeout_ms, client->frame_limit, client->stop_fd);
    bool answered = send_once(delivery, to, whole, request, limit, &again, err);
    if (!answered && err->code == ERROR_DEADLINE) {
        client_clear(&again);
        *err = (struct error){0};
        return true;
    }
    client_clear(client);
    *client = again;
    return answered;
}

/* Sends until there is an answer that lasts, or no time for another attempt. */
static bool send_repeatedly(const struct delivery *delivery, const char *to, bool whole,
                            struct bytes request, struct client *client, struct error *err)
{
    struct deadline limit = deadline_in(client->timeout_ms);
    limit.stop_fd = client->stop_fd;
    if (!send_once(delivery, to, whole, request, &limit, client, err))
        return false;
    for (unsigned attempts = 1;; attempts++) {
        int64_t pause = backoff_ms(attempts, PAUSE_FIRST_MS, PAUSE_MOST_MS);
        if (!may_pass(client) || limit.at_ms - clock_monotonic_ms() - pause < EXCHANGE_LEAST_MS)
            return true;
        note_repetition(client, pause);
        if (!deadline_sleep(&limit, pause, err) ||
            !send_again(delivery, to, whole, request, &limit, client, err))
            return false;
    }
}

bool delivery_send(const struct delivery *delivery, const char *to,
                   const struct credentials *credentials, bool whole, struct client *client,
                   struct error *err)
{
    /* Built once: standard input, from which the wrapped TSK may come, is not there twice. */
    const int64_t timeout_ms = client->timeout_ms;
    struct buffer request;
    buffer_init_secret(&request, DELIVERY_LIMIT);
    bool answered = build(delivery, credentials, whole, &request, err) &&
                    send_repeatedly(delivery, to, whole, buffer_bytes(&request), client, err);
    buffer_clear(&request);
    client->timeout_ms = timeout_ms;
    return answered;
}
