#include <stdio.h>
#include <string.h>

#include "commands/doctor/checks.h"

enum { FETCH_OF_2_7 = 12 }; /* the version of Fetch that came with that Kafka */

static const char *
remedy_of(const struct of_survey_broker *broker)
{
    switch (broker->step) {
    case OF_SURVEY_RESOLVE:
        return broker->node < 0 ? "check the host in --brokers, and /etc/hosts or DNS"
                                : "the brokers advertise this name (advertised.listeners): make it resolve here, or "
                                  "advertise another";
    case OF_SURVEY_CONNECT:
        return broker->node < 0 ? "start it, or check the port in --brokers and firewalls between"
                                : "the brokers advertise this address (advertised.listeners): start it, or advertise one "
                                  "that can be reached from here";
    case OF_SURVEY_SECURE: return "check ssl.ca.location, certificates, and that this port speaks TLS (security.protocol)";
    case OF_SURVEY_VERSIONS:
        return "check that this port is Kafka's, and that security.protocol is what it speaks: plain, or TLS";
    case OF_SURVEY_LOGIN: return "check sasl.mechanism, sasl.username and sasl.password, and the user at the broker";
    case OF_SURVEY_UP: break;
    }
    return "";
}

/* One of several that are named may be away; the cluster's own must all be there, sooner or later. */
static void
add_broker(struct of_doctor *doctor, const struct of_survey_broker *broker)
{
    char check[320];
    snprintf(check, sizeof check, "broker %s", broker->address);
    if (broker->step == OF_SURVEY_UP && broker->node >= 0)
        of_report_add(doctor->report, OF_VERDICT_OK, check, "node %d answers, after %lld ms", broker->node,
                      (long long)broker->took_ms);
    else if (broker->step == OF_SURVEY_UP)
        of_report_add(doctor->report, OF_VERDICT_OK, check, "answers, after %lld ms", (long long)broker->took_ms);
    else {
        bool others = broker->node < 0 && doctor->reached;
        of_report_add(doctor->report, others ? OF_VERDICT_WARN : OF_VERDICT_FAIL, check, "%s fails: %s",
                      of_survey_step_name(broker->step), broker->why);
        of_report_remedy(doctor->report, "%s", remedy_of(broker));
    }
}

static void
add_versions(struct of_doctor *doctor)
{
    int16_t oldest = INT16_MAX;
    for (uint32_t i = 0; i < doctor->survey.broker_count; i++) {
        const struct of_survey_broker *broker = &doctor->survey.brokers[i];
        if (broker->step == OF_SURVEY_UP && broker->fetch_version < oldest)
            oldest = broker->fetch_version;
    }
    if (oldest >= FETCH_OF_2_7) {
        of_report_add(doctor->report, OF_VERDICT_OK, "versions", "every broker is of Kafka 2.7 or newer");
        return;
    }
    of_report_add(doctor->report, OF_VERDICT_WARN, "versions", "a broker is older than Kafka 2.7 (Fetch up to version %d)",
                  (int)oldest);
    of_report_remedy(doctor->report, "transactions need 2.5: upgrade, or use --guarantee at-least-once");
}

/* Settings that only librdkafka understands: it says less, but it says. */
static void
ask_librdkafka(struct of_doctor *doctor, const char *why)
{
    struct of_error err;
    int32_t partitions;
    const char *topic = doctor->kafka.orders_topic;
    enum of_status status = of_admin_look_up(doctor->admin, topic, OF_DOCTOR_MS, &partitions, &err);
    doctor->reached = status != OF_RETRY;
    if (doctor->reached) {
        of_report_add(doctor->report, OF_VERDICT_OK, "brokers", "%s answer; looked at through librdkafka alone, because "
                      "%s", doctor->kafka.brokers, why);
        return;
    }
    of_report_add(doctor->report, OF_VERDICT_FAIL, "brokers", "%s", err.text);
    of_report_remedy(doctor->report, "start them, or check --brokers and the security properties");
}

static void
survey(struct of_doctor *doctor)
{
    struct of_error err;
    const char *const topics[] = { doctor->kafka.orders_topic, doctor->kafka.retry_topic,
                                   doctor->kafka.dead_letter_topic, doctor->kafka.aggregates_topic };
    doctor->surveyed = of_survey_look(&doctor->kafka, topics, OF_SURVEY_TOPICS, OF_DOCTOR_MS, &doctor->survey,
                                      &err) == OF_OK;
    if (!doctor->surveyed) {
        ask_librdkafka(doctor, err.text);
        return;
    }
    doctor->reached = doctor->survey.reached;
    for (uint32_t i = 0; i < doctor->survey.broker_count; i++)
        add_broker(doctor, &doctor->survey.brokers[i]);
    if (doctor->reached)
        add_versions(doctor);
}

void
of_doctor_check_brokers(struct of_doctor *doctor)
{
    struct of_error err;
    for (int i = 0; i < OF_SURVEY_TOPICS; i++)
        doctor->partitions[i] = -1;
    if (of_kafka_check_together(&doctor->kafka, &err) != OF_OK
        || of_admin_open(&doctor->kafka, &doctor->admin, &err) != OF_OK) {
        of_report_add(doctor->report, OF_VERDICT_FAIL, "brokers", "%s", err.text);
        of_report_remedy(doctor->report, "correct the property: orderflow config check tells more");
        return;
    }
    survey(doctor);
}
