/* Commands that need no broker, as a user runs them: what they print, and their exit status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/temp_file.h"

enum { OUTPUT_BYTES = 1 << 16 };

static char output[OUTPUT_BYTES]; /* of both standard streams */

static void
take_output(int from)
{
    size_t length = 0;
    for (ssize_t got; length < OUTPUT_BYTES - 1
                      && (got = read(from, output + length, OUTPUT_BYTES - 1 - length)) > 0;)
        length += (size_t)got;
    output[length] = '\0';
}

/* Runs `orderflow` with these arguments; the list ends with NULL. Returns its exit status. */
static int
run(const char *const *arguments)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (dup2(ends[1], STDOUT_FILENO) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
            _exit(126);
        close(ends[0]);
        close(ends[1]);
        execv(ORDERFLOW_PROGRAM, (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    close(ends[1]);
    take_output(ends[0]);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define RUN(...) run((const char *const[]) { "orderflow", __VA_ARGS__, NULL })

static void
assert_printed(const char *what)
{
    if (strstr(output, what) == NULL)
        fail_msg("'%s' is not in:\n%s", what, output);
}

static void
config_check_tells_every_problem(void **state)
{
    (void)state;
    char place[256];
    temp_file_write("topic = same\nretry-topic = same\ntpoic = x\nkafka.no.such = 1\n");
    assert_int_equal(RUN("config", "check", "run", "--config", temp_file, "--max-retries=many"), 2);
    assert_printed("--max-retries: 'many' is not a whole number (allowed: 0 to 1000)\n");
    snprintf(place, sizeof place, "%s:3: unknown key 'tpoic'; did you mean 'topic'?\n", temp_file);
    assert_printed(place);
    snprintf(place, sizeof place, "%s:4: kafka.no.such: unknown Kafka property no.such\n", temp_file);
    assert_printed(place);
    snprintf(place, sizeof place, "they must differ  (%s:1: topic, %s:2: retry-topic)\n", temp_file, temp_file);
    assert_printed(place);
    temp_file_write("topic = other\n");
    assert_int_equal(RUN("config", "check", "--config", temp_file), 0);
    assert_printed("nothing is wrong");
}

static void
config_explain_tells_about_a_key(void **state)
{
    (void)state;
    assert_int_equal(RUN("config", "explain", "ORDERFLOW_COMMIT_INTERVAL_MS", "--commit-interval-ms=7"), 0);
    assert_printed("commit-interval-ms: pause between commits; up to twice as long where they take long\n");
    assert_printed("  allowed       1 to 60000\n");
    assert_printed("  now           7\n  from          --commit-interval-ms\n");
    assert_int_equal(RUN("config", "explain", "retry-dely-ms"), 2);
    assert_printed("unknown key 'retry-dely-ms'; did you mean 'retry-delay-ms'?\n");
    assert_int_equal(RUN("config", "explain", "kafka.acks"), 0);
    assert_printed("  refused       no record may be lost");
    assert_int_equal(RUN("config", "explain", "kafka.no.such"), 2);
    assert_int_equal(RUN("config", "explain"), 2);
}

static void
wrong_levels_of_the_log_are_told(void **state)
{
    (void)state;
    assert_int_equal(RUN("run", "--log-level", "info,registri=debug"), 2);
    assert_printed("--log-level: 'info,registri=debug' names no module 'registri'; did you mean 'registry'?");
}

/* Port 1 of the own machine: nobody is there, and the system says so at once, or when a busy machine comes to it. */
static void
doctor_says_what_to_fix_first(void **state)
{
    (void)state;
    for (int tries = 0; tries == 0 || (tries < 10 && strstr(output, "no answer within") != NULL); tries++)
        assert_int_equal(RUN("doctor", "--brokers", "127.0.0.1:1", "--registry", "http://127.0.0.1:1"), 1);
    assert_printed("fail  broker 127.0.0.1:1 ");
    assert_printed("TCP fails: connecting: Connection refused  — start it, ");
    assert_printed("skip  topics ");
    assert_printed("fail  registry ");
    assert_printed("\nfix first: broker 127.0.0.1:1: start it, ");
    assert_int_equal(RUN("doctor", "--max-retries", "many"), 2);
}

int
main(void)
{
    static const char *const variables[] = { "ORDERFLOW_CONFIG", "ORDERFLOW_LOG_LEVEL", "ORDERFLOW_TOPIC" };
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(config_check_tells_every_problem, temp_file_make, temp_file_remove),
        cmocka_unit_test(config_explain_tells_about_a_key),
        cmocka_unit_test(wrong_levels_of_the_log_are_told),
        cmocka_unit_test(doctor_says_what_to_fix_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
