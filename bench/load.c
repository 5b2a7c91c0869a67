/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load: one thread and one epoll hold a number of connections, with a number of requests in flight
 * on each. Every answer is checked. Prints one line of JSON.
 *
 *   load --to ADDRESS [--mode A|AB|health] [--size BYTES] [--payload records|text|objects]
 *        [--connections N] [--depth N] [--each] [--echo] [--seconds S] [--warm-up S]
 *
 * With AB the answer to each A is sent as a B, so half of the requests are of each kind. --each
 * makes a connection for each request. --echo expects the request as its answer, not a sealed
 * state, and sends a B of the length that it would have.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "bench/histogram.h"
#include "bench/messages.h"
#include "net/frame.h"
#include "sockets/any_address.h"

#define READ_SIZE       65536
#define DEPTH_MAX       4096
#define CONNECTIONS_MAX 4096
#define DRAIN_NS        INT64_C(60000000000)
#define CONNECT_MS      5000
#define ANSWER_MAX      (64u << 20)

struct in_flight {
    int64_t sent_ns;
    enum mode mode;
};

struct connection {
    int fd; /* -1 if there is none */
    uint8_t *in;
    size_t in_len, in_cap;
    uint8_t *out;
    size_t out_at, out_len, out_cap;
    struct in_flight ring[DEPTH_MAX];
    unsigned first, count;
    struct message b;    /* the B that carries the answer to the last A */
    enum mode next_mode; /* --each: what the next connection carries */
};

static struct {
    struct address to;
    bool alternate, health, each, echo;
    enum payload payload;
    size_t size;
    unsigned connections, depth;
    double seconds, warm_up;
} options = {.size = 1024, .connections = 1, .depth = 1, .seconds = 2, .warm_up = 0.2};

static struct {
    int epoll;
    struct message a, echo_b;
    struct histogram latency;
    uint64_t all, in_window;
    uint64_t open; /* requests in flight */
    int64_t from_ns, until_ns;
    bool draining;
} run;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static _Noreturn void stop(const char *why)
{
    fprintf(stderr, "load: %s\n", why);
    exit(1);
}

static uint8_t *grown(uint8_t *at, size_t *cap, size_t need)
{
    if (need <= *cap)
        return at;
    *cap = need + need / 2;
    at = realloc(at, *cap);
    if (at == NULL)
        stop("out of memory");
    return at;
}

static void flush(struct connection *c)
{
    while (c->out_at < c->out_len) {
        ssize_t n = write(c->fd, c->out + c->out_at, c->out_len - c->out_at);
        if (n < 0 && errno == EAGAIN)
            return; /* edge-triggered: EPOLLOUT comes once there is room */
        if (n < 0 && errno != EINTR)
            stop("the server closed a connection while a request was sent");
        if (n > 0)
            c->out_at += (size_t)n;
    }
    c->out_at = c->out_len = 0;
}

static const struct message *message_of(const struct connection *c, enum mode mode)
{
    if (mode == MODE_A)
        return &run.a;
    return options.echo ? &run.echo_b : &c->b;
}

/* Appends a request to what is to be sent and counts it as in flight from then on. */
static void enqueue(struct connection *c, enum mode mode, int64_t when)
{
    const struct message *m = message_of(c, mode);
    c->out = grown(c->out, &c->out_cap, c->out_len + m->len);
    memcpy(c->out + c->out_len, m->at, m->len);
    c->out_len += m->len;
    c->ring[(c->first + c->count++) % DEPTH_MAX] = (struct in_flight){when, mode};
    run.open++;
}

static void connect_one(struct connection *c)
{
    struct deadline deadline = deadline_in(CONNECT_MS);
    struct error err;
    if (!address_connect(&options.to, &deadline, &c->fd, &err))
        stop(err.cause);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
        stop("epoll_ctl failed");
    c->in_len = 0;
}

/* For --each: sends the next request on a new connection; its time begins before connecting. */
static void reconnect(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    if (run.draining)
        return;
    int64_t when = now_ns();
    connect_one(c);
    enqueue(c, c->next_mode, when);
    flush(c);
}

