/* What a fuzz target fuzz_NAME.c defines. Built with libFuzzer, that calls LLVMFuzzerTestOneInput; otherwise
 * standalone.c brings a main() that feeds it mutated seeds:
 *
 *     fuzz_NAME              200,000 mutations, always the same ones
 *     fuzz_NAME COUNT [SEED]
 *     fuzz_NAME FILE...      these inputs, once each, to repeat a finding
 *     fuzz_NAME --seeds FOLDER  writes the seeds there, which libFuzzer does not know
 *
 * A target reports a finding by aborting (OF_ASSERT) or by what a sanitizer sees. */
#ifndef OF_TESTS_FUZZ_H
#define OF_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Takes any bytes. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the valid input number `index` into a buffer of `size` bytes, and returns its length; 0: there are no more. */
size_t of_fuzz_seed(size_t index, uint8_t *bytes, size_t size);

#endif
