/* SPDX-License-Identifier: Apache-2.0 */
/* What a relay reports: failures in the log, counts in the log and at the status address. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "codec/json_writer.h"
#include "host/relay/relay.h"

#define STATUS_LIMIT (512u << 10) /* bytes: the longest list in force, and counts */

static const char *const names[] = {
#define FAILURE_NAME(id, name, text) name,
    RELAY_FAILURES(FAILURE_NAME)
#undef FAILURE_NAME
};
static const char *const texts[] = {
#define FAILURE_TEXT(id, name, text) text,
    RELAY_FAILURES(FAILURE_TEXT)
#undef FAILURE_TEXT
};

/* --- failures -------------------------------------------------------------------------------- */

/* A limiter's time begins with its first line. */
static bool may_log(const struct relay *relay, struct log_limiter *limiter)
{
    if (limiter->until_ms == 0)
        limiter->until_ms = relay->now_ms + LOG_LIMITER_MS;
    if (limiter->logged < LOG_LIMITER_LINES) {
        limiter->logged++;
        return true;
    }
    limiter->withheld++;
    return false;
}

void relay_fail(struct relay *relay, struct route *route, enum relay_failure why, const char *peer,
                const char *cause)
{
    route->counts.failed[why]++;
    relay->failed_us = clock_wall_us();
    snprintf(relay->failed_text, sizeof relay->failed_text, "%.60s to %.270s: %s%s%.120s", peer,
             route->to_text, texts[why], cause != NULL ? ": " : "", cause != NULL ? cause : "");
    if (!may_log(relay, &route->limiters[why]))
        return;
    /* Clients that leave and destinations that close are normal; refusals are not. */
    if (why == FAIL_RESET || why == FAIL_IDLE)
        log_info("%s", relay->failed_text);
    else
        log_warning("%s", relay->failed_text);
}

static void close_limiter(const struct route *route, size_t why, struct log_limiter *limiter)
{
    if (limiter->withheld > 0)
        log_warning("to %s: %s: %llu more times, not logged one by one", route->to_text, texts[why],
                    (unsigned long long)limiter->withheld);
    *limiter = (struct log_limiter){0};
}

void relay_log_withheld(struct relay *relay, bool now)
{
    for (size_t i = 0; i < relay->route_count; i++)
        for (size_t why = 0; why < FAILURES; why++) {
            struct log_limiter *limiter = &relay->routes[i].limiters[why];
            if (limiter->until_ms != 0 && (now || limiter->until_ms <= relay->now_ms))
                close_limiter(&relay->routes[i], why, limiter);
        }
}

int64_t relay_next_log(const struct relay *relay)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < relay->route_count; i++)
        for (size_t why = 0; why < FAILURES; why++) {
            const struct log_limiter *limiter = &relay->routes[i].limiters[why];
            if (limiter->withheld > 0 && limiter->until_ms < next)
                next = limiter->until_ms;
        }
    return next;
}

/* --- counts ---------------------------------------------------------------------------------- */

static uint64_t sum(const struct counts *counts, size_t from, size_t to)
{
    uint64_t total = 0;
    for (size_t why = from; why < to; why++)
        total += counts->failed[why];
    return total;
}

void relay_log_counts(const struct relay *relay)
{
    for (size_t i = 0; i < relay->route_count; i++) {
        const struct route *route = &relay->routes[i];
        const struct counts *counts = &route->counts;
        log_info("%s -> %s: %llu open, %llu accepted, %llu complete, %llu left, %llu refused, %llu "
                 "failed, "
                 "%llu bytes up, %llu down",
                 route->listen.text, route->to_text, (unsigned long long)route->open,
                 (unsigned long long)counts->accepted, (unsigned long long)counts->complete,
                 (unsigned long long)counts->left,
                 (unsigned long long)sum(counts, 0, FAILURES_REFUSED),
                 (unsigned long long)sum(counts, FAILURES_REFUSED, FAILURES),
                 (unsigned long long)counts->bytes_up, (unsigned long long)counts->bytes_down);
    }
}

