#include "commands/doctor/report.h"

#include <stdlib.h>
#include <string.h>

#include "core/assert.h"
#include "core/escape.h"
#include "core/memory.h"
#include "ops/json.h"

enum { CHECK_COLUMNS = 34 };

static const char *const names[] = { "ok", "skip", "warn", "fail" };

void
of_report_init(struct of_report *report, FILE *live)
{
    *report = (struct of_report) { .live = live };
}

void
of_report_fini(struct of_report *report)
{
    free(report->findings);
    *report = (struct of_report) { 0 };
}

void
of_report_show(struct of_report *report)
{
    for (; report->shown < report->count; report->shown++)
        if (report->live != NULL)
            of_finding_print(&report->findings[report->shown], report->live);
    if (report->live != NULL)
        fflush(report->live);
}

void
of_report_add(struct of_report *report, enum of_verdict verdict, const char *check, const char *format, ...)
{
    of_report_show(report);
    report->findings = of_realloc_array(report->findings, report->count + 1, sizeof *report->findings);
    struct of_finding *finding = &report->findings[report->count++];
    finding->verdict = verdict;
    finding->remedy[0] = '\0';
    snprintf(finding->check, sizeof finding->check, "%s", check);
    va_list args;
    va_start(args, format);
    vsnprintf(finding->text, sizeof finding->text, format, args);
    va_end(args);
}

void
of_report_remedy(struct of_report *report, const char *format, ...)
{
    OF_ASSERT(report->count > report->shown);
    struct of_finding *finding = &report->findings[report->count - 1];
    va_list args;
    va_start(args, format);
    vsnprintf(finding->remedy, sizeof finding->remedy, format, args);
    va_end(args);
}

bool
of_report_failed(const struct of_report *report)
{
    for (uint32_t i = 0; i < report->count; i++)
        if (report->findings[i].verdict == OF_VERDICT_FAIL)
            return true;
    return false;
}

/* ---- for people ---- */

static void
print_text(FILE *out, const char *text, int columns)
{
    char shown[OF_ESCAPE_GROWTH * OF_ERROR_TEXT_BYTES + 1];
    of_escape(OF_ESCAPE_TERMINAL, of_slice_str(text), shown, sizeof shown);
    fprintf(out, "%-*s", columns, shown);
}

void
of_finding_print(const struct of_finding *finding, FILE *out)
{
    fprintf(out, "%-4s  ", names[finding->verdict]);
    print_text(out, finding->check, CHECK_COLUMNS);
    fputs("  ", out);
    print_text(out, finding->text, 0);
    if (finding->remedy[0] != '\0') {
        fputs("  — ", out);
        print_text(out, finding->remedy, 0);
    }
    fputc('\n', out);
}

/* The first of the worst. */
static const struct of_finding *
first_to_fix(const struct of_report *report)
{
    for (enum of_verdict verdict = OF_VERDICT_FAIL; verdict > OF_VERDICT_SKIP; verdict--)
        for (uint32_t i = 0; i < report->count; i++)
            if (report->findings[i].verdict == verdict)
                return &report->findings[i];
    return NULL;
}

void
of_report_print_end(const struct of_report *report, FILE *out)
{
    const struct of_finding *first = first_to_fix(report);
    if (first == NULL) {
        fputs("\nnothing is wrong\n", out);
        return;
    }
    fputs(first->verdict == OF_VERDICT_FAIL ? "\nfix first: " : "\nnothing stands in the way; worth a look: ", out);
    print_text(out, first->check, 0);
    fputs(": ", out);
    print_text(out, first->remedy[0] != '\0' ? first->remedy : first->text, 0);
    fputc('\n', out);
}

/* ---- for programs ---- */

static void
print_finding_json(struct of_json *json, const char *key, const struct of_finding *finding)
{
    of_json_open(json, key, '{');
    of_json_string(json, "check", finding->check);
    of_json_string(json, "verdict", names[finding->verdict]);
    of_json_string(json, "text", finding->text);
    of_json_string(json, "remedy", finding->remedy[0] != '\0' ? finding->remedy : NULL);
    of_json_close(json, '}');
}

void
of_report_print_json(const struct of_report *report, FILE *out)
{
    struct of_json json = of_json_to(out);
    const struct of_finding *first = first_to_fix(report);
    of_json_open(&json, NULL, '{');
    of_json_open(&json, "checks", '[');
    for (uint32_t i = 0; i < report->count; i++)
        print_finding_json(&json, NULL, &report->findings[i]);
    of_json_close(&json, ']');
    if (first != NULL)
        print_finding_json(&json, "fix_first", first);
    else
        of_json_string(&json, "fix_first", NULL);
    of_json_bool(&json, "healthy", !of_report_failed(report));
    of_json_close(&json, '}');
    of_json_end_line(&json);
}
