/* The option engine by way of the program's own table. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "commands/given_schema.h"
#include "commands/settings.h"
#include "core/log.h"
#include "kafka/options.h"
#include "ops/console.h"
#include "support/temp_file.h"

#define LIST(...) (const char *[]) { __VA_ARGS__, NULL }
#define NONE (const char *[]) { NULL }

static const struct of_settings *
load(struct of_command_line *line, enum of_command_index command, const char *const *arguments,
     const char *const *environment)
{
    struct of_error err = { 0 };
    if (of_settings_read(line, command, arguments, environment, &err) != OF_OK)
        fail_msg("%s", err.text);
    return &line->settings;
}

static void
defaults_are_those_of_the_design(void **state)
{
    (void)state;
    struct of_command_line line;
    const struct of_settings *s = load(&line, OF_COMMAND_RUN, NONE, NONE);
    assert_string_equal(s->brokers, "localhost:9092");
    assert_string_equal(s->registry, "http://localhost:8081");
    assert_string_equal(s->group, "order-consumer-group");
    assert_string_equal(s->retry_topic, "orders-retry");
    assert_string_equal(s->dlq_topic, "orders-dlq");
    assert_int_equal(s->max_retries, 3);
    assert_int_equal(s->retry_delay_ms, 2000);
    assert_int_equal(s->memory_mb, 256);
    assert_int_equal(s->max_field_bytes, 1048576);
    assert_int_equal(s->from, OF_FROM_EARLIEST);
    assert_int_equal(s->on_out_of_range, OF_ON_OUT_OF_RANGE_ERROR);
    assert_int_equal(s->console, OF_CONSOLE_AUTO);
    assert_string_equal(s->log_level, "info");
    assert_string_equal(s->instance_id, "auto");
    assert_null(s->lock_folder);
    assert_int_equal(s->on_stop, OF_ON_STOP_LEAVE);
    assert_true(s->create_topics);
    assert_false(s->exit_at_end);
    assert_true(isnan(s->min_value) && isnan(s->max_value) && isnan(s->rate));
    assert_null(s->config);
    assert_true(s->failure_rate == 0);
    of_settings_fini(&line);
}

static void
the_demo_has_defaults_of_its_own(void **state)
{
    (void)state;
    struct of_command_line line;
    const struct of_settings *s = load(&line, OF_COMMAND_DEMO, NONE, NONE);
    assert_int_equal(s->count, 20);
    assert_int_equal(s->interval_ms, 500);
    assert_true(s->failure_rate == 0.1);
    assert_int_equal(s->max_retries, 3);
    assert_int_equal(s->retry_delay_ms, 2000);
    assert_int_not_equal(s->seed, 1);
    of_settings_fini(&line);
    s = load(&line, OF_COMMAND_DEMO, LIST("--interval-ms=7"), LIST("ORDERFLOW_FAILURE_RATE=0.5"));
    assert_int_equal(s->interval_ms, 7);
    assert_true(s->failure_rate == 0.5);
    of_settings_fini(&line);
    s = load(&line, OF_COMMAND_PRODUCE, NONE, NONE);
    assert_int_equal(s->interval_ms, 2000);
    assert_int_equal(s->seed, 1);
    of_settings_fini(&line);
}

static void
flag_beats_environment_beats_file_beats_default(void **state)
{
    (void)state;
    temp_file_write("# comment\n\nretry-delay-ms = 1\nmax-retries=1\n group = from = file \ncount = 9\n");
    const char *const *environment =
        LIST("ORDERFLOW_RETRY_DELAY_MS=2", "ORDERFLOW_MAX_RETRIES=2", "ORDERFLOW_TOPIC=", "PATH=x");
    struct of_command_line line;
    const struct of_settings *s =
        load(&line, OF_COMMAND_RUN, LIST("--retry-delay-ms=7", "--config", temp_file, "--retry-delay-ms", "3"), environment);
    assert_int_equal(s->retry_delay_ms, 3);
    assert_int_equal(s->max_retries, 2);
    assert_string_equal(s->group, "from = file");
    assert_string_equal(s->topic, "orders");
    assert_int_equal(of_options_origin(&line.options, "retry-delay-ms"), OF_ORIGIN_FLAG);
    assert_int_equal(of_options_origin(&line.options, "max-retries"), OF_ORIGIN_ENVIRONMENT);
    assert_int_equal(of_options_origin(&line.options, "group"), OF_ORIGIN_FILE);
    assert_int_equal(of_options_origin(&line.options, "topic"), OF_ORIGIN_DEFAULT);
    assert_int_equal(line.options.warning_count, 0);
    of_settings_fini(&line);
}

static void
booleans_have_three_spellings(void **state)
{
    (void)state;
    struct of_command_line line;
    assert_false(load(&line, OF_COMMAND_RUN, LIST("--no-create-topics"), NONE)->create_topics);
    of_settings_fini(&line);
    assert_false(load(&line, OF_COMMAND_RUN, LIST("--create-topics=false"), NONE)->create_topics);
    of_settings_fini(&line);
    assert_true(load(&line, OF_COMMAND_RUN, LIST("--no-create-topics", "--create-topics"), NONE)->create_topics);
    of_settings_fini(&line);
}

/* What is registered for a topic that was named, not for the default one. */
static void
the_subject_follows_the_topic(void **state)
{
    (void)state;
    struct of_command_line line;
    char subject[OF_SUBJECT_BYTES];
    static const enum of_command_index commands[] = { OF_COMMAND_PRODUCE, OF_COMMAND_SCHEMA };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct of_settings *s = load(&line, commands[i], LIST("--topic=sales"), NONE);
        assert_string_equal(of_given_schema_subject(s, subject), "sales-value");
        of_settings_fini(&line);
        s = load(&line, commands[i], LIST("--topic=sales", "--subject=sale"), NONE);
        assert_string_equal(of_given_schema_subject(s, subject), "sale");
        of_settings_fini(&line);
    }
}

