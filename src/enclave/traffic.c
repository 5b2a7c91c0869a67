/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/traffic.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "enclave/answer.h"
#include "enclave/request.h"
#include "enclave/room.h"
#include "enclave/session.h"
#include "net/frame.h"

/* --- what is counted -------------------------------------------------------------------------- */

static void count_error(struct traffic *t)
{
    atomic_fetch_add_explicit(&t->service->errors, 1, memory_order_relaxed);
}

void traffic_count(struct traffic *t, enum end_reason why)
{
    atomic_fetch_add_explicit(&t->service->ended[why], 1, memory_order_relaxed);
}

/* --- ends ------------------------------------------------------------------------------------ */

/* Ends c without a word; the first reason counts. A job under way is waited for. */
static enum state give_up(struct connection *c, enum end_reason why)
{
    if (c->end == END_NONE)
        c->end = why;
    return c->job == NULL ? STATE_CLOSED : STATE_JOB_ALONE;
}

static bool is_given_up(enum state state)
{
    return state == STATE_CLOSED || state == STATE_JOB_ALONE;
}

static enum state say_end(struct traffic *t, struct connection *c)
{
    answer_error(&t->outbox, end_kinds[c->end].error);
    count_error(t);
    return STATE_SENDING_LAST;
}

/* Ends c with an error. If a job is under way its answer goes first. */
static enum state end_with(struct traffic *t, struct connection *c, enum end_reason why)
{
    c->end = why;
    buffer_clear(&c->in);
    return c->job == NULL ? say_end(t, c) : STATE_JOB_LAST;
}

/* Throws away what has arrived; returns what recv did. */
static ssize_t discard(struct traffic *t, int fd)
{
    ssize_t n = recv(fd, t->inbox, TRAFFIC_READ_SIZE, MSG_DONTWAIT);
    if (n > 0)
        wipe(t->inbox, (size_t)n);
    return n;
}

/* --- where an event leaves a connection ------------------------------------------------------ */

/* Sends the outbox; what the client does not take at once is kept for it. */
static enum state flush(struct traffic *t, struct connection *c, enum state next)
{
    size_t sent = 0;
    if (!is_given_up(next) && c->out.len == 0 && !send_some(c->fd, buffer_bytes(&t->outbox), &sent))
        next = give_up(c, END_RESET);
    if (!is_given_up(next))
        buffer_append(&c->out, bytes_from(buffer_bytes(&t->outbox), sent));
    if (c->out.failed)
        next = give_up(c, END_NO_ROOM); /* half an answer is worse than none */
    if (t->outbox.cap > 4 * TRAFFIC_READ_SIZE)
        buffer_clear(&t->outbox);
    else
        buffer_reset(&t->outbox);
    return next == STATE_IDLE && c->out.len > 0 ? STATE_SENDING : next;
}

/* The length of the frame that begins so, or of its header while that is not complete. */
static size_t whole_frame(struct bytes begun)
{
    size_t len = begun.len < FRAME_HEADER_SIZE ? 0 : be32_load(begun.at);
    return FRAME_HEADER_SIZE + len;
}

/* Whether there is something to serve: a whole frame, or the length of one that is too long. */
static bool has_frame(const struct traffic *t, const struct connection *c)
{
    size_t whole = whole_frame(buffer_bytes(&c->in));
    return c->in.len >= FRAME_HEADER_SIZE &&
           (c->in.len >= whole || whole - FRAME_HEADER_SIZE > t->limits->frame_bytes);
}

/*
 * Sends the answers made in this event, and finds the state that c comes to rest in, given the one
 * that serving led to: STATE_IDLE if the next frame can be served.
 */
static enum state settle(struct traffic *t, struct connection *c, enum state next)
{
    uint8_t byte;
    next = flush(t, c, next);
    if (is_given_up(next))
        return next;
    room_account(t, c);
    if (c->out.len > 0)
        /* It may be kept if there is room for it, or if all that is kept is this. */
        return room_for(t, c, 0) || t->buffered == c->accounted ? next : give_up(c, END_NO_ROOM);
    if (next == STATE_SENDING_LAST)
        return c->end == END_TRUNCATED ? STATE_CLOSED : STATE_LINGER;
    if (next == STATE_IDLE && c->in.len > 0)
        return has_frame(t, c) ? STATE_READY : STATE_FRAME;
    /* Closing before all that has arrived was read would reset answers away. */
    if (next == STATE_IDLE && t->stopping && recv(c->fd, &byte, sizeof byte, MSG_PEEK) <= 0)
        return give_up(c, END_STOPPED);
    return next;
}

