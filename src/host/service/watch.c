/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enclavectl configure --watch: keeps a service configured. Credentials are renewed before they
 * expire; a service that came back empty (state awaiting_configuration) is configured again.
 */
#include <unistd.h>

#include "base/clock.h"
#include "codec/json_writer.h"
#include "host/client/backoff.h"
#include "host/credentials/credentials_find.h"
#include "host/report.h"
#include "host/service/configure.h"
#include "sockets/deadline_sleep.h"
#include "system/signals.h"

#define SECOND_US        INT64_C(1000000)
#define LONG_LIFE_US     (600 * SECOND_US) /* longer than this: renewed */
#define LEAD_US          (300 * SECOND_US) /* this long before the end; else at half the rest */
#define REREAD_US        (300 * SECOND_US) /* sources that give no expiry are read again that often */
#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS   60000

struct watch {
    const struct configure *configure;
    int stop_fd;
    struct credentials current;
    bool configured;   /* the service has taken current */
    int64_t renew_us;  /* wall clock: when the source is to be asked again */
    unsigned failures; /* in a row */
};

/* When to renew, a little early by chance, so that many hosts do not come at once. */
static int64_t next_renewal(int64_t expires_us)
{
    int64_t now = clock_wall_us();
    if (expires_us == CREDENTIALS_NEVER_EXPIRE)
        return now + REREAD_US;
    int64_t rest = expires_us - now;
    int64_t wait = rest > LONG_LIFE_US ? rest - LEAD_US : rest / 2;
    wait -= backoff_jitter(wait / 10 < 60 * SECOND_US ? wait / 10 : 60 * SECOND_US);
    return now + (wait > SECOND_US ? wait : SECOND_US);
}

static bool same(const struct credentials *a, const struct credentials *b)
{
    return bytes_equal_secret(buffer_bytes(&a->access_key_id), buffer_bytes(&b->access_key_id)) &&
           bytes_equal_secret(buffer_bytes(&a->secret_access_key),
                              buffer_bytes(&b->secret_access_key)) &&
           bytes_equal_secret(buffer_bytes(&a->session_token), buffer_bytes(&b->session_token)) &&
           a->expires_us == b->expires_us;
}

/* One line for each time that the service took credentials. */
static void report_configured(const struct watch *watch, const struct client *client)
{
    const struct common *common = &watch->configure->common;
    const struct json *answer = &client->answer;
    char now[ISO_Z_SIZE], expires[ISO_Z_SIZE] = "never", renew[ISO_Z_SIZE];
    BUFFER_AUTO out;
    buffer_init(&out, FRAME_LIMIT);
    bool known = watch->current.expires_us != CREDENTIALS_NEVER_EXPIRE;
    iso_z(now, clock_wall_us());
    iso_z(renew, watch->renew_us);
    if (known)
        iso_z(expires, watch->current.expires_us);
    if (common->json) {
        struct json_writer w = json_writer(&out);
        json_object(&w, NULL);
        json_text(&w, "status", "success");
        json_text(&w, "event", "configured");
        json_text(&w, "time", now);
        json_text(&w, "source", watch->current.source);
        if (known)
            json_text(&w, "expires", expires);
        else
            json_null(&w, "expires");
        json_text(&w, "renew_at", renew);
        json_verbatim(&w, "answer", json_raw(answer, 0));
        json_end(&w);
    } else {
        buffer_printf(&out, "%s configured ", now);
        append_json_text(&out, answer, json_member(answer, 0, "key_id"));
        buffer_text(&out, ", credentials from ");
        append_escaped(&out, bytes_text(watch->current.source));
        buffer_printf(&out, " (expire: %s), next look at %s", expires, renew);
    }
    buffer_byte(&out, '\n');
    if (!out.failed && report_print(common, buffer_bytes(&out)) != EXIT_OK)
        return; /* reported; the watch goes on */
}

