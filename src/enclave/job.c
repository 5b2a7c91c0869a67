/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/job.h"

#include <stdlib.h>
#include <unistd.h>

struct job *job_new(struct connection *connection, size_t request_limit, size_t answer_limit)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->connection = connection;
    buffer_init_secret(&job->request, request_limit);
    buffer_init(&job->answer, answer_limit);
    return job;
}

void job_free(struct job *job)
{
    if (job == NULL)
        return;
    json_clear(&job->document);
    buffer_clear(&job->request);
    buffer_clear(&job->answer);
    free(job);
}

void job_free_all(struct job *jobs)
{
    for (struct job *job = jobs, *next; job != NULL; job = next) {
        next = job->next;
        job_free(job);
    }
}

void job_queue_init(struct job_queue *queue, int signal_fd)
{
    *queue = (struct job_queue){.signal_fd = signal_fd};
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
}

void job_queue_clear(struct job_queue *queue)
{
    job_free_all(queue->first);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
}

void job_put(struct job_queue *queue, struct job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&queue->lock);
    if (queue->last == NULL)
        queue->first = job;
    else
        queue->last->next = job;
    queue->last = job;
    queue->waiting++;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
    if (queue->signal_fd >= 0) {
        const uint64_t one = 1;
        /* Fails only when the counter is full, and then it is readable already. */
        ssize_t n = write(queue->signal_fd, &one, sizeof one);
        (void)n;
    }
}

size_t job_queue_waiting(struct job_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t waiting = queue->waiting;
    pthread_mutex_unlock(&queue->lock);
    return waiting;
}

struct job *job_take(struct job_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->first == NULL && !queue->closed)
        pthread_cond_wait(&queue->changed, &queue->lock);
    struct job *job = queue->first;
    if (job != NULL) {
        queue->first = job->next;
        if (queue->first == NULL)
            queue->last = NULL;
        queue->waiting--;
    }
    pthread_mutex_unlock(&queue->lock);
    return job;
}

struct job *job_take_all(struct job_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    struct job *jobs = queue->first;
    queue->first = queue->last = NULL;
    queue->waiting = 0;
    pthread_mutex_unlock(&queue->lock);
    return jobs;
}

void job_queue_close(struct job_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}
