/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One way to fail: a function that can fail returns false (or NULL), is marked MUST_USE, and where
 * the reason matters to somebody it fills a struct error: a code for programs and a cause for
 * operators. A cause names what failed and where, never a secret, a payload or a library's text
 * about one. An untrusted client gets the code and its fixed text below; only the answers to
 * `configure` and `health` add a cause (docs/protocol.md).
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <errno.h>

#include "base/bytes.h"

/* identifier, name on the wire and in --json, fixed text. docs/protocol.md explains each. */
#define ERROR_CODES(X)                                                                             \
    X(ERROR_NONE, "none", "no error")                                                              \
    /* a request that cannot be served as it stands */                                             \
    X(ERROR_FRAME_TOO_LARGE, "frame_too_large", "the frame is longer than the limit")              \
    X(ERROR_FRAME_EMPTY, "frame_empty", "the frame is empty")                                      \
    X(ERROR_FRAME_TRUNCATED, "frame_truncated", "the connection ended inside a frame")             \
    X(ERROR_TIMEOUT, "timeout", "the frame did not arrive in time")                                \
    X(ERROR_NOT_JSON, "not_json", "the request is not valid JSON")                                 \
    X(ERROR_DUPLICATE_MEMBER, "duplicate_member", "an object has two members of one name")         \
    X(ERROR_TOO_DEEP, "too_deep", "the JSON is nested too deeply")                                 \
    X(ERROR_TOO_MANY_VALUES, "too_many_values", "the JSON holds too many values")                  \
    X(ERROR_NOT_AN_OBJECT, "not_an_object", "the request is not a JSON object")                    \
    X(ERROR_MISSING_MODE, "missing_mode", "the request has neither mode nor op")                   \
    X(ERROR_UNKNOWN_MODE, "unknown_mode", "no agent serves this mode")                             \
    X(ERROR_UNKNOWN_OP, "unknown_op", "no such operation")                                         \
    X(ERROR_UNKNOWN_MEMBER, "unknown_member", "the request has a member that is not known")        \
    X(ERROR_MISSING_PAYLOAD, "missing_payload", "the request has no payload")                      \
    X(ERROR_PAYLOAD_TYPE, "payload_type", "the payload must be a string of hex digits")            \
    X(ERROR_NOT_HEX, "not_hex", "the payload is not hex")                                          \
    X(ERROR_TOO_SHORT, "too_short", "the sealed state is shorter than nonce and tag")              \
    X(ERROR_AUTHENTICATION, "authentication_failed", "authentication failed")                      \
    X(ERROR_STATE_MALFORMED, "state_malformed", "the state is not one that this agent can change") \
    X(ERROR_ITERATION_OVERFLOW, "iteration_overflow", "the iteration cannot be counted further")   \
    X(ERROR_RESPONSE_TOO_LARGE, "response_too_large", "the answer would exceed the frame limit")   \
    /* the service cannot serve it now */                                                          \
    X(ERROR_NOT_CONFIGURED, "not_configured", "no session key yet: send configure")                \
    X(ERROR_KEY_EXHAUSTED, "key_exhausted", "the session key has sealed its limit: rotate it")     \
    X(ERROR_BUSY, "busy", "too much is waiting: try again")                                        \
    X(ERROR_TOO_MANY_CONNECTIONS, "too_many_connections", "all connections are taken")             \
    X(ERROR_SHUTTING_DOWN, "shutting_down", "the service is stopping")                             \
    X(ERROR_MEMORY, "out_of_memory", "out of memory")                                              \
    X(ERROR_INTERNAL, "internal", "internal failure")                                              \
    /* configuration and the session key */                                                        \
    X(ERROR_CONFIG, "bad_config", "the configuration is not valid")                                \
    X(ERROR_CONFIGURE, "bad_configure", "the configure request is not valid")                      \
    X(ERROR_NO_CREDENTIALS, "no_credentials", "no AWS credentials: send them with configure")      \
    X(ERROR_NO_WRAPPED_TSK, "no_wrapped_tsk", "no wrapped TSK: send it with configure")            \
    X(ERROR_TSK_NOT_PINNED, "wrapped_tsk_not_pinned", "the image does not pin this wrapped TSK")   \
    X(ERROR_CREDENTIALS_EXPIRED, "credentials_expired", "the AWS credentials have expired")        \
    X(ERROR_KEY_MISMATCH, "key_mismatch", "KMS used another key than the pinned one")              \
    X(ERROR_NSM, "nsm_failed", "the Nitro Security Module failed")                                 \
    X(ERROR_RELAY, "relay_unreachable", "the relay to KMS cannot be reached")                      \
    X(ERROR_TLS, "tls_failed", "no trusted TLS connection to KMS")                                 \
    X(ERROR_KMS_DENIED, "kms_denied", "KMS refused the request")                                   \
    X(ERROR_KMS_THROTTLED, "kms_throttled", "KMS is throttling")                                   \
    X(ERROR_KMS_UNAVAILABLE, "kms_unavailable", "KMS cannot be used now")                          \
    X(ERROR_KMS_RESPONSE, "kms_bad_response", "the answer of KMS is malformed")                    \
    X(ERROR_ENVELOPE, "envelope_invalid", "the envelope from KMS cannot be opened")                \
    X(ERROR_TSK_LENGTH, "tsk_length", "the unwrapped TSK is not 32 bytes")                         \
    /* codecs, network and tools */                                                                \
    X(ERROR_USAGE, "usage", "wrong usage")                                                         \
    X(ERROR_CREDENTIAL_SOURCE, "credential_source", "a source of AWS credentials failed")          \
    X(ERROR_REGION_MISMATCH, "region_mismatch", "not the region of the pinned KMS key")            \
    X(ERROR_CONTEXT_MISMATCH, "encryption_context_mismatch", "not the pinned encryption context")  \
    X(ERROR_FORMAT, "bad_format", "malformed data")                                                \
    X(ERROR_ADDRESS, "bad_address", "not an address")                                              \
    X(ERROR_NO_VSOCK, "no_vsock", "this kernel has no AF_VSOCK")                                   \
    X(ERROR_NETWORK, "network", "the connection failed")                                           \
    X(ERROR_DEADLINE, "deadline", "the time limit was reached")                                    \
    X(ERROR_CLOSED, "closed", "the other side closed the connection")                              \
    X(ERROR_SYSTEM, "system", "a system call failed")                                              \
    X(ERROR_CRYPTO, "crypto", "a cryptographic operation failed")                                  \
    X(ERROR_CERTIFICATE, "bad_certificate", "the certificate chain is not trusted")                \
    X(ERROR_SIGNATURE, "bad_signature", "the signature does not verify")