/* Sends what the source gives now. whole: to a service that has nothing yet. */
static bool deliver(struct watch *watch, bool whole, int *refusal, struct error *err)
{
    CREDENTIALS_AUTO found;
    CLIENT_AUTO client;
    credentials_init(&found);
    client_init(&client, watch->configure->common.timeout_ms, FRAME_LIMIT, watch->stop_fd);
    if (!credentials_find(&found, watch->configure->profile, watch->stop_fd, err))
        return false;
    if (!whole && same(&found, &watch->current)) {
        watch->renew_us = next_renewal(found.expires_us);
        return true;
    }
    if (!delivery_send(&watch->configure->delivery, watch->configure->common.to, &found, whole,
                       &client, err))
        return false;
    if (client_refused(&client)) {
        *refusal = report_refusal(&watch->configure->common, &client.answer);
        return false;
    }
    struct credentials old = watch->current;
    watch->current = found;
    found = old; /* wiped on return */
    watch->configured = true;
    watch->renew_us = next_renewal(watch->current.expires_us);
    report_configured(watch, &client);
    return true;
}

/* Asks for the state. *empty: the service awaits its configuration. */
static bool look(const struct watch *watch, bool *empty, struct error *err)
{
    CLIENT_AUTO client;
    client_init(&client, watch->configure->common.timeout_ms, FRAME_LIMIT, watch->stop_fd);
    if (!client_connect(&client, watch->configure->common.to, err) ||
        !client_ask(&client, bytes_text("{\"op\": \"health\"}"), err))
        return false;
    json_value state = json_member(&client.answer, 0, "state");
    if (state == JSON_NONE || json_type(&client.answer, state) != JSON_STRING)
        return error_set(err, ERROR_FORMAT, "the answer to health has no state");
    *empty = json_string_is(&client.answer, state, "awaiting_configuration");
    return true;
}

/* One round; false after a failure, which was reported. */
static bool step(struct watch *watch, struct error *err)
{
    bool empty = !watch->configured;
    int refusal = EXIT_OK;
    *err = (struct error){0};
    bool good = empty || look(watch, &empty, err);
    if (good && empty)
        watch->configured = false;
    if (good && (empty || clock_wall_us() >= watch->renew_us))
        good = deliver(watch, empty, &refusal, err);
    if (!good && refusal == EXIT_OK && err->code != ERROR_SHUTTING_DOWN)
        (void)report_failure(&watch->configure->common, err);
    return good;
}

static int64_t pause_ms(const struct watch *watch, bool good)
{
    if (!good)
        return backoff_ms(watch->failures, BACKOFF_FIRST_MS, BACKOFF_MAX_MS);
    int64_t rest = (watch->renew_us - clock_wall_us()) / 1000 + 1;
    rest = rest > 0 ? rest : 0;
    return rest < watch->configure->check_ms ? rest : watch->configure->check_ms;
}

static int run(struct watch *watch)
{
    struct deadline forever = {.at_ms = INT64_MAX, .stop_fd = watch->stop_fd};
    for (;;) {
        struct error err;
        bool good = step(watch, &err);
        if (!good && err.code == ERROR_SHUTTING_DOWN)
            return EXIT_OK;
        if (!good && (err.code == ERROR_USAGE || err.code == ERROR_ADDRESS))
            return EXIT_USAGE; /* time does not help */
        watch->failures = good ? 0 : watch->failures + 1;
        if (!deadline_sleep(&forever, pause_ms(watch, good), &err))
            return EXIT_OK;
    }
}

int configure_watch(const struct configure *configure)
{
    static const int ends[] = {SIGINT, SIGTERM, 0};
    struct watch watch = {.configure = configure};
    struct error err;
    watch.stop_fd = signals_open(ends, &err);
    if (watch.stop_fd < 0)
        return report_failure(&configure->common, &err);
    credentials_init(&watch.current);
    int code = run(&watch);
    credentials_clear(&watch.current);
    close(watch.stop_fd);
    return code;
}
