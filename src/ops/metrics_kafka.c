/* Which samples the metrics have that come from librdkafka's statistics. */
#include "ops/metrics_page.h"

static void
begin_client(struct of_metrics_page *page, const struct of_measured_client *client)
{
    of_sample_begin(page);
    of_sample_label(page, "client", client->client);
    of_sample_label_number(page, "lane", client->lane);
}

/* One sample per client that has told something. */
static void
write_clients(struct of_metrics_page *page, uint64_t (*value)(const struct of_kafka_numbers *numbers))
{
    for (uint32_t i = 0; i < page->measured->client_count; i++) {
        const struct of_measured_client *client = &page->measured->clients[i];
        if (!client->numbers.known)
            continue;
        begin_client(page, client);
        of_sample_end_count(page, value(&client->numbers));
    }
}

/* One sample per broker of every client. */
static void
write_brokers(struct of_metrics_page *page, double (*value)(const struct of_kafka_broker_numbers *broker))
{
    for (uint32_t i = 0; i < page->measured->client_count; i++) {
        const struct of_measured_client *client = &page->measured->clients[i];
        for (uint32_t b = 0; b < client->numbers.broker_count; b++) {
            begin_client(page, client);
            of_sample_label(page, "broker", client->numbers.brokers[b].name);
            of_sample_end(page, value(&client->numbers.brokers[b]));
        }
    }
}

#define CLIENT(symbol, member)                                            \
    static uint64_t symbol##_of(const struct of_kafka_numbers *numbers)   \
    {                                                                     \
        return numbers->member;                                           \
    }                                                                     \
    void of_samples_kafka_##symbol(struct of_metrics_page *page)          \
    {                                                                     \
        write_clients(page, symbol##_of);                                 \
    }

#define BROKER(symbol, member)                                                 \
    static double symbol##_of(const struct of_kafka_broker_numbers *broker)    \
    {                                                                          \
        return (double)broker->member;                                         \
    }                                                                          \
    void of_samples_kafka_##symbol(struct of_metrics_page *page)               \
    {                                                                          \
        write_brokers(page, symbol##_of);                                      \
    }

CLIENT(sent, sent_bytes)
CLIENT(received, received_bytes)
CLIENT(queued, queued_records)
CLIENT(queued_size, queued_bytes)

BROKER(broker_up, up)
BROKER(broker_rtt, rtt_s)
BROKER(broker_rtt_p99, rtt_p99_s)
BROKER(broker_throttle, throttle_s)
BROKER(broker_waiting, waiting)
BROKER(broker_queued, queued)
BROKER(broker_errors, errors)
BROKER(broker_timeouts, timeouts)
BROKER(broker_retries, retries)

void
of_samples_kafka_transaction_state(struct of_metrics_page *page)
{
    for (uint32_t i = 0; i < page->measured->client_count; i++) {
        const struct of_measured_client *client = &page->measured->clients[i];
        if (client->numbers.transaction_state[0] == '\0')
            continue;
        of_sample_begin(page);
        of_sample_label_number(page, "lane", client->lane);
        of_sample_label(page, "state", client->numbers.transaction_state);
        of_sample_end_count(page, 1);
    }
}