enum error_code {
#define ERROR_ENUM(id, name, text) id,
    ERROR_CODES(ERROR_ENUM)
#undef ERROR_ENUM
};

#define ERROR_CAUSE_SIZE 512

struct error {
    enum error_code code;
    char cause[ERROR_CAUSE_SIZE]; /* one line, for operators; may be empty */
};

/* The name of a code, which is stable, and its fixed text. */
const char *error_name(enum error_code code);
const char *error_text(enum error_code code);

/* Sets the code alone, without a cause, unless err is NULL. Returns false. */
static inline bool error_code(struct error *err, enum error_code code)
{
    if (err != NULL) {
        err->code = code;
        err->cause[0] = '\0';
    }
    return false;
}

/*
 * error_set(err, code, format, ...) fills *err, unless err is NULL, and is false, which compilers
 * and analysers see: `return error_set(err, ERROR_TLS, "...");`. A cause that is too long is cut.
 */
#define error_set(err, code, ...) (error_put((err), (code), 0, __VA_ARGS__), error_false())

/* The same, with ": " and the text of errno after the cause. */
#define error_set_errno(err, code, ...) \
    (error_put((err), (code), errno, __VA_ARGS__), error_false())

/* number: of a system error, whose text is added; 0 for none. */
void error_put(struct error *err, enum error_code code, int number, const char *format, ...)
    PRINTF_LIKE(4, 5);

static inline bool error_false(void)
{
    return false;
}

#endif
