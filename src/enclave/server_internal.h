/* SPDX-License-Identifier: Apache-2.0 */
/* What server.c (the loop) and traffic.c (one connection's bytes) share; for nobody else. */
#ifndef ENCLAVE_SERVER_INTERNAL_H
#define ENCLAVE_SERVER_INTERNAL_H

#include "enclave/connection.h"
#include "enclave/server.h"
#include "enclave/worker.h"

struct server {
    struct service *service;
    const struct limits *limits;
    struct server_ports ports;
    struct worker *worker;
    int epoll_fd;

    struct workspace workspace;
    uint8_t *inbox;       /* SERVER_READ_SIZE bytes of secret memory, shared by all connections */
    struct buffer outbox; /* answers of the connection being served */

    struct connection_list lists[WAITING_KINDS];
    struct connection *closed; /* to be freed at the end of the round, linked by next */
    size_t buffered;           /* sum of what connections hold */
    int64_t connections_max;   /* limits->connections, or less where descriptors are few */
    int64_t now_ms;
    int64_t accept_again_ms; /* 0: the listener is watched */
    int64_t drain_until_ms;  /* 0: not stopping */
};

/* What epoll reported about a connection. */
void traffic_on_event(struct server *s, struct connection *c, uint32_t events);

/* Jobs have come back: their answers leave, and what waited behind them is served. */
void traffic_on_done(struct server *s);

/* A frame took too long: says so, and ends the connection. */
void traffic_on_timeout(struct server *s, struct connection *c);

/* Refuses fd, which was just accepted, with an error, and closes it. */
void traffic_refuse(struct server *s, int fd);

/* The memory goes at the end of the round: an event of this round may still point to it. */
void traffic_close(struct server *s, struct connection *c);

#endif
