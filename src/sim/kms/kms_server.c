/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms/kms_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "sim/kms/kms_dispatch.h"
#include "sim/kms/sts_dispatch.h"

#define CONNECTIONS_MAX 256
#define IDLE_S          120
#define HEADERS_SIZE    (64u << 10) /* memory of a connection: request line and headers */

struct kms_server {
    struct kms_service *service;
    struct MHD_Daemon *daemon;
    int stop_fd; /* readable once the server is to end */
};

/* One request being read and answered; libmicrohttpd passes it from call to call. */
struct exchange {
    struct kms_request request;
    struct buffer target;
    struct buffer body;
    struct kms_answer answer;
    bool too_large;
    bool begun;
};

/* The first call for a request: uri is its target as received, before any decoding. */
static void *begin(void *context, const char *uri, struct MHD_Connection *connection)
{
    (void)context;
    (void)connection;
    struct exchange *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    buffer_init(&x->target, HEADERS_SIZE);
    buffer_init(&x->body, KMS_BODY_MAX);
    buffer_text(&x->target, uri);
    return x;
}

static void completed(void *context, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    struct exchange *x = *state;
    if (x == NULL)
        return;
    buffer_clear(&x->target);
    buffer_clear(&x->body);
    buffer_clear(&x->answer.body);
    free(x);
    *state = NULL;
}

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    struct kms_request *request = context;
    if (request->header_count == KMS_HEADERS_MAX)
        return MHD_NO;
    request->headers[request->header_count++] = (struct sigv4_header){
        .name = bytes_of(name, name_len),
        .value = bytes_of(value != NULL ? value : "", value_len),
    };
    return MHD_YES;
}

/* The time by this KMS's clock, in place of the library's. */
static void put_date(const struct kms_server *server, struct MHD_Response *response)
{
    time_t now = (time_t)(kms_now_us(server->service) / 1000000);
    struct tm parts;
    char text[64];
    if (gmtime_r(&now, &parts) != NULL &&
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0)
        MHD_add_response_header(response, "Date", text);
}

/* Queues a response and releases it; MHD_NO if it is NULL. */
static enum MHD_Result queue(const struct kms_server *server, struct MHD_Connection *connection,
                             const struct exchange *x, unsigned status, const char *type,
                             struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO;
    put_date(server, response);
    MHD_add_response_header(response, "x-amzn-RequestId", x->request.id);
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-cache, no-store, must-revalidate");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* For KMS_DELIVER_HALF: fewer bytes than Content-Length promises. */
static ssize_t read_half(void *context, uint64_t position, char *out, size_t room)
{
    const struct exchange *x = context;
    size_t half = x->answer.body.len / 2;
    if (position >= half)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t n = half - (size_t)position < room ? half - (size_t)position : room;
    memcpy(out, x->answer.body.at + position, n);
    return (ssize_t)n;
}

static int socket_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info != NULL ? info->connect_fd : -1;
}

/* Connecting a TCP socket to AF_UNSPEC makes it send a reset (tcp(7)). */
static void reset(struct MHD_Connection *connection)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    int fd = socket_of(connection);
    if (fd >= 0 && connect(fd, &nowhere, sizeof nowhere) != 0)
        log_debug("cannot reset a connection: errno %d", errno);
}

/* Waits until the client ends the connection or the server stops. */
static void hang(const struct kms_server *server, struct MHD_Connection *connection)
{
    struct pollfd fds[] = {
        {.fd = server->stop_fd, .events = POLLIN},
        {.fd = socket_of(connection), .events = POLLRDHUP},
    };
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        continue;
}

