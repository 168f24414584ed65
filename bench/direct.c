/* Where the direct source's nanoseconds go, from the socket to the decoded order, by how batches are packed. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "avro/framing.h"
#include "avro/plan.h"
#include "bench.h"
#include "core/assert.h"
#include "core/memory.h"
#include "kafka/direct/stretch.h"
#include "orders.h"
#include "support/batches.h"

enum { BATCHES = 20, ORDERS_PER_BATCH = 1000, ORDERS = BATCHES * ORDERS_PER_BATCH };

struct settings {
    struct bench_settings common;
    int64_t rounds;
};

static const struct of_option rows[] = {
    BENCH_OPTIONS(struct settings),
    { .name = "rounds", .section = "Orders", .type = OF_OPTION_INT, .min = 1, .max = 1000000, .initial = "50",
      .commands = 1, .offset = offsetof(struct settings, rounds), .placeholder = "COUNT",
      .help = "times that each run takes its 20000 orders" },
};

/* An answer of one partition, packed one way. */
struct packed {
    struct direct *direct;
    struct of_wire_writer bytes;
    int socket; /* of the sender */
};

struct direct {
    struct settings settings;
    struct bench bench;
    struct bench_orders orders;
    struct of_plan *plan;
    struct packed packed[OF_CODECS];
};

enum metric { TOTAL, RECEIVE, CHECKSUM, UNPACK, DECODE, METRICS };

static int64_t
thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * OF_SECOND_NS + now.tv_nsec;
}

/* ---- receiving ---- */

static void *
send_all(void *arg)
{
    struct packed *packed = arg;
    for (int64_t round = 0; round < packed->direct->settings.rounds; round++)
        for (size_t at = 0; at < packed->bytes.length;) {
            ssize_t sent = send(packed->socket, packed->bytes.data + at, packed->bytes.length - at, 0);
            OF_ASSERT(sent > 0);
            at += (size_t)sent;
        }
    return NULL;
}

/* A connection over loopback, as to a broker on this machine. */
static void
connect_both(int *sender, int *receiver)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    OF_ASSERT(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 1) == 0);
    OF_ASSERT(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    *receiver = socket(AF_INET, SOCK_STREAM, 0);
    OF_ASSERT(connect(*receiver, (struct sockaddr *)&address, sizeof address) == 0);
    *sender = accept(listener, NULL, NULL);
    OF_ASSERT(*sender >= 0);
    close(listener);
}

static int64_t
receive(struct packed *packed, uint8_t *slab)
{
    int receiver;
    pthread_t thread;
    connect_both(&packed->socket, &receiver);
    OF_ASSERT(pthread_create(&thread, NULL, send_all, packed) == 0);
    int64_t began_ns = thread_ns();
    for (int64_t round = 0; round < packed->direct->settings.rounds; round++)
        for (size_t at = 0; at < packed->bytes.length;) {
            ssize_t got = recv(receiver, slab + at, packed->bytes.length - at, 0);
            OF_ASSERT(got > 0);
            at += (size_t)got;
        }
    int64_t took_ns = thread_ns() - began_ns;
    pthread_join(thread, NULL);
    close(packed->socket);
    close(receiver);
    return took_ns;
}

/* ---- what decode does ---- */

static int64_t
check(const struct packed *packed, struct of_stretch *stretch)
{
    struct of_record_batch batch;
    int64_t began_ns = thread_ns();
    for (int64_t round = 0; round < packed->direct->settings.rounds; round++)
        for (uint32_t i = 0; i < stretch->batch_count; i++)
            OF_ASSERT(of_record_batch_look(stretch->batches[i].bytes, &batch) == OF_BATCH_WHOLE &&
                      of_record_batch_intact(&batch));
    return thread_ns() - began_ns;
}

static double
decode(const struct direct *self, const struct of_record *record)
{
    uint32_t schema_id;
    size_t at;
    struct of_decoded decoded;
    OF_ASSERT(of_framing_parse(record->value, &schema_id, &at));
    struct of_slice body = of_slice_of(record->value.data + at, record->value.length - at);
    OF_ASSERT(of_plan_decode(self->plan, body, &decoded) == OF_DECODE_OK);
    return decoded.value;
}

