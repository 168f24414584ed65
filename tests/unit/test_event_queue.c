#include "order/event_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { EVENTS = 5 }; /* no power of two */

static void
send(struct of_event_queue *queue, int64_t offset)
{
    struct of_event *event = of_event_queue_borrow(queue);
    assert_non_null(event);
    event->offset = offset;
    of_event_queue_send(queue, event);
}

static void
assert_receives(struct of_event_queue *queue, int64_t offset)
{
    struct of_event *event = of_event_queue_receive(queue);
    assert_non_null(event);
    assert_int_equal(event->offset, offset);
    of_event_queue_give_back(queue, event);
}

static void
events_arrive_in_order(void **state)
{
    (void)state;
    struct of_event_queue *queue = of_event_queue_create(EVENTS);
    assert_null(of_event_queue_receive(queue));
    for (int round = 0; round < 100; round++) {
        send(queue, 2 * round);
        send(queue, 2 * round + 1);
        assert_receives(queue, 2 * round);
        assert_receives(queue, 2 * round + 1);
    }
    assert_null(of_event_queue_receive(queue));
    of_event_queue_destroy(&queue);
    assert_null(queue);
    of_event_queue_destroy(&queue);
}

static void
no_more_than_its_size_are_under_way(void **state)
{
    (void)state;
    struct of_event_queue *queue = of_event_queue_create(EVENTS);
    for (int i = 0; i < EVENTS; i++)
        send(queue, i);
    assert_null(of_event_queue_borrow(queue));
    struct of_event *first = of_event_queue_receive(queue);
    assert_null(of_event_queue_borrow(queue)); /* received is not given back */
    of_event_queue_give_back(queue, first);
    send(queue, EVENTS);
    assert_null(of_event_queue_borrow(queue));
    for (int i = 1; i <= EVENTS; i++)
        assert_receives(queue, i);
    of_event_queue_destroy(&queue);
}

static void
what_is_not_sent_is_borrowed_again(void **state)
{
    (void)state;
    struct of_event_queue *queue = of_event_queue_create(1);
    for (int i = 0; i < 3; i++) {
        struct of_event *event = of_event_queue_borrow(queue);
        assert_non_null(event);
        assert_null(of_event_queue_borrow(queue));
        of_event_queue_unborrow(queue, event);
        assert_null(of_event_queue_receive(queue));
    }
    send(queue, 1);
    assert_receives(queue, 1);
    of_event_queue_destroy(&queue);
}

static void
what_is_dropped_is_counted(void **state)
{
    (void)state;
    struct of_event_queue *queue = of_event_queue_create(1);
    assert_int_equal(of_event_queue_dropped(queue), 0);
    of_event_queue_drop(queue, 3);
    of_event_queue_drop(queue, 4);
    assert_int_equal(of_event_queue_dropped(queue), 7);
    of_event_queue_destroy(&queue);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_arrive_in_order),
        cmocka_unit_test(no_more_than_its_size_are_under_way),
        cmocka_unit_test(what_is_not_sent_is_borrowed_again),
        cmocka_unit_test(what_is_dropped_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
