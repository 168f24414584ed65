#include "commands/aggregate_schema.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands/embedded.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/memory.h"
#include "registry/client.h"

enum { FIRST_PAUSE_MS = 100, LONGEST_PAUSE_MS = 5000, SUBJECT_BYTES = 512 };

struct of_aggregate_schema {
    struct of_registry_client *client;
    char subject[SUBJECT_BYTES];
    void (*known)(void *context);
    void *context;
    _Atomic int64_t id;

    pthread_t thread;
    pthread_mutex_t lock; /* of `closing` */
    pthread_cond_t closes;
    bool closing;
};

static void
name_subject(char subject[SUBJECT_BYTES], const char *aggregates_topic)
{
    snprintf(subject, SUBJECT_BYTES, "%s-value", aggregates_topic);
}

/* ---- the thread ---- */

static bool
is_closing(struct of_aggregate_schema *schema)
{
    pthread_mutex_lock(&schema->lock);
    bool closing = schema->closing;
    pthread_mutex_unlock(&schema->lock);
    return closing;
}

static void
pause_for(struct of_aggregate_schema *schema, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + ms % 1000 * OF_MS_NS;
    until.tv_sec += ms / 1000 + ns / OF_SECOND_NS;
    until.tv_nsec = ns % OF_SECOND_NS;
    pthread_mutex_lock(&schema->lock);
    while (!schema->closing && pthread_cond_timedwait(&schema->closes, &schema->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&schema->lock);
}

/* *before: what stood in the way last; FOUND: nothing. */
static void
tell(const struct of_aggregate_schema *schema, enum of_registry_answer answer, enum of_registry_answer *before,
     const struct of_error *err)
{
    if (answer == OF_REGISTRY_FOUND && *before != OF_REGISTRY_FOUND)
        of_log_info("aggregates", "the schema of subject %s is registered now", schema->subject);
    else if (answer != *before)
        of_log_warning("aggregates", "cannot register the schema of totals as subject %s: %s; trying again until it "
                       "works", schema->subject, err->text);
    *before = answer;
}

static void *
run(void *context)
{
    struct of_aggregate_schema *schema = context;
    enum of_registry_answer answer, before = OF_REGISTRY_FOUND;
    struct of_error err;
    uint32_t id;
    for (int64_t pause_ms = FIRST_PAUSE_MS;; pause_ms = 2 * pause_ms < LONGEST_PAUSE_MS ? 2 * pause_ms : LONGEST_PAUSE_MS) {
        answer = of_registry_register(schema->client, schema->subject, of_embedded_aggregate_schema, &id, &err);
        if (is_closing(schema))
            return NULL;
        tell(schema, answer, &before, &err);
        if (answer == OF_REGISTRY_FOUND)
            break;
        pause_for(schema, pause_ms);
    }
    atomic_store_explicit(&schema->id, id, memory_order_release);
    if (schema->known != NULL)
        schema->known(schema->context);
    return NULL;
}

/* ---- opening and closing ---- */

static void
init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void
release(struct of_aggregate_schema *schema)
{
    of_registry_client_close(&schema->client);
    pthread_cond_destroy(&schema->closes);
    pthread_mutex_destroy(&schema->lock);
    free(schema);
}

enum of_status
of_aggregate_schema_open(const struct of_aggregate_schema_options *options, struct of_aggregate_schema **out,
                         struct of_error *err)
{
    *out = NULL;
    struct of_aggregate_schema *schema = of_alloc(sizeof *schema);
    schema->known = options->known;
    schema->context = options->context;
    atomic_init(&schema->id, -1);
    name_subject(schema->subject, options->aggregates_topic);
    pthread_mutex_init(&schema->lock, NULL);
    init_condition(&schema->closes);
    enum of_status status = of_registry_client_open(&(struct of_registry_options) { .urls = options->registry },
                                                    &schema->client, err);
    if (status == OF_OK) {
        int failed = pthread_create(&schema->thread, NULL, run, schema);
        if (failed != 0)
            status = of_error_set(err, OF_FATAL, "no thread: %s", strerror(failed));
    }
    if (status != OF_OK) {
        release(schema);
        return status;
    }
    *out = schema;
    return OF_OK;
}

const _Atomic int64_t *
of_aggregate_schema_id(const struct of_aggregate_schema *schema)
{
    return &schema->id;
}

void
of_aggregate_schema_close(struct of_aggregate_schema **schema)
{
    struct of_aggregate_schema *closing = *schema;
    *schema = NULL;
    if (closing == NULL)
        return;
    pthread_mutex_lock(&closing->lock);
    closing->closing = true;
    pthread_cond_signal(&closing->closes);
    pthread_mutex_unlock(&closing->lock);
    of_registry_client_cancel(closing->client);
    pthread_join(closing->thread, NULL);
    release(closing);
}

/* ---- at once ---- */

enum of_status
of_aggregate_schema_register(const char *registry, const char *aggregates_topic, uint32_t *id, struct of_error *err)
{
    char subject[SUBJECT_BYTES];
    struct of_registry_client *client;
    enum of_status status = of_registry_client_open(&(struct of_registry_options) { .urls = registry }, &client, err);
    if (status != OF_OK)
        return status;
    name_subject(subject, aggregates_topic);
    enum of_registry_answer answer = of_registry_register(client, subject, of_embedded_aggregate_schema, id, err);
    of_registry_client_close(&client);
    if (answer == OF_REGISTRY_FOUND)
        return OF_OK;
    of_error_prefix(err, "cannot register the schema of totals as subject %s", subject);
    return answer == OF_REGISTRY_UNAVAILABLE ? OF_RETRY : OF_FATAL;
}