/* Walks the stretch; how long opening its batches took (checksum and unpacking) comes apart. */
static void
walk(const struct packed *packed, struct of_stretch *stretch, int64_t *open_ns, int64_t *decode_ns)
{
    double sum = 0;
    struct of_error err;
    struct of_record record;
    *open_ns = *decode_ns = 0;
    for (int64_t round = 0; round < packed->direct->settings.rounds; round++)
        for (uint32_t i = 0; i < stretch->batch_count; i++) {
            struct of_stretch_batch *batch = &stretch->batches[i];
            uint32_t cursor = i << OF_STRETCH_POSITION_BITS, end = (i + 1) << OF_STRETCH_POSITION_BITS;
            batch->begin = NULL;
            stretch->reached = stretch->shown_offset = -1;
            int64_t began_ns = thread_ns();
            OF_ASSERT(of_stretch_next(stretch, &cursor, &record, &err) == OF_CHUNK_RECORD);
            int64_t opened_ns = thread_ns();
            for (; cursor < end; cursor = record.behind) {
                OF_ASSERT(of_stretch_next(stretch, &cursor, &record, &err) == OF_CHUNK_RECORD);
                sum += decode(packed->direct, &record);
            }
            *open_ns += opened_ns - began_ns;
            *decode_ns += thread_ns() - opened_ns;
            free(batch->unpacked);
            batch->unpacked = NULL;
        }
    bench_keep(sum);
}

static bool
run(void *context, double *values)
{
    struct packed *packed = context;
    double orders = (double)packed->direct->settings.rounds * ORDERS;
    uint8_t *slab = of_alloc(packed->bytes.length);
    struct of_stretch *stretch = of_alloc(sizeof *stretch);
    int64_t receive_ns = receive(packed, slab), open_ns, decode_ns;
    struct of_slice left = of_slice_of(slab, packed->bytes.length);
    struct of_record_batch batch;
    for (; left.length > 0 && of_record_batch_look(left, &batch) == OF_BATCH_WHOLE;
         left = of_slice_of(left.data + batch.bytes.length, left.length - batch.bytes.length))
        of_stretch_add(stretch, &batch);
    int64_t check_ns = check(packed, stretch);
    walk(packed, stretch, &open_ns, &decode_ns);
    values[RECEIVE] = (double)receive_ns / orders;
    values[CHECKSUM] = (double)check_ns / orders;
    values[UNPACK] = open_ns > check_ns ? (double)(open_ns - check_ns) / orders : 0;
    values[DECODE] = (double)decode_ns / orders;
    values[TOTAL] = values[RECEIVE] + values[CHECKSUM] + values[UNPACK] + values[DECODE];
    of_stretch_empty(stretch);
    free(stretch);
    free(slab);
    return true;
}

/* ---- all together ---- */

static void
pack(struct direct *self, int codec)
{
    struct test_record *records = of_alloc_array(ORDERS_PER_BATCH, sizeof *records);
    self->packed[codec].direct = self;
    for (uint32_t b = 0; b < BATCHES; b++) {
        for (uint32_t i = 0; i < ORDERS_PER_BATCH; i++)
            records[i] = (struct test_record) {
                .offset_delta = (int32_t)i, .key = of_slice_str("1001"),
                .value = self->orders.values[b * ORDERS_PER_BATCH + i],
            };
        test_batch_write(&self->packed[codec].bytes, &(struct test_batch) {
            .base_offset = b * ORDERS_PER_BATCH, .last_delta = -1, .codec = codec, .producer_id = -1,
            .records = records, .count = ORDERS_PER_BATCH,
        });
    }
    free(records);
}

int
main(int argc, char **argv)
{
    static const struct bench_description description = { "direct", rows, sizeof rows / sizeof *rows, false, false };
    static const struct bench_metric metrics[METRICS] = {
        { "ns/order", 1 }, { "receive", 1 }, { "checksum", 1 }, { "unpack", 1 }, { "decode", 1 },
    };
    static const char *const names[OF_CODECS] = { "not packed", "gzip", "snappy", "lz4", "zstd" };
    static struct direct self;
    const struct of_plan_fields fields = { .value = "price", .group_by = "product", .id = "orderId" };
    int status;
    bool ok = true;
    if (!bench_open(&self.bench, &description, argc, argv, &self.settings, &status))
        return status;
    bench_orders_make(&self.orders, ORDERS, 1);
    OF_ASSERT(of_plan_compile(of_slice_str(bench_order_schema), &fields, 1 << 20, &self.plan, NULL) == OF_OK);
    for (int codec = OF_CODEC_NONE; codec < OF_CODECS; codec++)
        pack(&self, codec);
    for (int codec = OF_CODEC_GZIP; ok && codec < OF_CODECS; codec++)
        ok = bench_compare(&self.bench, &(struct bench_case) {
            .title = "from the socket to the decoded order, batches of 1000",
            .metrics = metrics,
            .metric_count = METRICS,
            .baseline = { names[OF_CODEC_NONE], run, &self.packed[OF_CODEC_NONE] },
            .candidate = { names[codec], run, &self.packed[codec] },
        });
    status = bench_close(&self.bench, ok);
    for (int codec = OF_CODEC_NONE; codec < OF_CODECS; codec++)
        of_wire_writer_fini(&self.packed[codec].bytes);
    of_plan_destroy(&self.plan);
    bench_orders_free(&self.orders);
    return status;
}