/* No relay runs long enough for a count to reach 2^63. */
static void write_count(struct json_writer *w, const char *name, uint64_t count)
{
    json_integer(w, name, (int64_t)count);
}

static void write_failures(struct json_writer *w, const char *name, const struct counts *counts,
                           size_t from, size_t to)
{
    json_object(w, name);
    for (size_t why = from; why < to; why++)
        write_count(w, names[why], counts->failed[why]);
    json_end(w);
}

static void write_route(struct json_writer *w, const struct route *route)
{
    const struct counts *counts = &route->counts;
    json_object(w, NULL);
    json_text(w, "listen", route->listen.text);
    json_text(w, "to", route->to_text);
    json_boolean(w, "allowed", route->allowed);
    write_count(w, "open", route->open);
    write_count(w, "accepted", counts->accepted);
    write_count(w, "complete", counts->complete);
    write_count(w, "left", counts->left);
    write_failures(w, "refused", counts, 0, FAILURES_REFUSED);
    write_failures(w, "failed", counts, FAILURES_REFUSED, FAILURES);
    write_count(w, "bytes_up", counts->bytes_up);
    write_count(w, "bytes_down", counts->bytes_down);
    json_end(w);
}

static void write_last_failure(struct json_writer *w, const struct relay *relay)
{
    char time[CLOCK_ISO_SIZE + 1];
    if (relay->failed_us == 0) {
        json_null(w, "last_failure");
        return;
    }
    clock_format_iso(time, relay->failed_us);
    time[CLOCK_ISO_SIZE - 1] = 'Z';
    time[CLOCK_ISO_SIZE] = '\0';
    json_object(w, "last_failure");
    json_text(w, "time", time);
    json_text(w, "cause", relay->failed_text);
    json_end(w);
}

static void write_status(struct buffer *out, const struct relay *relay)
{
    struct json_writer w = json_writer(out);
    json_object(&w, NULL);
    json_text(&w, "status", "success");
    json_text(&w, "state", relay->drain_until_ms == 0 ? "ready" : "stopping");
    json_text(&w, "version", ENCLAVED_VERSION);
    json_integer(&w, "uptime_seconds", (relay->now_ms - relay->started_ms) / 1000);
    write_count(&w, "open", relay->open);
    write_count(&w, "connections", relay->most);
    json_array(&w, "routes");
    for (size_t i = 0; i < relay->route_count; i++)
        write_route(&w, &relay->routes[i]);
    json_end(&w);
    json_array(&w, "allow");
    for (size_t i = 0; i < relay->allow.count; i++) {
        char text[DESTINATION_TEXT_SIZE];
        destination_text(&relay->allow.entries[i], text);
        json_text(&w, NULL, text);
    }
    json_end(&w);
    write_last_failure(&w, relay);
    json_end(&w);
    buffer_byte(out, '\n');
}

/*
 * Sends the status at once: the send buffer is made large enough for it, so that a client that does
 * not read holds only memory of the kernel. A status that still does not fit is not sent.
 */
static void answer(const struct relay *relay, int fd)
{
    BUFFER_AUTO out;
    buffer_init(&out, STATUS_LIMIT);
    write_status(&out, relay);
    int size = (int)out.len;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (out.failed || send(fd, out.at, out.len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)out.len)
        log_warning("a client of the status address could not be answered");
}

void relay_answer_status(struct relay *relay)
{
    int fd = accept4(relay->status.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    bool spare = fd < 0 && (errno == EMFILE || errno == ENFILE) && relay->spare_fd >= 0;
    if (spare) {
        close(relay->spare_fd);
        fd = accept4(relay->status.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    if (fd >= 0) {
        answer(relay, fd);
        close(fd);
    } else if (errno == EMFILE || errno == ENFILE) {
        port_watch(relay, &relay->status, 0);
        relay->accept_again_ms = relay->now_ms + ACCEPT_PAUSE_MS;
    }
    if (spare)
        relay->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}
