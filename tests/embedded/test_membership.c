/* The group's member while assignments come that nobody waits for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "fixture.h"
#include "kafka/membership.h"

enum { LIMIT_MS = 40000, PARTITIONS = 4 };

static void
ignore(int level, const char *text)
{
    (void)level;
    (void)text;
}

/* A cluster of the test's own, as topics of it are to go and come back. */
struct scene {
    rd_kafka_t *host;
    rd_kafka_mock_cluster_t *cluster;
    struct of_kafka_options options;
    struct of_kafka_membership member;
};

static void
open_scene(struct scene *scene)
{
    struct of_error err;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", err.text, sizeof err.text);
    scene->host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, err.text, sizeof err.text);
    assert_non_null(scene->host);
    scene->cluster = rd_kafka_mock_cluster_new(scene->host, 1);
    rd_kafka_mock_topic_create(scene->cluster, "orders", PARTITIONS, 1);
    rd_kafka_mock_topic_create(scene->cluster, "retries", PARTITIONS, 1);
    scene->options = (struct of_kafka_options) {
        .brokers = rd_kafka_mock_cluster_bootstraps(scene->cluster),
        .group = "g",
        .orders_topic = "orders",
        .retry_topic = "retries",
        .embedded = true,
        .log = ignore,
    };
    assert_int_equal(of_kafka_membership_open(&scene->member, &scene->options, NULL, &err), OF_OK);
    assert_int_equal(of_kafka_membership_start(&scene->member, -1, &err), OF_OK);
}

static void
close_scene(struct scene *scene)
{
    of_kafka_membership_close(&scene->member);
    rd_kafka_mock_cluster_destroy(scene->cluster);
    rd_kafka_destroy(scene->host);
}

static struct of_source_event
await(struct of_kafka_membership *member)
{
    struct of_source_event event = { .status = OF_OK };
    int64_t until_ms = test_now_ms() + LIMIT_MS;
    while (!of_kafka_membership_event(member, &event) && !of_kafka_membership_leaving(member, &event)) {
        assert_true(test_now_ms() < until_ms);
        usleep(1000);
    }
    return event;
}

/* The topics that are subscribed change, and librdkafka hears of it. */
static void
hide_retries(struct scene *scene, bool hidden)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_mock_topic_set_error(scene->cluster, "retries",
                                  hidden ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART : RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_metadata(scene->member.client.rk, 1, NULL, &metadata, LIMIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_metadata_destroy(metadata);
}

static void
take(struct of_kafka_membership *member, struct of_source_event *event)
{
    struct of_error err;
    assert_int_equal(event->kind, OF_SOURCE_ASSIGNED);
    assert_int_equal(of_kafka_membership_accept(member, &err), OF_OK);
}

static void
leave(struct of_kafka_membership *member)
{
    of_kafka_membership_leave(member);
    for (struct of_source_event event = await(member); event.kind != OF_SOURCE_LEFT; event = await(member)) {
        assert_int_equal(event.kind, OF_SOURCE_REVOKED);
        of_kafka_membership_give_up(member);
    }
}

static void
test_an_offer_that_is_overtaken_is_lost(void **state)
{
    (void)state;
    struct scene scene;
    struct of_kafka_membership *member = &scene.member;
    open_scene(&scene);
    struct of_source_event event = await(member);
    assert_int_equal(event.kind, OF_SOURCE_ASSIGNED);
    assert_int_equal(event.count, 2 * PARTITIONS);
    hide_retries(&scene, true);
    assert_int_equal(await(member).kind, OF_SOURCE_LOST);
    of_kafka_membership_give_up(member);
    event = await(member);
    assert_int_equal(event.count, PARTITIONS);
    take(member, &event);
    leave(member);
    close_scene(&scene);
}

/* The stage drains for a revoke, and hears that there is no time for it. */
static void
test_what_is_drained_for_an_overtaken_revoke_is_lost(void **state)
{
    (void)state;
    struct scene scene;
    struct of_kafka_membership *member = &scene.member;
    open_scene(&scene);
    struct of_source_event event = await(member);
    take(member, &event);
    hide_retries(&scene, true);
    assert_int_equal(await(member).kind, OF_SOURCE_REVOKED);
    hide_retries(&scene, false);
    assert_int_equal(await(member).kind, OF_SOURCE_LOST);
    of_kafka_membership_give_up(member);
    event = await(member);
    assert_int_equal(event.count, 2 * PARTITIONS);
    take(member, &event);
    leave(member);
    close_scene(&scene);
}

static void
test_a_member_that_leaves_takes_no_other_offer(void **state)
{
    (void)state;
    struct scene scene;
    struct of_kafka_membership *member = &scene.member;
    open_scene(&scene);
    assert_int_equal(await(member).kind, OF_SOURCE_ASSIGNED);
    hide_retries(&scene, true);
    assert_int_equal(await(member).kind, OF_SOURCE_LOST);
    of_kafka_membership_leave(member);
    of_kafka_membership_give_up(member);
    leave(member);
    close_scene(&scene);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_offer_that_is_overtaken_is_lost),
        cmocka_unit_test(test_what_is_drained_for_an_overtaken_revoke_is_lost),
        cmocka_unit_test(test_a_member_that_leaves_takes_no_other_offer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
