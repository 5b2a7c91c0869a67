/* SPDX-License-Identifier: Apache-2.0 */
#include "host/client/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/resolve.h"

#define STRANGER_MS 1000 /* for a program that is not enclaved to say so */

void client_init(struct client *client, int64_t timeout_ms, size_t frame_limit, int stop_fd)
{
    *client = (struct client){
        .fd = -1, .stop_fd = stop_fd, .timeout_ms = timeout_ms, .frame_limit = frame_limit};
    buffer_init(&client->text, frame_limit);
    json_init(&client->answer, JSON_DEPTH_MAX);
}

void client_clear(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    json_clear(&client->answer);
    buffer_clear(&client->text);
}

void client_reset(struct client *client)
{
    client_clear(client);
    client_init(client, client->timeout_ms, client->frame_limit, client->stop_fd);
}

static struct deadline client_deadline(const struct client *client)
{
    struct deadline deadline = deadline_in(client->timeout_ms);
    deadline.stop_fd = client->stop_fd;
    return deadline;
}

bool client_connect(struct client *client, const char *address, struct error *err)
{
    struct address to;
    struct deadline deadline = client_deadline(client);
    if (!address_resolve(&to, address, err))
        return false;
    return address_connect(&to, &deadline, &client->fd, err);
}

/*
 * An answer is an object with status "success" or "error"; an error answer of the reference program
 * has only the member error.
 */
static bool check_shape(const struct client *client, struct error *err)
{
    const struct json *doc = &client->answer;
    if (json_type(doc, 0) != JSON_OBJECT)
        return error_set(err, ERROR_FORMAT, "the answer is not a JSON object");
    json_value status = json_member(doc, 0, "status");
    if (status == JSON_NONE && json_member(doc, 0, "error") != JSON_NONE)
        return true;
    if (status == JSON_NONE ||
        (!json_string_is(doc, status, "success") && !json_string_is(doc, status, "error")))
        return error_set(err, ERROR_FORMAT, "the answer has no status");
    return true;
}

/* What answers instead of enclaved, by its first bytes. As a length they are far too long. */
static bool is_stranger(int fd, struct error *err)
{
    static const struct {
        const char first[FRAME_HEADER_SIZE + 1], *what;
    } rows[] = {{"HTTP", "an HTTP server"},
                {"<!DO", "an HTTP server"},
                {"<htm", "an HTTP server"},
                {"SSH-", "an SSH server"}};
    char first[FRAME_HEADER_SIZE];
    if (recv(fd, first, sizeof first, MSG_PEEK | MSG_DONTWAIT) != (ssize_t)sizeof first)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (memcmp(first, rows[i].first, sizeof first) == 0) {
            error_set(err, ERROR_FORMAT, "that is %s, not enclaved", rows[i].what);
            return true;
        }
    return false;
}

/*
 * Waits for the first bytes of an answer. An HTTP server may wait in turn for the end of a line: it
 * gets one, once the time is over and the connection of no more use.
 */
static bool await_answer(const struct client *client, const struct deadline *deadline,
                         struct error *err)
{
    struct error ignored;
    bool there = deadline_wait(deadline, client->fd, POLLIN, err);
    if (!there && err->code == ERROR_DEADLINE &&
        send(client->fd, "\r\n\r\n", 4, MSG_NOSIGNAL | MSG_DONTWAIT) == 4) {
        struct deadline more = deadline_in(STRANGER_MS);
        more.stop_fd = client->stop_fd;
        if (deadline_wait(&more, client->fd, POLLIN, &ignored))
            (void)is_stranger(client->fd, err);
    }
    return there && !is_stranger(client->fd, err);
}

bool client_ask(struct client *client, struct bytes request, struct error *err)
{
    struct deadline deadline = client_deadline(client);
    struct error sent = {0};
    /* A service that refuses a frame answers and closes. Its reason may arrive although sending
     * failed, and helps more than "connection reset". */
    bool whole = frame_send(client->fd, request, &deadline, &sent);
    if (!whole && sent.code != ERROR_NETWORK && sent.code != ERROR_CLOSED) {
        *err = sent;
        return false;
    }
    if (!await_answer(client, &deadline, err) ||
        !frame_receive(client->fd, &client->text, client->frame_limit, &deadline, err)) {
        if (!whole)
            *err = sent;
        return false;
    }
    struct error parse = {0};
    if (!json_parse(&client->answer, buffer_bytes(&client->text), &parse)) {
        if (parse.code == ERROR_MEMORY) {
            *err = parse;
            return false;
        }
        return error_set(err, ERROR_FORMAT, "the answer is not JSON: %.200s",
                         parse.cause[0] != '\0' ? parse.cause : error_text(parse.code));
    }
    return check_shape(client, err);
}

bool client_refused(const struct client *client)
{
    json_value status = json_member(&client->answer, 0, "status");
    return status == JSON_NONE || json_string_is(&client->answer, status, "error");
}