/* --- serving --------------------------------------------------------------------------------- */

static void swap(struct buffer *one, struct buffer *other)
{
    struct buffer old = *one;
    *one = *other;
    *other = old;
}

/* Whether a frame is all that the connection holds: then it need not be copied. */
static bool is_all(const struct connection *c, struct bytes frame)
{
    return frame.at == c->in.at && frame.len == c->in.len;
}

/* A job for another thread; the frame is moved if the connection holds just it, else copied. */
static struct job *make_job(struct connection *c, struct bytes frame)
{
    struct job *job = job_new(c, frame.len, c->out.limit);
    if (job == NULL)
        return NULL;
    if (is_all(c, frame))
        swap(&c->in, &job->request);
    else
        buffer_append(&job->request, frame);
    if (!job->request.failed)
        return job;
    job_free(job);
    return NULL;
}

static enum state serve_elsewhere(struct traffic *t, struct connection *c, struct bytes frame,
                                  bool worker)
{
    if (!is_all(c, frame) && !room_for(t, c, frame.len))
        return end_with(t, c, END_BUSY);
    struct job *job = make_job(c, frame);
    if (job == NULL) {
        answer_error(&t->outbox, ERROR_MEMORY);
        return STATE_IDLE;
    }
    c->job = job;
    c->job_bytes = job->request.cap;
    if (worker) {
        worker_put(t->worker, job);
    } else {
        workspace_give_request(&t->workspace, &job->document);
        session_configure(t->service->session, job);
    }
    return STATE_JOB;
}

/* Whether a frame may have more than TURN_VALUES values: what begins or parts them is counted. */
static bool has_many_values(struct bytes frame)
{
    size_t count = 0;
    if (frame.len <= 2 * TURN_VALUES)
        return false; /* a value and what parts it from the next take two bytes */
    for (size_t i = FRAME_HEADER_SIZE; i < frame.len; i++)
        count += frame.at[i] == ',' || frame.at[i] == ':' || (frame.at[i] | 0x20) == '{';
    return count > TURN_VALUES; /* '[' and '{' differ in that bit */
}

static enum state serve_frame(struct traffic *t, struct connection *c, struct bytes frame)
{
    size_t before = t->outbox.len;
    if (frame.len > TURN_FRAME || has_many_values(frame))
        return serve_elsewhere(t, c, frame, true);
    if (!request_serve(t->service, &t->workspace, bytes_from(frame, FRAME_HEADER_SIZE), &t->outbox))
        return serve_elsewhere(t, c, frame, false);
    if (t->outbox.len == before) /* a missing answer would pair later ones with wrong requests */
        return give_up(c, END_NO_ROOM);
    return t->outbox.len > TURN_BYTES ? flush(t, c, STATE_IDLE) : STATE_IDLE;
}

/* Whether c is served on after so long: what cannot be kept for its next turn is. */
static bool may_go_on(const struct traffic *t, struct connection *c, struct bytes rest,
                      int64_t took_us)
{
    return took_us < TURN_US ||
           (c->in.len == 0 && !room_for_input(t, c, rest.len, whole_frame(rest)));
}

/*
 * Serves the whole frames at the beginning of input, in order, until one leads to another state
 * than STATE_IDLE or the turn is over; *used is the number of bytes they took.
 */
static enum state serve_frames(struct traffic *t, struct connection *c, struct bytes input,
                               size_t *used)
{
    enum state next = STATE_IDLE;
    int64_t began_us = clock_monotonic_us(), took_us = 0;
    *used = 0;
    while (next == STATE_IDLE && input.len - *used >= FRAME_HEADER_SIZE &&
           may_go_on(t, c, bytes_from(input, *used), took_us)) {
        size_t len = be32_load(input.at + *used);
        if (len > t->limits->frame_bytes)
            return end_with(t, c, END_TOO_LARGE);
        if (input.len - *used - FRAME_HEADER_SIZE < len)
            break;
        next = serve_frame(t, c, bytes_of(input.at + *used, FRAME_HEADER_SIZE + len));
        *used += FRAME_HEADER_SIZE + len;
        took_us = clock_monotonic_us() - began_us;
        c->queues = took_us > SHORT_TURN_US;
    }
    return next;
}

