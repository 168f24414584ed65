#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro/plan.h"
#include "commands/doctor/checks.h"
#include "commands/given_schema.h"
#include "commands/registry_options.h"
#include "commands/schema_file.h"
#include "core/clock.h"
#include "registry/schema_source.h"

enum { SKEW_MS = 2000, SKEW_FAR_MS = 60000 }; /* the registry tells whole seconds */

/* ---- the schema ---- */

static void
check_plan(struct of_doctor *doctor, const char *check, const struct of_registry_subject *subject,
           const struct of_schema_source *source)
{
    const struct of_settings *settings = doctor->settings;
    char *reader = NULL;
    struct of_plan *plan;
    struct of_error err;
    enum of_status status = OF_OK;
    if (settings->reader_schema != NULL)
        status = of_schema_file_read(settings->reader_schema, &reader, &err);
    const struct of_plan_fields fields = { .value = settings->value_field, .group_by = settings->group_by_field,
                                           .id = settings->id_field, .reader_schema = reader };
    if (status == OF_OK)
        status = of_schema_source_compile(source, &fields, (size_t)settings->max_field_bytes, &plan, &err);
    free(reader);
    if (status == OF_OK) {
        of_plan_destroy(&plan);
        of_report_add(doctor->report, OF_VERDICT_OK, check, "version %" PRIu32 ", id %" PRIu32 ": orders of it can be read",
                      subject->version, subject->id);
        return;
    }
    of_report_add(doctor->report, OF_VERDICT_FAIL, check, "orders of version %" PRIu32 ", id %" PRIu32
                  ", cannot be read: %s", subject->version, subject->id, err.text);
    of_report_remedy(doctor->report, "name other fields with --value-field, --group-by-field and --id-field: orderflow "
                     "schema explain --id %" PRIu32, subject->id);
}

static void
check_subject(struct of_doctor *doctor, struct of_registry_client *client, const char *check,
              const struct of_registry_subject *subject)
{
    struct of_schema_source *source;
    struct of_error err;
    struct of_schema_key key = of_schema_key_id(subject->id);
    if (of_registry_get_schema(client, key, &source, &err) == OF_REGISTRY_FOUND) {
        check_plan(doctor, check, subject, source);
        of_schema_source_destroy(&source);
        return;
    }
    of_report_add(doctor->report, OF_VERDICT_FAIL, check, "%s", err.text);
    of_report_remedy(doctor->report, "let the subject hold an Avro schema");
}

/* ---- the registry ---- */

static const char *
remedy_of(enum of_registry_answer answer)
{
    return answer == OF_REGISTRY_DENIED ? "check --registry-user and its password, or the token"
                                        : "start it, or check --registry";
}

/* Producers may name subjects otherwise, so that its absence is no fault. */
static void
look_at_subject(struct of_doctor *doctor, struct of_registry_client *client)
{
    char subject[OF_SUBJECT_BYTES], check[OF_SUBJECT_BYTES + 16];
    struct of_registry_subject *found;
    struct of_error err;
    of_given_schema_subject(doctor->settings, subject);
    snprintf(check, sizeof check, "schema %s", subject);
    enum of_registry_answer answer = of_registry_latest(client, subject, &found, &err);
    if (answer == OF_REGISTRY_FOUND || answer == OF_REGISTRY_NOT_FOUND)
        of_report_add(doctor->report, OF_VERDICT_OK, "registry", "%s answers", of_registry_client_urls(client));
    if (answer == OF_REGISTRY_FOUND) {
        check_subject(doctor, client, check, found);
        of_registry_subjects_destroy(&found, 1);
    } else if (answer == OF_REGISTRY_NOT_FOUND) {
        of_report_add(doctor->report, OF_VERDICT_WARN, check, "there is no such subject yet");
        of_report_remedy(doctor->report, "it comes with the first order; if there are orders already, their schema is "
                         "registered under another name, which does not matter");
    } else {
        of_report_add(doctor->report, OF_VERDICT_FAIL, "registry", "%s", err.text);
        of_report_remedy(doctor->report, "%s", remedy_of(answer));
    }
}

/* ---- the clock ---- */

/* Retries are due by the clock of whoever wrote them. */
static void
check_clock(struct of_doctor *doctor, int64_t date_ms, int64_t before_ms)
{
    int64_t now_ms = of_clock_wall_ms(of_clock_system());
    if (date_ms < 0) {
        of_report_add(doctor->report, OF_VERDICT_SKIP, "clock", "not checked, as the registry does not tell its time");
        return;
    }
    /* It told the second in which it answered, some time between before and now. */
    int64_t ahead_ms = before_ms - (date_ms + 999), behind_ms = date_ms - now_ms;
    int64_t skew_ms = ahead_ms > 0 ? ahead_ms : behind_ms > 0 ? behind_ms : 0;
    if (skew_ms < SKEW_MS) {
        of_report_add(doctor->report, OF_VERDICT_OK, "clock", "within %d s of the registry's", SKEW_MS / 1000);
        return;
    }
    of_report_add(doctor->report, OF_VERDICT_WARN, "clock", "%.1f s %s the registry's%s", (double)skew_ms / 1000,
                  ahead_ms > 0 ? "ahead of" : "behind",
                  skew_ms >= SKEW_FAR_MS ? ": certificates and tokens may seem not valid" : "");
    of_report_remedy(doctor->report, "let both hosts keep time (chrony, systemd-timesyncd); retries of other instances are "
                     "early or late by as much, their delay at most");
}

void
of_doctor_check_registry(struct of_doctor *doctor)
{
    struct of_registry_client *client;
    struct of_error err;
    struct of_settings settings = *doctor->settings;
    if (settings.registry_timeout_ms > OF_DOCTOR_MS)
        settings.registry_timeout_ms = OF_DOCTOR_MS;
    int64_t before_ms = of_clock_wall_ms(of_clock_system());
    if (of_registry_open(&settings, &client, &err) != OF_OK) {
        of_report_add(doctor->report, OF_VERDICT_FAIL, "registry", "%s", err.text);
        of_report_remedy(doctor->report, "correct the option: orderflow config check tells more");
        return;
    }
    look_at_subject(doctor, client);
    check_clock(doctor, of_registry_client_date_ms(client), before_ms);
    of_registry_client_close(&client);
}
