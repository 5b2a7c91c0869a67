/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where random numbers come from, and when: a whole start up to the moment at which it would take
 * connections. The kernel's source, as OpenSSL calls it, is this program's own; entropy.c is
 * included, so that the kernel's answers are a test's.
 */
#include "tests/unit/check.h"

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "crypto/hash.h"
#include "crypto/recipient.h"
#include "enclave/platform.h"
#include "formats/cbor_types.h"
#include "sockets/any_address.h"

static unsigned asked_module; /* for random bytes */
static unsigned drawn_before; /* by OpenSSL from the kernel, when the module had given none yet */
static unsigned drawn_after;

/* In place of libc's: OpenSSL's only way to the kernel's generator. */
int getentropy(void *at, size_t len)
{
    *(asked_module == 0 ? &drawn_before : &drawn_after) += 1;
    return syscall(SYS_getrandom, at, len, 0) == (long)len ? 0 : -1;
}

static unsigned long requests[4]; /* what the kernel's generator was asked for */
static size_t request_count;
static unsigned long refused;
static bool no_openssl;

static int answer_ioctl(int fd, unsigned long request, ...)
{
    (void)fd;
    assert_true(request_count < ARRAY_LEN(requests));
    requests[request_count++] = request;
    errno = EPERM;
    return request == refused ? -1 : 0;
}

static bool seed_openssl(struct bytes entropy)
{
    return !no_openssl && random_seed(entropy);
}

#define ioctl       answer_ioctl
#define random_seed seed_openssl
#include "enclave/entropy.c"
#undef random_seed
#undef ioctl

/* Answers GetRandom alone, which is all that a start needs. */
static bool answer_random(void *context, struct bytes request, uint8_t *response, size_t *len,
                          struct error *err)
{
    (void)context, (void)request, (void)err;
    static uint8_t random[NSM_RANDOM_MAX];
    BUFFER_AUTO out;
    buffer_init(&out, NSM_RESPONSE_MAX);
    cbor_put_map(&out, 1);
    cbor_put_text(&out, "GetRandom");
    cbor_put_map(&out, 1);
    cbor_put_text(&out, "random");
    cbor_put_bytes(&out, bytes_of(random, sizeof random));
    memcpy(response, out.at, out.len);
    *len = out.len;
    asked_module++;
    return true;
}

static bool open_module(struct nsm *nsm, const char *where, struct error *err)
{
    (void)where, (void)err;
    *nsm = (struct nsm){.transport = {.exchange = answer_random}};
    return true;
}

static bool seed(enum entropy_credit credit, struct error *err)
{
    struct nsm nsm;
    request_count = 0;
    return open_module(&nsm, NULL, err) && entropy_seed(&nsm, credit, err);
}

static bool listening;

static bool stop_there(struct address *listen, int fd, struct error *err)
{
    (void)listen, (void)fd;
    listening = true;
    return error_set(err, ERROR_CLOSED, "far enough");
}

static const struct platform platform = {
    .program = "test",
    .parse_address = any_address_parse,
    .open_nsm = open_module,
    .credit = ENTROPY_MIX,
    .listening = stop_there,
};

static void write_text(const char *path, struct bytes text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text.at, 1, text.len, file), text.len);
    fclose(file);
}

