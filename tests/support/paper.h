/* Paper that a test lets something print on, and reads. */
#ifndef OF_TESTS_SUPPORT_PAPER_H
#define OF_TESTS_SUPPORT_PAPER_H

#include <stdio.h>

struct paper {
    FILE *out; /* to print on */
    char *text;
    size_t size;
};

void paper_open(struct paper *paper);
void paper_close(struct paper *paper);

/* All that was printed since the last call; valid until the next, of whatever paper. */
const char *paper_printed(struct paper *paper);

#endif
