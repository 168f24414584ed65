#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "commands/doctor/checks.h"
#include "commands/endpoints.h"
#include "kafka/source_direct.h"
#include "ops/http_server.h"

enum {
    FILES_OF_THE_PROCESS = 64,  /* standard streams, health, registry, epoll, libraries */
    FILES_OF_A_LANE = 24,       /* eventfds, pipes of librdkafka's handles */
    CLIENTS_OF_A_LANE = 4,      /* that may be connected to every broker: member, producer, restorer, retries */
    MB_BESIDE = 96,             /* code, librdkafka's handles, what is written */
    GROUP_BYTES = 400,          /* of one group value in one partition, about */
};

/* ---- descriptors ---- */

static void
check_files(struct of_doctor *doctor)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    uint64_t brokers = doctor->survey.told_of > 0 ? doctor->survey.told_of : 3;
    uint64_t lanes = (uint64_t)doctor->settings->fetch_threads;
    uint64_t needed = FILES_OF_THE_PROCESS + lanes * (FILES_OF_A_LANE + CLIENTS_OF_A_LANE * brokers);
    bool enough = limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed;
    of_report_add(doctor->report, enough ? OF_VERDICT_OK : OF_VERDICT_FAIL, "open files",
                  "the limit is %" PRIu64 ", about %" PRIu64 " are needed", (uint64_t)limit.rlim_cur, needed);
    if (!enough)
        of_report_remedy(doctor->report, "raise it: ulimit -n, or LimitNOFILE of the unit");
}

/* ---- memory ---- */

/* A number in a file of the kernel's; -1: none, or no limit. */
static int64_t
read_number(const char *path)
{
    char text[64] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    bool read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    char *end;
    long long number = strtoll(text, &end, 10);
    return read && end != text ? number : -1;
}

/* MiB that this process may have: of its control group, or of the machine. */
static int64_t
memory_limit_mb(const char **whose)
{
    int64_t machine = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    static const char *const files[] = { "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes" };
    *whose = "the machine";
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        int64_t limit = read_number(files[i]);
        if (limit > 0 && limit < machine) {
            *whose = "its control group";
            machine = limit;
        }
    }
    return machine >> 20;
}

static void
check_memory(struct of_doctor *doctor)
{
    const char *whose;
    int64_t limit_mb = memory_limit_mb(&whose);
    int64_t usual_mb = doctor->settings->memory_mb + MB_BESIDE;
    int64_t groups_mb = doctor->settings->max_groups * GROUP_BYTES >> 20;
    enum of_verdict verdict = usual_mb >= limit_mb             ? OF_VERDICT_FAIL
                              : usual_mb + groups_mb >= limit_mb ? OF_VERDICT_WARN
                                                                 : OF_VERDICT_OK;
    of_report_add(doctor->report, verdict, "memory", "%s has %" PRId64 " MiB; --memory-mb %" PRId64 " comes to about %"
                  PRId64 ", and --max-groups to %" PRId64 " more for each partition, once there are as many", whose, limit_mb,
                  doctor->settings->memory_mb, usual_mb, groups_mb);
    if (verdict != OF_VERDICT_OK)
        of_report_remedy(doctor->report, "lower %s, or give it more memory",
                         verdict == OF_VERDICT_FAIL ? "--memory-mb" : "--max-groups");
}

/* ---- the port ---- */

static unsigned
answer_nothing(void *context, const struct of_http_request *request, struct of_http_response *response)
{
    (void)context, (void)request, (void)response;
    return 503;
}

/* It is taken for a moment: nothing else tells for sure. */
static void
check_port(struct of_doctor *doctor)
{
    const char *address = doctor->settings->http;
    const struct of_http_server_options options = { .address = address, .handler = answer_nothing };
    struct of_http_server *server;
    struct of_error err;
    if (address == NULL) {
        of_report_add(doctor->report, OF_VERDICT_OK, "health port", "none is asked for (--http)");
    } else if (of_http_server_open(&options, &server, &err) == OF_OK) {
        of_http_server_close(&server);
        of_report_add(doctor->report, OF_VERDICT_OK, "health port", "%s is free", address);
    } else {
        of_report_add(doctor->report, OF_VERDICT_WARN, "health port", "%s", err.text);
        of_report_remedy(doctor->report, "fine if it is an orderflow that runs already; otherwise choose another");
    }
}

/* A run reads it at its start. */
static void
check_token(struct of_doctor *doctor)
{
    const struct of_settings *settings = doctor->settings;
    struct of_error err;
    if (settings->http == NULL || (settings->http_token == NULL && settings->http_token_file == NULL))
        return;
    if (of_endpoints_check_token(settings, &err) == OF_OK) {
        of_report_add(doctor->report, OF_VERDICT_OK, "health token", "can be read");
    } else {
        of_report_add(doctor->report, OF_VERDICT_FAIL, "health token", "%s", err.text);
        of_report_remedy(doctor->report, "write the token into the first line, and let this user read the file");
    }
}

/* ---- the source ---- */

static void
check_source(struct of_doctor *doctor)
{
    struct of_error why;
    if (doctor->settings->source == OF_SOURCE_LIBRDKAFKA) {
        of_report_add(doctor->report, OF_VERDICT_OK, "source", "librdkafka, as --source says");
        return;
    }
    if (of_source_direct_applies(&doctor->kafka, &why) == OF_OK) {
        of_report_add(doctor->report, OF_VERDICT_OK, "source", "direct, as nothing speaks against it%s",
                      doctor->reached ? "" : " so far: no broker answers");
    } else if (doctor->settings->source == OF_SOURCE_DIRECT) {
        of_report_add(doctor->report, OF_VERDICT_FAIL, "source", "--source direct is not possible: %s", why.text);
        of_report_remedy(doctor->report, "use --source auto");
    } else {
        of_report_add(doctor->report, OF_VERDICT_OK, "source", "librdkafka, because for the direct one %s", why.text);
    }
}

void
of_doctor_check_host(struct of_doctor *doctor)
{
    check_files(doctor);
    check_memory(doctor);
    check_port(doctor);
    check_token(doctor);
    check_source(doctor);
}