/* Must be first: a process makes its generators once. */
static void openssl_draws_after_the_module_gave(void **state)
{
    (void)state;
    char folder[] = "/tmp/test-entropy-XXXXXX", config[64], roots[64], listen[80];
    static const char pem[] = /* P-256, "root"; what it says does not matter */
        "-----BEGIN CERTIFICATE-----\n"
        "MIIBdDCCARugAwIBAgIUbNVzD5IlwOJc61khPSlacTAdLiMwCgYIKoZIzj0EAwIw\n"
        "DzENMAsGA1UEAwwEcm9vdDAgFw0yNjExMjYwNDAwNTNaGA8yMTI2MTEwMjA0MDA1\n"
        "M1owDzENMAsGA1UEAwwEcm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMFW\n"
        "PMI8HhJFeFTKouLfCG+cgGC01Mjgb+GWGkgdtt0c8hwmQ1sD/bE/Ozz/9l4DuDWU\n"
        "u7IBdo5+hSfg5MuxVg+jUzBRMB0GA1UdDgQWBBS6Uhllxx5z5oqgIF3zhxYiPhSj\n"
        "wzAfBgNVHSMEGDAWgBS6Uhllxx5z5oqgIF3zhxYiPhSjwzAPBgNVHRMBAf8EBTAD\n"
        "AQH/MAoGCCqGSM49BAMCA0cAMEQCIGQxJJL9CLKUOcJZm7MqeNP0I1sl5gRIVDeG\n"
        "qp/8FQeRAiBHOHqA/JHUOO/FF8Dgk5mlEe2T7GzGsYnpMaQGHSoStw==\n"
        "-----END CERTIFICATE-----\n";
    BUFFER_AUTO text;
    assert_non_null(mkdtemp(folder));
    snprintf(config, sizeof config, "%s/config", folder);
    snprintf(roots, sizeof roots, "%s/roots", folder);
    snprintf(listen, sizeof listen, "unix:%s/socket", folder);
    buffer_init(&text, 4096);
    buffer_printf(&text,
                  "{\"kms\": {\"key_arn\": \"arn:aws:kms:eu-west-1:111122223333:key/a\", "
                  "\"roots_file\": \"%s\"}}",
                  roots);
    write_text(config, buffer_bytes(&text));
    write_text(roots, bytes_text(pem));
    const struct start_options options = {.config = config, .listen = listen};
    assert_int_equal(enclaved_run(&platform, &options), 1);
    assert_true(listening);
    assert_int_equal(asked_module, 2);
    assert_int_equal(drawn_before, 0);
    assert_in_range(drawn_after, 1, 1000);
    unlink(config);
    unlink(roots);
    unlink(listen + strlen("unix:"));
    assert_int_equal(rmdir(folder), 0);
}

/* A start has OpenSSL keep its secrets apart: the generators, and an RSA key's numbers. */
static void secrets_of_openssl_are_guarded(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(CRYPTO_secure_malloc_initialized(), 1);
    size_t generators = CRYPTO_secure_used();
    assert_in_range(generators, 2 * 32, 65536);
    struct recipient *recipient = recipient_new(&err);
    assert_non_null(recipient);
    /* d, and p, q and three more of half its length */
    assert_in_range(CRYPTO_secure_used(), generators + 256 + 5 * 128, 32768);
    print_message("%zu bytes, %zu with a key\n", generators, CRYPTO_secure_used());
    recipient_free(recipient);
    assert_in_range(CRYPTO_secure_used(), generators, generators + 1024);
}

/* What was added is used at once, though the generator may have counted as ready before. */
static void the_kernel_is_seeded_anew(void **state)
{
    (void)state;
    struct error err = {0};
    if (!seed(ENTROPY_CREDIT, &err))
        fail_msg("%s", err.cause);
    assert_int_equal(request_count, 2);
    assert_int_equal(requests[0], RNDADDENTROPY);
    assert_int_equal(requests[1], RNDRESEEDCRNG);
    assert_true(seed(ENTROPY_MIX, &err));
    assert_int_equal(request_count, 0);
    static const unsigned long each[] = {RNDADDENTROPY, RNDRESEEDCRNG};
    for (size_t i = 0; i < ARRAY_LEN(each); i++) {
        refused = each[i];
        assert_false(seed(ENTROPY_CREDIT, &err));
        assert_int_equal(err.code, ERROR_SYSTEM);
        assert_int_equal(request_count, i + 1);
    }
    refused = 0;
}

static void openssl_must_take_the_seed(void **state)
{
    (void)state;
    struct error err = {0};
    unsigned before = drawn_after;
    assert_true(seed(ENTROPY_MIX, &err));
    assert_in_range(drawn_after, before + 1, before + 1000); /* the kernel's as well */
    no_openssl = true;
    assert_false(seed(ENTROPY_MIX, &err));
    assert_int_equal(err.code, ERROR_CRYPTO);
    no_openssl = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openssl_draws_after_the_module_gave),
        cmocka_unit_test(secrets_of_openssl_are_guarded),
        cmocka_unit_test(the_kernel_is_seeded_anew),
        cmocka_unit_test(openssl_must_take_the_seed),
    };
    return cmocka_run_group_tests_name("entropy", tests, NULL, NULL);
}
