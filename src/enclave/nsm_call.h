/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange with the module, for nsm.c and its tests only. */
#ifndef ENCLAVE_NSM_CALL_H
#define ENCLAVE_NSM_CALL_H

#include "codec/cbor.h"
#include "enclave/nsm.h"

/* What was asked, and the answer, which may hold random bytes and is wiped. */
struct nsm_call {
    const char *name;
    uint8_t response[NSM_RESPONSE_MAX];
    struct cbor_reader value; /* stands before what belongs to name */
};

void nsm_call_wipe(struct nsm_call *call);

#define NSM_CALL_AUTO __attribute__((cleanup(nsm_call_wipe))) struct nsm_call

bool nsm_call_malformed(const struct nsm_call *call, const char *what, struct error *err);
/* Sends a request; the answer as it came. */
MUST_USE bool nsm_call_exchange(struct nsm *nsm, struct nsm_call *call,
                                const struct buffer *request, struct bytes *answer,
                                struct error *err);
/* Answers of one entry: finds the value of call->name, or the module's error. */
MUST_USE bool nsm_call_open_answer(struct nsm_call *call, struct bytes answer, struct error *err);
/* Both: sends a request and stands before the value in its answer. */
MUST_USE bool nsm_call_ask(struct nsm *nsm, struct nsm_call *call, const struct buffer *request,
                           struct error *err);
/* Reads a value that is {"name": bstr}, besides members that are not known. */
MUST_USE bool nsm_call_bytes(struct nsm_call *call, const char *name, struct bytes *out,
                             struct error *err);

#endif
