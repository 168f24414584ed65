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

/* What is kept beside the rows is what they add up to. */
static void
assert_sum(struct of_ledger *ledger,
           void (*add)(struct of_ledger *ledger, struct of_aggregate *sum, struct of_letter_counts *letters),
           const struct of_table *table, const struct of_letter_counts *letters)
{
    struct of_aggregate sum;
    struct of_letter_counts found = { 0 };
    of_aggregate_init(&sum);
    add(ledger, &sum, &found);
    for (uint32_t i = 0; i < table->count; i++)
        of_aggregate_subtract(&sum, &table->rows[i].aggregate);
    assert_int_equal(sum.count, 0);
    assert_true(of_exact_sum_is_zero(&sum.sum));
    assert_int_equal(found.retries, letters->retries);
    assert_int_equal(found.dead_letters, letters->dead_letters);
    of_aggregate_fini(&sum);
}

static void
assert_run(struct of_ledger *ledger, uint32_t group, uint64_t count, double sum)
{
    struct of_table table = { 0 };
    struct of_letter_counts letters = { 0 };
    of_ledger_add_run(ledger, &table, &letters);
    assert_sum(ledger, of_ledger_add_run_sum, &table, &letters);
    const struct of_row *row = of_table_row(&table, group);
    assert_int_equal(row->aggregate.count, count);
    assert_true(of_exact_sum_round(&row->aggregate.sum) == sum);
    of_table_fini(&table);
}

static void
assert_letters(struct of_ledger *ledger, uint64_t wanted_retries, uint64_t wanted_dead_letters)
{
    struct of_table table = { 0 };
    struct of_letter_counts letters = { 1000, 2000 }; /* it adds */
    of_ledger_add_run(ledger, &table, &letters);
    assert_int_equal(letters.retries, 1000 + wanted_retries);
    assert_int_equal(letters.dead_letters, 2000 + wanted_dead_letters);
    of_table_fini(&table);
}

static void
assert_total(struct of_ledger *ledger, uint32_t group, uint64_t count, double sum, uint64_t wanted_retries)
{
    struct of_table table = { 0 };
    struct of_letter_counts letters = { 0 };
    of_ledger_add_total(ledger, &table, &letters);
    assert_sum(ledger, of_ledger_add_total_sum, &table, &letters);
    const struct of_row *row = of_table_row(&table, group);
    assert_int_equal(row->aggregate.count, count);
    assert_true(of_exact_sum_round(&row->aggregate.sum) == sum);
    assert_int_equal(letters.retries, wanted_retries);
    of_table_fini(&table);
}

/* A slot whose recorded state holds `count` orders of one group, each of that value, up to next_offset. */
static void
restore(struct of_ledger *ledger, uint32_t slot, int64_t next_offset, uint32_t group, int count, double each,
        uint64_t retries)
{
    struct of_slot_state state;
    of_slot_state_init(&state);
    state.next_offset = next_offset;
    state.retries = retries;
    for (int i = 0; i < count; i++)
        of_aggregate_add(&of_table_row(&state.table, group)->aggregate, each);
    of_ledger_restore(ledger, slot, &state, next_offset);
    of_slot_state_fini(&state);
}

static void
open_at(struct of_ledger *ledger, const int64_t *starts)
{
    of_ledger_open(ledger, SLOTS);
    for (uint32_t i = 0; i < SLOTS; i++)
        restore(ledger, i, starts[i], 0, 0, 0, 0);
}

