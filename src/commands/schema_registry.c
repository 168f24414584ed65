#include "commands/schema_registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "commands/commands.h"
#include "commands/interrupt.h"
#include "commands/registry_options.h"
#include "commands/given_schema.h"
#include "core/clock.h"
#include "core/escape.h"
#include "core/log.h"
#include "registry/back_off.h"

enum { PATIENCE_MS = 10000 }; /* with a registry that does not answer: somebody waits at a terminal */

/* One question to the registry, and what is known of the answer. */
struct question {
    struct of_registry_client *client;
    const char *schema;
    char subject[OF_SUBJECT_BYTES];
    uint32_t id;
    bool compatible;
    struct of_registry_subject *subjects;
    size_t count;
};

static enum of_registry_answer
ask_register(struct question *question, struct of_error *err)
{
    return of_registry_register(question->client, question->subject, question->schema, &question->id, err);
}

static enum of_registry_answer
ask_check(struct question *question, struct of_error *err)
{
    return of_registry_check(question->client, question->subject, question->schema, &question->compatible, err);
}

static enum of_registry_answer
ask_list(struct question *question, struct of_error *err)
{
    return of_registry_list(question->client, &question->subjects, &question->count, err);
}

static enum of_registry_answer
insist(struct question *question, enum of_registry_answer (*ask)(struct question *, struct of_error *),
       struct of_error *err)
{
    const struct of_clock *clock = of_clock_system();
    int64_t deadline_ns = of_clock_mono_ns(clock) + PATIENCE_MS * OF_MS_NS, back_off_ns = 0;
    struct of_jitter jitter = { (uint64_t)deadline_ns };
    struct of_log_last last = { 0 };
    for (;;) {
        enum of_registry_answer answer = ask(question, err);
        int64_t wait_ns = of_back_off_next(&jitter, &back_off_ns, of_registry_client_wait_ms(question->client));
        if (answer != OF_REGISTRY_UNAVAILABLE || of_interrupt_requested() ||
            of_clock_mono_ns(clock) + wait_ns > deadline_ns)
            return answer;
        of_log_changed(&last, OF_LOG_WARNING, "schema", "%s; trying again", err->text);
        nanosleep(&(struct timespec) { .tv_sec = wait_ns / OF_SECOND_NS, .tv_nsec = wait_ns % OF_SECOND_NS }, NULL);
    }
}

static int
complain(const struct of_command_line *line, int exit_status, const struct of_error *err)
{
    fprintf(stderr, "orderflow schema %s: %s\n", line->options.operands[0], err->text);
    return exit_status;
}

static void
print_text(const char *text, int columns)
{
    char shown[OF_ESCAPE_GROWTH * 256 + 1];
    of_escape(OF_ESCAPE_TERMINAL, of_slice_str(text), shown, sizeof shown);
    printf("%-*s", columns, shown);
}

static void
print_list(const struct question *question)
{
    print_text("SUBJECT", 40);
    printf("  %7s  %10s  TYPE\n", "VERSION", "ID");
    for (size_t i = 0; i < question->count; i++) {
        const struct of_registry_subject *subject = &question->subjects[i];
        print_text(subject->name, 40);
        printf("  %7u  %10u  ", (unsigned)subject->version, (unsigned)subject->id);
        print_text(subject->type, 0);
        putchar('\n');
    }
}

/* Opens, asks, prints what was found. */
static int
run(const struct of_command_line *line, enum of_registry_answer (*ask)(struct question *, struct of_error *))
{
    struct of_error err;
    struct question question = { 0 };
    char *schema = NULL;
    of_interrupt_install();
    of_given_schema_subject(&line->settings, question.subject);
    if (ask != ask_list && of_given_schema_read(&line->settings, &schema, &err) != OF_OK)
        return complain(line, OF_EXIT_USAGE, &err);
    question.schema = schema;
    int exit_status = OF_EXIT_DONE;
    if (of_registry_open(&line->settings, &question.client, &err) != OF_OK)
        exit_status = complain(line, OF_EXIT_USAGE, &err);
    else if (insist(&question, ask, &err) != OF_REGISTRY_FOUND || (ask == ask_check && !question.compatible))
        exit_status = complain(line, OF_EXIT_FAILED, &err);
    else if (ask == ask_register)
        printf("subject %s, schema id %u\n", question.subject, (unsigned)question.id);
    else if (ask == ask_check)
        printf("subject %s: compatible\n", question.subject);
    else
        print_list(&question);
    of_registry_subjects_destroy(&question.subjects, question.count);
    of_registry_client_close(&question.client);
    free(schema);
    return exit_status;
}

int
of_schema_register(const struct of_command_line *line)
{
    return run(line, ask_register);
}

int
of_schema_check(const struct of_command_line *line)
{
    return run(line, ask_check);
}

int
of_schema_list(const struct of_command_line *line)
{
    return run(line, ask_list);
}
