/* What the log says, for tests that read it or have nobody see it. Threads: the test's. */
#ifndef OF_TESTS_SUPPORT_LOG_READER_H
#define OF_TESTS_SUPPORT_LOG_READER_H

/* What the last log_read has read. */
extern char log_said[65536];

/* Setup and teardown: in between, the log at level info goes to where log_read reads it. */
int log_reader_open(void **state);
int log_reader_close(void **state);

/* All that was logged since the last call, and behind it an error of the component "test" that says "mark". */
const char *log_read(void);

/* In between, the log goes nowhere. */
void log_hide(void);
void log_show(void);

#endif
