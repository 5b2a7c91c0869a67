/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that are not served on the server's own thread: large ones (worker.h) and `configure`
 * (session.h). A job goes through a queue to the other thread and comes back through a second one,
 * which wakes the server. It belongs to whoever took it last.
 */
#ifndef ENCLAVE_JOB_H
#define ENCLAVE_JOB_H

#include <pthread.h>

#include "base/buffer.h"
#include "codec/json.h"

struct job {
    struct job *next;
    struct connection *connection; /* which waits for the answer */
    struct buffer request;         /* a whole frame, header included */
    struct json document;          /* the request's index; of a `configure` only */
    struct buffer answer;          /* a whole frame, header included; empty: none could be made */
    bool failed;                   /* the answer is an error; for the counts */
};

/* Limits of the two buffers; answer changes places with a buffer of its limit. */
MUST_USE struct job *job_new(struct connection *connection, size_t request_limit,
                             size_t answer_limit);
/* Wipes and frees; may be NULL. */
void job_free(struct job *job);
/* The same for each of a list. */
void job_free_all(struct job *jobs);

/* A first-in-first-out queue; signal_fd, unless -1, is an eventfd that each put makes readable. */
struct job_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *first, *last;
    size_t waiting;
    int signal_fd;
    bool closed;
};

void job_queue_init(struct job_queue *queue, int signal_fd);
/* Frees the jobs left in it. */
void job_queue_clear(struct job_queue *queue);

void job_put(struct job_queue *queue, struct job *job);
/* How many jobs wait at this moment. */
size_t job_queue_waiting(struct job_queue *queue);
/* Waits for a job; NULL once the queue is closed and empty. */
struct job *job_take(struct job_queue *queue);
/* Takes all at once, without waiting: a list, or NULL. */
struct job *job_take_all(struct job_queue *queue);
/* Wakes who waits; what is queued is still handed out. */
void job_queue_close(struct job_queue *queue);

#endif
