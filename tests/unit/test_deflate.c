/* SPDX-License-Identifier: Apache-2.0 */
/* Our deflate, read back by zlib: texts of all kinds and lengths, and codes at their limits. */
#include "tests/unit/check.h"

#include <zlib.h>

#include "base/hex.h"
#include "image/deflate.h"
#include "image/huffman.h"
#include "pki/sha384.h"

#define MOST (1u << 20)

static bool keep(void *context, struct bytes piece, struct error *err)
{
    (void)err;
    buffer_append(context, piece);
    return true;
}

static void compress_in(struct bytes text, size_t pieces_of, struct buffer *out)
{
    struct error err = {0};
    struct deflate *deflate = deflate_new(keep, out);
    assert_non_null(deflate);
    for (size_t at = 0; at < text.len; at += pieces_of) {
        size_t left = text.len - at;
        assert_true(deflate_write(
            deflate, bytes_of(text.at + at, left < pieces_of ? left : pieces_of), &err));
    }
    assert_true(deflate_finish(deflate, &err));
    deflate_free(deflate);
}

static void read_back(struct bytes in, struct bytes want)
{
    static uint8_t room[MOST + 1];
    z_stream z = {.next_in = (z_const Bytef *)(uintptr_t)in.at,
                  .avail_in = (uInt)in.len,
                  .next_out = room,
                  .avail_out = sizeof room};
    assert_int_equal(inflateInit2(&z, -15), Z_OK);
    int status = inflate(&z, Z_FINISH);
    if (status != Z_STREAM_END || z.avail_in != 0 || z.total_out != want.len)
        fail_msg("inflate: %d (%s), %u left, %lu of %zu bytes", status, z.msg != NULL ? z.msg : "",
                 z.avail_in, z.total_out, want.len);
    assert_int_equal(inflateEnd(&z), Z_OK);
    assert_true(bytes_equal(bytes_of(room, want.len), want));
}

static uint32_t state = 1;

/* xorshift32: the same numbers each time. */
static uint32_t number(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static uint8_t zeros(size_t i)
{
    (void)i;
    return 0;
}

static uint8_t noise(size_t i)
{
    (void)i;
    return (uint8_t)(number() >> 9);
}

static uint8_t two_letters(size_t i)
{
    (void)i;
    return (uint8_t)('a' + (number() >> 20 & 1));
}

/* Each value half as often as the one before: codes as long as they get. */
static uint8_t halves(size_t i)
{
    (void)i;
    return (uint8_t)__builtin_ctz(number() | 1u << 24);
}

static uint8_t period(size_t i)
{
    return (uint8_t)(i % 32771); /* a little more than the window's size */
}

static uint8_t words(size_t i)
{
    static const char *const some[] = {"enclave", " image", " kernel", " of the ", "\n", "0123"};
    static const char *at = "";
    if (i == 0 || *at == '\0')
        at = some[(number() >> 12) % ARRAY_LEN(some)];
    return (uint8_t)*at++;
}

static uint8_t now_and_then(size_t i)
{
    return i / 5000 % 2 == 0 ? noise(i) : (uint8_t)(i % 251);
}

static void zlib_reads_all_of_it(void **unused)
{
    (void)unused;
    static uint8_t (*const kinds[])(size_t) = {zeros,  noise, two_letters, halves,
                                               period, words, now_and_then};
    static const size_t lengths[] = {0,     1,     2,     3,     4,      10,    257,
                                     258,   259,   1000,  32767, 32768,  32769, 65534,
                                     65535, 65536, 98303, 98304, 131070, 200000};
    static uint8_t text[200000];
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = kinds[k](i);
        for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
            struct bytes whole = bytes_of(text, lengths[i]);
            BUFFER_AUTO out = {.limit = MOST};
            BUFFER_AUTO again = {.limit = MOST};
            compress_in(whole, MOST, &out);
            read_back(buffer_bytes(&out), whole);
            assert_true(out.len <= lengths[i] + 16 + lengths[i] / 4096); /* stored at worst */
            compress_in(whole, 777, &again);
            assert_true(bytes_equal(buffer_bytes(&out), buffer_bytes(&again)));
        }
    }
}

/*
 * Registers of images depend on these bytes: to change them changes PCR0 of every image. The
 * digests are of what was written when this was new.
 */
