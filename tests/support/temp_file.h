/* A file that a test may write to: made before it and removed behind it, as its setup and teardown. */
#ifndef OF_TESTS_SUPPORT_TEMP_FILE_H
#define OF_TESTS_SUPPORT_TEMP_FILE_H

extern char temp_file[64]; /* its path */

int temp_file_make(void **state);
int temp_file_remove(void **state);

/* This is all that is in it from now on. */
void temp_file_write(const char *text);

#endif
