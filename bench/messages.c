/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/messages.h"

#include <stdio.h>
#include <stdlib.h>

void message_clear(struct message *m)
{
    free(m->at);
    *m = (struct message){0};
}

static bool make_room(struct message *m, size_t len)
{
    if (len <= m->cap)
        return true;
    uint8_t *at = realloc(m->at, len);
    if (at == NULL)
        return false;
    m->at = at;
    m->cap = len;
    return true;
}

/* Frames head, middle and tail as one message. */
static bool join(struct message *m, const char *head, struct bytes middle, const char *tail)
{
    size_t head_len = strlen(head), tail_len = strlen(tail);
    size_t len = head_len + middle.len + tail_len;
    if (len > UINT32_MAX || !make_room(m, len + 4))
        return false;
    be32_store(m->at, (uint32_t)len);
    memcpy(m->at + 4, head, head_len);
    if (middle.len > 0)
        memcpy(m->at + 4 + head_len, middle.at, middle.len);
    memcpy(m->at + 4 + head_len + middle.len, tail, tail_len);
    m->len = len + 4;
    return true;
}

/*
 * The member of a list, with the comma before it: a small record, as programs exchange them, of an
 * object, strings with an escape and with text outside ASCII, integers, fractions and words; or an
 * empty object. Its length.
 */
static size_t put_member(char out[160], unsigned number, enum payload payload)
{
    const char *comma = number == 0 ? "" : ",";
    if (payload == PAYLOAD_OBJECTS)
        return (size_t)snprintf(out, 160, "%s{}", comma);
    return (size_t)snprintf(out, 160,
                            "%s{\"id\":%u,\"name\":\"r\\u00e9cord \xc3\xa9 %u\",\"value\":%u.25,"
                            "\"ok\":%s,\"none\":null}",
                            comma, number, number * 7919u % 1000u, number % 97u,
                            number % 2 == 0 ? "true" : "false");
}

/* A last string fills the rest of size; it is the only value if no member fits, or for text. */
static void fill_payload(char *at, size_t size, enum payload payload)
{
    size_t used = 0;
    at[used++] = '[';
    for (unsigned number = 0; payload != PAYLOAD_TEXT; number++) {
        char member[160];
        size_t len = put_member(member, number, payload);
        if (used + len + sizeof ",\"\"]" - 1 > size)
            break;
        memcpy(at + used, member, len);
        used += len;
    }
    bool list = used > 1;
    if (list)
        at[used++] = ',';
    else
        used = 0;
    memset(at + used, 'x', size - used);
    at[used] = '"';
    at[size - 1] = list ? ']' : '"';
    if (list)
        at[size - 2] = '"';
}

bool message_mode_a(struct message *m, size_t size, enum payload payload)
{
    char *content = malloc(size);
    if (content == NULL)
        return false;
    fill_payload(content, size, payload);
    bool done = join(m, "{\"mode\":\"A\",\"payload\":", bytes_of(content, size), "}");
    free(content);
    return done;
}

bool message_health(struct message *m)
{
    return join(m, "{\"op\":\"health\"}", bytes_of(NULL, 0), "");
}

bool message_mode_b(struct message *m, struct bytes hex)
{
    return join(m, "{\"mode\":\"B\",\"payload\":\"", hex, "\"}");
}

size_t sealed_digits(size_t payload_size)
{
    static const char frame[] = "{\"agent\":\"A\",\"iteration\":1,\"data\":{\"message\":"
                                "\"Initial state from Agent A\",\"input_received\":,"
                                "\"timestamp\":\"2026-11-22T13:16:23.123456\"}}";
    return 2 * (12 + sizeof frame - 1 + payload_size + 16);
}

#define HEAD 80 /* in its first bytes an answer says what it is */

static size_t head_of(struct bytes answer)
{
    return answer.len < HEAD ? answer.len : HEAD;
}

bool answer_success(struct bytes answer)
{
    static const char status[] = "\"success\"";
    return memmem(answer.at, head_of(answer), status, sizeof status - 1) != NULL;
}

bool answer_ciphertext(struct bytes answer, size_t least_digits, struct bytes *hex)
{
    static const char name[] = "\"ciphertext\"";
    if (!answer_success(answer))
        return false;
    const uint8_t *at = memmem(answer.at, head_of(answer), name, sizeof name - 1);
    if (at == NULL)
        return false;
    const uint8_t *end = answer.at + answer.len;
    at += sizeof name - 1;
    while (at < end && *at != '"')
        at++;
    at++;
    if (answer.len < 2 || end[-1] != '}' || end[-2] != '"' || at > end - 2)
        return false;
    *hex = bytes_of(at, (size_t)(end - 2 - at));
    return hex->len >= least_digits && hex->len % 2 == 0;
}
