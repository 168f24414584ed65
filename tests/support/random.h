/* Numbers that look random and are the same in every run: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
 * number generators", 2014), apart from the program's own. */
#ifndef OF_TESTS_SUPPORT_RANDOM_H
#define OF_TESTS_SUPPORT_RANDOM_H

#include <stdint.h>

/* *state: any number at first, which says what comes. */
static inline uint64_t
random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

#endif
