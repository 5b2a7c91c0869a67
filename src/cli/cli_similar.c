/* SPDX-License-Identifier: Apache-2.0 */
/* What may have been meant by a word that is not known. */
#include "cli/cli_internal.h"

#define WORD_MAX 40 /* longer words are like nothing */
#define DISTANT  SIZE_MAX

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * How many letters were left out, put in, replaced or swapped with their neighbour (optimal string
 * alignment). Both words have at most WORD_MAX letters.
 */
static size_t edits(struct bytes a, struct bytes b)
{
    size_t row[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= a.len; i++)
        row[i][0] = i;
    for (size_t k = 0; k <= b.len; k++)
        row[0][k] = k;
    for (size_t i = 1; i <= a.len; i++)
        for (size_t k = 1; k <= b.len; k++) {
            size_t differs = a.at[i - 1] != b.at[k - 1];
            row[i][k] =
                least(least(row[i - 1][k] + 1, row[i][k - 1] + 1), row[i - 1][k - 1] + differs);
            if (i > 1 && k > 1 && a.at[i - 1] == b.at[k - 2] && a.at[i - 2] == b.at[k - 1])
                row[i][k] = least(row[i][k], row[i - 2][k - 2] + 1);
        }
    return row[a.len][b.len];
}

/* How unlike a word and a name are; DISTANT: too much for one to be meant by the other. */
static size_t distance(struct bytes word, const char *name)
{
    struct bytes known = bytes_text(name);
    if (word.len == 0 || word.len > WORD_MAX || known.len > WORD_MAX)
        return DISTANT;
    size_t n = edits(word, known);
    if (n <= (least(word.len, known.len) <= 3 ? 1 : 2))
        return n;
    /* what getopt would have taken for an abbreviation */
    return word.len >= 2 && word.len < known.len && memcmp(word.at, known.at, word.len) == 0
               ? WORD_MAX
               : DISTANT;
}

/* Keeps the name that is most like the word, the first of several. */
static void consider(const char **best, size_t *best_distance, struct bytes word, const char *name)
{
    size_t n = distance(word, name);
    if (n < *best_distance) {
        *best_distance = n;
        *best = name;
    }
}

const char *cli_similar_command(const struct cli_program *program, const char *word)
{
    const char *best = NULL;
    size_t best_distance = DISTANT;
    const struct cli_command *command;
    for (size_t i = 0; (command = cli_command_at(program, i)) != NULL; i++)
        consider(&best, &best_distance, bytes_text(word), command->name);
    return best;
}

const char *cli_similar_verb(const struct cli_command *group, const char *word)
{
    const char *best = NULL;
    size_t best_distance = DISTANT;
    for (size_t i = 0; i < group->verb_count; i++)
        consider(&best, &best_distance, bytes_text(word), group->verbs[i]->name);
    return best;
}

const char *cli_similar_option(const struct cli_command *command, struct bytes word)
{
    const char *best = NULL;
    size_t best_distance = DISTANT;
    const struct cli_option *option;
    for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++)
        consider(&best, &best_distance, word, option->name);
    return best;
}
