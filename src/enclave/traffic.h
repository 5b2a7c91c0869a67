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

/* One read takes up to this much, and a longer frame goes to the worker. */
#define TRAFFIC_READ_SIZE (256u << 10)

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
    bool progress; /* in this event a frame was served: the state's time begins anew */
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
/* Jobs have come back, a list. */
void traffic_on_done(struct traffic *t, struct job *jobs);
/* At the end of a round, when no event points to a closed connection any more. */
void traffic_free_closed(struct traffic *t);

#endif
