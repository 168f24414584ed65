#include <stdio.h>
#include <string.h>

#include "commands/commands.h"
#include "commands/doctor/checks.h"
#include "commands/kafka_options.h"
#include "core/log.h"

static void (*const checks[])(struct of_doctor *doctor) = {
    of_doctor_check_brokers, of_doctor_check_topics,   of_doctor_check_permissions,
    of_doctor_check_group,   of_doctor_check_registry, of_doctor_check_host,
};

static int
examine(const struct of_command_line *line)
{
    bool json = line->settings.json;
    struct of_report report;
    struct of_doctor doctor = { .settings = &line->settings, .report = &report };
    of_report_init(&report, json ? NULL : stdout);
    of_kafka_options_init(&doctor.kafka, line);
    doctor.kafka.log = NULL; /* what its clients would say is in the findings */
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        checks[i](&doctor);
    of_report_show(&report);
    if (json)
        of_report_print_json(&report, stdout);
    else
        of_report_print_end(&report, stdout);
    int exit_status = of_report_failed(&report) ? OF_EXIT_FAILED : OF_EXIT_DONE;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("orderflow doctor: standard output");
        exit_status = OF_EXIT_FAILED;
    }
    of_admin_close(&doctor.admin);
    of_kafka_options_fini(&doctor.kafka);
    of_report_fini(&report);
    return exit_status;
}

int
of_command_doctor(int argc, char **argv)
{
    return of_command_line_run(OF_COMMAND_DOCTOR, argc, argv, examine);
}
