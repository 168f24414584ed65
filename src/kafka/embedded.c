#include "kafka/embedded.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

#include "core/memory.h"

struct of_embedded {
    rd_kafka_t *rk; /* the cluster lives in a handle; this one does nothing else */
    rd_kafka_mock_cluster_t *cluster;
};

static rd_kafka_t *
make_handle(struct of_error *err)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", why, sizeof why);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (rk == NULL) {
        rd_kafka_conf_destroy(conf);
        of_error_set(err, OF_FATAL, "embedded cluster: %s", why);
    }
    return rk;
}

enum of_status
of_embedded_open(struct of_embedded **embedded, struct of_error *err)
{
    rd_kafka_t *rk = make_handle(err);
    if (rk == NULL)
        return OF_FATAL;
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rk, 1);
    if (cluster == NULL) {
        rd_kafka_destroy(rk);
        return of_error_set(err, OF_FATAL, "cannot start the embedded cluster");
    }
    *embedded = of_alloc(sizeof **embedded);
    **embedded = (struct of_embedded) { rk, cluster };
    return OF_OK;
}

void
of_embedded_close(struct of_embedded **embedded)
{
    if (*embedded == NULL)
        return;
    rd_kafka_mock_cluster_destroy((*embedded)->cluster);
    rd_kafka_destroy((*embedded)->rk);
    free(*embedded);
    *embedded = NULL;
}

enum of_status
of_embedded_create_topic(struct of_embedded *embedded, const char *topic, int32_t partitions, struct of_error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(embedded->cluster, topic, partitions, 1);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return of_error_set(err, OF_FATAL, "cannot create topic %s: %s", topic, rd_kafka_err2str(code));
    return OF_OK;
}

const char *
of_embedded_brokers(const struct of_embedded *embedded)
{
    return rd_kafka_mock_cluster_bootstraps(embedded->cluster);
}

void
of_embedded_set_up(struct of_embedded *embedded, bool up)
{
    if (up)
        rd_kafka_mock_broker_set_up(embedded->cluster, 1);
    else
        rd_kafka_mock_broker_set_down(embedded->cluster, 1);
}