static void
properties_keep_their_order_and_flags_win(void **state)
{
    (void)state;
    temp_file_write("kafka.client.id = file\nkafka.security.protocol = ssl\n");
    struct of_command_line line;
    load(&line, OF_COMMAND_RUN, LIST("-X", "client.id=flag", "--config", temp_file, "-Xlinger.ms=", "-Xa=b=c"), NONE);
    static const char *const expected[][2] = {
        { "client.id", "file" }, { "security.protocol", "ssl" }, { "client.id", "flag" },
        { "linger.ms", "" },     { "a", "b=c" },
    };
    assert_int_equal(line.options.property_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(line.options.properties[i].name, expected[i][0]);
        assert_string_equal(line.options.properties[i].value, expected[i][1]);
    }
    of_settings_fini(&line);
}

static void
unknown_variables_are_warned_about(void **state)
{
    (void)state;
    struct of_command_line line;
    load(&line, OF_COMMAND_RUN, NONE, LIST("ORDERFLOW_RETRY_DELAY=5", "ORDERFLOW_QWERTZUIOP=1"));
    assert_int_equal(line.options.warning_count, 2);
    assert_string_equal(line.options.warnings[0], "unknown environment variable ORDERFLOW_RETRY_DELAY is ignored; "
                                                  "did you mean ORDERFLOW_RETRY_DELAY_MS?");
    assert_string_equal(line.options.warnings[1], "unknown environment variable ORDERFLOW_QWERTZUIOP is ignored");
    of_settings_fini(&line);
}

static void
help_ends_everything(void **state)
{
    (void)state;
    struct of_command_line line;
    load(&line, OF_COMMAND_RUN, LIST("-h", "--nonsense"), LIST("ORDERFLOW_MAX_RETRIES=x"));
    assert_true(line.options.help);
    of_settings_fini(&line);
}