/* Serves what c holds. */
static enum state serve_kept(struct traffic *t, struct connection *c)
{
    size_t before = c->in.len, used;
    enum state next = serve_frames(t, c, buffer_bytes(&c->in), &used);
    if (c->in.len == before) /* not moved away or dropped meanwhile */
        buffer_consume(&c->in, used);
    if (c->in.len == 0)
        buffer_clear(&c->in);
    return next;
}

/* --- actions: what an event makes a connection do; each returns the next state ---------------- */

/* After a read that brought nothing, n as recv returned it. */
static enum state nothing_read(struct traffic *t, struct connection *c, ssize_t n)
{
    if (n < 0)
        return is_passing(errno) ? settle(t, c, STATE_IDLE) : give_up(c, END_RESET);
    return c->in.len > 0 ? settle(t, c, end_with(t, c, END_TRUNCATED)) : give_up(c, END_CLOSED);
}

/* Keeps what arrived after the frames that were served. */
static enum state keep_rest(struct traffic *t, struct connection *c, struct bytes rest,
                            enum state next)
{
    if (rest.len == 0 || next == STATE_SENDING_LAST || is_given_up(next))
        return next;
    if (!room_for_input(t, c, rest.len, whole_frame(rest)))
        return end_with(t, c, END_BUSY);
    buffer_append(&c->in, rest);
    return c->in.failed ? end_with(t, c, END_MEMORY) : next;
}

/* Into the shared inbox: the common case, where whole frames arrive and nothing is copied. */
static enum state receive_first(struct traffic *t, struct connection *c)
{
    ssize_t n = recv(c->fd, t->inbox, TURN_BYTES, 0);
    if (n <= 0)
        return nothing_read(t, c, n);
    struct bytes input = bytes_of(t->inbox, (size_t)n);
    size_t used;
    enum state next = serve_frames(t, c, input, &used);
    next = keep_rest(t, c, bytes_from(input, used), next);
    wipe(t->inbox, (size_t)n);
    return settle(t, c, next);
}

/* Who was served for long is not even read before its turn. */
static enum state receive_or_queue(struct traffic *t, struct connection *c)
{
    return c->queues ? STATE_READY : receive_first(t, c);
}

static enum state take_turn(struct traffic *t, struct connection *c)
{
    return c->in.len == 0 ? receive_first(t, c) : settle(t, c, serve_kept(t, c));
}

/* The rest of a frame that has begun: read to its end and no further. */
static enum state receive_rest(struct traffic *t, struct connection *c)
{
    size_t whole = whole_frame(buffer_bytes(&c->in));
    size_t want = whole - c->in.len;
    if (want > TRAFFIC_READ_SIZE)
        want = TRAFFIC_READ_SIZE;
    if (!room_for_input(t, c, want, whole))
        return settle(t, c, end_with(t, c, END_BUSY));
    uint8_t *at = buffer_reserve(&c->in, want);
    if (at == NULL)
        return settle(t, c, end_with(t, c, END_MEMORY));
    ssize_t n = recv(c->fd, at, want, 0);
    if (n <= 0)
        return nothing_read(t, c, n);
    buffer_commit(&c->in, (size_t)n);
    return settle(t, c, c->queues ? STATE_IDLE : serve_kept(t, c));
}

static enum state send_more(struct traffic *t, struct connection *c)
{
    return settle(t, c, connection_send(c) ? c->state : give_up(c, END_RESET));
}

/* Frames that arrived meanwhile wait for their turn once all answers have been taken. */
static enum state send_then_go_on(struct traffic *t, struct connection *c)
{
    return connection_send(c) ? settle(t, c, STATE_IDLE) : give_up(c, END_RESET);
}

/* Its answer goes after what the client has not taken yet. False: there is none, or no room for it,
 * or nobody to take it. */
static bool take_answer(struct traffic *t, struct connection *c)
{
    struct job *job = c->job;
    bool made = job->answer.len > 0;
    c->job = NULL;
    c->job_bytes = 0;
    if (job->failed)
        count_error(t);
    if (c->out.len > 0)
        buffer_append(&c->out, buffer_bytes(&job->answer));
    else
        swap(&c->out, &job->answer);
    job_free(job);
    room_account(t, c);
    return made && !c->out.failed && c->state != STATE_JOB_ALONE;
}

