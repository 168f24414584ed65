/* The checks of `orderflow doctor`, in their order. Each looks at one thing within a deadline and adds what it finds to
 * the report; what cannot be looked at because of an earlier finding is skipped, and says so.
 *
 * Threads: one. */
#ifndef OF_COMMANDS_DOCTOR_CHECKS_H
#define OF_COMMANDS_DOCTOR_CHECKS_H

#include "commands/doctor/report.h"
#include "commands/settings.h"
#include "kafka/admin.h"
#include "kafka/options.h"
#include "kafka/survey.h"

enum { OF_DOCTOR_MS = 5000 }; /* that one broker, or one answer, may take */

struct of_doctor {
    const struct of_settings *settings;
    struct of_kafka_options kafka;
    struct of_report *report;
    struct of_survey survey;
    bool surveyed;          /* the survey understands the settings */
    bool reached;           /* a broker answers */
    struct of_admin *admin; /* NULL: not opened */
    int32_t partitions[OF_SURVEY_TOPICS]; /* of orders, retry, dead letters, aggregates; 0: no such topic, -1: not known */
};

/* Opens the admin client, too. */
void of_doctor_check_brokers(struct of_doctor *doctor);
void of_doctor_check_topics(struct of_doctor *doctor);
void of_doctor_check_permissions(struct of_doctor *doctor);
void of_doctor_check_group(struct of_doctor *doctor);
void of_doctor_check_registry(struct of_doctor *doctor); /* the clock, too */
void of_doctor_check_host(struct of_doctor *doctor);     /* limits, memory, port, source */

#endif
