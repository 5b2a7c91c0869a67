/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that serving can take: an echo server with the frames of docs/protocol.md. It has one
 * thread and one epoll, and writes once for each read. `echo ADDRESS` prints `ready ADDRESS`.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/frame.h"
#include "sockets/any_address.h"

#define READ_SIZE 65536

struct connection {
    int fd;
    bool waiting_to_write;
    uint8_t *at;
    size_t len;   /* bytes in the buffer */
    size_t ready; /* bytes of whole frames among them, to send back */
    size_t cap;
};

static void drop(struct connection *c)
{
    close(c->fd);
    free(c->at);
    free(c);
}

static bool watch(int epoll, int operation, struct connection *c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    return epoll_ctl(epoll, operation, c->fd, &event) == 0;
}

/* Counts whole frames and makes room for the one that is arriving. False: too long, no memory. */
static bool take_frames(struct connection *c)
{
    size_t need = c->len + READ_SIZE;
    while (c->len - c->ready >= FRAME_HEADER_SIZE) {
        size_t frame = FRAME_HEADER_SIZE + be32_load(c->at + c->ready);
        if (frame > FRAME_HEADER_SIZE + FRAME_LIMIT)
            return false;
        if (c->len - c->ready < frame) {
            need = c->ready + frame + READ_SIZE;
            break;
        }
        c->ready += frame;
    }
    if (need <= c->cap)
        return true;
    uint8_t *at = realloc(c->at, need);
    if (at == NULL)
        return false;
    c->at = at;
    c->cap = need;
    return true;
}

/* Sends what is ready. False: the connection is gone. */
static bool flush(int epoll, struct connection *c)
{
    ssize_t n = c->ready == 0 ? 0 : write(c->fd, c->at, c->ready);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return false;
    if (n > 0) {
        memmove(c->at, c->at + n, c->len - (size_t)n);
        c->len -= (size_t)n;
        c->ready -= (size_t)n;
    }
    bool blocked = c->ready > 0;
    if (blocked != c->waiting_to_write) {
        c->waiting_to_write = blocked;
        return watch(epoll, EPOLL_CTL_MOD, c, blocked ? EPOLLOUT : EPOLLIN);
    }
    return true;
}

static bool serve(int epoll, struct connection *c)
{
    if (c->waiting_to_write)
        return flush(epoll, c);
    if (!take_frames(c))
        return false;
    ssize_t n = read(c->fd, c->at + c->len, c->cap - c->len);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return false;
    if (n > 0)
        c->len += (size_t)n;
    return take_frames(c) && flush(epoll, c);
}

static void accept_all(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *c = calloc(1, sizeof *c);
        if (c == NULL) {
            close(fd);
            continue;
        }
        c->fd = fd;
        if (!watch(epoll, EPOLL_CTL_ADD, c, EPOLLIN))
            drop(c);
    }
}

int main(int argc, char **argv)
{
    struct address address;
    struct error err;
    int listener = -1;
    if (argc != 2 || !any_address_parse(&address, argv[1], &err) ||
        !address_listen(&address, 4096, &listener, &err) ||
        !address_bound(listener, &address, &err)) {
        fprintf(stderr, "echo: %s\n", argc == 2 ? err.cause : "usage: echo ADDRESS");
        return 1;
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0)
        return 1;
    printf("ready %s\n", address.text);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait(epoll, events, 64, -1);
        if (n < 0 && errno != EINTR)
            return 1;
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c == NULL)
                accept_all(epoll, listener);
            else if (!serve(epoll, c))
                drop(c);
        }
    }
}
