#include "commands/schema_explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "commands/schema_file.h"

#define LIST(...) (const char *[]) { __VA_ARGS__, NULL }

/* What is printed for these options; *good: it has a plan. */
static char *
explained(const char *const *arguments, const char *schema, const char *reader, bool *good)
{
    struct of_command_line line;
    struct of_error err;
    if (of_settings_read(&line, OF_COMMAND_SCHEMA, arguments, (const char *[]) { NULL }, &err) != OF_OK)
        fail_msg("%s", err.text);
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct of_schema_source *source = of_schema_source_create(schema);
    *good = of_schema_explain_source(&line.settings, source, reader, out);
    of_schema_source_destroy(&source);
    fclose(out);
    of_settings_fini(&line);
    return text;
}

static const char sale[] =
    "{\"type\":\"record\",\"name\":\"Sale\",\"fields\":["
    "{\"name\":\"key\",\"type\":\"long\"},"
    "{\"name\":\"tags\",\"type\":{\"type\":\"map\",\"values\":\"string\"}},"
    "{\"name\":\"item\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"Item\",\"fields\":["
    "{\"name\":\"kind\",\"type\":\"string\"},"
    "{\"name\":\"paid\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}}]}]}]}";

static void
fields_and_steps_are_explained(void **state)
{
    (void)state;
    bool good;
    char *text = explained(LIST("explain", "--id-field=key", "--group-by-field=item.kind", "--value-field=item.paid"), sale,
                           NULL, &good);
    assert_true(good);
    assert_string_equal(text, "record Sale\n"
                              "  key        long                           id\n"
                              "  tags       map of string                  passed over\n"
                              "  item       union of null and record Item  looked into\n"
                              "  item.kind  string                         group\n"
                              "  item.paid  decimal(9,2) as bytes          value\n"
                              "\n"
                              "steps\n"
                              "   0  long     -> id   # key: long\n"
                              "   1  loop       # tags: map of string\n"
                              "   2  block    or 6\n"
                              "   3  bytes\n"
                              "   4  bytes\n"
                              "   5  next     2\n"
                              "   6  union    0:7 1:9   # item: union of null and record Item\n"
                              "   7  null\n"
                              "   8  jump     11\n"
                              "   9  bytes    -> group   # item.kind: string\n"
                              "  10  decimal  / 10^2 -> value   # item.paid: decimal(9,2) as bytes\n"
                              "  11  end\n");
    free(text);
}

static void
a_schema_that_cannot_be_used_is_explained_too(void **state)
{
    (void)state;
    bool good;
    char *text = explained(LIST("explain"), sale, NULL, &good);
    assert_false(good);
    assert_non_null(strstr(text, "dead letters (unresolvable_schema): the record Sale has no field \"price\" to take the "
                                 "value from; set --value-field"));
    free(text);
    text = explained(LIST("explain"), sale, "\"int\"", &good);
    assert_false(good);
    assert_non_null(strstr(text, "the writer's record Sale cannot be read as the reader's int"));
    free(text);
}

static void
files_are_read_and_checked(void **state)
{
    (void)state;
    static const struct {
        const char *content;
        size_t length;
        const char *complaint;
    } rows[] = {
        { "\"int\"\n", 6, NULL },
        { "{", 1, "the schema is not valid JSON" },
        { "\"nosuch\"", 8, "the schema is not valid Avro" },
        { "\"int\"\0", 6, "it has a byte 0" },
    };
    char path[] = "/tmp/orderflow-schema-XXXXXX";
    close(mkstemp(path));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        FILE *file = fopen(path, "w");
        fwrite(rows[i].content, 1, rows[i].length, file);
        fclose(file);
        char *text;
        struct of_error err;
        enum of_status status = of_schema_file_read(path, &text, &err);
        assert_int_equal(status, rows[i].complaint == NULL ? OF_OK : OF_FATAL);
        if (rows[i].complaint != NULL && (text != NULL || strstr(err.text, rows[i].complaint) == NULL))
            fail_msg("%s", err.text);
        free(text);
    }
    unlink(path);
    char *text;
    struct of_error err;
    assert_int_equal(of_schema_file_read(path, &text, &err), OF_FATAL);
    assert_non_null(strstr(err.text, "No such file"));
    struct of_command_line line;
    assert_int_equal(of_settings_read(&line, OF_COMMAND_RUN, LIST("--reader-schema", path), (const char *[]) { NULL }, &err),
                     OF_FATAL);
    assert_non_null(strstr(err.text, "--reader-schema: "));
    of_settings_fini(&line);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_steps_are_explained),
        cmocka_unit_test(a_schema_that_cannot_be_used_is_explained_too),
        cmocka_unit_test(files_are_read_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
