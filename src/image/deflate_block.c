/* SPDX-License-Identifier: Apache-2.0 */
#include "image/deflate_block.h"

#include "image/huffman.h"

/* RFC 1951, 3.2.5 to 3.2.7. */
#define END_OF_BLOCK  256
#define FIRST_LENGTH  257
#define LAST_LENGTH   285 /* 258 bytes, without extra bits */
#define LENGTH_MIN    3
#define LENGTH_MAX    258
#define LITERALS      286
#define DISTANCES     30
#define LENGTH_CODES  19
#define REPEAT        16 /* the previous length, 3 to 6 times */
#define ZEROS         17 /* 3 to 10 */
#define MANY_ZEROS    18 /* 11 to 138 */
#define CODE_BITS     15
#define LENGTH_BITS   7
#define BLOCK_STORED  0
#define BLOCK_DYNAMIC 2
#define STORED_HEAD   (3 + 7 + 32) /* bits at most: kind, up to a whole byte, length twice */

/* A symbol and the extra bits that follow it. */
struct coded {
    unsigned symbol, extra, extra_bits;
};

struct alphabet {
    uint32_t counts[LITERALS];
    uint8_t lengths[LITERALS];
    uint16_t codes[LITERALS];
};

/* The code lengths of both alphabets, encoded as symbols 0..18 with extra bits. */
struct encoded {
    struct coded symbols[LITERALS + DISTANCES];
    size_t count;
    size_t literals, distances; /* how many lengths of each alphabet are encoded */
    struct alphabet alphabet;
};

static void drain(struct bit_writer *to)
{
    if (!to->failed && to->len > 0)
        to->failed = !to->sink(to->context, bytes_of(to->out, to->len), to->err);
    to->len = 0;
}

static void put_bits(struct bit_writer *to, unsigned value, unsigned count)
{
    to->bits |= (uint64_t)value << to->count;
    for (to->count += count; to->count >= 8; to->count -= 8) {
        to->out[to->len++] = (uint8_t)to->bits;
        to->bits >>= 8;
        if (to->len == sizeof to->out)
            drain(to);
    }
}

static void to_whole_byte(struct bit_writer *to)
{
    put_bits(to, 0, (8 - to->count) % 8);
}

void deflate_flush(struct bit_writer *to)
{
    to_whole_byte(to);
    drain(to);
}

static unsigned log2_of(unsigned value)
{
    return 31u - (unsigned)__builtin_clz(value);
}

/* Eight symbols for single lengths, then four for each doubling of the length. */
static struct coded of_length(unsigned length)
{
    unsigned over = length - LENGTH_MIN;
    if (length == LENGTH_MAX)
        return (struct coded){.symbol = LAST_LENGTH};
    if (over < 8)
        return (struct coded){.symbol = FIRST_LENGTH + over};
    unsigned bits = log2_of(over) - 2;
    return (struct coded){FIRST_LENGTH + 4 * (bits + 1) + (over >> bits & 3),
                          over & ((1u << bits) - 1), bits};
}

/* Four symbols for single distances, then two for each doubling of the distance. */
static struct coded of_distance(unsigned distance)
{
    unsigned over = distance - 1;
    if (over < 4)
        return (struct coded){.symbol = over};
    unsigned bits = log2_of(over) - 1;
    return (struct coded){2 * (bits + 1) + (over >> bits & 1), over & ((1u << bits) - 1), bits};
}

static void count_tokens(const struct token *tokens, size_t count, struct alphabet *literals,
                         struct alphabet *distances)
{
    for (size_t i = 0; i < count; i++) {
        if (tokens[i].length == 0) {
            literals->counts[tokens[i].distance]++;
            continue;
        }
        literals->counts[of_length(tokens[i].length).symbol]++;
        distances->counts[of_distance(tokens[i].distance).symbol]++;
    }
    literals->counts[END_OF_BLOCK]++;
}

static void make_codes(struct alphabet *alphabet, size_t n, unsigned most)
{
    huffman_lengths(alphabet->lengths, alphabet->counts, n, most);
    huffman_codes(alphabet->codes, alphabet->lengths, n);
}

static void encode(struct encoded *encoded, unsigned symbol, unsigned extra, unsigned extra_bits)
{
    encoded->symbols[encoded->count++] = (struct coded){symbol, extra, extra_bits};
    encoded->alphabet.counts[symbol]++;
}

/* Encodes up to run copies of one code length; returns how many it covered. */
static size_t encode_run(struct encoded *encoded, uint8_t length, size_t run)
{
    if (length == 0 && run >= 11) {
        run = run < 138 ? run : 138;
        encode(encoded, MANY_ZEROS, (unsigned)run - 11, 7);
    } else if (length == 0 && run >= 3) {
        encode(encoded, ZEROS, (unsigned)run - 3, 3);
    } else if (length != 0 && run >= 4) {
        run = run < 7 ? run : 7;
        encode(encoded, length, 0, 0);
        encode(encoded, REPEAT, (unsigned)run - 4, 2);
    } else {
        run = 1;
        encode(encoded, length, 0, 0);
    }
    return run;
}

