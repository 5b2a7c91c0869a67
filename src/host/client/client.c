/* SPDX-License-Identifier: Apache-2.0 */
#include "host/client/client.h"

#include <unistd.h>

#include "host/resolve.h"

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
    if (!frame_receive(client->fd, &client->text, client->frame_limit, &deadline, err)) {
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
