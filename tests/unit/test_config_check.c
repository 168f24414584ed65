/* What `orderflow config check` finds, and what `orderflow config explain` says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "commands/config_check.h"
#include "kafka/options.h"
#include "support/temp_file.h"

#define LIST(...) (const char *[]) { __VA_ARGS__, NULL }
#define NONE (const char *[]) { NULL }

static struct of_command_line line;

static void
check(enum of_command_index command, const char *const *arguments, const char *const *environment)
{
    of_settings_collect(&line, command, arguments, environment);
    of_config_check(&line);
}

/* Whether there is a problem that begins so and says so; place: NULL: the file's path and ":LINE: " stand before. */
static bool
has_problem(int at_line, const char *start, const char *what)
{
    char place[256] = "";
    if (at_line > 0)
        snprintf(place, sizeof place, "%s:%d: ", temp_file, at_line);
    size_t length = strlen(place);
    for (size_t i = 0; i < line.options.problem_count; i++) {
        const char *problem = line.options.problems[i];
        if (strncmp(problem, place, length) == 0 && strncmp(problem + length, start, strlen(start)) == 0
            && strstr(problem, what) != NULL)
            return true;
    }
    return false;
}

static void
assert_problem(int at_line, const char *start, const char *what)
{
    if (has_problem(at_line, start, what))
        return;
    for (size_t i = 0; i < line.options.problem_count; i++)
        print_error("%s\n", line.options.problems[i]);
    fail_msg("no problem in line %d that begins with '%s' and says '%s'", at_line, start, what);
}

static void
everything_wrong_is_found_at_once(void **state)
{
    (void)state;
    temp_file_write("topic = same\nretry-topic = same\nretry-delay-ms = -4\ntpoic = x\ngarbage\nkafka.acks = 1\n"
                    "kafka.no.such = 2\nbrokers = a:99999,b\nregistry-ca = /no/such/file\n");
    check(OF_COMMAND_RUN, LIST("--config", temp_file, "--decode-threads=900"), LIST("ORDERFLOW_GROUP=a\tb"));
    assert_problem(0, "--topic and --retry-topic", "must differ");
    assert_problem(3, "retry-delay-ms", "0 to 604800000");
    assert_problem(4, "unknown key 'tpoic'", "did you mean 'topic'?");
    assert_problem(5, "'garbage'", "key = value");
    assert_problem(6, "acks", "no record may be lost");
    assert_problem(7, "kafka.no.such", "unknown Kafka property");
    assert_problem(8, "brokers: 'a:99999'", "1 to 65535");
    assert_problem(9, "registry-ca", "/no/such/file");
    assert_problem(0, "--decode-threads", "0 to 64");
    assert_problem(0, "ORDERFLOW_GROUP", "may hold no TAB");
    assert_int_equal(line.options.problem_count, 10);
    of_settings_fini(&line);
}

static void
what_is_right_is_no_problem(void **state)
{
    (void)state;
    temp_file_write("brokers = a, SSL://b:9093, [::1]:9092, c:1\nkafka.linger.ms = 3\nregistry-cache-dir = /tmp\n");
    for (unsigned command = 0; command < OF_COMMAND_COUNT; command++) {
        check((enum of_command_index)command, LIST("--config", temp_file), NONE);
        for (size_t i = 0; i < line.options.problem_count; i++)
            fail_msg("%s", line.options.problems[i]);
        of_settings_fini(&line);
    }
}

static void
files_must_hold_what_they_are_for(void **state)
{
    (void)state;
    temp_file_write("no PEM\n");
    char ca[128], schema[128], folder[128], token[128];
    snprintf(ca, sizeof ca, "--registry-ca=%s", temp_file);
    snprintf(folder, sizeof folder, "--lock-folder=%s", temp_file);
    check(OF_COMMAND_RUN, LIST(ca, folder), NONE);
    assert_problem(0, "--registry-ca", "holds no PEM");
    assert_problem(0, "--lock-folder", "is no folder");
    of_settings_fini(&line);

    static const char *const no_tokens[] = { "", "\nsecret\n", "\r\n" };
    snprintf(token, sizeof token, "--http-token-file=%s", temp_file);
    for (size_t i = 0; i < sizeof no_tokens / sizeof *no_tokens; i++) {
        temp_file_write(no_tokens[i]);
        check(OF_COMMAND_RUN, LIST("--http=8080", token), NONE);
        assert_problem(0, "--http-token-file", "no token in its first line");
        of_settings_fini(&line);
    }
    check(OF_COMMAND_RUN, LIST("--http=8080", "--http-token-file=/no/such/file"), NONE);
    assert_problem(0, "--http-token-file", "cannot read /no/such/file");
    of_settings_fini(&line);
    temp_file_write("secret\n");
    check(OF_COMMAND_RUN, LIST("--http=8080", token), NONE);
    assert_int_equal(line.options.problem_count, 0);
    of_settings_fini(&line);

    temp_file_write("no PEM\n");
    snprintf(schema, sizeof schema, "--reader-schema=%s", temp_file);
    check(OF_COMMAND_RUN, LIST(schema), NONE);
    assert_problem(0, "--reader-schema", "not valid JSON");
    of_settings_fini(&line);

    temp_file_write("-----BEGIN CERTIFICATE-----\n");
    check(OF_COMMAND_RUN, LIST(ca), NONE);
    assert_int_equal(line.options.problem_count, 0);
    of_settings_fini(&line);
}

