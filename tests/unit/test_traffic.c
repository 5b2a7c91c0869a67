/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine of a connection: every state and event over real sockets. Its source is
 * included, so that jobs come back when a test says so, and so that its table can be read.
 */
#include "tests/unit/check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "crypto/hash.h"
#include "enclave/worker.h"

struct session;
static void take_worker_job(struct worker *worker, struct job *job);
static void take_session_job(struct session *session, struct job *job);

static int64_t looked_at_clock(void);

#define worker_put         take_worker_job
#define session_configure  take_session_job
#define clock_monotonic_us looked_at_clock
#include "enclave/traffic.c"

#define FRAME_MAX  (1u << 20)
#define SMALL_SEND 4608   /* bytes that a socket shall hold: no answer but a small one … */
#define LARGE_SEND 100000 /* … one to a LARGE request … */
#define ALL_SEND   400000 /* … all requests of a test */
#define SOME       15000  /* of payload; twice that is sent at the end of the event */
#define LARGE      32650  /* of payload; twice that is sent at once */
#define TIGHT      1000   /* limit of what all hold beyond their own, bytes */
#define MUCH       (ROOM_OWN_BYTES + 2 * TIGHT)

#define SMALL_A   "{\"mode\":\"A\",\"payload\":\"x\"}"
#define SMALL_LEN (sizeof SMALL_A - 1)
#define CONFIGURE "{\"op\":\"configure\"}"

struct world {
    struct config config;
    struct service service;
    struct traffic t;
    struct connection *c;
    int epoll_fd;
    int client;            /* the other end; -1: closed */
    int other;             /* a second client, which holds some of the memory; -1: none */
    size_t junk;           /* bytes that a test put before what the server sends */
    struct buffer waiting; /* what the client is about to send */
    struct job *job;       /* handed to another thread */
    bool by_session;       /* to that of the session */
    bool close_at_job;     /* the client closes when a job begins */
    bool no_answer, large_answer;
};

static struct world *world; /* for the functions that stand in for other threads */
static int64_t clock_us;
static int64_t tick_us; /* how far the clock goes on at each look */

static int64_t looked_at_clock(void)
{
    return clock_us += tick_us;
}

static void take_job(struct job *job, bool by_session)
{
    world->job = job;
    world->by_session = by_session;
    if (world->close_at_job) {
        close(world->client);
        world->client = -1;
    }
}

static void take_worker_job(struct worker *worker, struct job *job)
{
    (void)worker;
    take_job(job, false);
}

static void take_session_job(struct session *session, struct job *job)
{
    (void)session;
    take_job(job, true);
}

/* --- a connection ---------------------------------------------------------------------------- */

static int connect_one(struct world *w, struct connection **c)
{
    int pair[2], size = SMALL_SEND;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    traffic_admit(&w->t, pair[0]);
    *c = TAILQ_LAST(&w->t.lists[STATE_IDLE].connections, connection_head);
    assert_non_null(*c);
    assert_int_equal((*c)->fd, pair[0]);
    size = ALL_SEND; /* the client's requests are not to be held up */
    assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    return pair[1];
}

static void set_limits(struct limits *limits)
{
    *limits = (struct limits){.frame_bytes = FRAME_MAX,
                              .buffered_bytes = 64u << 20,
                              .connections = 10,
                              .idle_ms = 1000,
                              .frame_ms = 100,
                              .write_ms = 500,
                              .json_depth = 16,
                              .json_values = 100000};
}

