/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define TEXT_MAX 1024

static const char *program_name = "enclaved";
static enum log_level least_level = LOG_INFO;

void log_start(const char *program, enum log_level least)
{
    program_name = program;
    least_level = least;
}

bool log_hold_descriptors(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return false;
    return true;
}

/* Writes text, escaping what is not printable ASCII, to at most room bytes; returns how many. */
static size_t put_escaped(char *out, size_t room, const char *text)
{
    size_t len = 0;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = c >= 0x20 && c < 0x7f;
        if (len + (plain ? 1 : 4) > room)
            break;
        if (plain)
            out[len++] = (char)c;
        else
            len += (size_t)sprintf(out + len, "\\x%02x", c);
    }
    return len;
}

static void write_line(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* a log that cannot be written must not stop the service */
        line += n;
        len -= (size_t)n;
    }
}

PRINTF_LIKE(2, 0) static void put(enum log_level level, const char *format, va_list args)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    if (level < least_level)
        return;
    int saved = errno;
    char text[TEXT_MAX + 1];
    int want = vsnprintf(text, sizeof text, format, args);
    char time[CLOCK_ISO_SIZE];
    clock_format_iso(time, clock_wall_us());
    char line[128 + 4 * TEXT_MAX];
    int head = snprintf(line, 96, "%sZ %s %.40s: ", time, names[level], program_name);
    size_t len = (size_t)head;
    len += put_escaped(line + len, 4 * TEXT_MAX, text);
    if (want > TEXT_MAX) {
        memcpy(line + len, "...", 3);
        len += 3;
    }
    line[len++] = '\n';
    write_line(line, len);
    errno = saved;
}

#define DEFINE_LOG(function, level)        \
    void function(const char *format, ...) \
    {                                      \
        va_list args;                      \
        va_start(args, format);            \
        put(level, format, args);          \
        va_end(args);                      \
    }

DEFINE_LOG(log_debug, LOG_DEBUG)
DEFINE_LOG(log_info, LOG_INFO)
DEFINE_LOG(log_warning, LOG_WARNING)
DEFINE_LOG(log_error, LOG_ERROR)
