#include "commands/aggregate_schema.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands/embedded.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/log.h"
#include "core/memory.h"
#include "commands/registry_options.h"
#include "order/failure.h"

enum { FIRST_PAUSE_MS = 100, LONGEST_PAUSE_MS = 5000, SUBJECT_BYTES = 512, PATH_BYTES = 4096 };

#define CANNOT_REGISTER "cannot register the schema of totals as subject %s"

struct of_aggregate_schema {
    struct of_registry_client *client;
    char subject[SUBJECT_BYTES];
    char kept_at[PATH_BYTES]; /* empty: nowhere */
    void (*known)(void *context);
    void *context;
    _Atomic int64_t id;
    int64_t opened_ns;

    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t closes;
    bool closing;
    struct of_error obstacle; /* while the id is not known */
};

static void
name_subject(char subject[SUBJECT_BYTES], const char *aggregates_topic)
{
    snprintf(subject, SUBJECT_BYTES, "%s-value", aggregates_topic);
}

/* ---- what an earlier process knew ---- */

static void
name_file(struct of_aggregate_schema *schema, const struct of_settings *settings)
{
    if (settings->registry_cache_dir == NULL)
        return;
    uint64_t hash = of_fnv1a64(of_slice_str(settings->registry))
                    ^ of_fnv1a64(of_slice_str(of_embedded_aggregate_schema)) * 31;
    int length = snprintf(schema->kept_at, PATH_BYTES, "%s/aggregates-%016" PRIx64 ".id", settings->registry_cache_dir,
                          hash);
    if (length < 0 || length >= PATH_BYTES - 4)
        schema->kept_at[0] = '\0';
}

static void
look_into_file(struct of_aggregate_schema *schema)
{
    uint32_t id;
    FILE *file = schema->kept_at[0] != '\0' ? fopen(schema->kept_at, "re") : NULL;
    if (file == NULL)
        return;
    if (fscanf(file, "%" SCNu32, &id) == 1)
        atomic_store_explicit(&schema->id, id, memory_order_release);
    fclose(file);
}

/* As a whole or not at all; one that cannot be kept is asked for again after a restart. */
static void
keep_in_file(const struct of_aggregate_schema *schema, uint32_t id)
{
    char beside[PATH_BYTES + 4];
    if (schema->kept_at[0] == '\0')
        return;
    snprintf(beside, sizeof beside, "%s.new", schema->kept_at);
    FILE *file = fopen(beside, "we");
    bool written = file != NULL && fprintf(file, "%" PRIu32 "\n", id) > 0;
    if (file != NULL)
        written = fclose(file) == 0 && written;
    if (!written || rename(beside, schema->kept_at) != 0)
        of_log_warning("aggregates", "cannot keep the id of the schema of totals in %s", schema->kept_at);
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
        of_log_warning("aggregates", "%s; trying again until it works", err->text);
    *before = answer;
}

static void
keep_obstacle(struct of_aggregate_schema *schema, const struct of_error *err)
{
    pthread_mutex_lock(&schema->lock);
    schema->obstacle = *err;
    pthread_mutex_unlock(&schema->lock);
}

/* Who may only read can still find what somebody else has registered. err: about registering. */
static enum of_registry_answer
register_or_find(struct of_registry_client *client, const char *subject, uint32_t *id, struct of_error *err)
{
    enum of_registry_answer answer = of_registry_register(client, subject, of_embedded_aggregate_schema, id, err);
    struct of_error ignored;
    if (answer != OF_REGISTRY_DENIED && answer != OF_REGISTRY_UNUSABLE)
        return answer;
    return of_registry_look_up(client, subject, of_embedded_aggregate_schema, id, &ignored) == OF_REGISTRY_FOUND
               ? OF_REGISTRY_FOUND
               : answer;
}

static void *
run(void *context)
{
    struct of_aggregate_schema *schema = context;
    enum of_registry_answer answer, before = OF_REGISTRY_FOUND;
    struct of_error err;
    uint32_t id;
    for (int64_t pause_ms = FIRST_PAUSE_MS;; pause_ms = 2 * pause_ms < LONGEST_PAUSE_MS ? 2 * pause_ms : LONGEST_PAUSE_MS) {
        answer = register_or_find(schema->client, schema->subject, &id, &err);
        if (is_closing(schema))
            return NULL;
        if (answer != OF_REGISTRY_FOUND)
            of_error_prefix(&err, CANNOT_REGISTER, schema->subject);
        tell(schema, answer, &before, &err);
        if (answer == OF_REGISTRY_FOUND)
            break;
        keep_obstacle(schema, &err);
        pause_for(schema, pause_ms);
    }
    atomic_store_explicit(&schema->id, id, memory_order_release);
    keep_in_file(schema, id);
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
    schema->opened_ns = of_clock_mono_ns(options->clock);
    of_error_set(&schema->obstacle, OF_RETRY, "the schema registry has not answered yet");
    name_subject(schema->subject, options->settings->aggregates_topic);
    name_file(schema, options->settings);
    look_into_file(schema);
    pthread_mutex_init(&schema->lock, NULL);
    init_condition(&schema->closes);
    enum of_status status = of_registry_open(options->settings, &schema->client, err);
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

bool
of_aggregate_schema_obstacle(struct of_aggregate_schema *schema, int64_t *since_ns, struct of_error *why)
{
    if (atomic_load_explicit(&schema->id, memory_order_acquire) >= 0)
        return false;
    *since_ns = schema->opened_ns;
    pthread_mutex_lock(&schema->lock);
    *why = schema->obstacle;
    pthread_mutex_unlock(&schema->lock);
    return true;
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
of_aggregate_schema_register(const struct of_settings *settings, uint32_t *id, struct of_error *err)
{
    char subject[SUBJECT_BYTES];
    struct of_registry_client *client;
    enum of_status status = of_registry_open(settings, &client, err);
    if (status != OF_OK)
        return status;
    name_subject(subject, settings->aggregates_topic);
    enum of_registry_answer answer = register_or_find(client, subject, id, err);
    of_registry_client_close(&client);
    if (answer == OF_REGISTRY_FOUND)
        return OF_OK;
    of_error_prefix(err, CANNOT_REGISTER, subject);
    return answer == OF_REGISTRY_UNAVAILABLE ? OF_RETRY : OF_FATAL;
}
