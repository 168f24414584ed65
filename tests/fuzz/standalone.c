#include "fuzz/fuzz.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/random.h"

enum { INPUT_BYTES_MAX = 4096, CHANGES_MAX = 4, DEFAULT_COUNT = 200000 };

struct input {
    uint8_t bytes[INPUT_BYTES_MAX];
    size_t length;
};

static size_t
below(uint64_t *state, size_t limit)
{
    return (size_t)(random_next(state) % limit);
}

static void
insert(struct input *input, size_t at, uint8_t byte)
{
    if (input->length == INPUT_BYTES_MAX)
        return;
    memmove(input->bytes + at + 1, input->bytes + at, input->length - at);
    input->bytes[at] = byte;
    input->length++;
}

static void
erase(struct input *input, size_t at, size_t count)
{
    if (count > input->length - at)
        count = input->length - at;
    memmove(input->bytes + at, input->bytes + at + count, input->length - at - count);
    input->length -= count;
}

/* Numbers at the edges of their types find more than random ones. */
static void
overwrite_number(struct input *input, size_t at, uint64_t *state)
{
    static const uint64_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, INT32_MAX, UINT32_MAX,
                                      INT64_MAX, UINT64_C(1) << 63, UINT64_MAX };
    uint64_t number = edges[below(state, sizeof edges / sizeof *edges)];
    size_t width = (size_t)1 << below(state, 4);
    for (size_t i = 0; i < width && at + i < input->length; i++)
        input->bytes[at + i] = (uint8_t)(number >> 8 * (width - 1 - i));
}

static void
change(struct input *input, uint64_t *state)
{
    if (input->length == 0) {
        insert(input, 0, (uint8_t)random_next(state));
        return;
    }
    size_t at = below(state, input->length);
    switch (below(state, 7)) {
    case 0: input->bytes[at] ^= (uint8_t)(1 << below(state, 8)); break;
    case 1: input->bytes[at] = (uint8_t)random_next(state); break;
    case 2: insert(input, at, (uint8_t)random_next(state)); break;
    case 3: erase(input, at, 1 + below(state, 8)); break;
    case 4: input->length = at; break;
    case 5: overwrite_number(input, at, state); break;
    case 6: input->bytes[at] = input->bytes[below(state, input->length)]; break;
    }
}

/* From memory of exactly that size, so that a sanitizer sees the first byte read beyond it. */
static void
feed(const uint8_t *bytes, size_t length)
{
    uint8_t *exact = malloc(length > 0 ? length : 1);
    if (exact == NULL)
        abort();
    memcpy(exact, bytes, length);
    LLVMFuzzerTestOneInput(exact, length);
    free(exact);
}

static size_t
count_seeds(struct input *input)
{
    size_t seeds = 0;
    while ((input->length = of_fuzz_seed(seeds, input->bytes, sizeof input->bytes)) > 0) {
        feed(input->bytes, input->length);
        seeds++;
    }
    return seeds;
}

static int
run_mutations(uint64_t count, uint64_t state)
{
    static struct input input;
    size_t seeds = count_seeds(&input);
    if (seeds == 0) {
        fprintf(stderr, "the target has no seeds\n");
        return 1;
    }
    feed(input.bytes, 0);
    for (uint64_t i = 0; i < count; i++) {
        input.length = of_fuzz_seed(below(&state, seeds), input.bytes, sizeof input.bytes);
        for (size_t changes = 1 + below(&state, CHANGES_MAX); changes > 0; changes--)
            change(&input, &state);
        feed(input.bytes, input.length);
    }
    printf("%llu inputs from %zu seeds\n", (unsigned long long)count, seeds);
    return 0;
}

static int
run_file(const char *path)
{
    static uint8_t bytes[1 << 20];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    feed(bytes, length);
    return 0;
}

/* For libFuzzer to begin with: it calls no seeds. */
static int
write_seeds(const char *folder)
{
    uint8_t bytes[INPUT_BYTES_MAX];
    size_t length;
    for (size_t i = 0; (length = of_fuzz_seed(i, bytes, sizeof bytes)) > 0; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/seed-%zu", folder, i);
        FILE *file = fopen(path, "wb");
        bool written = file != NULL && fwrite(bytes, 1, length, file) == length;
        if (file == NULL || fclose(file) != 0 || !written) {
            fprintf(stderr, "%s: %s\n", path, strerror(errno));
            return 1;
        }
    }
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
        return write_seeds(argv[2]);
    char *end = NULL;
    unsigned long long count = argc > 1 ? strtoull(argv[1], &end, 10) : DEFAULT_COUNT;
    if (argc <= 1 || *end == '\0')
        return run_mutations(count, argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
    int status = 0;
    for (int i = 1; i < argc; i++)
        status |= run_file(argv[i]);
    return status;
}