static enum state end_job(struct traffic *t, struct connection *c)
{
    return take_answer(t, c) ? send_then_go_on(t, c) : give_up(c, END_NO_ROOM);
}

static enum state end_last_job(struct traffic *t, struct connection *c)
{
    if (!take_answer(t, c) || !connection_send(c))
        return STATE_CLOSED;
    return settle(t, c, say_end(t, c));
}

/* Closing with unread bytes would reset the connection, and the error that was sent with it. */
static enum state drop_input(struct traffic *t, struct connection *c)
{
    ssize_t n = discard(t, c->fd);
    return n > 0 || (n < 0 && is_passing(errno)) ? STATE_LINGER : STATE_CLOSED;
}

static enum state end_frame(struct traffic *t, struct connection *c)
{
    return settle(t, c, end_with(t, c, c->end));
}

static enum state end_silently(struct traffic *t, struct connection *c)
{
    (void)t;
    return give_up(c, c->end);
}

/* --- the machine ----------------------------------------------------------------------------- */

/* What an event does in a state, why it ends the connection if it does, and where it may lead. */
struct transition {
    enum state (*act)(struct traffic *t, struct connection *c);
    enum end_reason end;
    unsigned next;
};

#define TO(state)  (1u << STATE_##state)
#define TO_END     (TO(SENDING_LAST) | TO(LINGER) | TO(CLOSED))
#define TO_WAITING (TO(IDLE) | TO(FRAME) | TO(READY) | TO(SENDING))
#define TO_SERVING (TO_WAITING | TO(JOB) | TO_END)

static const struct transition transitions[STATE_CLOSED][EVENT_COUNT] = {
    [STATE_IDLE][EVENT_READABLE] = {receive_or_queue, END_NONE,
                                    TO_SERVING | TO(JOB_LAST) | TO(JOB_ALONE)},
    [STATE_IDLE][EVENT_HANGUP] = {end_silently, END_RESET, TO(CLOSED)},
    [STATE_IDLE][EVENT_TIMEOUT] = {end_silently, END_IDLE, TO(CLOSED)},
    [STATE_IDLE][EVENT_DISPLACED] = {end_silently, END_DISPLACED, TO(CLOSED)},
    [STATE_FRAME][EVENT_READABLE] = {receive_rest, END_NONE, TO_SERVING},
    [STATE_FRAME][EVENT_HANGUP] = {end_silently, END_RESET, TO(CLOSED)},
    [STATE_FRAME][EVENT_TIMEOUT] = {end_frame, END_TIMEOUT, TO_END},
    [STATE_FRAME][EVENT_DISPLACED] = {end_silently, END_DISPLACED, TO(CLOSED)},
    [STATE_READY][EVENT_DISPLACED] = {end_silently, END_DISPLACED, TO(CLOSED)},
    [STATE_READY][EVENT_TURN] = {take_turn, END_NONE, TO_SERVING | TO(JOB_LAST) | TO(JOB_ALONE)},
    [STATE_SENDING][EVENT_WRITABLE] = {send_then_go_on, END_NONE, TO_WAITING | TO(CLOSED)},
    [STATE_SENDING][EVENT_HANGUP] = {end_silently, END_RESET, TO(CLOSED)},
    [STATE_SENDING][EVENT_TIMEOUT] = {end_silently, END_SLOW_READER, TO(CLOSED)},
    [STATE_SENDING][EVENT_DISPLACED] = {end_silently, END_DISPLACED, TO(CLOSED)},
    [STATE_JOB][EVENT_WRITABLE] = {send_more, END_NONE, TO(JOB) | TO(JOB_ALONE)},
    [STATE_JOB][EVENT_HANGUP] = {end_silently, END_RESET, TO(JOB_ALONE)},
    [STATE_JOB][EVENT_ANSWER] = {end_job, END_NONE, TO_WAITING | TO(CLOSED)},
    [STATE_JOB_LAST][EVENT_WRITABLE] = {send_more, END_NONE, TO(JOB_LAST) | TO(JOB_ALONE)},
    [STATE_JOB_LAST][EVENT_HANGUP] = {end_silently, END_NONE, TO(JOB_ALONE)},
    [STATE_JOB_LAST][EVENT_ANSWER] = {end_last_job, END_NONE, TO_END},
    [STATE_JOB_ALONE][EVENT_ANSWER] = {end_job, END_NONE, TO(CLOSED)},
    [STATE_SENDING_LAST][EVENT_WRITABLE] = {send_more, END_NONE, TO_END},
    [STATE_SENDING_LAST][EVENT_HANGUP] = {end_silently, END_NONE, TO(CLOSED)},
    [STATE_SENDING_LAST][EVENT_TIMEOUT] = {end_silently, END_NONE, TO(CLOSED)},
    [STATE_SENDING_LAST][EVENT_DISPLACED] = {end_silently, END_NONE, TO(CLOSED)},
    [STATE_LINGER][EVENT_READABLE] = {drop_input, END_NONE, TO(LINGER) | TO(CLOSED)},
    [STATE_LINGER][EVENT_HANGUP] = {drop_input, END_NONE, TO(LINGER) | TO(CLOSED)},
    [STATE_LINGER][EVENT_TIMEOUT] = {end_silently, END_NONE, TO(CLOSED)},
    [STATE_LINGER][EVENT_DISPLACED] = {end_silently, END_NONE, TO(CLOSED)},
};

