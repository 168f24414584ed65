#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/clock.h"
#include "ops/http_server.h"
#include "support/http_ask.h"

static struct of_http_server *server;
static struct http_answer answer;

static unsigned
echo(void *context, const char *path, FILE *body)
{
    ++*(int *)context;
    fprintf(body, "%s\n", path);
    return strcmp(path, "/bad") == 0 ? 503 : 200;
}

static int calls;

static int
open_server(void **state)
{
    (void)state;
    struct of_error err;
    calls = 0;
    return of_http_server_open("0", echo, &calls, &server, &err) == OF_OK ? 0 : -1;
}

static int
close_server(void **state)
{
    (void)state;
    of_http_server_close(&server);
    return 0;
}

static void
ask(const char *method, const char *path)
{
    http_ask(of_http_server_address(server), method, path, &answer);
}

static void
get_is_answered_by_the_handler(void **state)
{
    (void)state;
    ask("GET", "/good?query=1");
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "/good\n");
    assert_non_null(strcasestr(answer.text, "Content-Type: application/json"));
    ask("GET", "/bad");
    assert_int_equal(answer.status, 503);
    assert_int_equal(calls, 2);
}

static void
head_has_no_body(void **state)
{
    (void)state;
    ask("HEAD", "/bad");
    assert_int_equal(answer.status, 503);
    assert_string_equal(answer.body, "");
    assert_non_null(strcasestr(answer.text, "Content-Length: 5"));
}

static void
nothing_else_reaches_the_handler(void **state)
{
    (void)state;
    static const char *const methods[] = { "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW" };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        ask(methods[i], "/good");
        assert_int_equal(answer.status, 405);
        assert_non_null(strcasestr(answer.text, "Allow: GET, HEAD"));
    }
    assert_int_equal(calls, 0);
}

static void
a_connection_serves_several_requests(void **state)
{
    (void)state;
    int fd = http_connect(of_http_server_address(server));
    for (int i = 0; i < 3; i++) {
        http_exchange(fd, "GET /good HTTP/1.1\r\nHost: x\r\n\r\n", &answer);
        assert_int_equal(answer.status, 200);
    }
    close(fd);
    assert_int_equal(calls, 3);
}

static void
bodies_and_large_heads_are_refused(void **state)
{
    (void)state;
    static char request[20000];
    int fd = http_connect(of_http_server_address(server));
    http_exchange(fd, "POST /good HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{", &answer);
    assert_int_equal(answer.status, 405);
    close(fd);
    strcpy(request, "GET /good HTTP/1.1\r\nHost: x\r\nX: ");
    memset(request + strlen(request), 'x', 15000);
    strcat(request, "\r\n\r\n");
    fd = http_connect(of_http_server_address(server));
    http_exchange(fd, request, &answer);
    assert_int_not_equal(answer.status, 200);
    close(fd);
    fd = http_connect(of_http_server_address(server));
    http_exchange(fd, "\x01\x02 nonsense\r\n\r\n", &answer);
    assert_int_not_equal(answer.status, 200);
    close(fd);
    assert_int_equal(calls, 0);
    ask("GET", "/good");
    assert_int_equal(answer.status, 200);
}

/* Those who connect and say nothing keep others out for seconds at most. */
static void
silent_connections_are_few_and_end(void **state)
{
    (void)state;
    int silent[OF_HTTP_SERVER_CONNECTIONS];
    for (int i = 0; i < OF_HTTP_SERVER_CONNECTIONS; i++)
        silent[i] = http_connect(of_http_server_address(server));
    int64_t began_ns = of_clock_mono_ns(of_clock_system());
    ask("GET", "/good");
    int64_t took_ns = of_clock_mono_ns(of_clock_system()) - began_ns;
    assert_int_equal(answer.status, 200);
    assert_true(took_ns > 2 * OF_SECOND_NS);
    assert_true(took_ns < 15 * OF_SECOND_NS);
    for (int i = 0; i < OF_HTTP_SERVER_CONNECTIONS; i++)
        close(silent[i]);
}

static void
it_closes_while_others_are_connected(void **state)
{
    (void)state;
    int fd = http_connect(of_http_server_address(server));
    int64_t began_ns = of_clock_mono_ns(of_clock_system());
    of_http_server_close(&server);
    assert_null(server);
    assert_true(of_clock_mono_ns(of_clock_system()) - began_ns < 3 * OF_SECOND_NS);
    close(fd);
}

static void
addresses_are_what_they_say(void **state)
{
    (void)state;
    static const struct { const char *given, *listens; } addresses[] = {
        { "0", "127.0.0.1:" }, { "127.0.0.1:0", "127.0.0.1:" }, { "localhost:0", NULL }, { "0.0.0.0:0", "0.0.0.0:" },
        { "127.0.0.2:0", "127.0.0.2:" },
    };
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct of_http_server *other;
        struct of_error err;
        if (of_http_server_open(addresses[i].given, echo, &calls, &other, &err) != OF_OK)
            fail_msg("%s", err.text);
        if (addresses[i].listens != NULL)
            assert_memory_equal(of_http_server_address(other), addresses[i].listens, strlen(addresses[i].listens));
        http_ask(of_http_server_address(other), "GET", "/good", &answer);
        assert_int_equal(answer.status, 200);
        of_http_server_close(&other);
    }
}

static void
wrong_addresses_are_told(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", ":", "host", "host:", ":80", "1:2:3", "::1:80", "[]:80", "host:port", "host:65536", "host:123456", "-1",
        "host:80/path", "http://host:80/",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (of_http_server_complaint(wrong[i]) == NULL)
            fail_msg("accepted: %s", wrong[i]);
    static const char *const right[] = { "80", "host:80", "[::1]:80", "0.0.0.0:0", "65535" };
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_null(of_http_server_complaint(right[i]));
}

static void
an_address_in_use_is_told(void **state)
{
    (void)state;
    struct of_http_server *other = NULL;
    struct of_error err;
    assert_int_equal(of_http_server_open(of_http_server_address(server), echo, &calls, &other, &err), OF_FATAL);
    char expected[128];
    snprintf(expected, sizeof expected, "cannot listen on %s: the address is in use; choose another --http",
             of_http_server_address(server));
    assert_string_equal(err.text, expected);
    assert_null(other);
    assert_int_equal(of_http_server_open("192.0.2.1:0", echo, &calls, &other, &err), OF_FATAL);
    assert_non_null(strstr(err.text, "no such address"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_server, close_server)
    const struct CMUnitTest tests[] = {
        TEST(get_is_answered_by_the_handler),
        TEST(head_has_no_body),
        TEST(nothing_else_reaches_the_handler),
        TEST(a_connection_serves_several_requests),
        TEST(bodies_and_large_heads_are_refused),
        TEST(silent_connections_are_few_and_end),
        TEST(it_closes_while_others_are_connected),
        TEST(addresses_are_what_they_say),
        TEST(wrong_addresses_are_told),
        TEST(an_address_in_use_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
