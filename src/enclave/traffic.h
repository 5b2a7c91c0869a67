/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections' bytes: received, served, sent. Each connection is a state machine
 * (docs/connections.md); what they share is here. One thread uses it.
 */
#ifndef ENCLAVE_TRAFFIC_H
#define ENCLAVE_TRAFFIC_H

#include "enclave/connection.h"
#include "enclave/worker.h"
#include "enclave/workspace.h"

#define TRAFFIC_READ_SIZE (256u << 10) /* one read takes up to this much */

/*
 * What one connection may have done before others have their turn. A read that is served at once
 * takes up to TURN_BYTES. A frame longer than TURN_FRAME, or of more than about TURN_VALUES values
 * of JSON, goes to the worker. After TURN_US no further frame is begun. Who was served for no
 * longer than SHORT_TURN_US is served again as soon as it sends; others queue.
 */
#define TURN_BYTES    (64u << 10)
#define TURN_FRAME    (32u << 10)
#define TURN_VALUES   4096
#define TURN_US       400
#define SHORT_TURN_US 50

struct traffic {
    struct service *service;
    const struct limits *limits;
    struct worker *worker;
    int epoll_fd;

    struct workspace workspace;
    uint8_t *inbox;       /* TRAFFIC_READ_SIZE bytes of secret memory, shared by all connections */
    struct buffer outbox; /* answers of the connection that an event is for */

    struct connection_list lists[STATE_COUNT];
    size_t buffered; /* sum of what connections hold beyond what is their own (room.h) */
    int64_t now_ms;
    bool stopping; /* close what has nothing under way */
};

/* epoll_fd is used and not taken over; worker is to be set before the first event. ERROR_MEMORY. */
MUST_USE bool traffic_init(struct traffic *t, struct service *service, int epoll_fd,
                           struct error *err);
/* Closes all connections, frees and wipes. No job may be under way. */
void traffic_clear(struct traffic *t);

/* Takes over fd, which was just accepted; refuses it if memory is short. */
void traffic_admit(struct traffic *t, int fd);
/* Ends the connection in which nothing has happened for longest, so that another has its place.
 * False if there is none that may end: all have jobs. */
MUST_USE bool traffic_displace(struct traffic *t);
/* Refuses fd, which was just accepted, with an error, and closes it. */
void traffic_refuse(struct traffic *t, int fd);
/* Counts a connection that has ended. */
void traffic_count(struct traffic *t, enum end_reason why);

/* The one way to the next state. An event of epoll that comes after a change may be out of date. */
void traffic_on_event(struct traffic *t, struct connection *c, enum event event);
/*
 * Serves those that wait for their turn, one after another: one at least, and until they have had
 * as much time as all else since began_us (clock_monotonic_us).
 */
void traffic_take_turns(struct traffic *t, int64_t began_us);
/* Whether a connection waits for its turn. */
bool traffic_is_ready(const struct traffic *t);
/* Jobs have come back, a list. */
void traffic_on_done(struct traffic *t, struct job *jobs);
/* At the end of a round, when no event points to a closed connection any more. */
void traffic_free_closed(struct traffic *t);

#endif