/* NULL after the last argument. */
static const struct {
    enum of_command_index command;
    const char *arguments[4];
    const char *error;
} wrong[] = {
    { OF_COMMAND_RUN, { "--retry-delay" }, "unknown option '--retry-delay'; did you mean '--retry-delay-ms'?" },
    { OF_COMMAND_RUN, { "--no-craete-topics" },
      "unknown option '--no-craete-topics'; did you mean '--create-topics'?" },
    { OF_COMMAND_RUN, { "--no-group" }, "unknown option '--no-group'; did you mean '--group'?" },
    { OF_COMMAND_RUN, { "--qwertzuiop=1" }, "unknown option '--qwertzuiop'" },
    { OF_COMMAND_RUN, { "-q" }, "unknown option '-q'" },
    { OF_COMMAND_RUN, { "--count", "1" }, "--count is an option of 'orderflow produce', not of 'run'" },
    { OF_COMMAND_RUN, { "--group" }, "--group needs a value: --group NAME" },
    { OF_COMMAND_RUN, { "--group", "--topic" }, "--group needs a value: --group NAME" },
    { OF_COMMAND_RUN, { "--group=" }, "--group: needs a value, not an empty one" },
    { OF_COMMAND_RUN, { "--max-retries=three" }, "--max-retries: 'three' is not a whole number (allowed: 0 to 1000)" },
    { OF_COMMAND_RUN, { "--max-retries=3x" }, "--max-retries: '3x' is not a whole number (allowed: 0 to 1000)" },
    { OF_COMMAND_RUN, { "--max-retries=-1" }, "--max-retries: '-1' is out of range (allowed: 0 to 1000)" },
    { OF_COMMAND_RUN, { "--max-retries", "99999999999999999999" },
      "--max-retries: '99999999999999999999' is out of range (allowed: 0 to 1000)" },
    { OF_COMMAND_RUN, { "--failure-rate=1.1" }, "--failure-rate: '1.1' is out of range (allowed: 0 to 1)" },
    { OF_COMMAND_RUN, { "--failure-rate=nan" }, "--failure-rate: 'nan' is not a number (allowed: 0 to 1)" },
    { OF_COMMAND_RUN, { "--failure-rate=ten" }, "--failure-rate: 'ten' is not a number (allowed: 0 to 1)" },
    { OF_COMMAND_RUN, { "--console=jsn" }, "--console: 'jsn' is none of the choices; did you mean 'json'? "
                                           "(allowed: auto, orders, summary, json or none)" },
    { OF_COMMAND_RUN, { "--create-topics=maybe" },
      "--create-topics: 'maybe' is neither true nor false (allowed: true or false)" },
    { OF_COMMAND_RUN, { "--no-create-topics=true" }, "--no-create-topics takes no value" },
    { OF_COMMAND_RUN, { "--guarantee", "at-most-once" },
      "--guarantee: 'at-most-once' is none of the choices; did you mean 'at-least-once'? "
      "(allowed: exactly-once or at-least-once)" },
    { OF_COMMAND_RUN, { "--topic=a b" },
      "--topic: 'a b' is no topic name (allowed: letters, digits, '.', '_' and '-')" },
    { OF_COMMAND_RUN, { "--topic=orders-dlq" }, "--topic and --dlq-topic are both 'orders-dlq': they must differ" },
    { OF_COMMAND_RUN, { "--registry=localhost:8081" },
      "--registry: 'localhost:8081' is no address of a registry "
      "(allowed: http://HOST:PORT or https://HOST:PORT, several with commas)" },
    { OF_COMMAND_RUN, { "--registry=http://a,b" },
      "--registry: 'http://a,b' is no address of a registry "
      "(allowed: http://HOST:PORT or https://HOST:PORT, several with commas)" },
    { OF_COMMAND_RUN, { "--min-value=2", "--max-value=1" }, "--min-value 2 is above --max-value 1" },
    { OF_COMMAND_RUN, { "--", "--group" }, "unexpected argument '--group'" },
    { OF_COMMAND_RUN, { "-X" }, "-X needs a property: -X NAME=VALUE" },
    { OF_COMMAND_RUN, { "-X", "linger.ms" }, "-X needs a property: -X NAME=VALUE" },
    { OF_COMMAND_RUN, { "-X", "group.id=x" }, "-X: group.id: use --group" },
    { OF_COMMAND_RUN, { "--config=/nowhere/x.conf" }, "/nowhere/x.conf: cannot be opened: No such file or directory" },
    { OF_COMMAND_PRODUCE, { "--rate=1", "--interval-ms=1" },
      "--rate and --interval-ms say the same thing: give one of them" },
    { OF_COMMAND_PRODUCE, { "--first-id=9223372036854775807", "--count=1" },
      "--first-id and --count lead beyond the largest id" },
};

