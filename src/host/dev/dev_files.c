/* SPDX-License-Identifier: Apache-2.0 */
/* What `enclavectl dev` keeps in its folders. */
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
#include "host/dev/dev.h"
#include "pki/sha384.h"
#include "system/file.h"

#define LOG_TAIL      8192         /* bytes at a log's end that its last line is looked for in */
#define PROGRAM_LIMIT (256u << 20) /* bytes of an executable that is measured */

bool dev_path(const struct dev *dev, const char *name, char out[DEV_PATH_MAX], struct error *err)
{
    int len = snprintf(out, DEV_PATH_MAX, "%s/%s", dev->state, name);
    return (len > 0 && len < DEV_PATH_MAX) ||
           error_set(err, ERROR_SYSTEM, "the path %.200s is too long", dev->state);
}

static bool find_programs(struct dev *dev, struct error *err)
{
    char self[DEV_PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len <= 0 || (size_t)len >= sizeof self - 1)
        return error_set_errno(err, ERROR_SYSTEM, "cannot tell where enclavectl lies");
    self[len] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL)
        *slash = '\0';
    snprintf(dev->programs, sizeof dev->programs, "%s", self);
    return true;
}

static bool make_folder(const char *path, struct error *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return true;
    return error_set_errno(err, ERROR_SYSTEM, "cannot make the folder %.200s", path);
}

/* Two of these in one folder would overwrite each other's credentials and configuration. */
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
                     "--dir",
                     dev->state);
}

bool dev_folders(struct dev *dev, struct error *err)
{
    char nsm[DEV_PATH_MAX];
    if (!find_programs(dev, err))
        return false;
    snprintf(dev->run, sizeof dev->run, "/tmp/enclavectl-dev.XXXXXX");
    if (mkdtemp(dev->run) == NULL) {
        dev->run[0] = '\0';
        return error_set_errno(err, ERROR_SYSTEM, "cannot make a folder in /tmp");
    }
    if (dev->dir == NULL) {
        snprintf(dev->state, sizeof dev->state, "%s/state", dev->run);
    } else {
        /* enclaved's configuration has absolute paths */
        if (!make_folder(dev->dir, err))
            return false;
        char *whole = realpath(dev->dir, NULL);
        bool fits = whole != NULL && strlen(whole) < sizeof dev->state;
        if (fits)
            snprintf(dev->state, sizeof dev->state, "%s", whole);
        free(whole);
        if (!fits)
            return error_set(err, ERROR_SYSTEM, "the folder %.200s cannot be used", dev->dir);
    }
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
    for (size_t i = 0; i < 2 * bytes; i++) /* as AWS writes key ids */
        if (hex[i] >= 'a' && hex[i] <= 'f')
            hex[i] = (char)(hex[i] - 'a' + 'A');
    buffer_reset(field);
    buffer_text(field, prefix);
    buffer_append(field, bytes_of(hex, 2 * bytes));
    buffer_byte(field, 0); /* libcurl takes C strings; not counted */
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
    char when[ISO_Z_SIZE];
    if (one->access_key_id.len == 0)
        return;
    json_object(w, NULL);
    json_text_bytes(w, "access_key_id", buffer_bytes(&one->access_key_id));
    json_text_bytes(w, "secret_access_key", buffer_bytes(&one->secret_access_key));
    if (one->session_token.len > 0)
        json_text_bytes(w, "session_token", buffer_bytes(&one->session_token));
    if (one->expires_us != CREDENTIALS_NEVER_EXPIRE) {
        iso_z(when, one->expires_us);
        json_text(w, "expiration", when);
    }
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

/* PCR0 as an image's is made: the register, zero, extended by the digest of what is started. */
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

/* For doctor --pcrs, in the shape of nitro-cli. */
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

/* In an image the relay is the parent's and files lie where the image has them; its memory is
 * little.
 */
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

void dev_last_line(const struct dev *dev, const char *log, char out[400])
{
    char path[DEV_PATH_MAX];
    struct error err;
    BUFFER_AUTO text;
    buffer_init(&text, LOG_TAIL);
    out[0] = '\0';
    int fd = dev_path(dev, log, path, &err) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    off_t size = lseek(fd, 0, SEEK_END);
    bool read = lseek(fd, size > LOG_TAIL ? size - LOG_TAIL : 0, SEEK_SET) >= 0 &&
                file_read_fd(fd, log, &text, &err);
    close(fd);
    size_t end = read ? text.len : 0;
    while (end > 0 && text.at[end - 1] <= ' ')
        end--;
    size_t start = end;
    while (start > 0 && text.at[start - 1] != '\n')
        start--;
    if (end > start)
        snprintf(out, 400, "%.*s", (int)(end - start < 399 ? end - start : 399), text.at + start);
}
