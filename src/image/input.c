/* SPDX-License-Identifier: Apache-2.0 */
#include "image/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

bool input_open(struct input *input, const char *path, int stop_fd, struct error *err)
{
    struct stat status;
    /* O_NONBLOCK: if path is a pipe, do not wait for a writer. */
    *input = (struct input){
        .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), .path = path, .stop_fd = stop_fd};
    if (input->fd < 0 || fstat(input->fd, &status) != 0) {
        error_set_errno(err, ERROR_SYSTEM, "cannot open %.200s", path);
        input_close(input);
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        input_close(input);
        return error_set(err, ERROR_SYSTEM, "%.200s is not a regular file", path);
    }
    input->size = (uint64_t)status.st_size;
    return true;
}

void input_close(struct input *input)
{
    if (input->fd >= 0)
        close(input->fd);
    input->fd = -1;
}

bool input_peek(const struct input *input, uint64_t offset, uint8_t *out, size_t len, size_t *got,
                struct error *err)
{
    *got = 0;
    while (*got < len) {
        ssize_t n = pread(input->fd, out + *got, len - *got, (off_t)(input->base + offset + *got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, ERROR_SYSTEM, "cannot read %.200s", input->path);
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return true;
}

static bool stopped(int stop_fd)
{
    struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
    return stop_fd >= 0 && poll(&stop, 1, 0) == 1;
}

bool input_stream(const struct input *input, byte_sink sink, void *context, struct error *err)
{
    uint8_t piece[PIECE_SIZE];
    uint64_t at = 0;
    for (;;) {
        size_t n;
        if (stopped(input->stop_fd))
            return error_set(err, ERROR_SYSTEM, "interrupted: nothing has been written");
        if (!input_peek(input, at, piece, sizeof piece, &n, err))
            return false;
        at += n;
        if (at > input->size || (n < sizeof piece && at < input->size))
            return error_set(err, ERROR_SYSTEM, "%.200s changed while it was read", input->path);
        if (n > 0 && !sink(context, bytes_of(piece, n), err))
            return false;
        if (n < sizeof piece)
            return true;
    }
}