static void
test_what_a_barrier_carries_is_committed(void **state)
{
    (void)state;
    struct of_ledger ledger;
    struct carried carried;
    const int64_t starts[SLOTS] = { 100, 0 };
    of_ledger_init(&ledger);
    open_at(&ledger, starts);
    assert_int_equal(ledger.slots[0].state.next_offset, 100);

    carry(&carried);
    carried.reached[0] = (struct of_reached) { .next_offset = 110, .retries = 3, .dead_letters = 1 };
    carry_row(&carried, 0, 0, 1, 4, 2.5);
    of_ledger_commit(&ledger, &carried.barrier);
    assert_int_equal(ledger.slots[0].state.next_offset, 110);
    assert_int_equal(ledger.slots[1].state.next_offset, 0);
    assert_run(&ledger, 1, 4, 10);

    carry(&carried); /* both instances, both slots; rows are absolute, letters are not */
    carried.reached[0] = (struct of_reached) { .next_offset = 120, .retries = 2 };
    carried.reached[1] = (struct of_reached) { .next_offset = 7, .dead_letters = 5 };
    carry_row(&carried, 0, 0, 1, 6, 2.5);
    carry_row(&carried, 1, 1, 1, 1, 100);
    carry_row(&carried, 1, 1, 2, 1, 3);
    of_ledger_commit(&ledger, &carried.barrier);
    assert_int_equal(ledger.slots[0].state.next_offset, 120);
    assert_int_equal(ledger.slots[1].state.next_offset, 7);
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
    open_at(&ledger, starts);
    carry(&carried);
    carried.reached[0] = (struct of_reached) { .next_offset = -1, .retries = 9, .dead_letters = 9 };
    carried.reached[1] = (struct of_reached) { .next_offset = 5 }; /* a commit never goes back */
    carry_row(&carried, 0, 0, 1, 1, 1);
    carry_row(&carried, 0, 1, 1, 1, 8);
    of_ledger_commit(&ledger, &carried.barrier);
    assert_int_equal(ledger.slots[0].state.next_offset, 10);
    assert_int_equal(ledger.slots[1].state.next_offset, 20);
    assert_int_equal(ledger.slots[0].state.table.count, 0);
    assert_run(&ledger, 1, 1, 8);
    assert_letters(&ledger, 0, 0);
    of_ledger_fini(&ledger);
}

/* The run is what this process committed, in all assignments; the total what is committed of the present one, by all. */
static void
test_run_and_total_are_told_apart(void **state)
{
    (void)state;
    struct of_ledger ledger;
    struct carried carried;
    of_ledger_init(&ledger);
    for (int assignment = 1; assignment <= 3; assignment++) {
        of_ledger_open(&ledger, SLOTS);
        restore(&ledger, 0, 0, 0, 0, 0, 0);
        restore(&ledger, 1, 10, 3, 100, 2, 7);
        carry(&carried);
        carried.reached[1] = (struct of_reached) { .next_offset = 20, .retries = 1 };
        carry_row(&carried, 0, 1, 3, 100 + assignment, 2);
        of_ledger_commit(&ledger, &carried.barrier);
        assert_run(&ledger, 3, assignment * (assignment + 1) / 2, assignment * (assignment + 1));
        assert_letters(&ledger, assignment, 0);
        assert_total(&ledger, 3, 100 + assignment, 200 + 2 * assignment, 8);
    }
    of_ledger_fini(&ledger);
}

/* A commit of which it is not known whether it took effect: what is recorded decides. */
static void
test_what_is_recorded_settles_a_doubt(void **state)
{
    (void)state;
    for (int took_effect = 0; took_effect < 2; took_effect++) {
        struct of_ledger ledger;
        of_ledger_init(&ledger);
        of_ledger_open(&ledger, SLOTS);
        restore(&ledger, 0, 0, 0, 0, 0, 0);
        restore(&ledger, 1, 10, 3, 5, 1, 2);
        of_ledger_doubt(&ledger);
        assert_total(&ledger, 3, 5, 5, 2);
        restore(&ledger, 1, took_effect ? 14 : 10, 3, took_effect ? 9 : 5, 1, took_effect ? 3 : 2);
        assert_run(&ledger, 3, took_effect ? 4 : 0, took_effect ? 4 : 0);
        assert_letters(&ledger, took_effect, 0);
        assert_total(&ledger, 3, took_effect ? 9 : 5, took_effect ? 9 : 5, took_effect ? 3 : 2);
        of_ledger_fini(&ledger);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_barrier_carries_is_committed),
        cmocka_unit_test(test_a_slot_that_reached_nothing_is_left_alone),
        cmocka_unit_test(test_run_and_total_are_told_apart),
        cmocka_unit_test(test_what_is_recorded_settles_a_doubt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
