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
    memcpy(m->at + 4 + head_len, middle.at, middle.len);
    memcpy(m->at + 4 + head_len + middle.len, tail, tail_len);
    m->len = len + 4;
    return true;
}

/*
 * A list of small records, as programs exchange them: objects, strings with an escape and with text
 * outside ASCII, integers, fractions, words. A last string fills the rest of size; if no record
 * fits or text is wanted, it is the only value.
 */
static void fill_payload(char *at, size_t size, bool text)
{
    size_t used = 0;
    at[used++] = '[';
    for (unsigned number = 0; !text; number++) {
        char record[160];
        int len = snprintf(record, sizeof record,
                           "%s{\"id\":%u,\"name\":\"r\\u00e9cord \xc3\xa9 %u\",\"value\":%u.25,"
                           "\"ok\":%s,\"none\":null}",
                           number == 0 ? "" : ",", number, number * 7919u % 1000u, number % 97u,
                           number % 2 == 0 ? "true" : "false");
        if (len < 0 || used + (size_t)len + sizeof ",\"\"]" - 1 > size)
            break;
        memcpy(at + used, record, (size_t)len);
        used += (size_t)len;
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

bool message_mode_a(struct message *m, size_t size, bool text)
{
    char *payload = malloc(size);
    if (payload == NULL)
        return false;
    fill_payload(payload, size, text);
    bool done = join(m, "{\"mode\":\"A\",\"payload\":", bytes_of(payload, size), "}");
    free(payload);
    return done;
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

bool answer_ciphertext(struct bytes answer, size_t least_digits, struct bytes *hex)
{
    static const char status[] = "\"success\"", name[] = "\"ciphertext\"";
    size_t head = answer.len < 80 ? answer.len : 80;
    if (memmem(answer.at, head, status, sizeof status - 1) == NULL)
        return false;
    const uint8_t *at = memmem(answer.at, head, name, sizeof name - 1);
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
