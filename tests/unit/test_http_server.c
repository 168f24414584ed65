#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/clock.h"
#include "ops/http_server.h"
#include "support/http_ask.h"

static struct of_http_server *server;
static struct http_answer answer;

static int calls;
static _Atomic int events;
static _Atomic int ticks;
static _Atomic int padding; /* bytes that every event is longer */

static unsigned
echo(void *context, const struct of_http_request *request, struct of_http_response *response)
{
    assert_ptr_equal(context, &calls);
    calls++;
    fprintf(response->body, "%s\n", request->path);
    response->events = strcmp(request->path, "/events") == 0;
    return strcmp(request->path, "/bad") == 0 ? 503 : 200;
}

static void
count_tick(void *context)
{
    (void)context;
    ticks++;
}

static void
write_event(void *context, FILE *out)
{
    assert_ptr_equal(context, &calls);
    fprintf(out, "event %d%*s\n", ++events, padding, "");
}

static enum of_status
open_at(const char *address, const char *token, struct of_http_server **out, struct of_error *err)
{
    static const char *const open_paths[] = { "/open", NULL };
    return of_http_server_open(&(struct of_http_server_options) {
        .address = address,
        .handler = echo,
        .event = write_event,
        .tick = count_tick,
        .context = &calls,
        .token = token,
        .open_paths = open_paths,
    }, out, err);
}

static int
open_server(void **state)
{
    (void)state;
    struct of_error err;
    calls = 0;
    padding = 0;
    return open_at("0", NULL, &server, &err) == OF_OK ? 0 : -1;
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
        if (open_at(addresses[i].given, NULL, &other, &err) != OF_OK)
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
    assert_int_equal(open_at(of_http_server_address(server), NULL, &other, &err), OF_FATAL);
    char expected[128];
    snprintf(expected, sizeof expected, "cannot listen on %s: the address is in use; choose another --http",
             of_http_server_address(server));
    assert_string_equal(err.text, expected);
    assert_null(other);
    assert_int_equal(open_at("192.0.2.1:0", NULL, &other, &err), OF_FATAL);
    assert_non_null(strstr(err.text, "no such address"));
}

/* ---- who may ask ---- */

static int
ask_with(const char *path, const char *header)
{
    char request[512];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n%s%s\r\n", path, header, header[0] != '\0' ? "\r\n" : "");
    int fd = http_connect(of_http_server_address(server));
    http_exchange(fd, request, &answer);
    close(fd);
    return answer.status;
}

static void
a_token_is_asked_for(void **state)
{
    (void)state;
    struct of_error err;
    of_http_server_close(&server);
    assert_int_equal(open_at("0", "open sesame", &server, &err), OF_OK);
    static const char *const wrong[] = {
        "Host: x", "Host: x\r\nAuthorization: Bearer", "Host: x\r\nAuthorization: Bearer ",
        "Host: x\r\nAuthorization: Bearer open sesam", "Host: x\r\nAuthorization: Bearer open sesame!",
        "Host: x\r\nAuthorization: Bearer Open sesame", "Host: x\r\nAuthorization: Basic open sesame",
        "Host: x\r\nAuthorization: open sesame", "Host: x\r\nAuthorization: Bearer open sesame\\0",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(ask_with("/good", wrong[i]), 401);
        assert_non_null(strcasestr(answer.text, "WWW-Authenticate: Bearer"));
        assert_int_equal(ask_with("/events", wrong[i]), 401);
        assert_null(strstr(answer.text, "open sesame"));
    }
    assert_int_equal(calls, 0);
    assert_int_equal(ask_with("/open", "Host: x"), 200);
    assert_int_equal(ask_with("/good", "Host: x\r\nAuthorization: Bearer open sesame"), 200);
    assert_int_equal(ask_with("/good", "Host: x\r\nauthorization: bearer open sesame"), 200);
    assert_int_equal(ask_with("/opened", "Host: x"), 401);
    assert_int_equal(calls, 3);
}

static void
names_of_other_hosts_are_refused(void **state)
{
    (void)state;
    static const char *const foreign[] = { "evil.example", "evil.example:8080", "127.0.0.1.evil.example",
                                           "localhost.evil.example" };
    static const char *const own[] = { "127.0.0.1", "127.0.0.1:8080", "localhost:8080", "[::1]:8080", "orderflow:80",
                                       "a.localhost", "192.168.1.2" };
    char header[128];
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        snprintf(header, sizeof header, "Host: %s", foreign[i]);
        assert_int_equal(ask_with("/good", header), 403);
    }
    assert_int_equal(calls, 0);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        snprintf(header, sizeof header, "Host: %s", own[i]);
        assert_int_equal(ask_with("/good", header), 200);
    }
    of_http_server_close(&server);
    struct of_error err;
    assert_int_equal(open_at("0.0.0.0:0", NULL, &server, &err), OF_OK);
    assert_false(of_http_server_is_local(server));
    assert_int_equal(ask_with("/good", "Host: orderflow.example"), 200);
}

/* ---- events ---- */

static void
it_ticks_while_nobody_listens(void **state)
{
    (void)state;
    int before = ticks, made = events;
    for (int i = 0; ticks < before + 2; i++) {
        assert_in_range(i, 0, 60000);
        nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
    }
    assert_int_equal(events, made);
}

