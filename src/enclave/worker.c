/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/worker.h"

#include <errno.h>
#include <stdlib.h>

#include "enclave/request.h"
#include "enclave/session.h"
#include "enclave/workspace.h"
#include "net/frame.h"

struct worker {
    struct service *service;
    struct job_queue queue;
    struct job_queue *done;
    struct workspace workspace;
    pthread_t thread;
};

static void *run(void *context)
{
    struct worker *worker = context;
    struct job *job;
    while ((job = job_take(&worker->queue)) != NULL) {
        struct bytes content = bytes_from(buffer_bytes(&job->request), FRAME_HEADER_SIZE);
        if (request_serve(worker->service, &worker->workspace, content, &job->answer)) {
            buffer_clear(&job->request); /* wiping megabytes would hold up the server */
            job_put(worker->done, job);
        } else {
            workspace_give_request(&worker->workspace, &job->document);
            session_configure(worker->service->session, job);
        }
    }
    return NULL;
}

static void worker_free(struct worker *worker)
{
    job_queue_clear(&worker->queue);
    workspace_clear(&worker->workspace);
    free(worker);
}

struct worker *worker_start(struct service *service, struct job_queue *done, struct error *err)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        error_set(err, ERROR_MEMORY, "no memory for the worker");
        return NULL;
    }
    worker->service = service;
    worker->done = done;
    job_queue_init(&worker->queue, -1);
    workspace_init(&worker->workspace, KEYRING_WORKER, &service->config->limits);
    errno = pthread_create(&worker->thread, NULL, run, worker);
    if (errno == 0)
        return worker;
    error_set_errno(err, ERROR_SYSTEM, "cannot start the worker thread");
    worker_free(worker);
    return NULL;
}

void worker_put(struct worker *worker, struct job *job)
{
    job_put(&worker->queue, job);
}

void worker_stop(struct worker *worker)
{
    if (worker == NULL)
        return;
    job_queue_close(&worker->queue);
    job_free_all(job_take_all(&worker->queue));
    pthread_join(worker->thread, NULL);
    worker_free(worker);
}