static void open_world(struct world *w)
{
    static const uint8_t key[AEAD_KEY_SIZE] = "a key of thirty-two bytes ......";
    bool rotated;
    *w = (struct world){.other = -1, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    world = w;
    tick_us = 0;
    set_limits(&w->config.limits);
    w->service.config = &w->config;
    w->service.ring = keyring_new(1000);
    assert_true(keyring_install(w->service.ring, key, &rotated, NULL));
    assert_true(traffic_init(&w->t, &w->service, w->epoll_fd, NULL));
    w->t.now_ms = 1;
    buffer_init(&w->waiting, 2 * FRAME_MAX);
    w->client = connect_one(w, &w->c);
}

static void close_world(struct world *w)
{
    if (w->c->job != NULL)
        job_free(w->c->job);
    traffic_clear(&w->t);
    assert_int_equal(w->service.connections, 0);
    assert_int_equal(w->t.buffered, 0);
    keyring_free(w->service.ring);
    buffer_clear(&w->waiting);
    close(w->epoll_fd);
    if (w->client >= 0)
        close(w->client);
    if (w->other >= 0)
        close(w->other);
}

/* --- what a client does, a letter for each step ---------------------------------------------- */

static void put_frame(struct buffer *out, struct bytes content)
{
    uint8_t header[FRAME_HEADER_SIZE];
    be32_store(header, (uint32_t)content.len);
    buffer_append(out, bytes_of(header, sizeof header));
    buffer_append(out, content);
}

static void put_agent_a(struct buffer *out, size_t payload)
{
    BUFFER_AUTO text;
    buffer_init(&text, FRAME_MAX);
    buffer_text(&text, "{\"mode\":\"A\",\"payload\":\"");
    while (payload-- > 0)
        buffer_byte(&text, 'x');
    buffer_text(&text, "\"}");
    put_frame(out, buffer_bytes(&text));
}

static void put_partial(struct buffer *out, size_t len, size_t sent)
{
    uint8_t header[FRAME_HEADER_SIZE];
    be32_store(header, (uint32_t)len);
    buffer_append(out, bytes_of(header, sizeof header));
    while (sent-- > 0)
        buffer_byte(out, ' ');
}

static void put_padded(struct buffer *out, struct bytes content, size_t len)
{
    BUFFER_AUTO text;
    buffer_init(&text, FRAME_MAX);
    buffer_append(&text, content);
    while (text.len < len)
        buffer_byte(&text, ' ');
    put_frame(out, buffer_bytes(&text));
}

/* Fills what the socket holds for the client, so that it takes nothing more. */
static void stuff(struct world *w)
{
    static const uint8_t junk[1024];
    ssize_t n;
    for (size_t size = sizeof junk; size > 0; size /= 2)
        while ((n = send(w->c->fd, junk, size, MSG_NOSIGNAL)) > 0)
            w->junk += (size_t)n;
}

static void hold_memory(struct world *w)
{
    struct connection *other;
    BUFFER_AUTO begun;
    buffer_init(&begun, FRAME_MAX);
    w->other = connect_one(w, &other);
    put_partial(&begun, FRAME_MAX, MUCH);
    assert_int_equal(write(w->other, begun.at, begun.len), begun.len);
    traffic_on_event(&w->t, other, EVENT_READABLE);
    assert_int_equal(other->state, STATE_FRAME);
}

static void send_waiting(struct world *w)
{
    if (w->waiting.len > 0)
        assert_int_equal(write(w->client, w->waiting.at, w->waiting.len), w->waiting.len);
    buffer_reset(&w->waiting);
}

static void fire(struct world *w, enum event event)
{
    if (event == EVENT_ANSWER && w->c->job != NULL) {
        struct job *job = w->job;
        assert_ptr_equal(job, w->c->job);
        assert_ptr_equal(job->connection, w->c);
        if (w->large_answer)
            put_frame(&job->answer, buffer_bytes(&job->request));
        else if (!w->no_answer)
            put_frame(&job->answer, bytes_text("{\"code\": \"done\"}"));
        w->job = NULL;
        traffic_on_done(&w->t, job);
        return;
    }
    traffic_on_event(&w->t, w->c, event);
}

static void step(struct world *w, char what)
{
    static const uint8_t all[4] = {0xff, 0xff, 0xff, 0xff};
    int size = LARGE_SEND;
    struct buffer *out = &w->waiting;
    switch (what) {
    case 'a': /* a small request */
        put_frame(out, bytes_text(SMALL_A));
        break;
    case 's':
        put_agent_a(out, SOME);
        break;
    case 'l':
        put_agent_a(out, LARGE);
        break;
    case 'w': /* one for the worker */
        put_agent_a(out, TURN_FRAME);
        break;
    case 'c': /* one for the session */
        put_frame(out, bytes_text(CONFIGURE));
        break;
    case 'x': /* a length beyond the limit */
        buffer_append(out, bytes_of(all, sizeof all));
        break;
    case 'p': /* the length of a small request … */
        put_partial(out, SMALL_LEN, 0);
        break;
    case 'q': /* … the rest of one to A … */
        buffer_text(out, SMALL_A);
        break;
    case 'e': /* … and of one for the session */
        buffer_printf(out, "%-*s", (int)SMALL_LEN, CONFIGURE);
        break;
    case 'y': /* the first byte of a length beyond the limit */
        buffer_append(out, bytes_of(all, 1));
        break;
    case 'C': /* one for the session that is more than TIGHT */
        put_padded(out, bytes_text(CONFIGURE), MUCH);
        break;
    case 'r': /* a frame's beginning that is more than TIGHT */
        put_partial(out, 100000, MUCH);
        break;
    case 'T': /* little memory may be held … */
        w->config.limits.buffered_bytes = TIGHT;
        break;
    case 'O': /* … and another connection holds some */
        hold_memory(w);
        break;
    case 'S': /* the client takes nothing more */
        stuff(w);
        break;
    case 'W': /* it takes much */
        assert_int_equal(setsockopt(w->c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
        break;
    case 'H': /* it closes its sending half */
        send_waiting(w);
        shutdown(w->client, SHUT_WR);
        break;
    case 'X': /* it closes */
        send_waiting(w);
        close(w->client);
        w->client = -1;
        break;
    case 'K': /* it will close when a job begins */
        w->close_at_job = true;
        break;
    case 'N': /* the job will have no answer */
        w->no_answer = true;
        break;
    case 'G': /* it will have a large one */
        w->large_answer = true;
        break;
    case 'Z': /* each request takes as long as a turn may … */
        tick_us = TURN_US;
        break;
    case 'z': /* … or no time */
        tick_us = 0;
        break;
    case 'D': /* the service stops */
        w->t.stopping = true;
        break;
    case '!':
        send_waiting(w);
        fire(w, EVENT_READABLE);
        break;
    case '^':
        fire(w, EVENT_HANGUP);
        break;
    case '@':
        fire(w, EVENT_TURN);
        break;
    default:
        fail_msg("no step %c", what);
    }
}

static void run(struct world *w, const char *steps)
{
    while (*steps != '\0')
        step(w, *steps++);
}

/* --- what the client gets -------------------------------------------------------------------- */

/* Appends "ok ", an answer's code, or "part " for one that is not whole. */
static size_t describe(struct bytes got, char *out, size_t size)
{
    if (got.len < FRAME_HEADER_SIZE || got.len - FRAME_HEADER_SIZE < be32_load(got.at)) {
        strncat(out, "part ", size - strlen(out) - 1);
        return got.len;
    }
    size_t len = be32_load(got.at);
    struct json doc;
    json_init(&doc, 16);
    if (json_parse(&doc, bytes_of(got.at + FRAME_HEADER_SIZE, len), NULL)) {
        json_value code = json_member(&doc, 0, "code");
        struct bytes text = code == JSON_NONE ? bytes_text("\"ok\"") : json_raw(&doc, code);
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%.*s ", (int)text.len - 2, (const char *)text.at + 1);
    } else {
        strncat(out, "whole ", size - strlen(out) - 1);
    }
    json_clear(&doc);
    return FRAME_HEADER_SIZE + len;
}

/* Takes all that was sent and describes it: its answers, then "end" if the server closed. */
static void take_all(struct world *w, char *out, size_t size)
{
    static uint8_t chunk[65536];
    ssize_t n = 0;
    BUFFER_AUTO got;
    buffer_init(&got, 4 * FRAME_MAX);
    out[0] = '\0';
    while (w->client >= 0 && (n = read(w->client, chunk, sizeof chunk)) > 0)
        buffer_append(&got, bytes_of(chunk, (size_t)n));
    buffer_consume(&got, w->junk < got.len ? w->junk : got.len);
    w->junk = 0;
    for (struct bytes rest = buffer_bytes(&got); rest.len > 0;)
        rest = bytes_from(rest, describe(rest, out, size));
    if (w->client >= 0 && n == 0)
        strncat(out, "end ", size - strlen(out) - 1);
}

/* --- every state and event ------------------------------------------------------------------- */

#define STATE_TEXT(name) [STATE_##name] = #name,
#define EVENT_TEXT(name) [EVENT_##name] = #name,
static const char *const state_text[] = {CONNECTION_STATES(STATE_TEXT)};
static const char *const event_text[] = {CONNECTION_EVENTS(EVENT_TEXT)};

/* How each state is reached, from a connection that was just accepted. */
static const char *const way_to[STATE_COUNT] = {
    [STATE_IDLE] = "",         [STATE_FRAME] = "p!",  [STATE_READY] = "Zaa!",
    [STATE_SENDING] = "l!",    [STATE_JOB] = "c!",    [STATE_JOB_LAST] = "Tcr!",
    [STATE_JOB_ALONE] = "c!^", [STATE_LINGER] = "x!", [STATE_SENDING_LAST] = "Sx!",
    [STATE_CLOSED] = "X!",
};

struct row {
    const char *way; /* to the state */
    enum state from;
    const char *steps; /* of the client, before the event */
    enum event event;
    enum state to;
    enum end_reason end;
    const char *sent; /* what the client gets, of all that was sent so far */
};

#define ROW(way, from, steps, event, to, end, sent)                          \
    {                                                                        \
        way, STATE_##from, steps, EVENT_##event, STATE_##to, END_##end, sent \
    }

static const struct row rows[] = {
    ROW("", IDLE, "", READABLE, IDLE, NONE, ""),
    ROW("", IDLE, "a", READABLE, IDLE, NONE, "ok "),
    ROW("", IDLE, "aaa", READABLE, IDLE, NONE, "ok ok ok "),
    ROW("", IDLE, "aD", READABLE, CLOSED, STOPPED, "ok end "),
    ROW("", IDLE, "aap", READABLE, FRAME, NONE, "ok ok "),
    ROW("", IDLE, "r", READABLE, FRAME, NONE, ""),
    ROW("", IDLE, "pD", READABLE, FRAME, NONE, ""),
    ROW("", IDLE, "Zaa", READABLE, READY, NONE, "ok "),
    ROW("", IDLE, "OTZaa", READABLE, READY, NONE, "ok "),
    ROW("", IDLE, "OTWZass", READABLE, READY, NONE, "ok ok "), /* too much to keep after "a" */
    ROW("Za!", IDLE, "a", READABLE, READY, NONE, "ok "),
    ROW("", IDLE, "sa", READABLE, SENDING, NONE, "part "),
    ROW("", IDLE, "la", READABLE, SENDING, NONE, "part "),
    ROW("", IDLE, "Sa", READABLE, SENDING, NONE, ""),
    ROW("", IDLE, "ca", READABLE, JOB, NONE, ""),
    ROW("", IDLE, "sc", READABLE, JOB, NONE, "part "),
    ROW("", IDLE, "Tacr", READABLE, JOB_LAST, BUSY, "ok "),
    ROW("", IDLE, "Kac", READABLE, JOB_ALONE, RESET, ""),
    ROW("", IDLE, "OTsC", READABLE, CLOSED, BUSY, "part end "),
    ROW("", IDLE, "OTSa", READABLE, SENDING, NONE, ""),
    ROW("", IDLE, "OTc", READABLE, JOB, NONE, ""),
    ROW("", IDLE, "sx", READABLE, SENDING_LAST, TOO_LARGE, "part "),
    ROW("", IDLE, "ax", READABLE, LINGER, TOO_LARGE, "ok frame_too_large end "),
    ROW("", IDLE, "Tr", READABLE, LINGER, BUSY, "busy end "),
    ROW("", IDLE, "OTC", READABLE, LINGER, BUSY, "busy end "),
    ROW("", IDLE, "OTSs", READABLE, CLOSED, NO_ROOM, "end "),
    ROW("", IDLE, "X", READABLE, CLOSED, CLOSED, ""),
    ROW("", IDLE, "H", READABLE, CLOSED, CLOSED, "end "),
    ROW("", IDLE, "aX", READABLE, CLOSED, RESET, ""),
    ROW("", IDLE, "", HANGUP, CLOSED, RESET, "end "),
    ROW("", IDLE, "", TIMEOUT, CLOSED, IDLE, "end "),
    ROW("", IDLE, "", DISPLACED, CLOSED, DISPLACED, "end "),

    ROW("p!", FRAME, "q", READABLE, IDLE, NONE, "ok "),
    ROW("p!", FRAME, "qa", READABLE, IDLE, NONE, "ok "),
    ROW("p!", FRAME, "qD", READABLE, CLOSED, STOPPED, "ok end "),
    ROW("p!", FRAME, "", READABLE, FRAME, NONE, ""),
    ROW("r!", FRAME, "p", READABLE, FRAME, NONE, ""),
    ROW("Za!p!@", FRAME, "q", READABLE, READY, NONE, "ok "),
    ROW("p!", FRAME, "Sq", READABLE, SENDING, NONE, ""),
    ROW("p!", FRAME, "e", READABLE, JOB, NONE, ""),
    ROW("y!", FRAME, "SKx", READABLE, SENDING_LAST, TOO_LARGE, ""),
    ROW("y!", FRAME, "x", READABLE, LINGER, TOO_LARGE, "frame_too_large end "),
    ROW("r!", FRAME, "T", READABLE, LINGER, BUSY, "busy end "),
    ROW("p!", FRAME, "H", READABLE, CLOSED, TRUNCATED, "frame_truncated end "),
    ROW("p!", FRAME, "X", READABLE, CLOSED, TRUNCATED, ""),
    ROW("p!", FRAME, "", HANGUP, CLOSED, RESET, "end "),
    ROW("p!", FRAME, "", TIMEOUT, LINGER, TIMEOUT, "timeout end "),
    ROW("p!", FRAME, "S", TIMEOUT, SENDING_LAST, TIMEOUT, ""),
    ROW("p!", FRAME, "X", TIMEOUT, CLOSED, TIMEOUT, ""),
    ROW("p!", FRAME, "", DISPLACED, CLOSED, DISPLACED, "end "),

    ROW("Zaa!", READY, "", DISPLACED, CLOSED, DISPLACED, "ok end "),
    ROW("Zaa!", READY, "", TURN, IDLE, NONE, "ok ok "),
    ROW("Za!a!", READY, "", TURN, IDLE, NONE, "ok ok "),
    ROW("Zaap!", READY, "", TURN, FRAME, NONE, "ok ok "),
    ROW("Zaaa!", READY, "", TURN, READY, NONE, "ok ok "),
    ROW("Zaaaa!", READY, "z", TURN, IDLE, NONE, "ok ok ok ok "),
    ROW("Zal!", READY, "", TURN, SENDING, NONE, "ok part "),
    ROW("Zac!", READY, "", TURN, JOB, NONE, "ok "),
    ROW("ZTa!cr!", READY, "z", TURN, JOB_LAST, BUSY, "ok "),
    ROW("Za!ac!", READY, "zK", TURN, JOB_ALONE, RESET, ""),
    ROW("Za!sx!", READY, "z", TURN, SENDING_LAST, TOO_LARGE, "ok part "),
    ROW("Zax!", READY, "", TURN, LINGER, TOO_LARGE, "ok frame_too_large end "),
    ROW("Zaa!", READY, "D", TURN, CLOSED, STOPPED, "ok ok end "),
    ROW("Za!H!", READY, "", TURN, CLOSED, CLOSED, "ok end "),
    ROW("Zaa!", READY, "X", TURN, CLOSED, RESET, ""),

    ROW("l!", SENDING, "W", WRITABLE, IDLE, NONE, "ok "),
    ROW("la!", SENDING, "W", WRITABLE, READY, NONE, "ok "),
    ROW("lx!", SENDING, "W", WRITABLE, READY, NONE, "ok "),
    ROW("l!", SENDING, "WD", WRITABLE, CLOSED, STOPPED, "ok end "),
    ROW("lp!", SENDING, "W", WRITABLE, FRAME, NONE, "ok "),
    ROW("l!", SENDING, "", WRITABLE, SENDING, NONE, "part "),
    ROW("l!", SENDING, "X", WRITABLE, CLOSED, RESET, ""),
    ROW("Ol!", SENDING, "T", WRITABLE, CLOSED, NO_ROOM, "part end "),
    ROW("l!", SENDING, "", HANGUP, CLOSED, RESET, "part end "),
    ROW("l!", SENDING, "", TIMEOUT, CLOSED, SLOW_READER, "part end "),
    ROW("l!", SENDING, "", DISPLACED, CLOSED, DISPLACED, "part end "),

    ROW("sc!", JOB, "W", WRITABLE, JOB, NONE, "ok "),
    ROW("sc!", JOB, "", WRITABLE, JOB, NONE, "part "),
    ROW("sc!", JOB, "X", WRITABLE, JOB_ALONE, RESET, ""),
    ROW("Osc!", JOB, "T", WRITABLE, JOB_ALONE, NO_ROOM, "part "),
    ROW("c!", JOB, "", HANGUP, JOB_ALONE, RESET, ""),
    ROW("c!", JOB, "", ANSWER, IDLE, NONE, "done "),
    ROW("w!!", JOB, "", ANSWER, IDLE, NONE, "done "),
    ROW("caa!", JOB, "", ANSWER, READY, NONE, "done "),
    ROW("cc!", JOB, "", ANSWER, READY, NONE, "done "),
    ROW("cx!", JOB, "", ANSWER, READY, NONE, "done "),
    ROW("sc!", JOB, "W", ANSWER, IDLE, NONE, "ok done "),
    ROW("c!", JOB, "D", ANSWER, CLOSED, STOPPED, "done end "),
    ROW("cp!", JOB, "", ANSWER, FRAME, NONE, "done "),
    ROW("sc!", JOB, "", ANSWER, SENDING, NONE, "part "),
    ROW("c!", JOB, "S", ANSWER, SENDING, NONE, ""),
    ROW("c!", JOB, "N", ANSWER, CLOSED, NO_ROOM, "end "),
    ROW("c!", JOB, "X", ANSWER, CLOSED, RESET, ""),

    ROW("Tscr!", JOB_LAST, "W", WRITABLE, JOB_LAST, BUSY, "ok "),
    ROW("Tscr!", JOB_LAST, "", WRITABLE, JOB_LAST, BUSY, "part "),
    ROW("Tscr!", JOB_LAST, "X", WRITABLE, JOB_ALONE, BUSY, ""),
    ROW("Tcr!", JOB_LAST, "", HANGUP, JOB_ALONE, BUSY, ""),
    ROW("Tcr!", JOB_LAST, "", ANSWER, LINGER, BUSY, "done busy end "),
    ROW("Tscr!", JOB_LAST, "W", ANSWER, LINGER, BUSY, "ok done busy end "),
    ROW("Tcr!", JOB_LAST, "S", ANSWER, SENDING_LAST, BUSY, ""),
    ROW("Tcr!", JOB_LAST, "X", ANSWER, CLOSED, BUSY, ""),
    ROW("Tcr!", JOB_LAST, "N", ANSWER, CLOSED, BUSY, "end "),

    ROW("c!^", JOB_ALONE, "", ANSWER, CLOSED, RESET, "end "),
    ROW("Tcr!^", JOB_ALONE, "", ANSWER, CLOSED, BUSY, "end "),

    ROW("Sx!", SENDING_LAST, "", WRITABLE, SENDING_LAST, TOO_LARGE, ""),
    ROW("Sx!", SENDING_LAST, "W", WRITABLE, LINGER, TOO_LARGE, "frame_too_large end "),
    ROW("p!SH!", SENDING_LAST, "W", WRITABLE, CLOSED, TRUNCATED, "frame_truncated end "),
    ROW("Sx!", SENDING_LAST, "X", WRITABLE, CLOSED, TOO_LARGE, ""),
    ROW("Sx!", SENDING_LAST, "", HANGUP, CLOSED, TOO_LARGE, "end "),
    ROW("Sx!", SENDING_LAST, "", TIMEOUT, CLOSED, TOO_LARGE, "end "),
    ROW("Sx!", SENDING_LAST, "", DISPLACED, CLOSED, TOO_LARGE, "end "),

    ROW("x!", LINGER, "", READABLE, LINGER, TOO_LARGE, "frame_too_large end "),
    ROW("x!", LINGER, "aaa", READABLE, LINGER, TOO_LARGE, "frame_too_large end "),
    ROW("x!", LINGER, "H", READABLE, CLOSED, TOO_LARGE, "frame_too_large end "),
    ROW("x!", LINGER, "", HANGUP, LINGER, TOO_LARGE, "frame_too_large end "),
    ROW("x!", LINGER, "X", HANGUP, CLOSED, TOO_LARGE, ""),
    ROW("x!", LINGER, "", TIMEOUT, CLOSED, TOO_LARGE, "frame_too_large end "),
    ROW("x!", LINGER, "", DISPLACED, CLOSED, TOO_LARGE, "frame_too_large end "),
};

static void check_row(const struct row *row)
{
    struct world w;
    char sent[256], what[128];
    snprintf(what, sizeof what, "%s \"%s\" × \"%s\" %s", state_text[row->from], row->way,
             row->steps, event_text[row->event]);
    open_world(&w);
    run(&w, row->way);
    if (w.c->state != row->from)
        fail_msg("%s: begins in %s", what, state_text[w.c->state]);
    run(&w, row->steps);
    send_waiting(&w);
    fire(&w, row->event);
    take_all(&w, sent, sizeof sent);
    if (w.c->state != row->to || w.c->end != row->end || strcmp(sent, row->sent) != 0)
        fail_msg("%s: %s for %s, sent %s; want %s for %s, sent %s", what, state_text[w.c->state],
                 w.c->end == END_NONE ? "nothing" : end_kinds[w.c->end].name, sent,
                 state_text[row->to], row->end == END_NONE ? "nothing" : end_kinds[row->end].name,
                 row->sent);
    assert_true(connection_is_consistent(w.c));
    assert_int_equal(w.service.ended[row->end], row->to == STATE_CLOSED);
    close_world(&w);
}

static void each_transition_does_what_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&rows[i]);
}

static void each_transition_of_the_table_is_walked(void **state)
{
    (void)state;
    for (size_t from = 0; from < STATE_CLOSED; from++)
        for (size_t event = 0; event < EVENT_COUNT; event++) {
            unsigned walked = 0;
            for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                if (rows[i].from == from && rows[i].event == event)
                    walked |= 1u << rows[i].to;
            for (size_t to = 0; to < STATE_COUNT; to++)
                if (((transitions[from][event].next ^ walked) >> to & 1) != 0)
                    fail_msg("%s × %s → %s is %s", state_text[from], event_text[event],
                             state_text[to],
                             (walked >> to & 1) != 0 ? "not in the table" : "not walked");
        }
}

/* An event for which there is no action, in a process of its own: how that ended. */
static int status_of(struct world *w, enum event event)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct connection before = *w->c;
        const struct rlimit no_core = {0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
        traffic_on_event(&w->t, w->c, event);
        _exit(memcmp(&before, w->c, sizeof before) != 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void other_events_change_nothing(void **state)
{
    bool asserting = false;
    (void)state;
    assert((asserting = true));
    for (size_t from = 0; from < STATE_COUNT; from++)
        for (size_t event = 0; event < EVENT_COUNT; event++) {
            struct world w;
            if (from != STATE_CLOSED && transitions[from][event].act != NULL)
                continue;
            open_world(&w);
            run(&w, way_to[from]);
            assert_int_equal(w.c->state, from);
            /* What epoll reports may be out of date; the rest cannot happen. */
            bool possible = event <= EVENT_HANGUP || from == STATE_CLOSED;
            int status = status_of(&w, (enum event)event);
            if (possible || !asserting ? status != 0
                                       : !WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
                fail_msg("%s × %s: ended with %#x", state_text[from], event_text[event],
                         (unsigned)status);
            close_world(&w);
        }
}

/* --- time, counts and memory ----------------------------------------------------------------- */

static void each_state_has_its_time_limit(void **state)
{
    static const int64_t limits[STATE_COUNT] = {
        [STATE_IDLE] = 1000,        [STATE_FRAME] = 100,   [STATE_SENDING] = 500,
        [STATE_SENDING_LAST] = 500, [STATE_LINGER] = 2000,
    };
    (void)state;
    for (size_t s = 0; s < STATE_COUNT; s++) {
        struct world w;
        open_world(&w);
        run(&w, way_to[s]);
        assert_int_equal(w.c->state, s);
        assert_int_equal(w.c->until_ms, limits[s] == 0 ? INT64_MAX : 1 + limits[s]);
        close_world(&w);
    }
}

static void only_what_comes_back_to_idle_has_its_time_anew(void **state)
{
    static const struct {
        const char *way, *steps;
        enum event event;
        enum state stays;
        bool anew;
    } cases[] = {
        {"p!", "", EVENT_READABLE, STATE_FRAME, false},
        {"r!", "p", EVENT_READABLE, STATE_FRAME, false},
        {"l!", "", EVENT_WRITABLE, STATE_SENDING, false},
        {"Sx!", "", EVENT_WRITABLE, STATE_SENDING_LAST, false},
        {"x!", "a", EVENT_READABLE, STATE_LINGER, false},
        {"", "a", EVENT_READABLE, STATE_IDLE, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        open_world(&w);
        run(&w, cases[i].way);
        int64_t before = w.c->until_ms;
        w.t.now_ms += 10;
        run(&w, cases[i].steps);
        send_waiting(&w);
        fire(&w, cases[i].event);
        assert_int_equal(w.c->state, cases[i].stays);
        assert_int_equal(w.c->until_ms, before + (cases[i].anew ? 10 : 0));
        close_world(&w);
    }
}

static void requests_go_to_the_thread_that_serves_them(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    run(&w, "c!");
    assert_true(w.by_session);
    assert_int_equal(w.c->job_bytes, w.job->request.cap);
    assert_int_equal(w.job->document.count, 3);
    assert_int_equal(w.job->document.cap, 3); /* however much an earlier request took */
    fire(&w, EVENT_ANSWER);
    run(&w, "w!!"); /* two reads */
    assert_false(w.by_session);
    assert_non_null(w.c->job);
    assert_int_equal(w.c->in.cap, 0); /* moved, not copied */
    w.job->failed = true;
    fire(&w, EVENT_ANSWER);
    assert_int_equal(w.service.errors, 1);
    assert_int_equal(w.t.buffered, 0);
    close_world(&w);
}

/* Another holds more than all may; a request of each size arrives in two segments, cut anywhere. */
static void a_small_request_always_finds_room(void **state)
{
    static const size_t sizes[] = {SMALL_LEN, 100, 4091, 4093, 8188, 8189, ROOM_OWN_BYTES - 4};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        const size_t cuts[] = {1, 3, 4, 5, sizes[i] / 2, sizes[i] + 3};
        for (size_t j = 0; j < ARRAY_LEN(cuts); j++) {
            struct world w;
            char sent[256];
            BUFFER_AUTO frame;
            open_world(&w);
            run(&w, "OT");
            buffer_init(&frame, FRAME_MAX);
            put_padded(&frame, bytes_text(SMALL_A), sizes[i]);
            assert_true(w.t.buffered > TIGHT);
            buffer_append(&w.waiting, bytes_of(frame.at, cuts[j]));
            run(&w, "!");
            assert_int_equal(w.c->state, STATE_FRAME);
            buffer_append(&w.waiting, bytes_from(buffer_bytes(&frame), cuts[j]));
            for (int reads = 0; reads < 2 && w.c->state == STATE_FRAME; reads++)
                run(&w, "!"); /* the rest of a header comes alone */
            take_all(&w, sent, sizeof sent);
            assert_string_equal(sent, "ok ");
            assert_int_equal(w.c->state, STATE_IDLE);
            close_world(&w);
        }
    }
}

/* Sends a frame of len bytes in pieces, and lets the server read after each. */
static void send_in_pieces(struct world *w, size_t len)
{
    size_t left = len;
    put_partial(&w->waiting, len, 0);
    for (size_t piece; left > 0; left -= piece) {
        piece = left < 50000 ? left : 50000;
        for (size_t i = 0; i < piece; i++)
            buffer_byte(&w->waiting, ' ');
        run(w, "!!");
    }
}

/* Where nobody else holds anything, the limit of all is no narrower than that of one frame. */
static void an_idle_server_takes_each_frame_within_its_limit(void **state)
{
    (void)state;
    for (size_t times = 1; times <= 2; times++)
        for (size_t len = FRAME_MAX / 4; len <= FRAME_MAX; len += FRAME_MAX / 64) {
            for (size_t less = 0; less <= 3; less++) {
                struct world w;
                open_world(&w);
                w.config.limits.buffered_bytes = times * FRAME_MAX;
                send_in_pieces(&w, len - less);
                assert_int_equal(w.c->state, STATE_JOB);
                assert_int_equal(w.c->job_bytes, FRAME_HEADER_SIZE + len - less);
                fire(&w, EVENT_ANSWER);
                assert_int_equal(w.c->state, STATE_IDLE);
                close_world(&w);
            }
        }
}

static void connections_are_as_many_as_memory_allows(void **state)
{
    const uint64_t each = ROOM_PART * ROOM_CONNECTION_BYTES;
    (void)state;
    assert_int_equal(room_connections(0), 1);
    assert_int_equal(room_connections(2 * each - 1), 1);
    assert_int_equal(room_connections(2 * each), 2);
    assert_true(room_connections(53u << 20) < room_connections(245u << 20));
    assert_true(room_connections(UINT64_MAX) > 100000);
    assert_true(room_memory() >= 16u << 20);
}

static void the_connection_that_waits_longest_is_displaced(void **state)
{
    struct world w;
    struct connection *other;
    (void)state;
    open_world(&w);
    w.other = connect_one(&w, &other);
    w.t.now_ms += 10;
    run(&w, "a!");
    w.t.now_ms += 10;
    assert_true(traffic_displace(&w.t));
    assert_int_equal(other->state, STATE_CLOSED);
    run(&w, "p!"); /* a frame has begun … */
    close(w.other);
    w.other = connect_one(&w, &other);
    w.t.now_ms += 10;
    traffic_on_event(&w.t, other, EVENT_READABLE);
    assert_int_equal(other->state, STATE_IDLE);
    assert_true(traffic_displace(&w.t)); /* … and waits for its end */
    assert_int_equal(w.c->state, STATE_CLOSED);
    assert_int_equal(w.service.ended[END_DISPLACED], 2);
    assert_int_equal(w.service.connections, 1);
    close_world(&w);
}

static void who_waits_for_a_turn_is_displaced_last(void **state)
{
    struct world w;
    struct connection *other;
    (void)state;
    open_world(&w);
    run(&w, "Zaa!");
    assert_int_equal(w.c->state, STATE_READY);
    w.t.now_ms += 10;
    w.other = connect_one(&w, &other);
    assert_true(traffic_displace(&w.t));
    assert_int_equal(other->state, STATE_CLOSED);
    assert_true(traffic_displace(&w.t));
    assert_int_equal(w.c->state, STATE_CLOSED);
    close_world(&w);
}

static void a_job_is_not_displaced(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    run(&w, "c!");
    w.t.now_ms += 10;
    assert_false(traffic_displace(&w.t));
    assert_int_equal(w.c->state, STATE_JOB);
    close_world(&w);
}

static void many_values_go_to_the_worker_however_short_the_frame(void **state)
{
    static const struct {
        const char *value;
        size_t count;
        bool to_worker;
    } cases[] = {
        {"1,", TURN_VALUES - 10, false}, {"1,", 2 * TURN_VALUES, true},
        {"{},", 2 * TURN_VALUES, true},  {"[],", 2 * TURN_VALUES, true},
        {"12345678901,", 2000, false},   {"1234,", TURN_VALUES + 1, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        BUFFER_AUTO text;
        open_world(&w);
        buffer_init(&text, FRAME_MAX);
        buffer_text(&text, "{\"mode\":\"A\",\"payload\":[");
        for (size_t n = 0; n < cases[i].count; n++)
            buffer_text(&text, cases[i].value);
        buffer_text(&text, "0]}");
        assert_true(text.len < TURN_FRAME);
        put_frame(&w.waiting, buffer_bytes(&text));
        run(&w, "!");
        assert_int_equal(w.c->job != NULL, cases[i].to_worker);
        close_world(&w);
    }
}

/* --- turns ----------------------------------------------------------------------------------- */

/* How many answers have been sent to a client since it was last asked. */
static size_t answers_to(int client)
{
    uint8_t got[8192];
    size_t count = 0;
    ssize_t n = read(client, got, sizeof got);
    for (size_t at = 0; n > 0 && at < (size_t)n; count++)
        at += FRAME_HEADER_SIZE + be32_load(got + at);
    return count;
}

/* A second client, which sends a number of small requests. */
static struct connection *another_sends(struct world *w, size_t count)
{
    struct connection *other;
    w->other = connect_one(w, &other);
    while (count-- > 0)
        put_frame(&w->waiting, bytes_text(SMALL_A));
    assert_int_equal(write(w->other, w->waiting.at, w->waiting.len), w->waiting.len);
    buffer_reset(&w->waiting);
    return other;
}

/* How many requests are served, of many that arrived at once, before a new one of another. */
static void a_small_request_overtakes_the_rest_of_many(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    run(&w, "Zaaaa!");
    assert_int_equal(answers_to(w.client), 1);
    assert_true(traffic_is_ready(&w.t));
    run(&w, "z");
    traffic_on_event(&w.t, another_sends(&w, 1), EVENT_READABLE);
    assert_int_equal(answers_to(w.other), 1);
    assert_int_equal(answers_to(w.client), 0);
    traffic_take_turns(&w.t, clock_us);
    assert_int_equal(answers_to(w.client), 3);
    assert_false(traffic_is_ready(&w.t));
    close_world(&w);
}

static void those_that_wait_have_one_turn_after_another(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    run(&w, "Zaaa!");
    traffic_on_event(&w.t, another_sends(&w, 3), EVENT_READABLE);
    assert_int_equal(answers_to(w.client), 1);
    assert_int_equal(answers_to(w.other), 1);
    for (size_t i = 0; i < 2; i++) {
        traffic_take_turns(&w.t, clock_us);
        assert_int_equal(answers_to(w.client), 1);
        assert_int_equal(answers_to(w.other), 0);
        traffic_take_turns(&w.t, clock_us);
        assert_int_equal(answers_to(w.client), 0);
        assert_int_equal(answers_to(w.other), 1);
    }
    assert_false(traffic_is_ready(&w.t));
    close_world(&w);
}

/* Half of the time is theirs: events that took long leave room for more than one turn. */
static void turns_have_as_much_time_as_events(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    run(&w, "Zaaaaaaaa!");
    assert_int_equal(answers_to(w.client), 1);
    traffic_take_turns(&w.t, clock_us - 5 * TURN_US); /* three looks at the clock for each turn */
    assert_int_equal(answers_to(w.client), 2);
    traffic_take_turns(&w.t, clock_us - 8 * TURN_US);
    assert_int_equal(answers_to(w.client), 3);
    close_world(&w);
}

/* Who was served for long is not read before its turn; one short turn, and it is again. */
static void a_long_turn_is_remembered_until_a_short_one(void **state)
{
    struct world w;
    (void)state;
    open_world(&w);
    run(&w, "Za!za!");
    assert_int_equal(answers_to(w.client), 1);
    assert_int_equal(w.c->state, STATE_READY);
    assert_int_equal(w.c->in.cap, 0);
    assert_int_equal(w.c->events, 0);
    run(&w, "@a!");
    assert_int_equal(answers_to(w.client), 2);
    assert_int_equal(w.c->state, STATE_IDLE);
    close_world(&w);
}

/* --- counts ---------------------------------------------------------------------------------- */

static void errors_and_ends_are_counted(void **state)
{
    struct world w;
    char sent[256];
    int pair[2];
    (void)state;
    open_world(&w);
    run(&w, "x!");
    assert_int_equal(w.service.errors, 1);
    assert_int_equal(w.service.ended[END_TOO_LARGE], 0); /* not yet */
    run(&w, "X!");
    assert_int_equal(w.service.ended[END_TOO_LARGE], 1);
    assert_int_equal(w.service.connections, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    w.client = pair[1];
    assert_int_equal(write(w.client, "unread", 6), 6);
    traffic_refuse(&w.t, pair[0]);
    take_all(&w, sent, sizeof sent);
    assert_string_equal(sent, "too_many_connections end ");
    assert_int_equal(w.service.ended[END_TOO_MANY], 1);
    close_world(&w);
}

static void what_is_open_at_the_end_is_cut_off(void **state)
{
    (void)state;
    for (size_t s = 0; s < STATE_CLOSED; s++) {
        struct world w;
        open_world(&w);
        run(&w, way_to[s]);
        enum end_reason before = w.c->end;
        enum end_reason end = before == END_NONE ? END_CUT_OFF : before;
        close_world(&w);
        assert_int_equal(w.service.ended[end], 1);
    }
}

static void each_reason_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (size_t i = END_NONE + 1; i < END_COUNT; i++) {
        assert_non_null(end_kinds[i].name);
        if (end_kinds[i].error != ERROR_NONE)
            assert_string_equal(end_kinds[i].name, error_name(end_kinds[i].error));
        for (size_t j = END_NONE + 1; j < i; j++)
            assert_string_not_equal(end_kinds[i].name, end_kinds[j].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_transition_does_what_it_says),
        cmocka_unit_test(each_transition_of_the_table_is_walked),
        cmocka_unit_test(other_events_change_nothing),
        cmocka_unit_test(each_state_has_its_time_limit),
        cmocka_unit_test(only_what_comes_back_to_idle_has_its_time_anew),
        cmocka_unit_test(requests_go_to_the_thread_that_serves_them),
        cmocka_unit_test(a_small_request_always_finds_room),
        cmocka_unit_test(an_idle_server_takes_each_frame_within_its_limit),
        cmocka_unit_test(connections_are_as_many_as_memory_allows),
        cmocka_unit_test(the_connection_that_waits_longest_is_displaced),
        cmocka_unit_test(who_waits_for_a_turn_is_displaced_last),
        cmocka_unit_test(a_job_is_not_displaced),
        cmocka_unit_test(many_values_go_to_the_worker_however_short_the_frame),
        cmocka_unit_test(a_small_request_overtakes_the_rest_of_many),
        cmocka_unit_test(those_that_wait_have_one_turn_after_another),
        cmocka_unit_test(turns_have_as_much_time_as_events),
        cmocka_unit_test(a_long_turn_is_remembered_until_a_short_one),
        cmocka_unit_test(errors_and_ends_are_counted),
        cmocka_unit_test(what_is_open_at_the_end_is_cut_off),
        cmocka_unit_test(each_reason_has_a_name_of_its_own),
    };
    return crypto_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
