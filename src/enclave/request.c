/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/request.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/hex.h"
#include "codec/json_writer.h"
#include "enclave/agents.h"
#include "enclave/answer.h"
#include "enclave/configure_request.h"
#include "enclave/session.h"

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

static void put_count(struct json_writer *w, const char *name, const atomic_uint_fast64_t *count)
{
    json_integer(w, name, (int64_t)atomic_load(count));
}

static void put_counts(struct json_writer *w, const struct service *service)
{
    put_count(w, "connections", &service->connections);
    put_count(w, "requests", &service->requests);
    put_count(w, "errors", &service->errors);
    put_count(w, "refused_connections", &service->ended[END_TOO_MANY]);
    put_count(w, "refused_peers", &service->ended[END_PEER]);
    json_object(w, "ended");
    for (size_t why = END_NONE + 1; why < END_COUNT; why++)
        put_count(w, end_kinds[why].name, &service->ended[why]);
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
    put_counts(&w, service);
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
static bool serve_op(struct service *service, struct workspace *w, json_value op,
                     struct buffer *answer, bool *configure, struct error *err)
{
    if (json_string_is(&w->request, op, "configure")) {
        *configure = w->request.count <= CONFIGURE_VALUES_MAX;
        return *configure || error_code(err, ERROR_TOO_MANY_VALUES);
    }
    if (!json_string_is(&w->request, op, "health"))
        return error_code(err, ERROR_UNKNOWN_OP);
    health(service, answer);
    return true;
}

/* {"mode": …, "payload": …} */
static bool serve_agent(struct service *service, struct workspace *w, json_value mode,
                        struct buffer *answer, struct error *err)
{
    const struct agent *agent = agent_find(&w->request, mode);
    if (agent == NULL)
        return error_code(err, ERROR_UNKNOWN_MODE);
    keyring_hold(service->ring, &w->keys);
    bool ok = agent->run(w, json_member(&w->request, 0, "payload"), answer, err);
    keyring_release(service->ring, &w->keys);
    return ok;
}

static bool dispatch(struct service *service, struct workspace *w, struct bytes content,
                     struct buffer *answer, bool *configure, struct error *err)
{
    if (content.len == 0)
        return error_code(err, ERROR_FRAME_EMPTY);
    if (!json_parse(&w->request, content, err))
        return false;
    if (json_type(&w->request, 0) != JSON_OBJECT)
        return error_code(err, ERROR_NOT_AN_OBJECT);
    json_value mode = json_member(&w->request, 0, "mode");
    json_value op = json_member(&w->request, 0, "op");
    if (mode != JSON_NONE)
        return serve_agent(service, w, mode, answer, err);
    if (op != JSON_NONE)
        return serve_op(service, w, op, answer, configure, err);
    return error_code(err, ERROR_MISSING_MODE);
}

bool request_serve(struct service *service, struct workspace *w, struct bytes content,
                   struct buffer *answer)
{
    struct error err;
    bool configure = false;
    error_code(&err, ERROR_NONE); /* does not write the whole cause: this is the hot path */
    atomic_fetch_add_explicit(&service->requests, 1, memory_order_relaxed);
    size_t frame = answer_begin(answer);
    bool ok = dispatch(service, w, content, answer, &configure, &err);
    if (configure || !ok)
        buffer_truncate(answer, frame);
    if (configure)
        return false;
    workspace_reset(w);
    if (!ok)
        answer_error(answer, err.code);
    if (!ok || !answer_end(answer, frame, service->config->limits.frame_bytes))
        atomic_fetch_add_explicit(&service->errors, 1, memory_order_relaxed);
    return true;
}
