/* "Did you mean ...?": the known name that a misspelt one is closest to.
 *
 *     struct of_nearest nearest = of_nearest_to("--cuont");
 *     for each known name: of_nearest_try(&nearest, name);
 *     if (nearest.name != NULL) ...
 *
 * Distance is the number of letters to insert, remove, replace or swap with a neighbour; a name that differs in more
 * than a third of its letters is not suggested. Cost: the product of the two lengths per try, for error messages. */
#ifndef OF_CORE_NEAREST_H
#define OF_CORE_NEAREST_H

#include <stddef.h>

struct of_nearest {
    const char *word; /* what was given; borrowed */
    const char *name; /* the closest so far, or NULL; borrowed */
    size_t distance;
};

struct of_nearest of_nearest_to(const char *word);
void of_nearest_try(struct of_nearest *nearest, const char *name);

#endif