/* Begins to listen; reads the head and the first event. */
static int
listen_to_events(char *text, size_t size)
{
    int fd = http_connect(of_http_server_address(server));
    const char request[] = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
    size_t length = 0;
    for (text[0] = '\0'; strstr(text, "\n\r\n") == NULL || strstr(text, "data: event") == NULL; text[length] = '\0') {
        ssize_t got = read(fd, text + length, size - 1 - length);
        assert_true(got > 0);
        length += (size_t)got;
    }
    return fd;
}

static void
everybody_who_listens_gets_the_same_events(void **state)
{
    (void)state;
    enum { LISTENERS = 20 };
    int fds[LISTENERS];
    char text[4096];
    int64_t began_ns = of_clock_mono_ns(of_clock_system());
    assert_int_equal(events, 0);
    for (int i = 0; i < LISTENERS; i++)
        fds[i] = listen_to_events(text, sizeof text);
    assert_non_null(strcasestr(text, "Content-Type: text/event-stream"));
    assert_non_null(strcasestr(text, "200 OK"));
    /* The next one is not made before all have begun: made once, and sent to all. */
    for (int i = 0; i < LISTENERS; i++) {
        size_t length = 0;
        for (text[0] = '\0'; strstr(text, "data: event") == NULL; text[length] = '\0') {
            ssize_t got = read(fds[i], text + length, sizeof text - 1 - length);
            assert_true(got > 0);
            length += (size_t)got;
        }
        ask("GET", "/good");
        assert_int_equal(answer.status, 200);
    }
    for (int i = 0; i < LISTENERS; i++)
        close(fds[i]);
    int64_t took_s = (of_clock_mono_ns(of_clock_system()) - began_ns) / OF_SECOND_NS;
    assert_in_range(events, 2, took_s + 3);
}

static void
listeners_are_bounded(void **state)
{
    (void)state;
    int fds[OF_HTTP_SERVER_STREAMS];
    char text[4096];
    for (int i = 0; i < OF_HTTP_SERVER_STREAMS; i++)
        fds[i] = listen_to_events(text, sizeof text);
    ask("GET", "/events");
    assert_int_equal(answer.status, 503);
    assert_non_null(strstr(answer.body, "listen to events already"));
    ask("GET", "/good");
    assert_int_equal(answer.status, 200);
    for (int i = 0; i < OF_HTTP_SERVER_STREAMS; i++)
        close(fds[i]);
}

/* Listens once there is room. */
static int
wait_to_listen(void)
{
    const char request[] = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";
    char text[16] = "";
    for (int tries = 0; tries < 100; tries++) {
        int fd = http_connect(of_http_server_address(server));
        assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
        assert_int_equal(recv(fd, text, 12, MSG_WAITALL), 12);
        if (strcmp(text, "HTTP/1.1 200") == 0)
            return fd;
        assert_string_equal(text, "HTTP/1.1 503");
        close(fd);
        sleep(1);
    }
    fail_msg("no room to listen");
    return -1;
}

/* Twenty who ask and read nothing do not keep anybody else waiting. Events are larger than what the kernel holds for
 * them, so they are given up in the end. */
static void
those_who_read_nothing_hurt_nobody(void **state)
{
    (void)state;
    enum { SLOW = 20 };
    int slow[SLOW];
    int before = events;
    padding = 16 << 20;
    const char request[] = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";
    for (int i = 0; i < SLOW; i++) {
        slow[i] = http_connect(of_http_server_address(server));
        assert_int_equal(write(slow[i], request, sizeof request - 1), sizeof request - 1);
    }
    for (int i = 0; i < 50; i++) {
        ask("GET", "/good");
        assert_int_equal(answer.status, 200);
    }
    for (int i = 0; events < before + 2; i++) { /* every one of them is being sent one */
        assert_in_range(i, 0, 60);
        sleep(1);
    }
    /* Their places among those who listen become free. */
    padding = 0;
    int others[OF_HTTP_SERVER_STREAMS];
    for (int i = 0; i < OF_HTTP_SERVER_STREAMS; i++)
        others[i] = wait_to_listen();
    for (int i = 0; i < OF_HTTP_SERVER_STREAMS; i++)
        close(others[i]);
    of_http_server_close(&server);
    assert_null(server);
    for (int i = 0; i < SLOW; i++)
        close(slow[i]);
}

static void
it_closes_while_others_listen(void **state)
{
    (void)state;
    char text[4096];
    int fd = listen_to_events(text, sizeof text);
    of_http_server_close(&server);
    assert_null(server);
    while (read(fd, text, sizeof text) > 0)
        continue;
    close(fd);
}

/* One byte every second is not nothing, but after ten seconds it is not a request either. */
static void
requests_that_trickle_in_are_given_up(void **state)
{
    (void)state;
    int fd = http_connect(of_http_server_address(server));
    const char request[] = "GET /good HTTP/1.1\r\nHost: x\r\nX-Long: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    char byte;
    size_t sent = 0;
    bool open = true;
    for (; open && sent < 60; sent++) {
        open = send(fd, request + sent, 1, MSG_NOSIGNAL) == 1;
        sleep(1);
        ssize_t got = open ? recv(fd, &byte, 1, MSG_DONTWAIT) : 0;
        open = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    }
    assert_false(open);
    assert_int_equal(calls, 0);
    close(fd);
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
        TEST(a_token_is_asked_for),
        TEST(names_of_other_hosts_are_refused),
        TEST(it_ticks_while_nobody_listens),
        TEST(everybody_who_listens_gets_the_same_events),
        TEST(listeners_are_bounded),
        TEST(those_who_read_nothing_hurt_nobody),
        TEST(it_closes_while_others_listen),
        TEST(requests_that_trickle_in_are_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