static void the_same_bytes_for_ever(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t (*kind)(size_t);
        const char *sha384;
    } cases[] = {
        {words, "be359e8a6187b64809c1e659d35b0bf82dc514980f158682"
                "46d8572e66c51406998401f6d4bf7f227d76bd3583218526"},
        {halves, "aee628f23917acf64bed9a807a1d37154e77a0ad584e85a2"
                 "65861da184ae24a5f3385fb0f67646eda01d047cbd8f9a82"},
        {now_and_then, "5998a907d7a54076413c932c7f4d296edc62449fc755d01e"
                       "5d17aa092fc2891e46ea1a4fafbc022c17add9328addfc27"},
    };
    static uint8_t text[200000];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUFFER_AUTO out = {.limit = MOST};
        uint8_t digest[SHA384_SIZE];
        char hex[2 * SHA384_SIZE + 1] = "";
        state = 1;
        for (size_t j = 0; j < sizeof text; j++)
            text[j] = cases[i].kind(j);
        compress_in(bytes_of(text, sizeof text), MOST, &out);
        assert_true(sha384(digest, buffer_bytes(&out)));
        hex_encode(hex, bytes_of(digest, sizeof digest));
        if (strcmp(hex, cases[i].sha384) != 0)
            fail_msg("case %zu: %s", i, hex);
    }
}

/* As dense as zlib at its densest, give or take 3 %. */
static void it_is_dense(void **unused)
{
    (void)unused;
    static uint8_t text[200000], room[MOST];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = words(i);
    BUFFER_AUTO out = {.limit = MOST};
    compress_in(bytes_of(text, sizeof text), MOST, &out);
    uLongf len = sizeof room;
    assert_int_equal(compress2(room, &len, text, sizeof text, 9), Z_OK);
    if (out.len > len + len * 3 / 100)
        fail_msg("%zu bytes, zlib %lu", out.len, len);
}

/* Kraft's sum, in units of the longest code: exactly one for a complete code. */
static void check_lengths(const uint32_t *counts, size_t n, unsigned most)
{
    uint8_t lengths[HUFFMAN_SYMBOLS];
    uint16_t codes[HUFFMAN_SYMBOLS];
    uint32_t sum = 0;
    huffman_lengths(lengths, counts, n, most);
    huffman_codes(codes, lengths, n);
    for (size_t i = 0; i < n; i++) {
        assert_true(lengths[i] <= most);
        assert_true(counts[i] == 0 || lengths[i] > 0);
        if (lengths[i] > 0)
            sum += UINT32_C(1) << (most - lengths[i]);
        for (size_t j = 0; j < n; j++) { /* the rarer is never shorter; no code begins another */
            if (counts[i] > counts[j] && counts[j] > 0)
                assert_true(lengths[i] <= lengths[j]);
            if (i != j && lengths[i] > 0 && lengths[i] <= lengths[j])
                assert_true((codes[j] & ((1u << lengths[i]) - 1)) != codes[i]);
        }
    }
    assert_int_equal(sum, UINT32_C(1) << most);
}

static void codes_are_complete_and_short_enough(void **unused)
{
    (void)unused;
    uint32_t counts[HUFFMAN_SYMBOLS] = {0};
    check_lengths(counts, 30, 15); /* nothing occurs */
    counts[7] = 5;
    check_lengths(counts, 30, 15); /* one does */
    counts[0] = 1;
    check_lengths(counts, 30, 15);
    for (size_t i = 0, a = 1, b = 1; i < 40; i++) { /* Fibonacci: as deep as can be */
        counts[i] = (uint32_t)a;
        b += a;
        a = b - a;
    }
    check_lengths(counts, 40, 15);
    check_lengths(counts, 19, 7);
    for (size_t i = 0; i < HUFFMAN_SYMBOLS; i++)
        counts[i] = 1;
    check_lengths(counts, HUFFMAN_SYMBOLS, 15);
    check_lengths(counts, 19, 7);
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < HUFFMAN_SYMBOLS; i++)
            counts[i] = number() >> (number() % 32);
        check_lengths(counts, HUFFMAN_SYMBOLS, 15);
        check_lengths(counts, 19, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zlib_reads_all_of_it),
        cmocka_unit_test(the_same_bytes_for_ever),
        cmocka_unit_test(it_is_dense),
        cmocka_unit_test(codes_are_complete_and_short_enough),
    };
    return cmocka_run_group_tests_name("deflate", tests, NULL, NULL);
}