/* Watches for what c can go on with: room for what is to be sent, nothing while it waits for a job
 * or its turn, else input. */
static bool watch(struct traffic *t, struct connection *c, enum state next)
{
    bool waits = c->job != NULL || next == STATE_READY;
    uint32_t events = c->out.len > 0 ? EPOLLOUT : waits ? 0 : EPOLLIN;
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (c->events != events && epoll_ctl(t->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) != 0)
        return false;
    c->events = events;
    return true;
}

/* Nothing is kept of what was given up; while its job is under way it is not watched. */
static void leave(struct traffic *t, struct connection *c, enum state next)
{
    (void)epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    buffer_clear(&c->in);
    buffer_clear(&c->out);
    room_account(t, c);
    if (next != STATE_CLOSED)
        return;
    /* A vsock socket lives on for 8 s if the client leaves answers unread, with its input. */
    (void)discard(t, c->fd);
    close(c->fd);
    c->fd = -1;
    traffic_count(t, c->end);
    atomic_fetch_sub_explicit(&t->service->connections, 1, memory_order_relaxed);
}

static void join(struct traffic *t, struct connection *c, enum state state)
{
    struct connection_list *list = &t->lists[state];
    c->state = state;
    c->until_ms = list->limit_ms == 0 ? INT64_MAX : t->now_ms + list->limit_ms;
    TAILQ_INSERT_TAIL(&list->connections, c, link);
}

static void enter(struct traffic *t, struct connection *c, enum state next)
{
    if (!is_given_up(next) && !watch(t, c, next))
        next = give_up(c, END_RESET);
    if (is_given_up(next))
        leave(t, c, next);
    if (next == STATE_LINGER && c->state != STATE_LINGER)
        shutdown(c->fd, SHUT_WR);
    if (next == c->state && next != STATE_IDLE && next != STATE_READY)
        return; /* its time goes on; in the other two it begins anew, behind all others */
    TAILQ_REMOVE(&t->lists[c->state].connections, c, link);
    join(t, c, next);
}

void traffic_on_event(struct traffic *t, struct connection *c, enum event event)
{
    if (c->state == STATE_CLOSED)
        return;
    const struct transition *transition = &transitions[c->state][event];
    assert(transition->act != NULL || event <= EVENT_HANGUP);
    if (transition->act == NULL)
        return;
    if (c->end == END_NONE)
        c->end = transition->end;
    enum state next = transition->act(t, c);
    assert((transition->next >> next & 1) != 0);
    enter(t, c, next);
    assert(connection_is_consistent(c) && t->outbox.len == 0);
}

bool traffic_is_ready(const struct traffic *t)
{
    return !TAILQ_EMPTY(&t->lists[STATE_READY].connections);
}

void traffic_take_turns(struct traffic *t, int64_t began_us)
{
    if (!traffic_is_ready(t))
        return;
    int64_t now_us = clock_monotonic_us(), until_us = now_us + (now_us - began_us);
    do {
        traffic_on_event(t, TAILQ_FIRST(&t->lists[STATE_READY].connections), EVENT_TURN);
    } while (traffic_is_ready(t) && clock_monotonic_us() < until_us);
}

