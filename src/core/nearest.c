#include "core/nearest.h"

#include <string.h>

enum { LONGEST_WORD = 64 }; /* what is longer has no nearest name */

static size_t
min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Three rows of the usual matrix are enough: a swap looks two rows up. Both words are LONGEST_WORD at most. */
static size_t
edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][LONGEST_WORD + 1];
    size_t *above2 = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        above[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            row[j] = min(min(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min(row[j], above2[j - 2] + 1);
        }
        size_t *oldest = above2;
        above2 = above;
        above = row;
        row = oldest;
    }
    return above[b_length];
}

struct of_nearest
of_nearest_to(const char *word)
{
    return (struct of_nearest) { .word = word };
}

void
of_nearest_try(struct of_nearest *nearest, const char *name)
{
    size_t word_length = strlen(nearest->word), name_length = strlen(name);
    if (word_length == 0 || word_length > LONGEST_WORD || name_length > LONGEST_WORD)
        return;
    size_t distance = edit_distance(nearest->word, word_length, name, name_length);
    size_t allowed = (name_length > word_length ? name_length : word_length) / 3;
    if (distance > (allowed ? allowed : 1) || (nearest->name != NULL && distance >= nearest->distance))
        return;
    nearest->name = name;
    nearest->distance = distance;
}
