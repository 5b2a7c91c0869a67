/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker: a thread that serves large requests in the order they came, so that they delay one
 * another and nobody else.
 */
#ifndef ENCLAVE_WORKER_H
#define ENCLAVE_WORKER_H

#include "base/error.h"
#include "enclave/job.h"

struct service;
struct worker;

MUST_USE struct worker *worker_start(struct service *service, struct job_queue *done,
                                     struct error *err);
void worker_put(struct worker *worker, struct job *job);
/* Drops what is queued, finishes what is being served, ends the thread, wipes. */
void worker_stop(struct worker *worker);

#endif
