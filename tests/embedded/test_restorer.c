/* The restorer against the contract of order/restorer.h. */
#include "kafka/restorer.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/memory.h"
#include "fixture.h"

#define TOPIC "orders-aggregates"

static const struct of_state_fields fields = { { (const uint8_t *)"price", 5 }, { (const uint8_t *)"product", 7 } };

/* A cluster, something that writes state into it, and a restorer of it. */
struct scene {
    struct fixture fixture;
    rd_kafka_t *producer;
    struct of_state_writer *writer;
    struct of_groups *groups;
    struct of_restorer restorer;
    int wake_fd;
};

static void
open_restorer(struct scene *scene)
{
    struct of_error err = { .text = "" };
    assert_int_equal(of_restorer_librdkafka_open(&scene->fixture.options, scene->groups, &fields, &scene->restorer, &err),
                     OF_OK);
    assert_int_equal(scene->restorer.ops->start(scene->restorer.self, scene->wake_fd, &err), OF_OK);
}

static void
open_scene(struct scene *scene, uint32_t max_groups)
{
    char why[256];
    fixture_open(&scene->fixture);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", of_embedded_brokers(scene->fixture.cluster), why, sizeof why);
    scene->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    assert_non_null(scene->producer);
    scene->writer = of_state_writer_create();
    scene->groups = of_groups_create(max_groups);
    scene->wake_fd = eventfd(0, EFD_NONBLOCK);
    open_restorer(scene);
}

static void
close_scene(struct scene *scene)
{
    scene->restorer.ops->close(scene->restorer.self);
    rd_kafka_destroy(scene->producer);
    of_state_writer_destroy(&scene->writer);
    of_groups_destroy(&scene->groups);
    close(scene->wake_fd);
    fixture_close(&scene->fixture);
}

/* ---- what is written ---- */

static void
write_record(struct scene *scene, int32_t partition, struct of_slice key, struct of_slice value)
{
    rd_kafka_resp_err_t code = rd_kafka_producev(
        scene->producer, RD_KAFKA_V_TOPIC(TOPIC), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK),
        RD_KAFKA_V_KEY((void *)(uintptr_t)key.data, key.length),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.length), RD_KAFKA_V_END);
    assert_int_equal(code, RD_KAFKA_RESP_ERR_NO_ERROR);
}

static struct of_state_place
place_of(const struct scene *scene, const char *topic, int32_t partition)
{
    return (struct of_state_place) { of_slice_str(scene->fixture.options.group), of_slice_str(topic), partition };
}

static void
write_row(struct scene *scene, const char *topic, int32_t partition, const char *name, double value)
{
    struct of_state_place place = place_of(scene, topic, partition);
    struct of_aggregate aggregate;
    struct of_slice key, bytes;
    of_aggregate_init(&aggregate);
    of_aggregate_add(&aggregate, value);
    aggregate.next_offset = 7;
    of_state_write_row(scene->writer, 1, &place, of_slice_str(name), &aggregate, &key, &bytes);
    write_record(scene, partition, key, bytes);
    of_aggregate_fini(&aggregate);
}

static void
delete_row(struct scene *scene, const char *topic, int32_t partition, const char *name)
{
    char key[256];
    int length = snprintf(key, sizeof key, "%s\t%s\t%" PRId32 "\t%s", scene->fixture.options.group, topic, partition,
                          name);
    write_record(scene, partition, of_slice_of(key, (size_t)length), of_slice_of(NULL, 0));
}

static void
write_marker(struct scene *scene, const char *topic, int32_t partition, uint64_t rows, const char *group_by)
{
    struct of_state_place place = place_of(scene, topic, partition);
    const struct of_state_marker marker = { 100, 5, 2, rows, OF_STATE_VERSION, fields.value, of_slice_str(group_by) };
    struct of_slice key, bytes;
    of_state_write_marker(scene->writer, 1, &place, &marker, &key, &bytes);
    write_record(scene, partition, key, bytes);
}

