/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/request.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/hex.h"
#include "codec/json_writer.h"
#include "enclave/answer.h"

static void put_last_error(struct json_writer *w, const struct session_status *status)
{
    if (status->last_error.code == ERROR_NONE) {
        json_null(w, "last_error");
        return;
    }
    json_object(w, "last_error");
    answer_put_details(w, &status->last_error, &status->refusal);
    json_end(w);
}

/* In the names of nitro-cli's measurements file. */
static void put_measurements(struct json_writer *w, const struct measurements *m)
{
    char name[8];
    if (!m->known)
        return;
    json_boolean(w, "debug_mode", measurements_are_debug(m));
    json_object(w, "measurements");
    for (size_t i = 0; i < SESSION_PCRS; i++) {
        snprintf(name, sizeof name, "PCR%u", session_pcr_index[i]);
        char hex[2 * NSM_PCR_SIZE + 1] = "";
        hex_encode(hex, bytes_of(m->pcr[i], NSM_PCR_SIZE));
        json_text(w, name, hex);
    }
    json_end(w);
}

/* {"op": "health"} */
static void health(struct service *service, struct buffer *answer)
{
    struct session_status status;
    session_get_status(service->session, &status);
    struct json_writer w = json_writer(answer);
    json_object(&w, NULL);
    json_text(&w, "status", "success");
    json_text(&w, "state", session_state_name(status.state));
    json_text(&w, "version", ENCLAVED_VERSION);
    json_integer(&w, "uptime_seconds", (clock_monotonic_ms() - service->started_ms) / 1000);
    json_integer(&w, "connections", (int64_t)atomic_load(&service->connections));
    json_integer(&w, "requests", (int64_t)atomic_load(&service->requests));
    json_integer(&w, "errors", (int64_t)atomic_load(&service->errors));
    json_integer(&w, "refused_connections", (int64_t)atomic_load(&service->refused));
    json_integer(&w, "refused_peers", (int64_t)atomic_load(&service->strangers));
    json_text(&w, "kms_key", service->config->key_arn);
    json_verbatim(&w, "encryption_context", buffer_bytes(&service->config->encryption_context));
    put_measurements(&w, &status.measurements);
    json_boolean(&w, "credentials", status.has_credentials);
    if (status.credentials_expire[0] != '\0')
        json_text(&w, "credentials_expire", status.credentials_expire);
    else
        json_null(&w, "credentials_expire");
    put_last_error(&w, &status);
    json_end(&w);
}

/* {"op": …} */
static enum request_result serve_op(struct service *service, struct workspace *w, json_value op,
                                    struct buffer *answer, struct error *err)
{
    if (json_string_is(&w->request, op, "configure"))
        return REQUEST_CONFIGURE;
    if (json_string_is(&w->request, op, "health")) {
        health(service, answer);
        return REQUEST_SERVED;
    }
    error_code(err, ERROR_UNKNOWN_OP);
    return REQUEST_FAILED;
}

/* {"mode": …, "payload": …} */
static enum request_result serve_agent(struct service *service, struct workspace *w,
                                       json_value mode, struct buffer *answer, struct error *err)
{
    const struct agent *agent = agent_find(&w->request, mode);
    if (agent == NULL) {
        error_code(err, ERROR_UNKNOWN_MODE);
        return REQUEST_FAILED;
    }
    keyring_hold(service->ring, &w->keys);
    bool ok = agent->run(w, json_member(&w->request, 0, "payload"), answer, err);
    keyring_release(service->ring, &w->keys);
    return ok ? REQUEST_SERVED : REQUEST_FAILED;
}

static enum request_result dispatch(struct service *service, struct workspace *w,
                                    struct bytes content, struct buffer *answer, struct error *err)
{
    if (content.len == 0) {
        error_code(err, ERROR_FRAME_EMPTY);
        return REQUEST_FAILED;
    }
    if (!json_parse(&w->request, content, err))
        return REQUEST_FAILED;
    if (json_type(&w->request, 0) != JSON_OBJECT) {
        error_code(err, ERROR_NOT_AN_OBJECT);
        return REQUEST_FAILED;
    }
    json_value mode = json_member(&w->request, 0, "mode");
    json_value op = json_member(&w->request, 0, "op");
    if (mode != JSON_NONE)
        return serve_agent(service, w, mode, answer, err);
    if (op != JSON_NONE)
        return serve_op(service, w, op, answer, err);
    error_code(err, ERROR_MISSING_MODE);
    return REQUEST_FAILED;
}

enum request_result request_serve(struct service *service, struct workspace *w,
                                  struct bytes content, struct buffer *answer)
{
    struct error err;
    err.code = ERROR_NONE; /* the cause is written only where it is set: this is the hot path */
    err.cause[0] = '\0';
    atomic_fetch_add_explicit(&service->requests, 1, memory_order_relaxed);
    size_t frame = answer_begin(answer);
    enum request_result result = dispatch(service, w, content, answer, &err);
    workspace_reset(w);
    if (result == REQUEST_CONFIGURE) {
        buffer_truncate(answer, frame);
        return result;
    }
    if (result == REQUEST_FAILED) {
        buffer_truncate(answer, frame);
        answer_begin(answer);
        answer_put_error(answer, err.code);
    }
    if (!answer_end(answer, frame, service->config->limits.frame_bytes))
        result = REQUEST_FAILED;
    if (result == REQUEST_FAILED)
        atomic_fetch_add_explicit(&service->errors, 1, memory_order_relaxed);
    return result;
}