static void
properties_that_do_not_go_together_are_found(void **state)
{
    (void)state;
    check(OF_COMMAND_RUN, LIST("-Xsecurity.protocol=ssl", "-Xssl.ca.location=/no/such/file"), NONE);
    assert_problem(0, "properties of librdkafka", "ssl.ca.location");
    of_settings_fini(&line);
}

/* ---- explain ---- */

static char *
explained(const char *name, const char *const *arguments, const char *const *environment)
{
    char *text;
    size_t size;
    of_settings_collect(&line, OF_COMMAND_ALL, arguments, environment);
    size_t index = of_options_index(&line.options, name);
    assert_true(index < of_settings_table.count);
    FILE *out = open_memstream(&text, &size);
    of_options_explain(&line.options, index, out);
    fclose(out);
    of_settings_fini(&line);
    return text;
}

static void
a_key_is_explained_however_it_is_written(void **state)
{
    (void)state;
    temp_file_write("# first\nretry-delay-ms = 7\n");
    static const char *const names[] = { "retry-delay-ms", "--retry-delay-ms", "ORDERFLOW_RETRY_DELAY_MS",
                                         "retry_delay_ms" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char from[128];
        char *text = explained(names[i], LIST("--config", temp_file), NONE);
        snprintf(from, sizeof from, "from          %s:2: retry-delay-ms\n", temp_file);
        assert_non_null(strstr(text, "allowed       0 to 604800000\n"));
        assert_non_null(strstr(text, "unit          milliseconds\n"));
        assert_non_null(strstr(text, "default       2000\n"));
        assert_non_null(strstr(text, "environment   ORDERFLOW_RETRY_DELAY_MS\n"));
        assert_non_null(strstr(text, "file          retry-delay-ms = MS\n"));
        assert_non_null(strstr(text, "now           7\n"));
        assert_non_null(strstr(text, from));
        free(text);
    }
}

static void
secrets_are_explained_and_not_shown(void **state)
{
    (void)state;
    char *text = explained("registry-password", NONE, LIST("ORDERFLOW_REGISTRY_PASSWORD=geheim"));
    assert_non_null(strstr(text, "now           ***\n"));
    assert_non_null(strstr(text, "from          ORDERFLOW_REGISTRY_PASSWORD\n"));
    assert_null(strstr(text, "geheim"));
    free(text);
}

static void
every_option_can_be_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < of_settings_table.count; i++) {
        const struct of_option *option = &of_settings_table.options[i];
        char *text = explained(option->name, NONE, NONE);
        assert_non_null(strstr(text, option->help));
        assert_non_null(strstr(text, "from          the default\n"));
        free(text);
    }
}

static void
properties_have_their_defaults(void **state)
{
    (void)state;
    char text[64];
    assert_true(of_kafka_property_default("linger.ms", text, sizeof text));
    assert_string_equal(text, "5");
    assert_true(of_kafka_property_default("acks", text, sizeof text));
    assert_false(of_kafka_property_default("no.such", text, sizeof text));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_wrong_is_found_at_once, temp_file_make, temp_file_remove),
        cmocka_unit_test_setup_teardown(what_is_right_is_no_problem, temp_file_make, temp_file_remove),
        cmocka_unit_test_setup_teardown(files_must_hold_what_they_are_for, temp_file_make, temp_file_remove),
        cmocka_unit_test(properties_that_do_not_go_together_are_found),
        cmocka_unit_test_setup_teardown(a_key_is_explained_however_it_is_written, temp_file_make, temp_file_remove),
        cmocka_unit_test(secrets_are_explained_and_not_shown),
        cmocka_unit_test(every_option_can_be_explained),
        cmocka_unit_test(properties_have_their_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