/* Checks one answer. hex becomes a view of what a B would carry, but not with --echo. */
static void check_answer(const struct connection *c, enum mode mode, struct bytes answer,
                         struct bytes *hex)
{
    bool good;
    if (options.health) {
        good = answer_success(answer);
        *hex = bytes_of(NULL, 0);
    } else if (options.echo) {
        const struct message *sent = message_of(c, mode);
        good = bytes_equal(answer, bytes_of(sent->at + 4, sent->len - 4));
        *hex = bytes_of(NULL, 0);
    } else {
        good = answer_ciphertext(answer, sealed_digits(options.size), hex);
    }
    if (good)
        return;
    fprintf(stderr, "load: a wrong answer to mode %s: %.*s\n",
            options.health   ? "health"
            : mode == MODE_A ? "A"
                             : "B",
            (int)(answer.len < 300 ? answer.len : 300), (const char *)answer.at);
    exit(1);
}

/* The next request after one that was answered: a B after an A if they alternate, else an A. */
static void follow(struct connection *c, enum mode done, struct bytes hex, int64_t now)
{
    c->next_mode = options.alternate && done == MODE_A ? MODE_B : MODE_A;
    if (c->next_mode == MODE_B && !options.echo && !message_mode_b(&c->b, hex))
        stop("out of memory");
    if (!options.each && !run.draining)
        enqueue(c, c->next_mode, now);
}

static void answered(struct connection *c, struct bytes answer, int64_t now)
{
    if (c->count == 0)
        stop("an answer without a request");
    struct in_flight request = c->ring[c->first];
    c->first = (c->first + 1) % DEPTH_MAX;
    c->count--;
    run.open--;
    struct bytes hex;
    check_answer(c, request.mode, answer, &hex);
    run.all++;
    if (now >= run.from_ns && now < run.until_ns) {
        run.in_window++;
        histogram_add(&run.latency, (uint64_t)(now - request.sent_ns));
    }
    if (now >= run.until_ns)
        run.draining = true;
    follow(c, request.mode, hex, now);
}

static void take_answers(struct connection *c)
{
    size_t at = 0;
    int64_t now = now_ns();
    while (c->in_len - at >= FRAME_HEADER_SIZE) {
        size_t len = be32_load(c->in + at);
        if (len > ANSWER_MAX)
            stop("an answer of more than 64 MiB");
        if (c->in_len - at - FRAME_HEADER_SIZE < len) {
            c->in = grown(c->in, &c->in_cap, at + FRAME_HEADER_SIZE + len + READ_SIZE);
            break;
        }
        answered(c, bytes_of(c->in + at + FRAME_HEADER_SIZE, len), now);
        at += FRAME_HEADER_SIZE + len;
    }
    if (at > 0)
        memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
}

/* Reads until the socket is empty, as edge-triggered waiting demands. */
static void serve(struct connection *c, uint32_t events)
{
    bool more = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
    while (more) {
        c->in = grown(c->in, &c->in_cap, c->in_len + READ_SIZE);
        size_t room = c->in_cap - c->in_len;
        ssize_t n = read(c->fd, c->in + c->in_len, room);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n <= 0)
            stop("the server closed a connection before it answered");
        c->in_len += (size_t)n;
        more = (size_t)n == room;
        take_answers(c);
        if (options.each && c->count == 0) {
            reconnect(c);
            return;
        }
    }
    flush(c);
}

static void take_option(int name, const char *value)
{
    switch (name) {
    case 'm':
        options.alternate = strcmp(value, "AB") == 0;
        options.health = strcmp(value, "health") == 0;
        break;
    case 's':
        options.size = strtoul(value, NULL, 10);
        break;
    case 'c':
        options.connections = (unsigned)strtoul(value, NULL, 10);
        break;
    case 'd':
        options.depth = (unsigned)strtoul(value, NULL, 10);
        break;
    case 'e':
        options.each = true;
        break;
    case 'o':
        options.echo = true;
        break;
    case 'p':
        options.payload = strcmp(value, "text") == 0      ? PAYLOAD_TEXT
                          : strcmp(value, "objects") == 0 ? PAYLOAD_OBJECTS
                                                          : PAYLOAD_RECORDS;
        break;
    case 'n':
        options.seconds = strtod(value, NULL);
        break;
    case 'w':
        options.warm_up = strtod(value, NULL);
        break;
    default:
        exit(2);
    }
}

