#include "machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

static const double QUIET = 0.2; /* processors */
enum { LOOK_MS = 250 };

/* ---- what it is ---- */

static void
read_processor(char *text, size_t size)
{
    snprintf(text, size, "unknown processor");
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || value == NULL)
            continue;
        value[strcspn(value, "\n")] = '\0';
        snprintf(text, size, "%s", value + 2);
        break;
    }
    if (file != NULL)
        fclose(file);
}

json_t *
bench_machine(void)
{
    char processor[256];
    struct utsname system = { .sysname = "unknown" };
    read_processor(processor, sizeof processor);
    uname(&system);
    double memory_gib = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1 << 30);
    return json_pack("{s:o, s:o, s:s, s:s, s:s}",
                     "machine", json_sprintf("%s, %ld processors, %.0f GiB", processor,
                                             sysconf(_SC_NPROCESSORS_ONLN), memory_gib),
                     "system", json_sprintf("%s %s %s", system.sysname, system.release, system.machine),
                     "build", "orderflow " ORDERFLOW_VERSION ", " BENCH_BUILD,
                     "compiler", BENCH_COMPILER,
                     "libraries", BENCH_LIBRARIES);
}

/* ---- how busy it is ---- */

static double
seconds(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static double
spent(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
}

/* The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, in ticks. */
static double
all_busy_s(void)
{
    unsigned long long user = 0, nice = 0, system = 0, idle, iowait, irq = 0, softirq = 0;
    FILE *file = fopen("/proc/stat", "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &iowait, &irq,
               &softirq) != 7)
        user = nice = system = irq = softirq = 0;
    fclose(file);
    return (double)(user + nice + system + irq + softirq) / (double)sysconf(_SC_CLK_TCK);
}

struct bench_busy
bench_busy(void)
{
    return (struct bench_busy) {
        .all_s = all_busy_s(),
        .own_s = spent(RUSAGE_SELF) + spent(RUSAGE_CHILDREN),
        .at_ns = of_clock_mono_ns(of_clock_system()),
    };
}

double
bench_others(const struct bench_busy *from, const struct bench_busy *to)
{
    double passed_s = (double)(to->at_ns - from->at_ns) / 1e9;
    double others_s = to->all_s - from->all_s - (to->own_s - from->own_s);
    return passed_s > 0 && others_s > 0 ? others_s / passed_s : 0;
}

void
bench_settle(int64_t limit_ms)
{
    for (int64_t waited_ms = 0; waited_ms < limit_ms; waited_ms += LOOK_MS) {
        struct bench_busy from = bench_busy();
        nanosleep(&(struct timespec) { .tv_nsec = LOOK_MS * OF_MS_NS }, NULL);
        struct bench_busy to = bench_busy();
        if (bench_others(&from, &to) < QUIET)
            return;
    }
}
