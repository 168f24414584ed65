#include "support/paper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void
paper_open(struct paper *paper)
{
    *paper = (struct paper) { 0 };
    paper->out = open_memstream(&paper->text, &paper->size);
    assert_non_null(paper->out);
}

void
paper_close(struct paper *paper)
{
    fclose(paper->out);
    free(paper->text);
}

const char *
paper_printed(struct paper *paper)
{
    static char copy[65536];
    fflush(paper->out);
    assert_true(paper->size < sizeof copy);
    memcpy(copy, paper->text, paper->size);
    copy[paper->size] = '\0';
    rewind(paper->out);
    return copy;
}