static bool options_in_range(void)
{
    return options.size >= 2 && options.size <= FRAME_LIMIT && options.depth >= 1 &&
           options.depth <= DEPTH_MAX && options.connections >= 1 &&
           options.connections <= CONNECTIONS_MAX && (!options.each || options.depth == 1);
}

static void parse_options(int argc, char **argv)
{
    static const struct option names[] = {{"to", required_argument, NULL, 't'},
                                          {"mode", required_argument, NULL, 'm'},
                                          {"size", required_argument, NULL, 's'},
                                          {"connections", required_argument, NULL, 'c'},
                                          {"depth", required_argument, NULL, 'd'},
                                          {"each", no_argument, NULL, 'e'},
                                          {"echo", no_argument, NULL, 'o'},
                                          {"payload", required_argument, NULL, 'p'},
                                          {"seconds", required_argument, NULL, 'n'},
                                          {"warm-up", required_argument, NULL, 'w'},
                                          {0}};
    struct error err;
    const char *to = NULL;
    int name;
    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (name == 't')
            to = optarg;
        else
            take_option(name, optarg);
    }
    if (to == NULL || !any_address_parse(&options.to, to, &err))
        stop("--to ADDRESS is missing or not an address");
    if (!options_in_range())
        stop("a number is out of range");
}

static void prepare(void)
{
    uint8_t *digits = malloc(sealed_digits(options.size));
    if (digits == NULL)
        stop("out of memory");
    memset(digits, '0', sealed_digits(options.size));
    bool made = options.health ? message_health(&run.a)
                               : message_mode_a(&run.a, options.size, options.payload);
    if (!made || !message_mode_b(&run.echo_b, bytes_of(digits, sealed_digits(options.size))))
        stop("out of memory");
    free(digits);
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run.epoll < 0)
        stop("epoll_create1 failed");
    run.from_ns = now_ns() + (int64_t)(options.warm_up * 1e9);
    run.until_ns = run.from_ns + (int64_t)(options.seconds * 1e9);
}

static void begin(struct connection *connections)
{
    for (unsigned i = 0; i < options.connections; i++) {
        struct connection *c = &connections[i];
        c->fd = -1;
        if (options.each) {
            reconnect(c);
            continue;
        }
        connect_one(c);
        for (unsigned d = 0; d < options.depth; d++)
            enqueue(c, MODE_A, now_ns());
        flush(c);
    }
}

static void print_results(void)
{
    printf("{\"requests\":%llu,\"requests_all\":%llu,\"per_second\":%.1f,\"p50_us\":%.2f,"
           "\"p99_us\":%.2f}\n",
           (unsigned long long)run.in_window, (unsigned long long)run.all,
           (double)run.in_window / options.seconds,
           (double)histogram_quantile(&run.latency, 0.50) / 1e3,
           (double)histogram_quantile(&run.latency, 0.99) / 1e3);
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    prepare();
    struct connection *connections = calloc(options.connections, sizeof *connections);
    if (connections == NULL)
        stop("out of memory");
    begin(connections);
    while (run.open > 0) {
        struct epoll_event events[256];
        int n = epoll_wait(run.epoll, events, 256, 1000);
        if (n < 0 && errno != EINTR)
            stop("epoll_wait failed");
        for (int i = 0; i < n; i++)
            serve(events[i].data.ptr, events[i].events);
        if (now_ns() > run.until_ns + DRAIN_NS)
            stop("requests stay without an answer");
    }
    print_results();
    for (unsigned i = 0; i < options.connections; i++) {
        if (connections[i].fd >= 0)
            close(connections[i].fd);
        free(connections[i].in);
        free(connections[i].out);
        message_clear(&connections[i].b);
    }
    free(connections);
    message_clear(&run.a);
    message_clear(&run.echo_b);
    return 0;
}
