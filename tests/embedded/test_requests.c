/* Signals to the program itself, on the embedded cluster: SIGHUP reads the configuration again, SIGUSR1 tells the state. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 120000, LOG_BYTES = 1 << 20 };

static char folder[64], config[128], log_path[128];
static char *said; /* the log so far */
static pid_t child;

static int
make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/orderflow-requests-XXXXXX");
    said = calloc(1, LOG_BYTES);
    if (said == NULL || mkdtemp(folder) == NULL)
        return -1;
    snprintf(config, sizeof config, "%s/orderflow.conf", folder);
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    return 0;
}

static int
remove_folder(void **state)
{
    (void)state;
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    child = 0;
    free(said);
    unlink(config);
    unlink(log_path);
    return rmdir(folder);
}

static void
write_config(const char *text)
{
    FILE *file = fopen(config, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void
start(const char *format)
{
    const char *const arguments[] = { "orderflow", "demo", "--config", config, "--console", "none", "--count", "1000000",
                                      "--interval-ms", "20", "--log-format", format, NULL };
    child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return;
    int null = open("/dev/null", O_WRONLY), log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (null < 0 || log < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
        _exit(126);
    execv(ORDERFLOW_PROGRAM, (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static bool
has_said(const char *what)
{
    FILE *file = fopen(log_path, "r");
    if (file == NULL)
        return false;
    said[fread(said, 1, LOG_BYTES - 1, file)] = '\0';
    fclose(file);
    return strstr(said, what) != NULL;
}

static void
wait_for(const char *what)
{
    for (int ms = 0; !has_said(what); ms += 20) {
        if (ms >= PATIENCE_MS)
            fail_msg("'%s' does not come in:\n%s", what, said);
        if (waitpid(child, NULL, WNOHANG) != 0) {
            child = 0;
            fail_msg("it ended before '%s':\n%s", what, said);
        }
        usleep(20000);
    }
}

static void
stop(void)
{
    int status;
    assert_int_equal(kill(child, SIGTERM), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    child = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void
the_configuration_is_read_again(void **state)
{
    (void)state;
    write_config("failure-rate = 1\nretry-delay-ms = 600000\n");
    start("text");
    wait_for("partitions assigned: 0-2 topic=orders-retry");
    write_config("failure-rate = 0\nretry-delay-ms = 200\nmax-retries = 5\n");
    assert_int_equal(kill(child, SIGHUP), 0);
    wait_for("2 changes taken over\n");
    assert_true(has_said("info options: failure-rate is now 0, was 1\n"));
    assert_true(has_said("info options: retry-delay-ms is now 200, was 600000\n"));
    assert_true(has_said("warning options: max-retries stays 3: it takes a restart to become 5\n"));
    write_config("tpoic = x\n");
    assert_int_equal(kill(child, SIGHUP), 0);
    wait_for("the configuration is wrong, and nothing of it is taken over: ");
    assert_true(has_said("orderflow.conf:1: unknown key 'tpoic'; did you mean 'topic'?\n"));
    stop();
}

static void
the_state_is_told(void **state)
{
    (void)state;
    write_config("failure-rate = 1\nretry-delay-ms = 600000\n");
    start("text");
    wait_for("partitions assigned: 0-2 topic=orders-retry");
    for (int asked = 0; !has_said(", is due in "); asked++) { /* as soon as an order has failed */
        if (asked >= PATIENCE_MS / 100)
            fail_msg("no retry waits:\n%s", said);
        assert_int_equal(kill(child, SIGUSR1), 0);
        usleep(100000);
    }
    wait_for("publish[0]      fetch[0]");
    assert_true(has_said("what stands in the way\n"));
    assert_true(has_said("\nthread aggregate-0\n"));
    assert_true(has_said("  lane 0: reading; source librdkafka; "));
    assert_true(has_said("1 of all attempts fail as a simulation\n"));
    stop();
}

static void
in_json_every_line_of_it_is_a_message(void **state)
{
    (void)state;
    write_config("");
    start("json");
    wait_for("\"text\":\"partitions assigned: 0-2\",\"topic\":\"orders-retry\"}\n");
    assert_int_equal(kill(child, SIGUSR1), 0);
    wait_for("\"module\":\"demo\",\"text\":\"rings\"}\n");
    wait_for("publish[0]      fetch[0]");
    stop();
    assert_true(has_said("\"text\":\"what stands in the way\"}\n"));
    for (const char *line = said; *line != '\0'; line = strchr(line, '\n') + 1)
        assert_memory_equal(line, "{\"time\":\"", 9);
}

int
main(void)
{
    const char *const variables[] = { "ORDERFLOW_CONFIG", "ORDERFLOW_LOG_LEVEL", "ORDERFLOW_LOG_FORMAT" };
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(the_configuration_is_read_again),
        TEST(the_state_is_told),
        TEST(in_json_every_line_of_it_is_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
