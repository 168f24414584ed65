#include "stages/ledger.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "stages/aggregate.h"

enum { SLOTS = 2, ROWS_MOST = 4 };

/* A barrier that carries what a test says. */
struct carried {
    struct of_barrier barrier;
    struct of_reached reached[SLOTS];
    struct of_snapshot snapshots[2]; /* of aggregate instances 0 and 5 */
    struct of_snapshot_row rows[2][ROWS_MOST];
};

static void
carry(struct carried *carried)
{
    *carried = (struct carried) { .barrier = { .slot_count = SLOTS } };
    carried->barrier.reached = carried->reached;
    for (int i = 0; i < 2; i++)
        carried->snapshots[i].rows = carried->rows[i];
    carried->barrier.snapshots[0] = &carried->snapshots[0];
    carried->barrier.snapshots[5] = &carried->snapshots[1];
    for (int i = 0; i < SLOTS; i++)
        carried->reached[i].next_offset = -1;
}

/* Absolute values, as of the barrier. */
static void
carry_row(struct carried *carried, int instance, uint32_t slot, uint32_t group, int count, double each)
{
    struct of_snapshot *snapshot = &carried->snapshots[instance];
    struct of_snapshot_row *row = &snapshot->rows[snapshot->count++];
    row->slot = slot;
    row->group = group;
    of_aggregate_init(&row->aggregate);
    for (int i = 0; i < count; i++)
        of_aggregate_add(&row->aggregate, each);
}

static void
assert_run(struct of_ledger *ledger, uint32_t group, uint64_t count, double sum)
{
    struct of_table table = { 0 };
    uint64_t retries = 0, dead_letters = 0;
    of_ledger_add_run(ledger, &table, &retries, &dead_letters);
    const struct of_row *row = of_table_row(&table, group);
    assert_int_equal(row->aggregate.count, count);
    assert_true(of_exact_sum_round(&row->aggregate.sum) == sum);
    of_table_fini(&table);
}

static void
assert_letters(struct of_ledger *ledger, uint64_t wanted_retries, uint64_t wanted_dead_letters)
{
    struct of_table table = { 0 };
    uint64_t retries = 1000, dead_letters = 2000; /* it adds */
    of_ledger_add_run(ledger, &table, &retries, &dead_letters);
    assert_int_equal(retries, 1000 + wanted_retries);
    assert_int_equal(dead_letters, 2000 + wanted_dead_letters);
    of_table_fini(&table);
}

static void
assert_live(const struct of_ledger *ledger, uint64_t count, double sum)
{
    uint64_t live_count = 0;
    struct of_exact_sum live_sum = { 0 };
    of_live_total_add_to(&ledger->live, &live_count, &live_sum);
    assert_int_equal(live_count, count);
    assert_true(of_exact_sum_round(&live_sum) == sum);
}

static void
test_what_a_barrier_carries_is_committed(void **state)
{
    (void)state;
    struct of_ledger ledger;
    struct carried carried;
    const int64_t starts[SLOTS] = { 100, 0 };
    of_ledger_init(&ledger);
    of_ledger_open(&ledger, starts, SLOTS);
    assert_int_equal(ledger.slots[0].committed, 100);

    carry(&carried);
    carried.reached[0] = (struct of_reached) { .next_offset = 110, .retries = 3, .dead_letters = 1 };
    carry_row(&carried, 0, 0, 1, 4, 2.5);
    of_ledger_commit(&ledger, &carried.barrier);
    assert_int_equal(ledger.slots[0].committed, 110);
    assert_int_equal(ledger.slots[1].committed, 0);
    assert_run(&ledger, 1, 4, 10);

    carry(&carried); /* both instances, both slots; rows are absolute, letters are not */
    carried.reached[0] = (struct of_reached) { .next_offset = 120, .retries = 2 };
    carried.reached[1] = (struct of_reached) { .next_offset = 7, .dead_letters = 5 };
    carry_row(&carried, 0, 0, 1, 6, 2.5);
    carry_row(&carried, 1, 1, 1, 1, 100);
    carry_row(&carried, 1, 1, 2, 1, 3);
    of_ledger_commit(&ledger, &carried.barrier);
    assert_int_equal(ledger.slots[0].committed, 120);
    assert_int_equal(ledger.slots[1].committed, 7);
    assert_run(&ledger, 1, 7, 115);
    assert_run(&ledger, 2, 1, 3);
    assert_letters(&ledger, 5, 6);
    of_ledger_fini(&ledger);
}

/* A slot that failed before the barrier: neither its offset nor its rows nor its letters count. */
static void
test_a_slot_that_reached_nothing_is_left_alone(void **state)
{
    (void)state;
    struct of_ledger ledger;
    struct carried carried;
    const int64_t starts[SLOTS] = { 10, 20 };
    of_ledger_init(&ledger);
    of_ledger_open(&ledger, starts, SLOTS);
    carry(&carried);
    carried.reached[0] = (struct of_reached) { .next_offset = -1, .retries = 9, .dead_letters = 9 };
    carried.reached[1] = (struct of_reached) { .next_offset = 5 }; /* a commit never goes back */
    carry_row(&carried, 0, 0, 1, 1, 1);
    carry_row(&carried, 0, 1, 1, 1, 8);
    of_ledger_commit(&ledger, &carried.barrier);
    assert_int_equal(ledger.slots[0].committed, 10);
    assert_int_equal(ledger.slots[1].committed, 20);
    assert_int_equal(ledger.slots[0].table.count, 0);
    assert_run(&ledger, 1, 1, 8);
    assert_letters(&ledger, 0, 0);
    of_ledger_fini(&ledger);
}

static void
test_earlier_assignments_stay_counted(void **state)
{
    (void)state;
    struct of_ledger ledger;
    struct carried carried;
    const int64_t starts[SLOTS] = { 0, 0 };
    of_ledger_init(&ledger);
    for (int assignment = 1; assignment <= 3; assignment++) {
        of_ledger_open(&ledger, starts, SLOTS);
        carry(&carried);
        carried.reached[1].next_offset = 10;
        carry_row(&carried, 0, 1, 3, assignment, 1);
        of_ledger_commit(&ledger, &carried.barrier);
        assert_live(&ledger, assignment * (assignment - 1) / 2, assignment * (assignment - 1) / 2);
        of_ledger_retire(&ledger);
        assert_int_equal(ledger.count, 0);
        assert_run(&ledger, 3, assignment * (assignment + 1) / 2, assignment * (assignment + 1) / 2);
        assert_live(&ledger, assignment * (assignment + 1) / 2, assignment * (assignment + 1) / 2);
    }
    of_ledger_fini(&ledger);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_barrier_carries_is_committed),
        cmocka_unit_test(test_a_slot_that_reached_nothing_is_left_alone),
        cmocka_unit_test(test_earlier_assignments_stay_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