static void
wrong_arguments_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct of_command_line line;
        struct of_error err = { .text = "accepted" };
        (void)!of_settings_read(&line, wrong[i].command, wrong[i].arguments, NONE, &err);
        assert_string_equal(err.text, wrong[i].error);
        of_settings_fini(&line);
    }
}

static void
wrong_files_are_named_with_their_line(void **state)
{
    (void)state;
    static const struct { const char *text, *error; } files[] = {
        { "max-retries = 3\nretry-delay = 3\n", "%s:2: unknown key 'retry-delay'; did you mean 'retry-delay-ms'?" },
        { "\n\nmax-retries = x", "%s:3: max-retries: 'x' is not a whole number (allowed: 0 to 1000)" },
        { "max-retries\n", "%s:1: 'max-retries' is not of the form key = value" },
        { "= 3\n", "%s:1: '= 3' is not of the form key = value" },
        { "count = none\n", "%s:1: count: 'none' is not a whole number (allowed: 0 to 9223372036854775807)" },
        { "seed = 1\n#\nseed = 1\n", "%s:3: 'seed' stands in line 1 already" },
        { "config = other\n", "%s:1: 'config' cannot stand in the file itself" },
        { "kafka.isolation.level = read_uncommitted\n",
          "%s:1: isolation.level: orderflow reads committed records only" },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        temp_file_write(files[i].text);
        char expected[256];
        const char *after = files[i].error + 2;
        snprintf(expected, sizeof expected, "%s%s", temp_file, after);
        struct of_command_line line;
        struct of_error err = { .text = "accepted" };
        (void)!of_settings_read(&line, OF_COMMAND_RUN, LIST("--config", temp_file), NONE, &err);
        assert_string_equal(err.text, expected);
        of_settings_fini(&line);
    }
}

static void
wrong_variables_are_named(void **state)
{
    (void)state;
    struct of_command_line line;
    struct of_error err = { .text = "accepted" };
    assert_int_equal(of_settings_read(&line, OF_COMMAND_RUN, NONE, LIST("ORDERFLOW_MAX_RETRIES=x"), &err), OF_FATAL);
    assert_string_equal(err.text, "ORDERFLOW_MAX_RETRIES: 'x' is not a whole number (allowed: 0 to 1000)");
    of_settings_fini(&line);
}

static void
properties_that_delivery_depends_on_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {
        "enable.auto.commit", "enable.auto.offset.store", "isolation.level", "transactional.id", "enable.idempotence",
        "acks", "request.required.acks", "auto.offset.reset", "group.id", "group.instance.id", "bootstrap.servers",
        "metadata.broker.list", "enable.partition.eof", "max.in.flight", "max.in.flight.requests.per.connection",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(of_kafka_refused_property(names[i], "x"));
    assert_non_null(of_kafka_refused_property("partition.assignment.strategy", "cooperative-sticky"));
    assert_non_null(of_kafka_refused_property("partition.assignment.strategy", "range,cooperative-sticky"));
    assert_null(of_kafka_refused_property("partition.assignment.strategy", "roundrobin"));
    assert_null(of_kafka_refused_property("security.protocol", "ssl"));
}

/* Every row is complete, and its name leads to no other's variable. */
static void
the_table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < of_settings_table.count; i++) {
        const struct of_option *option = &of_settings_table.options[i];
        assert_true(option->commands != 0 && option->help != NULL && option->section != NULL);
        assert_true(option->type == OF_OPTION_BOOL || option->placeholder != NULL);
        assert_true(strncmp(option->name, "no-", 3) != 0);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(option->name, of_settings_table.options[k].name);
            assert_int_not_equal(option->offset, of_settings_table.options[k].offset);
        }
    }
}