static enum MHD_Result deliver(const struct kms_server *server, struct MHD_Connection *connection,
                               struct exchange *x)
{
    struct buffer *body = &x->answer.body;
    switch (x->answer.delivery) {
    case KMS_DELIVER_NEVER:
        hang(server, connection);
        return MHD_NO;
    case KMS_DELIVER_RESET:
        reset(connection);
        return MHD_NO;
    case KMS_DELIVER_HALF:
        return queue(server, connection, x, x->answer.status, x->answer.content_type,
                     MHD_create_response_from_callback(body->len, 4096, read_half, x, NULL));
    case KMS_DELIVER_WHOLE:
        break;
    }
    /* The library does not copy the body; completed() wipes it. */
    return queue(server, connection, x, x->answer.status, x->answer.content_type,
                 MHD_create_response_from_buffer(body->len, body->at, MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result refuse(const struct kms_server *server, struct MHD_Connection *connection,
                              const struct exchange *x, unsigned status, const char *type)
{
    BUFFER_AUTO body;
    buffer_init(&body, 256);
    buffer_printf(&body, "{\"__type\": \"%s\"}", type);
    if (body.failed)
        return MHD_NO;
    log_warning("request %s: %u %s", x->request.id, status, type);
    return queue(server, connection, x, status, "application/x-amz-json-1.1",
                 MHD_create_response_from_buffer(body.len, body.at, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result serve(struct kms_server *server, struct MHD_Connection *connection,
                             struct exchange *x)
{
    struct kms_request *request = &x->request;
    if (x->too_large)
        return refuse(server, connection, x, 413, "RequestEntityTooLargeException");
    int headers = MHD_get_connection_values_n(connection, MHD_HEADER_KIND, take_header, request);
    if (headers < 0 || (size_t)headers > request->header_count || x->target.failed)
        return refuse(server, connection, x, 400, "ValidationException");
    request->target = buffer_bytes(&x->target);
    request->body = buffer_bytes(&x->body);
    if (sts_is_request(request))
        sts_handle(server->service, request, &x->answer);
    else
        kms_handle(server->service, request, &x->answer);
    return deliver(server, connection, x);
}

/* Called once with the head, once for each part of the body, and once more at its end. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_len, void **state)
{
    (void)url;
    (void)version;
    struct kms_server *server = context;
    struct exchange *x = *state;
    if (x == NULL)
        return MHD_NO;
    if (!x->begun) {
        x->begun = true;
        x->request.method = bytes_text(method);
        return kms_id_new(x->request.id) ? MHD_YES : MHD_NO;
    }
    if (*upload_len > 0) {
        if (!x->too_large)
            buffer_append(&x->body, bytes_of(upload, *upload_len));
        x->too_large = x->body.failed;
        *upload_len = 0;
        return MHD_YES;
    }
    return serve(server, connection, x);
}

static void log_library(void *context, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void log_library(void *context, const char *format, va_list args)
{
    (void)context;
    char text[256];
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("libmicrohttpd: %s", text);
}

struct kms_server *kms_server_start(struct kms_service *service, int fd,
                                    const struct kms_identity *identity, struct error *err)
{
    struct kms_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        error_set(err, ERROR_MEMORY, "no memory for the server");
        close(fd);
        return NULL;
    }
    server->service = service;
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    unsigned flags = MHD_USE_TLS | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_USE_POLL | MHD_USE_ERROR_LOG;
    if (server->stop_fd >= 0)
        server->daemon = MHD_start_daemon(
            flags, 0, NULL, NULL, handle, server, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_HTTPS_MEM_KEY, (const char *)identity->key.at,
            MHD_OPTION_HTTPS_MEM_CERT, (const char *)identity->certificate.at,
            MHD_OPTION_HTTPS_PRIORITIES, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2",
            MHD_OPTION_URI_LOG_CALLBACK, begin, NULL, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL,
            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
            (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_SIZE,
            MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (server->daemon != NULL)
        return server;
    error_set(err, ERROR_SYSTEM, "cannot start the HTTPS server");
    close(fd);
    if (server->stop_fd >= 0)
        close(server->stop_fd);
    free(server);
    return NULL;
}

void kms_server_stop(struct kms_server *server)
{
    if (server == NULL)
        return;
    uint64_t one = 1;
    if (write(server->stop_fd, &one, sizeof one) != sizeof one)
        log_error("cannot end the requests that hang");
    MHD_stop_daemon(server->daemon);
    close(server->stop_fd);
    free(server);
}
