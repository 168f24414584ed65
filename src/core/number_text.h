/* Numbers as text, for pages that hold very many of them: several times as fast as printf, and the same text.
 *
 * Threads: pure functions, any. Errors: none. Cost: some 20 ns for a count; 50 to 100 ns for a double from 0.0001 up to
 * 10^15, 2 us for others. */
#ifndef OF_CORE_NUMBER_TEXT_H
#define OF_CORE_NUMBER_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { OF_COUNT_TEXT_BYTES = 21, OF_DOUBLE_TEXT_BYTES = 32 };

/* In decimal. Returns the length. */
size_t of_count_text(uint64_t count, char text[OF_COUNT_TEXT_BYTES]);

/* The first of "%.15g", "%.16g" and "%.17g" that reads back as the same double, which is finite. Returns the length. */
size_t of_double_text(double value, char text[OF_DOUBLE_TEXT_BYTES]);

#endif
