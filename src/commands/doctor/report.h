/* What `orderflow doctor` has found, and how it is shown.
 *
 *     ok    broker localhost:9092     answers within 3 ms
 *     fail  topic orders-aggregates   cleanup.policy is delete: totals would be deleted  — set it to compact
 *
 *     fix first: topic orders-aggregates: set it to compact
 *
 * In order: what is found first stands first, because what follows may only be its consequence. Owner: the command.
 * Threads: one. Texts may hold anything; they are escaped when they are printed. */
#ifndef OF_COMMANDS_DOCTOR_REPORT_H
#define OF_COMMANDS_DOCTOR_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"

enum of_verdict {
    OF_VERDICT_OK,
    OF_VERDICT_SKIP, /* could not be checked, because of something else that is in the list, or because it cannot be told */
    OF_VERDICT_WARN, /* a run works, but not as well as it could, or not for ever */
    OF_VERDICT_FAIL, /* a run does not work */
};

struct of_finding {
    enum of_verdict verdict;
    char check[320];   /* "broker localhost:9092" */
    char text[OF_ERROR_TEXT_BYTES];
    char remedy[512];  /* what to do; empty where nothing is to be done */
};

struct of_report {
    struct of_finding *findings;
    uint32_t count;
    FILE *live; /* each line is printed here as soon as it is complete; NULL: nowhere */
    uint32_t shown;
};

void of_report_init(struct of_report *report, FILE *live);
void of_report_fini(struct of_report *report);

/* check: what was looked at. Shows those before. */
void of_report_add(struct of_report *report, enum of_verdict verdict, const char *check, const char *format, ...)
    OF_PRINTF(4, 5);
/* What to do about the last finding. */
void of_report_remedy(struct of_report *report, const char *format, ...) OF_PRINTF(2, 3);

/* The findings so far are complete. */
void of_report_show(struct of_report *report);

bool of_report_failed(const struct of_report *report);

/* One line. */
void of_finding_print(const struct of_finding *finding, FILE *out);
/* "fix first: ...", or that nothing is wrong. */
void of_report_print_end(const struct of_report *report, FILE *out);
/* All of it as one line of JSON. */
void of_report_print_json(const struct of_report *report, FILE *out);

#endif