static void encode_lengths(struct encoded *encoded, const struct alphabet *literals,
                           const struct alphabet *distances)
{
    uint8_t all[LITERALS + DISTANCES];
    encoded->literals = LITERALS;
    encoded->distances = DISTANCES;
    while (literals->lengths[encoded->literals - 1] == 0) /* ends: END_OF_BLOCK has a code */
        encoded->literals--;
    while (encoded->distances > 1 && distances->lengths[encoded->distances - 1] == 0)
        encoded->distances--;
    memcpy(all, literals->lengths, encoded->literals);
    memcpy(all + encoded->literals, distances->lengths, encoded->distances);
    size_t total = encoded->literals + encoded->distances;
    for (size_t at = 0, run; at < total; at += encode_run(encoded, all[at], run))
        for (run = 1; at + run < total && all[at + run] == all[at];)
            run++;
    make_codes(&encoded->alphabet, LENGTH_CODES, LENGTH_BITS);
}

static const uint8_t code_order[LENGTH_CODES] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                 11, 4,  12, 3, 13, 2, 14, 1, 15};

/* How many lengths of the codes for lengths are written: without the zeros at the end. */
static size_t code_count(const struct encoded *encoded)
{
    size_t count = LENGTH_CODES;
    while (count > 4 && encoded->alphabet.lengths[code_order[count - 1]] == 0)
        count--;
    return count;
}

/* The size of the block in bits, to compare it with storing the text. */
static uint64_t cost(const struct encoded *encoded, const struct alphabet *literals,
                     const struct alphabet *distances, const struct token *tokens, size_t count)
{
    uint64_t bits = 3 + 14 + 3 * code_count(encoded);
    for (size_t i = 0; i < encoded->count; i++)
        bits +=
            encoded->alphabet.lengths[encoded->symbols[i].symbol] + encoded->symbols[i].extra_bits;
    for (size_t i = 0; i < LITERALS; i++)
        bits += (uint64_t)literals->counts[i] * literals->lengths[i];
    for (size_t i = 0; i < DISTANCES; i++)
        bits += (uint64_t)distances->counts[i] * distances->lengths[i];
    for (size_t i = 0; i < count; i++)
        if (tokens[i].length != 0)
            bits +=
                of_length(tokens[i].length).extra_bits + of_distance(tokens[i].distance).extra_bits;
    return bits;
}

static void put_symbol(struct bit_writer *to, const struct alphabet *alphabet, struct coded coded)
{
    put_bits(to, alphabet->codes[coded.symbol], alphabet->lengths[coded.symbol]);
    put_bits(to, coded.extra, coded.extra_bits);
}

static void put_codes(struct bit_writer *to, const struct encoded *encoded)
{
    size_t codes = code_count(encoded);
    put_bits(to, (unsigned)encoded->literals - FIRST_LENGTH, 5);
    put_bits(to, (unsigned)encoded->distances - 1, 5);
    put_bits(to, (unsigned)codes - 4, 4);
    for (size_t i = 0; i < codes; i++)
        put_bits(to, encoded->alphabet.lengths[code_order[i]], 3);
    for (size_t i = 0; i < encoded->count; i++)
        put_symbol(to, &encoded->alphabet, encoded->symbols[i]);
}

static void put_tokens(struct bit_writer *to, const struct alphabet *literals,
                       const struct alphabet *distances, const struct token *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (tokens[i].length == 0) {
            put_symbol(to, literals, (struct coded){.symbol = tokens[i].distance});
            continue;
        }
        put_symbol(to, literals, of_length(tokens[i].length));
        put_symbol(to, distances, of_distance(tokens[i].distance));
    }
    put_symbol(to, literals, (struct coded){.symbol = END_OF_BLOCK});
}

static void put_stored(struct bit_writer *to, struct bytes text)
{
    to_whole_byte(to);
    put_bits(to, (unsigned)text.len, 16);
    put_bits(to, (unsigned)text.len ^ 0xffff, 16);
    for (size_t i = 0; i < text.len; i++)
        put_bits(to, text.at[i], 8);
}

void deflate_put_block(struct bit_writer *to, const struct token *tokens, size_t count,
                       struct bytes text, bool last)
{
    struct alphabet literals = {0}, distances = {0};
    struct encoded encoded = {0};
    count_tokens(tokens, count, &literals, &distances);
    make_codes(&literals, LITERALS, CODE_BITS);
    make_codes(&distances, DISTANCES, CODE_BITS);
    encode_lengths(&encoded, &literals, &distances);
    put_bits(to, last, 1);
    if (cost(&encoded, &literals, &distances, tokens, count) >=
        STORED_HEAD + 8 * (uint64_t)text.len) {
        put_bits(to, BLOCK_STORED, 2);
        put_stored(to, text);
        return;
    }
    put_bits(to, BLOCK_DYNAMIC, 2);
    put_codes(to, &encoded);
    put_tokens(to, &literals, &distances, tokens, count);
}
