/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory that one thread serves requests in, kept from request to request: once its buffers
 * have grown to size, serving allocates nothing. Plaintext of states is in secret memory only.
 */
#ifndef ENCLAVE_WORKSPACE_H
#define ENCLAVE_WORKSPACE_H

#include "base/buffer.h"
#include "codec/json.h"
#include "config/config.h"
#include "enclave/keyring.h"

/*
 * By how much a state may be deeper, and hold more values, than the request whose payload began it:
 * what A puts around the payload, and what B adds. So B opens whatever A seals, at any limit.
 */
#define STATE_DEPTH_MORE  1
#define STATE_VALUES_MORE 14

struct workspace {
    enum keyring_thread thread;
    size_t frame_bytes;     /* longest frame */
    struct json request;    /* the request's index */
    struct json state;      /* the opened state's index */
    struct buffer received; /* the payload that came, decoded: nonce, ciphertext and tag */
    struct buffer opened;   /* the plaintext of it */
    struct buffer built;    /* room for a nonce, then the new state; sealed where it lies */
    uint32_t added;         /* values that the new state has more than the opened one */
    struct held_keys keys;
};

/* Takes the limits of frames and of JSON from limits. Allocates nothing. */
void workspace_init(struct workspace *w, enum keyring_thread thread, const struct limits *limits);
/* Gives the request's index away, to *document, which holds nothing yet: in no more memory than it
 * needs, unless that cannot be had. */
void workspace_give_request(struct workspace *w, struct json *document);
/* Wipes what a request left; frees what is larger than 1 MiB. */
void workspace_reset(struct workspace *w);
/* Wipes and frees all; w must be initialized again before further use. */
void workspace_clear(struct workspace *w);

#endif
