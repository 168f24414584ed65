/* Restores partitions for a test of the broker lane, and prints what it got:
 *
 *     restore BROKERS TOPIC GROUP MAX_GROUPS NAME:PARTITION...
 *
 *     0 ok next_offset=100 retries=5 dead_letters=2 rows=2 orders=17 sum=103.25       (one line per partition)
 *     1 retry orders-aggregates [0] cannot be read beyond ...
 *     ms=41 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "core/clock.h"
#include "core/memory.h"
#include "kafka/restorer.h"

enum { PATIENCE_MS = 60000 };

static void
print(const struct of_restored *restored)
{
    if (restored->status != OF_OK) {
        printf("%" PRIu32 " %s %s\n", restored->slot, of_status_name(restored->status), restored->err.text);
        return;
    }
    const struct of_slot_state *state = &restored->state;
    struct of_exact_sum sum;
    uint64_t orders = 0;
    of_exact_sum_init(&sum);
    for (uint32_t i = 0; i < state->table.count; i++) {
        orders += state->table.rows[i].aggregate.count;
        of_exact_sum_merge(&sum, &state->table.rows[i].aggregate.sum);
    }
    char *decimal = of_exact_sum_decimal(&sum);
    printf("%" PRIu32 " ok next_offset=%" PRId64 " retries=%" PRIu64 " dead_letters=%" PRIu64 " rows=%" PRIu32
           " orders=%" PRIu64 " sum=%s\n", restored->slot, state->next_offset, state->retries, state->dead_letters,
           state->table.count, orders, decimal);
    free(decimal);
    of_exact_sum_fini(&sum);
}

static int
await_all(const struct of_restorer *restorer, int wake_fd, int count)
{
    int64_t until_ns = of_clock_mono_ns(of_clock_system()) + PATIENCE_MS * OF_MS_NS;
    while (count > 0 && of_clock_mono_ns(of_clock_system()) < until_ns) {
        struct of_restored restored;
        poll(&(struct pollfd) { .fd = wake_fd, .events = POLLIN }, 1, 1000);
        eventfd_t woken;
        eventfd_read(wake_fd, &woken);
        for (; restorer->ops->poll(restorer->self, &restored); count--) {
            print(&restored);
            of_slot_state_fini(&restored.state);
        }
    }
    return count;
}

int
main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    const struct of_kafka_options options = { .brokers = argv[1], .aggregates_topic = argv[2], .group = argv[3] };
    const struct of_state_fields fields = { of_slice_str("price"), of_slice_str("product") };
    struct of_groups *groups = of_groups_create((uint32_t)strtoul(argv[4], NULL, 10));
    struct of_restorer restorer;
    struct of_error err;
    int wake_fd = eventfd(0, EFD_NONBLOCK), count = argc - 5;
    if (of_restorer_librdkafka_open(&options, groups, &fields, &restorer, &err) != OF_OK
        || restorer.ops->start(restorer.self, wake_fd, &err) != OF_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    struct of_restore_request *requests = of_alloc_array((size_t)count, sizeof *requests);
    for (int i = 0; i < count; i++) {
        char *colon = strchr(argv[5 + i], ':');
        if (colon == NULL)
            return 2;
        *colon = '\0';
        requests[i] = (struct of_restore_request) { (uint32_t)i, argv[5 + i], atoi(colon + 1) };
    }
    int64_t begun_ns = of_clock_mono_ns(of_clock_system());
    restorer.ops->request(restorer.self, requests, (uint32_t)count);
    int missing = await_all(&restorer, wake_fd, count);
    printf("ms=%" PRId64 "\n", (of_clock_mono_ns(of_clock_system()) - begun_ns) / OF_MS_NS);
    restorer.ops->close(restorer.self);
    free(requests);
    of_groups_destroy(&groups);
    return missing == 0 ? 0 : 1;
}
