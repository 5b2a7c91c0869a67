/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/vm/vm_console.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

/* Whether Linux prints this line when it panics; the message may follow a time stamp. */
static bool is_panic(const char *line)
{
    if (*line == '[') {
        line += strcspn(line, "]");
        line += *line == ']';
    }
    line += strspn(line, " ");
    return strncmp(line, "Kernel panic - not syncing", 26) == 0;
}

/* Writes only if that does not block: a pipe that is writable by poll(2) takes PIPE_BUF bytes. */
static bool write_now(const char *text, size_t len)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0 &&
           write(STDERR_FILENO, text, len) == (ssize_t)len;
}

static void show(struct vm_lines *lines)
{
    char text[64 + 4 * VM_LINE_MAX];
    size_t len = (size_t)snprintf(text, 64, "%s", lines->prefix);
    for (size_t i = 0; i < lines->len; i++) {
        unsigned char c = (unsigned char)lines->line[i];
        if (c == '\t' || (c >= 0x20 && c < 0x7f))
            text[len++] = (char)c;
        else
            len += (size_t)sprintf(text + len, "\\x%02x", c);
    }
    text[len++] = '\n';
    if (!write_now(text, len))
        lines->left_out++;
}

static void report_left_out(struct vm_lines *lines)
{
    char text[128];
    int len = snprintf(text, sizeof text, "%s(%llu lines left out)\n", lines->prefix,
                       (unsigned long long)lines->left_out);
    if (write_now(text, (size_t)len))
        lines->left_out = 0;
}

static void show_within_rate(struct vm_lines *lines)
{
    int64_t now = clock_monotonic_ms();
    if (now - lines->second_ms >= 1000) {
        lines->second_ms = now;
        lines->in_second = 0;
        if (lines->left_out > 0)
            report_left_out(lines);
    }
    if (lines->in_second++ < VM_LINES_PER_SECOND)
        show(lines);
    else
        lines->left_out++;
}

static void end_line(struct vm_lines *lines)
{
    lines->line[lines->len] = '\0';
    if (lines->len > 0)
        memcpy(lines->last, lines->line, lines->len + 1);
    if (lines->shown)
        show_within_rate(lines);
    bool first = lines->panic[0] == '\0' && lines->panicked != NULL && is_panic(lines->line);
    if (first)
        memcpy(lines->panic, lines->line, lines->len + 1);
    lines->len = 0;
    if (first)
        lines->panicked(lines->context);
}

static void take(struct vm_lines *lines, const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (at[i] == '\n' || lines->len == VM_LINE_MAX)
            end_line(lines);
        if (at[i] != '\n' && at[i] != '\r')
            lines->line[lines->len++] = at[i];
    }
}

/* Reads at most VM_CONSOLE_PER_EVENT bytes in one turn. False at the end. */
static bool read_some(struct vm_lines *lines)
{
    char chunk[4096];
    for (size_t got = 0; got < VM_CONSOLE_PER_EVENT;) {
        ssize_t n = read(lines->source.fd, chunk, sizeof chunk);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0)
            return false;
        take(lines, chunk, (size_t)n);
        got += (size_t)n;
    }
    return true;
}

static void stop(struct vm_lines *lines)
{
    event_remove(lines->loop, &lines->source);
    lines->source.fd = -1;
}

static void ready(struct event_source *source, uint32_t events)
{
    struct vm_lines *lines = (struct vm_lines *)source; /* its first member */
    (void)events;
    if (!read_some(lines))
        stop(lines);
}

bool vm_lines_start(struct vm_lines *lines, struct event_loop *loop, int fd, struct error *err)
{
    lines->source = (struct event_source){.fd = fd, .ready = ready};
    lines->loop = loop;
    return event_add(loop, &lines->source, EPOLLIN, err);
}

void vm_lines_finish(struct vm_lines *lines)
{
    if (lines->loop == NULL)
        return;
    if (lines->source.fd >= 0) {
        (void)read_some(lines);
        stop(lines);
    }
    if (lines->len > 0)
        end_line(lines);
    if (lines->shown && lines->left_out > 0)
        report_left_out(lines);
}
