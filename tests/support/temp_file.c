#include "support/temp_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

char temp_file[64];

int
temp_file_make(void **state)
{
    (void)state;
    strcpy(temp_file, "/tmp/orderflow-test-XXXXXX");
    int file = mkstemp(temp_file);
    return file < 0 ? -1 : close(file);
}

int
temp_file_remove(void **state)
{
    (void)state;
    return unlink(temp_file);
}

void
temp_file_write(const char *text)
{
    FILE *file = fopen(temp_file, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}
