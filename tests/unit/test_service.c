/* What a service manager hears of a pipeline that runs on one thread under a clock that stands still, through a real
 * datagram socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <poll.h>
#include <unistd.h>
#include <cmocka.h>

#include "commands/service.h"
#include "support/world.h"

enum { WAIT_MS = 60000, HEARD_BYTES = 65536, SENDERS = 100 };

static struct world world;
static struct of_service *service;
static struct of_pipeline *_Atomic shown;
static bool asked_to_stop;
static int manager; /* the socket at which a service manager would listen */
static char path[64];

static bool
is_asked_to_stop(void)
{
    return asked_to_stop;
}

/* name: a path, or '@' and an abstract name. */
static void
listen_at(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(manager >= 0);
    assert_int_equal(bind(manager, (struct sockaddr *)&address, length), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
}

static int
set_up(void **state)
{
    (void)state;
    world_create(&world, &(struct world_options) { .partitions = 3 });
    atomic_store(&shown, NULL);
    asked_to_stop = false;
    manager = -1;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    snprintf(path, sizeof path, "/tmp/orderflow-service-%d", (int)getpid());
    unlink(path);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    of_service_close(&service);
    if (manager >= 0)
        close(manager);
    unlink(path);
    world_destroy(&world);
    return 0;
}

static void
open_service(bool by_hand)
{
    const struct of_service_options options = {
        .clock = by_hand ? &world.clock : of_clock_system(), .pipeline = &shown, .stopping = is_asked_to_stop,
        .by_hand = by_hand,
    };
    of_service_open(&options, &service);
}

static void
show(void)
{
    world_start(&world);
    atomic_store(&shown, atomic_load(&world.pipeline));
}

/* All that has come since, a '|' behind each message. */
static const char *
heard(void)
{
    static char text[HEARD_BYTES];
    char message[512];
    size_t at = 0;
    ssize_t length;
    text[0] = '\0';
    while ((length = recv(manager, message, sizeof message, MSG_DONTWAIT)) >= 0) {
        assert_true(at + (size_t)length + 2 < sizeof text);
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s|", (int)length, message);
    }
    return text;
}

static const char *
turn(void)
{
    of_service_turn(service);
    return heard();
}

static void
without_a_manager_there_is_no_service(void **state)
{
    (void)state;
    open_service(true);
    assert_null(service);
    of_service_reloading(service);
    of_service_reloaded(service);
    setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
    open_service(true);
    assert_null(service);
    char name[200];
    memset(name, '/', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    setenv("NOTIFY_SOCKET", name, 1);
    open_service(true);
    assert_null(service);
}

static void
ready_is_told_once_with_the_partitions(const char *name)
{
    listen_at(name);
    open_service(true);
    assert_string_equal(turn(), "STATUS=waiting for Kafka|");
    show();
    world.clock.fake_mono_ns += OF_SECOND_NS;
    assert_string_equal(turn(), "STATUS=waiting for the group to assign partitions|");
    world_pass_ms(&world, 1000);
    assert_string_equal(turn(), "READY=1|STATUS=6 partitions, 0 records read|");
    assert_string_equal(turn(), "");
    world_append_orders(&world, 0, 30);
    world_pass_ms(&world, 999);
    assert_string_equal(turn(), "");
    world_pass_ms(&world, 1);
    unsigned records = 0; /* those that had to wait for their schema are read twice */
    assert_int_equal(sscanf(turn(), "STATUS=6 partitions, %u records read", &records), 1);
    assert_true(records >= 30);
    of_service_close(&service);
    assert_string_equal(heard(), "STOPPING=1\nSTATUS=stopping|");
}

static void
ready_at_a_path(void **state)
{
    (void)state;
    ready_is_told_once_with_the_partitions(path);
}

static void
ready_at_an_abstract_name(void **state)
{
    (void)state;
    path[0] = '@';
    ready_is_told_once_with_the_partitions(path);
    path[0] = '/';
}

static void
waiting_is_ready_after_a_while(void **state)
{
    (void)state;
    listen_at(path);
    open_service(true);
    assert_string_equal(turn(), "STATUS=waiting for Kafka|");
    of_clock_advance(&world.clock, 10 * OF_SECOND_NS - 1);
    assert_string_equal(turn(), "");
    of_clock_advance(&world.clock, 1);
    assert_string_equal(turn(), "READY=1|");
    of_clock_advance(&world.clock, 10 * OF_SECOND_NS);
    assert_string_equal(turn(), "");
}

static void
the_watchdog_hears_of_threads_that_turn(void **state)
{
    (void)state;
    listen_at(path);
    setenv("WATCHDOG_USEC", "40000000", 1);
    open_service(true);
    show();
    turn();
    for (int i = 0; i < 8; i++) {
        world_pass_ms(&world, 9999);
        assert_null(strstr(turn(), "WATCHDOG"));
        world_pass_ms(&world, 1);
        assert_non_null(strstr(turn(), "WATCHDOG=1|"));
    }
    of_clock_advance(&world.clock, 20 * OF_SECOND_NS);
    assert_non_null(strstr(turn(), "WATCHDOG=1|")); /* half of the interval is not exceeded yet */
    for (int i = 0; i < 10; i++) {
        of_clock_advance(&world.clock, 10 * OF_SECOND_NS);
        assert_null(strstr(turn(), "WATCHDOG"));
    }
    world_pass_ms(&world, 1);
    assert_non_null(strstr(turn(), "WATCHDOG=1|"));
}

static void
the_watchdog_of_another_process_is_not_ours(void **state)
{
    (void)state;
    listen_at(path);
    setenv("WATCHDOG_USEC", "1000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    open_service(true);
    of_clock_advance(&world.clock, OF_SECOND_NS);
    assert_string_equal(turn(), "STATUS=waiting for Kafka|");
    of_service_close(&service);
    heard();
    char number[32];
    snprintf(number, sizeof number, "%d", (int)getpid());
    setenv("WATCHDOG_PID", number, 1);
    open_service(true);
    of_clock_advance(&world.clock, OF_SECOND_NS);
    assert_string_equal(turn(), "STATUS=waiting for Kafka|WATCHDOG=1|");
}

static void
stopping_is_told_once(void **state)
{
    (void)state;
    listen_at(path);
    open_service(true);
    show();
    world_pass_ms(&world, 100);
    turn();
    asked_to_stop = true;
    assert_string_equal(turn(), "STOPPING=1\nSTATUS=stopping|");
    world_pass_ms(&world, 2000);
    assert_string_equal(turn(), "");
    of_service_close(&service);
    assert_string_equal(heard(), "");
}

static void
an_end_by_itself_is_told(void **state)
{
    (void)state;
    struct of_totals totals;
    listen_at(path);
    open_service(true);
    show();
    world_pass_ms(&world, 100);
    turn();
    world_stop(&world, &totals);
    of_totals_fini(&totals);
    assert_string_equal(turn(), "STOPPING=1\nSTATUS=stopping|");
}

static void
reloading_ends_with_ready(void **state)
{
    (void)state;
    listen_at(path);
    open_service(true);
    show();
    world_pass_ms(&world, 100);
    turn();
    of_service_reloading(service);
    const char *text = heard();
    long long at = 0;
    assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%lld|", &at), 1);
    assert_true(at > 0);
    assert_string_equal(turn(), "");
    of_service_reloaded(service);
    assert_string_equal(heard(), "READY=1|");
    assert_string_equal(turn(), "");
}

/* Others send until one of them gets nothing in: what each may have under way is bounded as the queue is. */
static void
fill_queue(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strcpy(address.sun_path, path);
    int sent = 1;
    for (int i = 0; sent > 0; i++) {
        assert_true(i < SENDERS);
        int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_true(other >= 0);
        for (sent = 0; sendto(other, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof address) == 1;)
            sent++;
        close(other);
    }
}

/* Nothing waits for a manager that does not listen, and what it must know is told when it does again. */
static void
a_manager_that_is_behind_hears_it_later(void **state)
{
    (void)state;
    listen_at(path);
    open_service(true);
    fill_queue();
    show();
    world_pass_ms(&world, 100);
    of_service_turn(service);
    assert_null(strstr(heard(), "READY"));
    assert_string_equal(turn(), "READY=1|STATUS=6 partitions, 0 records read|");
}

static void
its_own_thread_tells(void **state)
{
    (void)state;
    listen_at(path);
    setenv("WATCHDOG_USEC", "400000", 1);
    open_service(false);
    char text[512];
    for (int messages = 0; messages < 3; messages++) {
        struct pollfd look = { .fd = manager, .events = POLLIN };
        assert_int_equal(poll(&look, 1, WAIT_MS), 1);
        ssize_t length = recv(manager, text, sizeof text - 1, 0);
        assert_true(length > 0);
        text[length] = '\0';
        assert_string_equal(text, messages == 0 ? "STATUS=waiting for Kafka" : "WATCHDOG=1");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_manager_there_is_no_service, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ready_at_a_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ready_at_an_abstract_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waiting_is_ready_after_a_while, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_watchdog_hears_of_threads_that_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_watchdog_of_another_process_is_not_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stopping_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_by_itself_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reloading_ends_with_ready, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_manager_that_is_behind_hears_it_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_own_thread_tells, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
