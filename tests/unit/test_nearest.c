#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/nearest.h"

static const char *
nearest(const char *word)
{
    static const char *const names[] = { "run", "produce", "help", "retry-delay-ms", "retry-topic", "topic" };
    struct of_nearest found = of_nearest_to(word);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        of_nearest_try(&found, names[i]);
    return found.name != NULL ? found.name : "nothing";
}

static void
suggests_what_is_close_and_nothing_else(void **state)
{
    (void)state;
    static const struct { const char *word, *name; } rows[] = {
        { "rum", "run" },          { "porduce", "produce" },   { "pro", "nothing" },    { "hlep", "help" },
        { "retry-dely-ms", "retry-delay-ms" }, { "tpoic", "topic" }, { "retri-topic", "retry-topic" },
        { "xyzxyz", "nothing" },   { "", "nothing" },          { "retry-delay", "retry-delay-ms" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(nearest(rows[i].word), rows[i].name);
}

static void
long_words_have_no_nearest_name(void **state)
{
    (void)state;
    char word[1000];
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    assert_string_equal(nearest(word), "nothing");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suggests_what_is_close_and_nothing_else),
        cmocka_unit_test(long_words_have_no_nearest_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
