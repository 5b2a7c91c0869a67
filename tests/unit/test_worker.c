/* SPDX-License-Identifier: Apache-2.0 */
/* The worker: its source is included, so that a test sees its queue. */
#include "tests/unit/check.h"

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "enclave/answer.h"

#include "enclave/worker.c"

#define FRAME_MAX 4096

struct bench {
    struct config config;
    struct service service;
    struct job_queue done;
    struct worker *worker;
};

/* done_fd: what each job that comes back is counted on; -1: nothing. */
static void open_bench(struct bench *b, int done_fd)
{
    static const uint8_t key[AEAD_KEY_SIZE] = "a key of thirty-two bytes ......";
    bool rotated;
    *b = (struct bench){
        .config.limits = {.frame_bytes = FRAME_MAX, .json_depth = 16, .json_values = 100}};
    b->service.config = &b->config;
    b->service.ring = keyring_new(1000);
    assert_true(keyring_install(b->service.ring, key, &rotated, NULL));
    job_queue_init(&b->done, done_fd);
    b->worker = worker_start(&b->service, &b->done, NULL);
    assert_non_null(b->worker);
}

static void close_bench(struct bench *b)
{
    job_queue_clear(&b->done);
    keyring_free(b->service.ring);
}

static void put_request(struct bench *b)
{
    static const char content[] = "{\"mode\":\"A\",\"payload\":\"x\"}";
    uint8_t header[FRAME_HEADER_SIZE];
    struct job *job = job_new(NULL, FRAME_MAX, FRAME_MAX + ANSWER_SLACK);
    assert_non_null(job);
    be32_store(header, sizeof content - 1);
    buffer_append(&job->request, bytes_of(header, sizeof header));
    buffer_text(&job->request, content);
    worker_put(b->worker, job);
}

static void requests_are_wiped_by_the_worker(void **state)
{
    struct bench b;
    (void)state;
    open_bench(&b, -1);
    put_request(&b);
    struct job *job = job_take(&b.done);
    assert_non_null(memmem(job->answer.at, job->answer.len, "ciphertext", 10));
    assert_null(job->request.at);
    job_free(job);
    worker_stop(b.worker);
    close_bench(&b);
}

static void *stop(void *context)
{
    worker_stop(context);
    return NULL;
}

static bool is_empty_and_closed(struct job_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    bool is = queue->closed && queue->first == NULL;
    pthread_mutex_unlock(&queue->lock);
    return is;
}

/* The worker is held up where it tells of its first job: the descriptor's counter is full. */
static void what_waits_is_dropped_at_the_end(void **state)
{
    struct bench b;
    pthread_t stopping;
    uint64_t count = UINT64_MAX - 1;
    int fd = eventfd(0, EFD_CLOEXEC);
    (void)state;
    assert_int_equal(write(fd, &count, sizeof count), sizeof count);
    open_bench(&b, fd);
    put_request(&b);
    while (job_queue_waiting(&b.done) == 0)
        sched_yield();
    put_request(&b);
    put_request(&b);
    assert_int_equal(pthread_create(&stopping, NULL, stop, b.worker), 0);
    while (!is_empty_and_closed(&b.worker->queue))
        sched_yield();
    assert_int_equal(read(fd, &count, sizeof count), sizeof count);
    assert_int_equal(pthread_join(stopping, NULL), 0);
    assert_int_equal(job_queue_waiting(&b.done), 1);
    assert_int_equal(b.service.requests, 1);
    close_bench(&b);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_wiped_by_the_worker),
        cmocka_unit_test(what_waits_is_dropped_at_the_end),
    };
    return crypto_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
