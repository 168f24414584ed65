/* Counts the memory that the pipeline's own threads ask for.
 *
 * Linked into an executable, its malloc, calloc, realloc and aligned allocation take the place of the C library's, for
 * libraries too, and hand through. Threads are told apart by their names, "decode-0" and so on; those of librdkafka, of
 * the schema cache and of the test are not counted. Threads: any. Not with sanitizers, which do the same. */
#ifndef OF_TESTS_SUPPORT_COUNTING_MALLOC_H
#define OF_TESTS_SUPPORT_COUNTING_MALLOC_H

#include <stdint.h>

enum { COUNTING_STAGES = 5 };

/* "fetch", "decode", "process", "aggregate", "publish". */
extern const char *const counting_stages[COUNTING_STAGES];

void counting_begin(void);

/* Fills the calls per stage since counting_begin. Returns their sum. */
uint64_t counting_end(uint64_t calls[COUNTING_STAGES]);

#endif