static void
secrets_are_no_flags_and_are_not_shown(void **state)
{
    (void)state;
    static const char *const names[] = { "registry-password", "registry-token" };
    for (size_t i = 0; i < 2; i++) {
        char flag[64], text[64], *shown;
        size_t size;
        struct of_command_line line;
        struct of_error err = { 0 };
        snprintf(flag, sizeof flag, "--%s=hush", names[i]);
        assert_int_equal(of_settings_read(&line, OF_COMMAND_RUN, LIST(flag), NONE, &err), OF_FATAL);
        assert_non_null(strstr(err.text, i == 0 ? "set ORDERFLOW_REGISTRY_PASSWORD," : "set ORDERFLOW_REGISTRY_TOKEN,"));
        assert_null(strstr(err.text, "hush"));
        of_settings_fini(&line);
        snprintf(text, sizeof text, "%s = hush\n%s", names[i], i == 0 ? "registry-user = me\n" : "");
        temp_file_write(text);
        const struct of_settings *s = load(&line, OF_COMMAND_RUN, LIST("--config", temp_file), NONE);
        assert_string_equal(i == 0 ? s->registry_password : s->registry_token, "hush");
        FILE *out = open_memstream(&shown, &size);
        of_options_print(&line.options, out);
        fclose(out);
        assert_null(strstr(shown, "hush"));
        assert_non_null(strstr(shown, "***"));
        free(shown);
        of_settings_fini(&line);
    }
}

static void
credentials_of_the_registry_must_fit_together(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[5], *environment[3], *message;
    } rows[] = {
        { { "--registry-user=me", "--registry-token-file=x" }, { NULL }, "exclude each other" },
        { { NULL }, { "ORDERFLOW_REGISTRY_PASSWORD=x" }, "no --registry-user" },
        { { "--registry-user=me", "--registry-password-file=x" }, { "ORDERFLOW_REGISTRY_PASSWORD=x" }, "exclude" },
        { { "--registry-token-file=x" }, { "ORDERFLOW_REGISTRY_TOKEN=x" }, "exclude" },
        { { "--registry-key=x" }, { NULL }, "--registry-cert" },
        { { "--http-token-file=x" }, { "ORDERFLOW_HTTP_TOKEN=x" }, "http-token" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct of_command_line line;
        struct of_error err = { 0 };
        assert_int_equal(of_settings_read(&line, OF_COMMAND_RUN, rows[i].arguments, rows[i].environment, &err), OF_FATAL);
        if (strstr(err.text, rows[i].message) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err.text, rows[i].message);
        of_settings_fini(&line);
    }
}

static void
help_names_every_option_of_the_command(void **state)
{
    (void)state;
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    of_options_print_help(&of_settings_table, OF_COMMAND_PRODUCE, out);
    fclose(out);
    for (size_t i = 0; i < of_settings_table.count; i++) {
        const struct of_option *option = &of_settings_table.options[i];
        char flag[64];
        snprintf(flag, sizeof flag, "  --%s%s ", option->type == OF_OPTION_BOOL ? "[no-]" : "", option->name);
        if (option->is_secret) /* it is no flag */
            snprintf(flag, sizeof flag, "  (%s) ", option->name);
        bool belongs = option->commands >> OF_COMMAND_PRODUCE & 1;
        if ((strstr(text, flag) != NULL) != belongs)
            fail_msg("%s: %s", option->name, text);
    }
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= 110);
    free(text);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_file_make, temp_file_remove)
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_those_of_the_design),
        TEST(the_demo_has_defaults_of_its_own),
        TEST(flag_beats_environment_beats_file_beats_default),
        TEST(booleans_have_three_spellings),
        TEST(the_subject_follows_the_topic),
        TEST(properties_keep_their_order_and_flags_win),
        TEST(unknown_variables_are_warned_about),
        TEST(help_ends_everything),
        TEST(wrong_arguments_are_named),
        TEST(wrong_files_are_named_with_their_line),
        TEST(wrong_variables_are_named),
        TEST(properties_that_delivery_depends_on_are_refused),
        TEST(the_table_is_sound),
        TEST(secrets_are_no_flags_and_are_not_shown),
        TEST(credentials_of_the_registry_must_fit_together),
        TEST(help_names_every_option_of_the_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
