#include "support/log_reader.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/log.h"

char log_said[65536];

static int ends[2]; /* of the pipe */
static int nowhere;

int
log_reader_open(void **state)
{
    (void)state;
    if (pipe(ends) != 0)
        return -1;
    of_log_set_descriptor(ends[1]);
    of_log_set_levels("info");
    return 0;
}

int
log_reader_close(void **state)
{
    (void)state;
    of_log_set_levels("info");
    of_log_set_format(OF_LOG_TEXT);
    of_log_set_descriptor(STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* The mark is there to be read if nothing else is. */
const char *
log_read(void)
{
    of_log_error("test", "mark");
    ssize_t length = read(ends[0], log_said, sizeof log_said - 1);
    log_said[length > 0 ? length : 0] = '\0';
    return log_said;
}

void
log_hide(void)
{
    nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(nowhere >= 0);
    of_log_set_descriptor(nowhere);
}

void
log_show(void)
{
    of_log_set_descriptor(STDERR_FILENO);
    close(nowhere);
}
