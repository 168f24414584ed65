/* The configuration read again while a pipeline runs: what is taken over, and what is only told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "commands/reload.h"
#include "core/log.h"
#include "core/memory.h"
#include "support/log_reader.h"
#include "support/world.h"

static char path[64];
static struct world world;
static struct of_command_line line;
static struct of_reload reload;
static _Atomic int64_t retry_delay_ms;

static void
write_file(const char *contents)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(contents, file);
    assert_int_equal(fclose(file), 0);
}

static void
assert_logged(const char *what)
{
    if (strstr(log_said, what) == NULL)
        fail_msg("'%s' is not in:\n%s", what, log_said);
}

/* A run of these options, and a file beside them. */
static void
begin(const char *contents, const char *flag)
{
    struct of_error err;
    write_file(contents);
    const char *arguments[] = { "--config", path, flag, NULL };
    if (of_settings_read(&line, OF_COMMAND_RUN, arguments, (const char *[]) { NULL }, &err) != OF_OK)
        fail_msg("%s", err.text);
    line.arguments = of_alloc_array(4, sizeof *line.arguments);
    for (size_t i = 0; arguments[i] != NULL; i++)
        line.arguments[i] = of_strdup(arguments[i]);
    of_reload_init(&reload, &line);
}

static int
open_all(void **state)
{
    (void)state;
    strcpy(path, "/tmp/orderflow-reload-XXXXXX");
    int file = mkstemp(path);
    if (file < 0 || close(file) != 0 || log_reader_open(state) != 0)
        return -1;
    world_create(&world, &(struct world_options) { .partitions = 1 });
    world_start(&world);
    world_pass_ms(&world, 10);
    return 0;
}

static int
close_all(void **state)
{
    (void)state;
    log_reader_close(state);
    of_reload_fini(&reload);
    of_settings_fini(&line);
    struct of_totals totals;
    world_stop(&world, &totals);
    of_totals_fini(&totals);
    world_destroy(&world);
    return unlink(path);
}

static int
again(void)
{
    log_read(); /* what was said before is none of this one's */
    int changed = of_reload_now(&reload, world.pipeline, &retry_delay_ms);
    log_read();
    return changed;
}

static void
what_can_change_is_taken_over_and_told(void **state)
{
    (void)state;
    begin("retry-delay-ms = 2000\n", NULL);
    write_file("retry-delay-ms = 500\nfailure-rate = 1\nlog-level = info,kafka=debug\ncommit-interval-ms = 200\n");
    assert_int_equal(again(), 4);
    assert_logged("info options: retry-delay-ms is now 500, was 2000\n");
    assert_logged("failure-rate is now 1, was 0\n");
    assert_logged("commit-interval-ms is now 200, was 100\n");
    assert_logged("log-level is now info,kafka=debug, was info\n");
    assert_logged("4 changes taken over\n");
    assert_true(of_log_enabled(OF_LOG_DEBUG, "kafka"));
    assert_int_equal(atomic_load(&retry_delay_ms), 500);
    world_append_order(&world, 0, 0);
    world_pass_ms(&world, 300);
    assert_int_equal(of_memory_count(world.cluster, OF_MEMORY_RETRY, 0), 1); /* it failed, as the rate says */
    world_pass_ms(&world, 300);
    assert_int_equal(of_memory_count(world.cluster, OF_MEMORY_RETRY, 0), 2); /* after half a second */
    assert_int_equal(again(), 0);
    assert_logged("0 changes taken over\n");
    write_file("");
    assert_int_equal(again(), 4);
    assert_logged("retry-delay-ms is now 2000, was 500\n");
}

static void
what_takes_a_restart_is_told_each_time(void **state)
{
    (void)state;
    begin("", NULL);
    write_file("max-retries = 9\nregistry-password = geheim\nregistry-user = me\nkafka.linger.ms = 7\ninterval-ms = 3\n");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(again(), 0);
        assert_logged("warning options: max-retries stays 3: it takes a restart to become 9\n");
        assert_logged("registry-password stays none: it takes a restart to become ***\n");
        assert_logged("properties of librdkafka stay as they were at the start: they take a restart\n");
        assert_null(strstr(log_said, "geheim"));
        assert_null(strstr(log_said, "interval-ms")); /* another command's */
    }
}

static void
a_broken_file_changes_nothing(void **state)
{
    (void)state;
    begin("retry-delay-ms = 700\n", NULL);
    atomic_store(&retry_delay_ms, 700);
    write_file("retry-delay-ms = 500\nlog-level = debug\ntpoic = x\n");
    assert_int_equal(again(), -1);
    assert_logged("error options: the configuration is wrong, and nothing of it is taken over: ");
    assert_logged(":3: unknown key 'tpoic'; did you mean 'topic'?");
    assert_false(of_log_enabled(OF_LOG_DEBUG, "fetch"));
    assert_int_equal(atomic_load(&retry_delay_ms), 700);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(again(), -1);
    assert_logged("No such file or directory");
    write_file("retry-delay-ms = 500\n");
    assert_int_equal(again(), 1);
    assert_int_equal(atomic_load(&retry_delay_ms), 500);
}

static void
flags_still_win(void **state)
{
    (void)state;
    begin("", "--retry-delay-ms=800");
    write_file("retry-delay-ms = 500\n");
    assert_int_equal(again(), 0);
    assert_int_equal(atomic_load(&retry_delay_ms), 800);
}

static void
transactions_bound_the_commit_interval(void **state)
{
    (void)state;
    begin("", NULL);
    write_file("commit-interval-ms = 6000\n");
    assert_int_equal(again(), 0);
    assert_logged("commit-interval-ms stays 100: it is longer than transactions of this run may be");
    assert_int_equal(again(), 0); /* and is not taken over the second time either */
    assert_int_equal(reload.commit_interval_ms, 100);
    write_file("commit-interval-ms = 5000\n");
    assert_int_equal(again(), 1);
    assert_logged("commit-interval-ms is now 5000, was 100\n");
    of_reload_fini(&reload);
    of_settings_fini(&line);

    begin("guarantee = at-least-once\n", NULL);
    write_file("guarantee = at-least-once\ncommit-interval-ms = 60000\n");
    assert_int_equal(again(), 1);
    assert_int_equal(reload.commit_interval_ms, 60000);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)
    const struct CMUnitTest tests[] = {
        TEST(what_can_change_is_taken_over_and_told), TEST(what_takes_a_restart_is_told_each_time),
        TEST(a_broken_file_changes_nothing),          TEST(flags_still_win),
        TEST(transactions_bound_the_commit_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
