/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/entropy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/secret.h"
#include "crypto/hash.h"

#define SEED_SIZE 512

/* struct rand_pool_info of linux/random.h, with room for the seed after its two numbers. */
struct seed {
    int entropy_count; /* bits */
    int buf_size;      /* bytes */
    uint8_t bytes[SEED_SIZE];
};

_Static_assert(offsetof(struct seed, bytes) == sizeof(struct rand_pool_info), "same layout");

static bool give(const struct seed *seed, enum entropy_credit credit, int fd, struct error *err)
{
    if (credit == ENTROPY_CREDIT) {
        /* A generator that counts as ready would use what was added minutes later only. */
        if (ioctl(fd, RNDADDENTROPY, seed) == 0 && ioctl(fd, RNDRESEEDCRNG) == 0)
            return true;
        return error_set_errno(err, ERROR_SYSTEM,
                               "the kernel does not take the NSM's entropy (RNDADDENTROPY and "
                               "RNDRESEEDCRNG need CAP_SYS_ADMIN)");
    }
    ssize_t written = write(fd, seed->bytes, sizeof seed->bytes);
    if (written == (ssize_t)sizeof seed->bytes)
        return true;
    return error_set(err, ERROR_SYSTEM, "the kernel does not take the NSM's entropy");
}

static bool give_to_kernel(const struct seed *seed, enum entropy_credit credit, struct error *err)
{
    int fd = open("/dev/random", O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_set_errno(err, ERROR_SYSTEM, "/dev/random cannot be opened");
    bool given = give(seed, credit, fd, err);
    close(fd);
    return given;
}

/* getrandom without waiting fails for as long as the kernel's generator is not seeded. */
static bool kernel_is_ready(struct error *err)
{
    uint8_t probe[1];
    ssize_t got;
    do {
        got = getrandom(probe, sizeof probe, GRND_NONBLOCK);
    } while (got < 0 && errno == EINTR);
    if (got == (ssize_t)sizeof probe)
        return true;
    return error_set_errno(err, ERROR_SYSTEM, "the kernel's random generator is not ready");
}

bool entropy_seed(struct nsm *nsm, enum entropy_credit credit, struct error *err)
{
    struct seed *seed = secret_alloc(sizeof *seed);
    if (seed == NULL)
        return error_set(err, ERROR_SYSTEM, "no locked memory for the NSM's entropy");
    seed->entropy_count = 8 * SEED_SIZE;
    seed->buf_size = SEED_SIZE;
    bool seeded = nsm_get_random(nsm, seed->bytes, sizeof seed->bytes, err) &&
                  give_to_kernel(seed, credit, err) && kernel_is_ready(err) &&
                  (random_seed(bytes_of(seed->bytes, sizeof seed->bytes)) ||
                   error_set(err, ERROR_CRYPTO, "OpenSSL does not take the NSM's entropy"));
    secret_free(seed, sizeof *seed);
    return seeded;
}