static void
flush(struct scene *scene)
{
    assert_int_equal(rd_kafka_flush(scene->producer, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* ---- what comes back ---- */

static void
ask(struct scene *scene, uint32_t slot, const char *topic, int32_t partition)
{
    const struct of_restore_request request = { slot, topic, partition };
    scene->restorer.ops->request(scene->restorer.self, &request, 1);
}

static void
await(struct scene *scene, struct of_restored *restored)
{
    int64_t until_ms = test_now_ms() + 15000;
    while (!scene->restorer.ops->poll(scene->restorer.self, restored)) {
        assert_true(test_now_ms() < until_ms);
        usleep(1000);
    }
    if (restored->status != OF_OK)
        assert_string_not_equal(restored->err.text, "");
}

static double
sum_of(struct scene *scene, struct of_restored *restored, const char *name)
{
    uint32_t group = of_groups_intern(scene->groups, of_slice_str(name));
    return of_exact_sum_round(&of_table_row(&restored->state.table, group)->aggregate.sum);
}

static void
the_newest_of_each_key_comes_back(void **state)
{
    (void)state;
    struct scene scene;
    struct of_restored restored;
    open_scene(&scene, 10);
    write_row(&scene, "orders", 2, "Laptop", 1);
    write_row(&scene, "orders", 2, "Gone", 2);
    write_row(&scene, "orders-retry", 2, "Laptop", 30);
    write_row(&scene, "orders", 2, "(other)", 4);
    write_row(&scene, "orders", 2, "Laptop", 10);
    delete_row(&scene, "orders", 2, "Gone");
    write_record(&scene, 2, of_slice_str("junk"), of_slice_str("junk"));
    write_record(&scene, 2, of_slice_str("another\torders\t2\tMouse"), of_slice_str("junk"));
    write_marker(&scene, "orders", 2, 2, "product");
    flush(&scene);
    ask(&scene, 41, "orders", 2);
    await(&scene, &restored);
    assert_int_equal(restored.status, OF_OK);
    assert_int_equal(restored.slot, 41);
    assert_int_equal(restored.state.next_offset, 100);
    assert_int_equal(restored.state.retries, 5);
    assert_int_equal(restored.state.dead_letters, 2);
    assert_int_equal(restored.state.table.count, 2);
    assert_float_equal(sum_of(&scene, &restored, "Laptop"), 10, 0);
    assert_float_equal(sum_of(&scene, &restored, "(other)"), 4, 0);
    assert_int_equal(of_groups_count(scene.groups), 2); /* nothing that is deleted takes room */
    of_slot_state_fini(&restored.state);
    uint64_t woken;
    assert_int_equal(read(scene.wake_fd, &woken, sizeof woken), sizeof woken);
    close_scene(&scene);
}

static void
partitions_are_restored_together(void **state)
{
    (void)state;
    struct scene scene;
    struct of_restored restored;
    uint32_t seen = 0;
    open_scene(&scene, 1000);
    for (int i = 0; i < 500; i++)
        for (int p = 0; p < 3; p++) {
            char name[16];
            snprintf(name, sizeof name, "p%d", i);
            write_row(&scene, i % 2 ? "orders" : "orders-retry", p, name, i);
        }
    flush(&scene);
    for (int p = 0; p < FIXTURE_PARTITIONS; p++) { /* the last one is empty */
        ask(&scene, (uint32_t)p, "orders", p);
        ask(&scene, 10 + (uint32_t)p, "orders-retry", p);
    }
    for (int i = 0; i < 2 * FIXTURE_PARTITIONS; i++) {
        await(&scene, &restored);
        assert_int_equal(restored.status, OF_OK);
        assert_int_equal(restored.state.next_offset, -1);
        assert_int_equal(restored.state.table.count, restored.slot % 10 == 3 ? 0 : 250);
        seen |= 1u << restored.slot;
        of_slot_state_fini(&restored.state);
    }
    assert_int_equal(seen, 15 | 15 << 10);
    assert_false(scene.restorer.ops->poll(scene.restorer.self, &restored));
    uint64_t done = 7, all = 7;
    for (int turn = 0; turn < 1000 && done + all > 0; turn++) { /* it tidies up after the last answer */
        usleep(10000);
        scene.restorer.ops->progress(scene.restorer.self, &done, &all);
    }
    assert_int_equal(done, 0);
    assert_int_equal(all, 0);
    close_scene(&scene);
}

/* The same partition again, after more was written: a second look sees it. */
static void
what_is_asked_again_is_read_again(void **state)
{
    (void)state;
    struct scene scene;
    struct of_restored restored;
    open_scene(&scene, 10);
    for (int i = 1; i <= 20; i++) {
        write_row(&scene, "orders", 1, "Laptop", i);
        flush(&scene);
        ask(&scene, 1, "orders", 1);
        if (i % 3 == 0) {
            scene.restorer.ops->cancel(scene.restorer.self);
            ask(&scene, 1, "orders", 1);
        }
        await(&scene, &restored);
        assert_int_equal(restored.status, OF_OK);
        assert_float_equal(sum_of(&scene, &restored, "Laptop"), i, 0);
        of_slot_state_fini(&restored.state);
        assert_false(scene.restorer.ops->poll(scene.restorer.self, &restored));
    }
    close_scene(&scene);
}

static void
expect_poison(struct scene *scene, int32_t partition, const char *text)
{
    struct of_restored restored;
    ask(scene, 0, "orders", partition);
    await(scene, &restored);
    assert_int_equal(restored.status, OF_POISON);
    if (strstr(restored.err.text, text) == NULL)
        fail_msg("%s", restored.err.text);
    assert_int_equal(restored.state.table.count, 0);
    assert_int_equal(restored.state.next_offset, -1);
}

static void
what_cannot_be_used_is_refused(void **state)
{
    (void)state;
    struct scene scene;
    struct of_restored restored;
    open_scene(&scene, 2);
    write_row(&scene, "orders", 0, "Laptop", 1);
    write_marker(&scene, "orders", 0, 2, "product");
    write_marker(&scene, "orders", 1, 0, "colour");
    write_record(&scene, 2, of_slice_str("group\torders\t2\tMouse"), of_slice_str("junk"));
    for (int i = 0; i < 3; i++)
        write_row(&scene, "orders", 3, (const char *[]) { "a", "b", "c" }[i], 1);
    flush(&scene);
    expect_poison(&scene, 0, "lost rows of orders [0]: there are 1 of at least 2");
    expect_poison(&scene, 1, "--group-by-field colour, not product");
    expect_poison(&scene, 2, "cannot be used");
    expect_poison(&scene, 3, "raise --max-groups");
    expect_poison(&scene, 4, "has 4 partitions, and partition 4 is needed");
    delete_row(&scene, "orders", 2, "Mouse"); /* then nothing is wrong with it any more */
    flush(&scene);
    ask(&scene, 2, "orders", 2);
    await(&scene, &restored);
    assert_int_equal(restored.status, OF_OK);
    close_scene(&scene);
}

static void
an_outage_is_no_empty_state(void **state)
{
    (void)state;
    struct scene scene;
    struct of_restored restored;
    open_scene(&scene, 10);
    write_row(&scene, "orders", 0, "Laptop", 3);
    flush(&scene);
    of_embedded_set_up(scene.fixture.cluster, false);
    ask(&scene, 0, "orders", 0);
    await(&scene, &restored);
    assert_int_equal(restored.status, OF_RETRY);
    of_embedded_set_up(scene.fixture.cluster, true);
    int64_t until_ms = test_now_ms() + 20000;
    do {
        assert_true(test_now_ms() < until_ms);
        ask(&scene, 0, "orders", 0);
        await(&scene, &restored);
    } while (restored.status == OF_RETRY);
    assert_int_equal(restored.status, OF_OK);
    assert_float_equal(sum_of(&scene, &restored, "Laptop"), 3, 0);
    of_slot_state_fini(&restored.state);
    close_scene(&scene);
}

static void
closing_does_not_wait_for_answers(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 10);
    of_embedded_set_up(scene.fixture.cluster, false);
    for (int p = 0; p < FIXTURE_PARTITIONS; p++)
        ask(&scene, (uint32_t)p, "orders", p);
    usleep(50000);
    int64_t begun_ms = test_now_ms();
    scene.restorer.ops->close(scene.restorer.self);
    assert_in_range(test_now_ms() - begun_ms, 0, 5000);
    of_embedded_set_up(scene.fixture.cluster, true);
    open_restorer(&scene);
    close_scene(&scene);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_of_each_key_comes_back),
        cmocka_unit_test(partitions_are_restored_together),
        cmocka_unit_test(what_is_asked_again_is_read_again),
        cmocka_unit_test(what_cannot_be_used_is_refused),
        cmocka_unit_test(an_outage_is_no_empty_state),
        cmocka_unit_test(closing_does_not_wait_for_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
