/* SPDX-License-Identifier: Apache-2.0 */
#include "image/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/file.h"

/* Whatever the umask is: an image contains no secrets, and others measure it. */
#define OUTPUT_MODE 0644

static bool cannot_write(const struct output *output, struct error *err)
{
    return error_set_errno(err, ERROR_SYSTEM, "cannot write %.200s", output->path);
}

/* Makes up the other name: beside the file, or in the folder for temporary files. */
static bool name_next(struct output *output, struct error *err)
{
    const char *folder = getenv("TMPDIR");
    int len;
    if (folder == NULL || folder[0] == '\0')
        folder = "/tmp";
    if (output->is_stream)
        len = snprintf(output->next, sizeof output->next, "%s/enclavectl.XXXXXX", folder);
    else
        len = snprintf(output->next, sizeof output->next, "%s.XXXXXX", output->path);
    return (len > 0 && len < (int)sizeof output->next) ||
           error_set(err, ERROR_SYSTEM, "the path %.200s is too long",
                     output->is_stream ? folder : output->path);
}

bool output_open(struct output *output, const char *path, struct error *err)
{
    struct stat status;
    *output = (struct output){.fd = -1, .path = path, .is_stream = strcmp(path, "-") == 0};
    if (output->is_stream) {
        output->path = "standard output";
        if (isatty(STDOUT_FILENO))
            return error_set(err, ERROR_USAGE,
                             "standard output is a terminal, and an image is not text");
    } else if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        return error_set(err, ERROR_SYSTEM, "%.200s exists and is not a regular file", path);
    }
    if (!name_next(output, err))
        return false;
    output->fd = mkostemp(output->next, O_CLOEXEC);
    return output->fd >= 0 || cannot_write(output, err);
}

bool output_rewrite(struct output *output, uint64_t offset, struct bytes bytes, struct error *err)
{
    while (bytes.len > 0) {
        ssize_t n = pwrite(output->fd, bytes.at, bytes.len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return cannot_write(output, err);
        offset += (uint64_t)n;
        bytes = bytes_from(bytes, (size_t)n);
    }
    return true;
}

bool output_write(void *context, struct bytes piece, struct error *err)
{
    struct output *output = context;
    if (!output_rewrite(output, output->size, piece, err))
        return false;
    output->size += piece.len;
    return true;
}

/* Synchronizes the folder, which holds the new name. */
static void sync_folder(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        snprintf(folder, sizeof folder, ".");
    else
        slash[slash == folder ? 1 : 0] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        errno = 0; /* some file systems cannot do it; the file itself is synchronized */
    if (fd >= 0)
        close(fd);
}

static bool copy_to_stdout(const struct output *output, struct error *err)
{
    uint8_t piece[PIECE_SIZE];
    for (uint64_t at = 0; at < output->size;) {
        ssize_t n = pread(output->fd, piece, sizeof piece, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || !file_write_all(STDOUT_FILENO, bytes_of(piece, (size_t)n)))
            return cannot_write(output, err);
        at += (uint64_t)n;
    }
    return true;
}

bool output_commit(struct output *output, struct error *err)
{
    if (output->is_stream)
        return copy_to_stdout(output, err); /* output_discard removes the file */
    if (fchmod(output->fd, OUTPUT_MODE) != 0 || fsync(output->fd) != 0)
        return cannot_write(output, err);
    int fd = output->fd;
    output->fd = -1;
    if (close(fd) != 0 || rename(output->next, output->path) != 0) {
        cannot_write(output, err);
        unlink(output->next);
        return false;
    }
    sync_folder(output->path);
    return true;
}

void output_discard(struct output *output)
{
    if (output->fd < 0)
        return;
    close(output->fd);
    unlink(output->next);
    output->fd = -1;
}
