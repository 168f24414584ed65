/* What `orderflow config` prints, and the configuration file that the project ships. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "commands/settings.h"
#include "kafka/options.h"
#include "support/temp_file.h"

#define LIST(...) (const char *[]) { __VA_ARGS__, NULL }
#define NONE (const char *[]) { NULL }

static char *
template(void)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    of_options_print_template(&of_settings_table, out);
    fclose(out);
    return text;
}

static char *
printed(enum of_command_index command, const char *const *arguments, const char *const *environment)
{
    struct of_command_line line;
    struct of_error err;
    if (of_settings_read(&line, command, arguments, environment, &err) != OF_OK)
        fail_msg("%s", err.text);
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    of_options_print(&line.options, out);
    fclose(out);
    of_settings_fini(&line);
    return text;
}

/* Whether there is a line of these words, in this order, whatever the spaces between them. */
static bool
has_line(const char *text, const char *words)
{
    char line[512];
    for (const char *at = text; *at != '\0'; at += strspn(at, "\n")) {
        size_t length = 0;
        for (; *at != '\0' && *at != '\n'; at++)
            if (*at != ' ' || (length > 0 && line[length - 1] != ' '))
                line[length++] = *at;
        line[length] = '\0';
        if (strcmp(line, words) == 0)
            return true;
    }
    return false;
}

static void
assert_line(const char *text, const char *words)
{
    if (!has_line(text, words))
        fail_msg("no line '%s' in:\n%s", words, text);
}

static void
every_value_says_where_it_comes_from(void **state)
{
    (void)state;
    temp_file_write("# first\nmax-retries = 7\nretry-delay-ms = 9\nkafka.linger.ms = 5\ncount = 3\n");
    char *text = printed(OF_COMMAND_RUN, LIST("--config", temp_file, "--seed=4", "--retry-delay-ms=8", "-Xa.b=c"),
                         LIST("ORDERFLOW_GROUP=two words"));
    char words[256];
    snprintf(words, sizeof words, "max-retries 7 %s:2", temp_file);
    assert_line(text, words);
    snprintf(words, sizeof words, "kafka.linger.ms 5 %s:4", temp_file);
    assert_line(text, words);
    snprintf(words, sizeof words, "config %s flag", temp_file);
    assert_line(text, words);
    assert_line(text, "retry-delay-ms 8 flag");
    assert_line(text, "seed 4 flag");
    assert_line(text, "group two words environment");
    assert_line(text, "brokers localhost:9092 default");
    assert_line(text, "min-value - default");
    assert_line(text, "kafka.a.b c flag");
    assert_null(strstr(text, "first-id"));
    free(text);
}

static void
all_commands_together_show_every_option(void **state)
{
    (void)state;
    char *text = printed(OF_COMMAND_ALL, LIST("--count=5", "--max-retries=1"), NONE);
    assert_line(text, "count 5 flag");
    assert_line(text, "max-retries 1 flag");
    for (size_t i = 0; i < of_settings_table.count; i++) {
        char name[64];
        snprintf(name, sizeof name, "  %s ", of_settings_table.options[i].name);
        assert_non_null(strstr(text, name));
    }
    free(text);
}

static void
passwords_are_not_shown(void **state)
{
    (void)state;
    static const char *const names[] = {
        "sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem",
        "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_true(of_kafka_secret_property(names[i]));
        char argument[128], words[128];
        snprintf(argument, sizeof argument, "-X%s=geheim", names[i]);
        snprintf(words, sizeof words, "kafka.%s *** flag", names[i]);
        char *text = printed(OF_COMMAND_RUN, LIST(argument), NONE);
        assert_line(text, words);
        assert_null(strstr(text, "geheim"));
        free(text);
    }
    assert_false(of_kafka_secret_property("sasl.username"));
    char *text = printed(OF_COMMAND_RUN, NONE, LIST("ORDERFLOW_REGISTRY=http://me:geheim@a:1,https://you:geheim@b"));
    assert_line(text, "registry http://a:1,https://b environment");
    assert_null(strstr(text, "geheim"));
    free(text);
}

static void
passwords_are_not_told_in_errors(void **state)
{
    (void)state;
    struct of_command_line line;
    struct of_error err = { .text = "accepted" };
    (void)!of_settings_read(&line, OF_COMMAND_RUN, LIST("--registry=me:geheim@host:8081"), NONE, &err);
    assert_non_null(strstr(err.text, "--registry: 'host:8081' is no address of a registry"));
    of_settings_fini(&line);
    const struct of_kafka_property property = { "ssl.key.pem", "geheim" };
    (void)!of_kafka_check_properties(&(struct of_kafka_options) { .properties = &property, .property_count = 1 }, &err);
    assert_null(strstr(err.text, "geheim"));
}