void traffic_on_done(struct traffic *t, struct job *jobs)
{
    for (struct job *job = jobs, *next; job != NULL; job = next) {
        next = job->next;
        traffic_on_event(t, job->connection, EVENT_ANSWER);
    }
}

/* --- beginning and end ----------------------------------------------------------------------- */

#define LINGER_MS 2000 /* for a client to close after an error that ends its connection */

bool traffic_init(struct traffic *t, struct service *service, int epoll_fd, struct error *err)
{
    const struct limits *limits = &service->config->limits;
    *t = (struct traffic){.service = service, .limits = limits, .epoll_fd = epoll_fd};
    for (size_t state = 0; state < STATE_COUNT; state++)
        TAILQ_INIT(&t->lists[state].connections);
    t->lists[STATE_IDLE].limit_ms = limits->idle_ms;
    t->lists[STATE_FRAME].limit_ms = limits->frame_ms;
    t->lists[STATE_SENDING].limit_ms = limits->write_ms;
    t->lists[STATE_SENDING_LAST].limit_ms = limits->write_ms;
    t->lists[STATE_LINGER].limit_ms = LINGER_MS;
    workspace_init(&t->workspace, KEYRING_LOOP, limits);
    buffer_init(&t->outbox, limits->frame_bytes + ANSWER_SLACK + TRAFFIC_READ_SIZE);
    t->inbox = secret_alloc(TRAFFIC_READ_SIZE);
    return t->inbox != NULL || error_set(err, ERROR_MEMORY, "no locked memory for the server");
}

void traffic_clear(struct traffic *t)
{
    for (size_t state = 0; state < STATE_CLOSED; state++)
        for (struct connection *c; (c = TAILQ_FIRST(&t->lists[state].connections)) != NULL;) {
            c->job = NULL;
            c->job_bytes = 0;
            enter(t, c, give_up(c, END_CUT_OFF));
        }
    traffic_free_closed(t);
    workspace_clear(&t->workspace);
    buffer_clear(&t->outbox);
    secret_free(t->inbox, TRAFFIC_READ_SIZE);
}

void traffic_admit(struct traffic *t, int fd)
{
    struct connection *c = calloc(1, sizeof *c);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (c == NULL || epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(c);
        traffic_refuse(t, fd);
        return;
    }
    c->fd = fd;
    c->events = EPOLLIN;
    buffer_init_secret(&c->in, 0); /* room_for_input sets its limit */
    buffer_init(&c->out, t->limits->frame_bytes + ANSWER_SLACK + 2 * TRAFFIC_READ_SIZE);
    atomic_fetch_add_explicit(&t->service->connections, 1, memory_order_relaxed);
    join(t, c, STATE_IDLE);
}

bool traffic_displace(struct traffic *t)
{
    struct connection *oldest = NULL;
    int64_t since = INT64_MAX; /* as of those that wait for their turn: they go last */
    for (size_t state = 0; state < STATE_CLOSED; state++) {
        struct connection *first = TAILQ_FIRST(&t->lists[state].connections);
        if (first == NULL || transitions[state][EVENT_DISPLACED].act == NULL)
            continue;
        int64_t began = first->until_ms - t->lists[state].limit_ms;
        if (oldest != NULL && began >= since)
            continue;
        since = began;
        oldest = first;
    }
    if (oldest != NULL)
        traffic_on_event(t, oldest, EVENT_DISPLACED);
    return oldest != NULL;
}

void traffic_refuse(struct traffic *t, int fd)
{
    size_t sent;
    answer_error(&t->outbox, end_kinds[END_TOO_MANY].error);
    (void)send_some(fd, buffer_bytes(&t->outbox), &sent);
    buffer_reset(&t->outbox);
    /* What has arrived is taken first: bytes left unread would reset the answer away. */
    shutdown(fd, SHUT_WR);
    (void)discard(t, fd);
    close(fd);
    traffic_count(t, END_TOO_MANY);
}

void traffic_free_closed(struct traffic *t)
{
    struct connection_head *closed = &t->lists[STATE_CLOSED].connections;
    for (struct connection *c; (c = TAILQ_FIRST(closed)) != NULL; free(c))
        TAILQ_REMOVE(closed, c, link);
}
