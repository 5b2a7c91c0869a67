/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection is in exactly one state, and in the list of that state. All connections of a list
 * have the same time limit and join at its end, so its first is always the next to run out: no
 * timer costs more than a few pointers. traffic.c moves connections from state to state;
 * docs/connections.md has a picture of it, and says of each state and reason what it means.
 */
#ifndef ENCLAVE_CONNECTION_H
#define ENCLAVE_CONNECTION_H

#include <sys/queue.h>

#include "base/buffer.h"
#include "base/error.h"

#define CONNECTION_STATES(X)                                                 \
    X(IDLE)         /* nothing is under way */                               \
    X(FRAME)        /* a frame has begun to arrive */                        \
    X(READY)        /* it has input, and waits for its turn to be served */  \
    X(SENDING)      /* the client has answers to take before it is read */   \
    X(JOB)          /* another thread serves a request */                    \
    X(JOB_LAST)     /* the same; an error follows its answer, then an end */ \
    X(JOB_ALONE)    /* the same, and nobody is left to answer */             \
    X(SENDING_LAST) /* the client has an error to take, the last answer */   \
    X(LINGER)       /* it took the error and has yet to close */             \
    X(CLOSED)       /* freed at the end of the round */

#define CONNECTION_EVENTS(X) \
    X(READABLE) X(WRITABLE) X(HANGUP) X(TURN) X(ANSWER) X(TIMEOUT) X(DISPLACED)

/* Why a connection ends: its name in health, and the error that is sent first. */
#define END_REASONS(X)                                              \
    X(CLOSED, "closed", ERROR_NONE)                                 \
    X(RESET, "reset", ERROR_NONE)                                   \
    X(TRUNCATED, "frame_truncated", ERROR_FRAME_TRUNCATED)          \
    X(TOO_LARGE, "frame_too_large", ERROR_FRAME_TOO_LARGE)          \
    X(TIMEOUT, "timeout", ERROR_TIMEOUT)                            \
    X(BUSY, "busy", ERROR_BUSY)                                     \
    X(MEMORY, "out_of_memory", ERROR_MEMORY)                        \
    X(IDLE, "idle", ERROR_NONE)                                     \
    X(DISPLACED, "displaced", ERROR_NONE)                           \
    X(SLOW_READER, "slow_reader", ERROR_NONE)                       \
    X(NO_ROOM, "no_room", ERROR_NONE)                               \
    X(STOPPED, "stopped", ERROR_NONE)                               \
    X(CUT_OFF, "cut_off", ERROR_NONE)                               \
    X(TOO_MANY, "too_many_connections", ERROR_TOO_MANY_CONNECTIONS) \
    X(PEER, "refused_peer", ERROR_NONE)

#define STATE_ENUM(name)            STATE_##name,
#define EVENT_ENUM(name)            EVENT_##name,
#define END_ENUM(name, text, error) END_##name,
enum state { CONNECTION_STATES(STATE_ENUM) STATE_COUNT };
enum event { CONNECTION_EVENTS(EVENT_ENUM) EVENT_COUNT };
enum end_reason { END_NONE, END_REASONS(END_ENUM) END_COUNT };
#undef STATE_ENUM
#undef EVENT_ENUM
#undef END_ENUM

struct end_kind {
    const char *name;
    enum error_code error;
};
extern const struct end_kind end_kinds[END_COUNT];

struct connection {
    TAILQ_ENTRY(connection) link; /* in the list of its state */
    int64_t until_ms;             /* when its time in this state is over */
    enum state state;
    enum end_reason end; /* END_NONE: it goes on */
    bool queues;         /* it was served for long: for its next input it waits its turn */

    int fd;            /* -1 once it is closed */
    uint32_t events;   /* what epoll watches */
    struct buffer in;  /* received, not served yet: at most one frame's beginning, or a backlog */
    struct buffer out; /* to be sent, from out_sent on */
    size_t out_sent;
    struct job *job;  /* under way on another thread, which owns it; NULL: none */
    size_t job_bytes; /* of the request that the job holds */
    size_t accounted; /* what it counts for in the sum over all connections (room.h) */
};

struct connection_list {
    TAILQ_HEAD(connection_head, connection) connections;
    int64_t limit_ms; /* 0: none */
};

/* After a system call on a socket that did nothing: whether it may work later. */
bool is_passing(int error);
/* Sends what the client takes of data, *sent bytes. False if the connection failed. */
bool send_some(int fd, struct bytes data, size_t *sent);
/* Sends what the client takes of what c keeps to be sent. False if the connection failed. */
MUST_USE bool connection_send(struct connection *c);

/* Whether c holds what its state says, no more and no less; for assertions. */
bool connection_is_consistent(const struct connection *c);

#endif