static void
terminals_get_no_control_characters(void **state)
{
    (void)state;
    char *text = printed(OF_COMMAND_RUN, LIST("--group=a\033[2Jb"), NONE);
    assert_line(text, "group a\\x1B[2Jb flag");
    free(text);
}

/* ---- the file that is shipped ---- */

static char *
shipped(const char *name)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s/%s", ORDERFLOW_SOURCE_DIR, name);
    FILE *file = fopen(whole, "r");
    assert_non_null(file);
    char *text = calloc(1, 1 << 16);
    size_t length = fread(text, 1, (1 << 16) - 1, file);
    assert_true(length > 0 && feof(file));
    fclose(file);
    return text;
}

static void
the_shipped_file_is_current(void **state)
{
    (void)state;
    char *expected = template(), *found = shipped("etc/orderflow.conf");
    if (strcmp(expected, found) != 0)
        fail_msg("etc/orderflow.conf is not what the options are: orderflow config template >etc/orderflow.conf");
    free(expected);
    free(found);
}

/* "Without a flag: `a`, `b`." in docs/configuration.md. */
static void
the_documents_name_every_option_without_a_flag(void **state)
{
    (void)state;
    char *text = shipped("docs/configuration.md"), *list = strstr(text, "\nWithout a flag: ");
    assert_non_null(list);
    list[1 + strcspn(list + 1, ".")] = '\0';
    for (size_t i = 0; i < of_settings_table.count; i++) {
        char name[64];
        snprintf(name, sizeof name, "`%s`", of_settings_table.options[i].name);
        if ((strstr(list, name) != NULL) != of_settings_table.options[i].is_secret)
            fail_msg("docs/configuration.md: is %s a flag?", name);
    }
    free(text);
}

static void
the_shipped_file_names_every_option(void **state)
{
    (void)state;
    char *text = shipped("etc/orderflow.conf");
    for (size_t i = 0; i < of_settings_table.count; i++) {
        const struct of_option *option = &of_settings_table.options[i];
        char setting[256];
        snprintf(setting, sizeof setting, "\n#%s =%s%s\n", option->name, option->initial != NULL ? " " : "",
                 option->initial != NULL ? option->initial : "");
        if ((strstr(text, setting) != NULL) == option->is_file)
            fail_msg("%s", option->name);
    }
    free(text);
}

/* As it is, and with every value that it proposes made active: the settings are the defaults. */
static void
the_shipped_file_loads(void **state)
{
    (void)state;
    char *text = shipped("etc/orderflow.conf");
    for (int active = 0; active < 2; active++) {
        FILE *file = fopen(temp_file, "w");
        int settings = 0;
        char *copy = strdup(text), *rest = copy;
        for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
            size_t length = strlen(line);
            bool setting = line[0] == '#' && line[1] != ' ' && length > 1 && line[length - 1] != '=';
            bool taken = active && setting && strncmp(line, "#kafka.", 7) != 0;
            settings += taken;
            fprintf(file, "%s\n", line + taken);
        }
        free(copy);
        fclose(file);
        assert_true(active ? settings > 30 : settings == 0);
        for (unsigned command = 0; command < OF_COMMAND_COUNT; command++) {
            struct of_command_line line;
            struct of_error err;
            const enum of_command_index index = (enum of_command_index)command;
            if (of_settings_read(&line, index, LIST("--config", temp_file), NONE, &err) != OF_OK)
                fail_msg("%s", err.text);
            for (size_t i = 0; i < of_settings_table.count; i++) {
                const struct of_option *option = &of_settings_table.options[i];
                const char *found = of_options_text(&line.options, i);
                const char *expected = active ? option->initial : of_option_initial(option, command);
                if (!option->is_file)
                    assert_string_equal(found != NULL ? found : "", expected != NULL ? expected : "");
            }
            of_settings_fini(&line);
        }
    }
    free(text);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_file_make, temp_file_remove)
    const struct CMUnitTest tests[] = {
        TEST(every_value_says_where_it_comes_from),
        TEST(all_commands_together_show_every_option),
        TEST(passwords_are_not_shown),
        TEST(passwords_are_not_told_in_errors),
        TEST(terminals_get_no_control_characters),
        TEST(the_shipped_file_is_current),
        TEST(the_documents_name_every_option_without_a_flag),
        TEST(the_shipped_file_names_every_option),
        TEST(the_shipped_file_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
