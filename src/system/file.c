/* SPDX-License-Identifier: Apache-2.0 */
#include "system/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536

static ssize_t read_some(int fd, void *at, size_t len)
{
    ssize_t n;
    do
        n = read(fd, at, len);
    while (n < 0 && errno == EINTR);
    return n;
}

bool file_read_fd(int fd, const char *name, struct buffer *out, struct error *err)
{
    ssize_t n = 1;
    while (n > 0 && out->len < out->limit) {
        size_t room = out->limit - out->len < CHUNK ? out->limit - out->len : CHUNK;
        uint8_t *at = buffer_reserve(out, room);
        if (at == NULL)
            return error_set(err, ERROR_MEMORY, "no memory for %.200s", name);
        n = read_some(fd, at, room);
        if (n > 0)
            buffer_commit(out, (size_t)n);
    }
    uint8_t beyond;
    if (n > 0) /* out is full: is that the end of the file? */
        n = read_some(fd, &beyond, 1);
    if (n < 0)
        return error_set_errno(err, ERROR_SYSTEM, "cannot read %.200s", name);
    return n == 0 || error_set(err, ERROR_USAGE, "%.200s is longer than the limit of %zu bytes",
                               name, out->limit);
}

bool file_read(const char *path, struct buffer *out, struct error *err)
{
    if (strcmp(path, "-") == 0)
        return file_read_fd(STDIN_FILENO, "standard input", out, err);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, ERROR_SYSTEM, "cannot open %.200s", path);
    bool done = file_read_fd(fd, path, out, err);
    close(fd);
    return done;
}

bool file_write_all(int fd, struct bytes content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.at, content.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        content = bytes_from(content, (size_t)n);
    }
    return true;
}

/* Neither a name that is not given, nor "-". */
static bool is_path(const char *path)
{
    return path != NULL && strcmp(path, "-") != 0;
}

bool file_check_output(const char *output, const char *const *inputs, size_t count,
                       struct error *err)
{
    struct stat written, read;
    bool exists = is_path(output) && stat(output, &written) == 0;
    for (size_t i = 0; is_path(output) && i < count; i++) {
        if (!is_path(inputs[i]))
            continue;
        bool same = strcmp(output, inputs[i]) == 0 ||
                    (exists && S_ISREG(written.st_mode) && stat(inputs[i], &read) == 0 &&
                     written.st_dev == read.st_dev && written.st_ino == read.st_ino);
        if (same)
            return error_set(err, ERROR_USAGE,
                             "%.150s would be written, but it is also given as %.150s: write to "
                             "another file",
                             output, inputs[i]);
    }
    return true;
}

/* A device or a pipe is written to: a new file in its place would take it from everybody else. */
static bool write_to_special(const char *path, struct bytes content, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool whole = fd >= 0 && file_write_all(fd, content);
    int saved = errno;
    if (fd >= 0 && close(fd) != 0 && whole) {
        saved = errno;
        whole = false;
    }
    errno = saved;
    return whole || error_set_errno(err, ERROR_SYSTEM, "cannot write %.200s", path);
}

bool file_replace(const char *path, struct bytes content, unsigned mode, struct error *err)
{
    char next[PATH_MAX];
    struct stat status;
    if (!is_path(path))
        return file_write_all(STDOUT_FILENO, content) ||
               error_set_errno(err, ERROR_SYSTEM, "standard output cannot be written");
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        return write_to_special(path, content, err);
    if (snprintf(next, sizeof next, "%s.XXXXXX", path) >= (int)sizeof next)
        return error_set(err, ERROR_SYSTEM, "the path %.200s is too long", path);
    int fd = mkostemp(next, O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, ERROR_SYSTEM, "cannot write %.200s", path);
    bool whole = fchmod(fd, (mode_t)mode) == 0 && file_write_all(fd, content);
    int saved = errno;
    if (close(fd) != 0 && whole) {
        saved = errno;
        whole = false;
    }
    if (whole && rename(next, path) == 0)
        return true;
    if (whole)
        saved = errno;
    unlink(next);
    errno = saved;
    return error_set_errno(err, ERROR_SYSTEM, "cannot write %.200s", path);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    if (remove(path) != 0)
        return 0; /* the rest can still be removed */
    return 0;
}

void file_remove_tree(const char *path)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        return; /* not there */
}

bool file_program_folder(char *out, size_t size, struct error *err)
{
    ssize_t len = readlink("/proc/self/exe", out, size - 1);
    if (len <= 0 || (size_t)len >= size - 1)
        return error_set_errno(err, ERROR_SYSTEM, "cannot find the folder of this program");
    out[len] = '\0';
    char *slash = strrchr(out, '/');
    if (slash != NULL)
        *slash = '\0';
    return true;
}
