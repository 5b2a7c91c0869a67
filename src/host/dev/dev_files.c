/* SPDX-License-Identifier: Apache-2.0 */
/* The files that `enclavectl dev` keeps in its folders. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/secret.h"
#include "codec/json_writer.h"
#include "formats/text.h"
#include "host/dev/dev.h"
#include "pki/sha384.h"
#include "system/file.h"

#define LOG_TAIL      8192 /* bytes at the end of a log, in which its last line is searched */
#define PROGRAM_LIMIT (256u << 20) /* bytes of an executable that is measured */

bool dev_path(const struct dev *dev, const char *name, char out[DEV_PATH_MAX], struct error *err)
{
    int len = snprintf(out, DEV_PATH_MAX, "%s/%s", dev->state, name);
    return (len > 0 && len < DEV_PATH_MAX) ||
           error_set(err, ERROR_SYSTEM, "the path %.200s is too long", dev->state);
}

static bool make_folder(const char *path, struct error *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return true;
    return error_set_errno(err, ERROR_SYSTEM, "cannot make the folder %.200s", path);
}

/* Two `enclavectl dev` in one folder would overwrite each other's files. */
static bool lock_state(struct dev *dev, struct error *err)
{
    dev->state_fd = open(dev->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dev->state_fd < 0)
        return error_set_errno(err, ERROR_SYSTEM, "the folder %.200s cannot be used", dev->state);
    if (flock(dev->state_fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno != EWOULDBLOCK)
        return error_set_errno(err, ERROR_SYSTEM, "the folder %.200s cannot be locked", dev->state);
    return error_set(err, ERROR_SYSTEM,
                     "the folder %.200s is in use: end the other enclavectl dev, or give another "
                     "--state",
                     dev->state);
}

/* The path of --state without links: enclaved's configuration has absolute paths. */
static bool resolve_dir(struct dev *dev, struct error *err)
{
    if (!make_folder(dev->dir, err))
        return false;
    char *whole = realpath(dev->dir, NULL);
    bool fits = whole != NULL && strlen(whole) < sizeof dev->state;
    if (fits)
        snprintf(dev->state, sizeof dev->state, "%s", whole);
    free(whole);
    return fits || error_set(err, ERROR_SYSTEM, "the folder %.200s cannot be used", dev->dir);
}

/* A new folder in base, which must be short enough for the sockets in it. */
static bool make_run_in(struct dev *dev, const char *base)
{
    int len = base != NULL && base[0] == '/'
                  ? snprintf(dev->run, sizeof dev->run, "%s/enclavectl-dev.XXXXXX", base)
                  : -1;
    if (len > 0 && len < (int)sizeof dev->run && mkdtemp(dev->run) != NULL)
        return true;
    dev->run[0] = '\0';
    return false;
}

static bool make_run(struct dev *dev, struct error *err)
{
    return make_run_in(dev, getenv("XDG_RUNTIME_DIR")) || make_run_in(dev, getenv("TMPDIR")) ||
           make_run_in(dev, "/tmp") ||
           error_set_errno(err, ERROR_SYSTEM,
                           "cannot make a folder in XDG_RUNTIME_DIR, TMPDIR or /tmp");
}

bool dev_folders(struct dev *dev, struct error *err)
{
    char nsm[DEV_PATH_MAX];
    if (!file_program_folder(dev->programs, sizeof dev->programs, err) || !make_run(dev, err))
        return false;
    if (dev->dir == NULL)
        snprintf(dev->state, sizeof dev->state, "%s/state", dev->run);
    else if (!resolve_dir(dev, err))
        return false;
    return make_folder(dev->state, err) && lock_state(dev, err) && dev_path(dev, "nsm", nsm, err) &&
           make_folder(nsm, err);
}

static bool set_random(struct buffer *field, const char *prefix, size_t bytes, struct error *err)
{
    uint8_t raw[64];
    char hex[128];
    if (!random_bytes(raw, bytes))
        return error_set(err, ERROR_CRYPTO, "no random bytes");
    hex_encode(hex, bytes_of(raw, bytes));
    for (size_t i = 0; i < 2 * bytes; i++) /* upper case, as AWS writes key ids */
        if (hex[i] >= 'a' && hex[i] <= 'f')
            hex[i] = (char)(hex[i] - 'a' + 'A');
    buffer_reset(field);
    buffer_text(field, prefix);
    buffer_append(field, bytes_of(hex, 2 * bytes));
    buffer_byte(field, 0); /* libcurl takes C strings; the zero is not counted */
    if (!field->failed)
        field->len--;
    wipe(raw, sizeof raw);
    wipe(hex, sizeof hex);
    return !field->failed || error_set(err, ERROR_MEMORY, "no memory for credentials");
}

bool dev_new_credentials(struct credentials *out, const char *prefix, int64_t seconds,
                         struct error *err)
{
    credentials_clear(out);
    credentials_init(out);
    snprintf(out->source, sizeof out->source, "enclavectl dev");
    if (!set_random(&out->access_key_id, prefix, 8, err) ||
        !set_random(&out->secret_access_key, "", 20, err))
        return false;
    if (seconds == 0)
        return true;
    out->expires_us = clock_wall_us() + seconds * 1000000;
    return set_random(&out->session_token, "dev", 32, err);
}

static void put_one(struct json_writer *w, const struct credentials *one, const char *principal)
{
    if (one->access_key_id.len == 0)
        return;
    json_object(w, NULL);
    credentials_put(w, one);
    json_text(w, "principal", principal);
    json_end(w);
}

bool dev_write_credentials(const struct dev *dev, struct error *err)
{
    char path[DEV_PATH_MAX];
    struct buffer out;
    buffer_init_secret(&out, 65536);
    struct json_writer w = json_writer(&out);
    json_array(&w, NULL);
    put_one(&w, &dev->admin, DEV_ROOT);
    put_one(&w, &dev->session, DEV_SESSION);
    put_one(&w, &dev->previous, DEV_SESSION);
    json_end(&w);
    bool good = out.failed ? error_set(err, ERROR_MEMORY, "no memory for credentials")
                           : dev_path(dev, "credentials.json", path, err) &&
                                 file_replace(path, buffer_bytes(&out), 0600, err);
    buffer_clear(&out);
    return good;
}

/* PCR0 as in an image: a register of zeros, extended by the digest of program and configuration. */
static bool measure(struct dev *dev, struct bytes config, struct error *err)
{
    static const uint8_t zero[SHA384_SIZE];
    char path[DEV_PATH_MAX];
    uint8_t digest[SHA384_SIZE], register_0[SHA384_SIZE];
    BUFFER_AUTO program;
    buffer_init(&program, PROGRAM_LIMIT);
    int len = snprintf(path, sizeof path, "%s/enclaved-dev", dev->programs);
    if (len < 0 || len >= (int)sizeof path)
        return error_set(err, ERROR_SYSTEM, "the path of enclaved-dev is too long");
    if (!file_read(path, &program, err))
        return false;
    if (!sha384_pair(digest, buffer_bytes(&program), config) ||
        !sha384_pair(register_0, bytes_of(zero, sizeof zero), bytes_of(digest, sizeof digest)))
        return error_set(err, ERROR_CRYPTO, "SHA-384 failed");
    hex_encode(dev->pcr0, bytes_of(register_0, sizeof register_0));
    dev->pcr0[96] = '\0';
    return true;
}

/* Measurements for other commands, in the form of nitro-cli. */
static bool write_measurements(const struct dev *dev, struct error *err)
{
    char path[DEV_PATH_MAX];
    BUFFER_AUTO out;
    buffer_init(&out, 4096);
    struct json_writer w = json_writer(&out);
    json_object(&w, NULL);
    json_object(&w, "Measurements");
    json_text(&w, "PCR0", dev->pcr0);
    json_end(&w);
    json_end(&w);
    buffer_byte(&out, '\n');
    return dev_path(dev, "measurements.json", path, err) &&
           file_replace(path, buffer_bytes(&out), 0600, err);
}

/* In an image the relay is on the parent, files have the image's paths, and memory is scarce. */
static void put_kms(const struct dev *dev, const char *roots, struct json_writer *w)
{
    json_object(w, "kms");
    json_text(w, "key_arn", dev->key_arn);
    json_verbatim(w, "encryption_context", bytes_text(DEV_CONTEXT_JSON));
    json_text(w, "endpoint", DEV_HOST);
    json_text(w, "relay", dev->kernel != NULL ? "vsock:3:8000" : dev->relay);
    json_text(w, "roots_file", dev->kernel != NULL ? "/etc/enclaved/roots.pem" : roots);
    json_end(w);
    if (dev->kernel == NULL)
        return;
    json_object(w, "limits");
    json_integer(w, "frame_bytes", 4 << 20);
    json_end(w);
}

bool dev_write_config(const struct dev *dev, struct error *err)
{
    char path[DEV_PATH_MAX], roots[DEV_PATH_MAX];
    BUFFER_AUTO out;
    buffer_init(&out, 65536);
    if (!dev_path(dev, "enclaved.json", path, err) || !dev_path(dev, "kms-ca.pem", roots, err))
        return false;
    struct json_writer w = json_writer(&out);
    json_object(&w, NULL);
    put_kms(dev, roots, &w);
    json_end(&w);
    buffer_byte(&out, '\n');
    return file_replace(path, buffer_bytes(&out), 0600, err);
}

bool dev_measure(struct dev *dev, struct error *err)
{
    char path[DEV_PATH_MAX];
    BUFFER_AUTO config;
    buffer_init(&config, 65536);
    return dev_path(dev, "enclaved.json", path, err) && file_read(path, &config, err) &&
           measure(dev, buffer_bytes(&config), err) && write_measurements(dev, err);
}

/* Reads the end of a file into text. */
static bool read_tail(const char *path, struct buffer *text, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, ERROR_SYSTEM, "cannot open %.200s", path);
    off_t size = lseek(fd, 0, SEEK_END);
    bool good = lseek(fd, size > LOG_TAIL ? size - LOG_TAIL : 0, SEEK_SET) >= 0 &&
                file_read_fd(fd, path, text, err);
    close(fd);
    return good;
}

void dev_last_line(const struct dev *dev, const char *log, char out[DEV_LINE_SIZE])
{
    char path[DEV_PATH_MAX];
    struct error err;
    BUFFER_AUTO text;
    buffer_init(&text, LOG_TAIL);
    out[0] = '\0';
    if (!dev_path(dev, log, path, &err) || !read_tail(path, &text, &err))
        return;
    struct bytes rest = text_trim(buffer_bytes(&text)), line = {0};
    while (text_line(&rest, &line))
        continue;
    snprintf(out, DEV_LINE_SIZE, "%.*s", (int)(line.len < LOG_TAIL ? line.len : LOG_TAIL),
             line.len > 0 ? (const char *)line.at : "");
}
