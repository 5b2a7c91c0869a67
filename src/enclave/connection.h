/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection's own state, and the lists that bound how long it may stay in each: every connection
 * is in exactly one. A list's connections all have the same time limit and join at its end, so its
 * first is always the next to run out: no timer costs more than a few pointers.
 */
#ifndef ENCLAVE_CONNECTION_H
#define ENCLAVE_CONNECTION_H

#include "base/buffer.h"
#include "base/error.h"

enum waiting_for {
    WAITING_REQUEST, /* nothing is under way */
    WAITING_FRAME,   /* the rest of a frame */
    WAITING_ANSWER,  /* a job on another thread; no limit here, the job has its own */
    WAITING_READER,  /* the peer to take what was written */
    WAITING_END,     /* the peer to close, after an error that ended the connection */
    WAITING_KINDS,
};

struct connection {
    struct connection *previous, *next;
    int64_t until_ms;
    enum waiting_for waiting;

    int fd;            /* -1: closed, to be freed at the end of the round */
    uint32_t events;   /* what epoll watches */
    struct buffer in;  /* received, not served yet: at most one frame's beginning, or a backlog */
    struct buffer out; /* to be sent, from out_sent on */
    size_t out_sent;
    size_t with_job;           /* bytes of the request that a job holds */
    size_t accounted;          /* bytes of in, out and the job's request in the server's sum */
    bool answering;            /* a job is under way */
    enum error_code ends_with; /* what is to be said behind the job's answer, to end with */
    bool ended_by_peer;        /* nothing more will arrive */
    bool ending;               /* close once out is sent */
    bool broken;               /* close once no job needs it */
};

struct connection_list {
    struct connection *first, *last;
    int64_t limit_ms; /* INT64_MAX: none */
};

/* Takes c out of its list, if it is in one, and appends it to the list for kind. */
void connection_wait(struct connection_list lists[WAITING_KINDS], struct connection *c,
                     enum waiting_for kind, int64_t now_ms);
void connection_unlist(struct connection_list lists[WAITING_KINDS], struct connection *c);

MUST_USE struct connection *connection_new(int fd, size_t frame_bytes);
/* Closes, wipes, frees; c is in no list. */
void connection_free(struct connection *c);

#endif
