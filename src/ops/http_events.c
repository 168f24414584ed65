/* One thread makes an event a second, and everybody who listens is sent the same bytes. A listener that has been sent all
 * there is is suspended until the next event; one that is slow goes on with the event that it was being sent, and then
 * with the latest: it misses what lies between. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/assert.h"
#include "core/clock.h"
#include "core/memory.h"
#include "ops/http_private.h"

enum { BLOCK_BYTES = 16 * 1024 };

struct of_http_event {
    uint32_t holders; /* under the lock */
    char *text;
    size_t length;
};

struct of_http_stream {
    struct of_http_events *events;
    struct MHD_Connection *connection;
    struct of_http_connection *guarded;
    struct of_http_event *event; /* being sent; NULL: none */
    size_t at;
    uint64_t seen; /* number of the last one that was begun */
    bool suspended;
    struct of_http_stream *previous, *next;
};

/* ---- events: with the lock held ---- */

static void
let_go(struct of_http_event **event)
{
    struct of_http_event *held = *event;
    *event = NULL;
    if (held == NULL || --held->holders > 0)
        return;
    free(held->text);
    free(held);
}

static struct of_http_event *
hold(struct of_http_event *event)
{
    event->holders++;
    return event;
}

static void
resume_all(struct of_http_events *events)
{
    for (struct of_http_stream *stream = events->streams; stream != NULL; stream = stream->next) {
        if (!stream->suspended)
            continue;
        stream->suspended = false;
        of_http_guard_expect(events->guard, stream->guarded, OF_HTTP_TAKE_EVENT);
        MHD_resume_connection(stream->connection);
    }
}

/* ---- the clockwork ---- */

static struct of_http_event *
make_event(const struct of_http_events *events)
{
    struct of_http_event *event = of_alloc(sizeof *event);
    FILE *out = open_memstream(&event->text, &event->length);
    OF_ASSERT(out != NULL);
    fputs("data: ", out);
    events->make(events->context, out);
    fputc('\n', out);
    int failed = fclose(out);
    OF_ASSERT(failed == 0);
    return event;
}

static void
publish_event(struct of_http_events *events)
{
    pthread_mutex_unlock(&events->lock);
    struct of_http_event *event = make_event(events);
    pthread_mutex_lock(&events->lock);
    let_go(&events->latest);
    events->latest = hold(event);
    events->number++;
    resume_all(events);
}

static void
tick(struct of_http_events *events)
{
    pthread_mutex_unlock(&events->lock);
    events->tick(events->context);
    pthread_mutex_lock(&events->lock);
}

static void
wait_until(struct of_http_events *events, int64_t until_ns)
{
    struct timespec until = { .tv_sec = until_ns / OF_SECOND_NS, .tv_nsec = until_ns % OF_SECOND_NS };
    while (!events->closing && !events->wanted && of_clock_mono_ns(of_clock_system()) < until_ns)
        pthread_cond_timedwait(&events->wake, &events->lock, &until);
}

static void *
run(void *arg)
{
    struct of_http_events *events = arg;
    pthread_mutex_lock(&events->lock);
    while (!events->closing) {
        int64_t began_ns = of_clock_mono_ns(of_clock_system());
        events->wanted = false;
        if (events->stream_count > 0)
            publish_event(events);
        if (events->tick != NULL)
            tick(events);
        of_http_guard_sweep(events->guard);
        wait_until(events, began_ns + OF_SECOND_NS);
    }
    pthread_mutex_unlock(&events->lock);
    return NULL;
}

enum of_status
of_http_events_start(struct of_http_events *events, const struct of_http_server_options *options,
                     struct of_http_guard *guard, struct of_error *err)
{
    pthread_condattr_t monotonic;
    sigset_t all, before;
    *events = (struct of_http_events) {
        .make = options->event, .tick = options->tick, .context = options->context, .guard = guard,
    };
    pthread_mutex_init(&events->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&events->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's business */
    int failed = pthread_create(&events->thread, NULL, run, events);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0)
        return OF_OK;
    of_http_events_fini(events);
    return of_error_set(err, OF_FATAL, "cannot start a thread for HTTP: %s", strerror(failed));
}

void
of_http_events_stop(struct of_http_events *events)
{
    pthread_mutex_lock(&events->lock);
    events->closing = true;
    pthread_cond_signal(&events->wake);
    resume_all(events);
    pthread_mutex_unlock(&events->lock);
    pthread_join(events->thread, NULL);
}

void
of_http_events_fini(struct of_http_events *events)
{
    OF_ASSERT(events->streams == NULL);
    let_go(&events->latest);
    pthread_cond_destroy(&events->wake);
    pthread_mutex_destroy(&events->lock);
}

/* ---- listeners: the daemon's thread ---- */

/* What to send next; false: the listener is suspended, or done with. With the lock held. */
static bool
find_event(struct of_http_events *events, struct of_http_stream *stream)
{
    if (stream->event == NULL && events->latest != NULL && stream->seen < events->number) {
        stream->event = hold(events->latest);
        stream->seen = events->number;
        stream->at = 0;
        of_http_guard_expect(events->guard, stream->guarded, OF_HTTP_TAKE_EVENT);
    }
    if (stream->event != NULL || events->closing)
        return stream->event != NULL;
    stream->suspended = true;
    of_http_guard_expect(events->guard, stream->guarded, OF_HTTP_NOTHING);
    MHD_suspend_connection(stream->connection);
    return false;
}

static ssize_t
read_stream(void *arg, uint64_t position, char *room, size_t size)
{
    (void)position;
    struct of_http_stream *stream = arg;
    struct of_http_events *events = stream->events;
    pthread_mutex_lock(&events->lock);
    if (!find_event(events, stream)) {
        ssize_t nothing = events->closing ? MHD_CONTENT_READER_END_OF_STREAM : 0;
        pthread_mutex_unlock(&events->lock);
        return nothing;
    }
    size_t length = stream->event->length - stream->at;
    if (length > size)
        length = size;
    memcpy(room, stream->event->text + stream->at, length);
    stream->at += length;
    if (stream->at == stream->event->length)
        let_go(&stream->event);
    pthread_mutex_unlock(&events->lock);
    return (ssize_t)length;
}

static void
end_stream(void *arg)
{
    struct of_http_stream *stream = arg;
    struct of_http_events *events = stream->events;
    pthread_mutex_lock(&events->lock);
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        events->streams = stream->next;
    events->stream_count--;
    let_go(&stream->event);
    if (events->stream_count == 0) /* whoever comes next gets no old news */
        let_go(&events->latest);
    pthread_mutex_unlock(&events->lock);
    free(stream);
}

static struct of_http_stream *
begin_stream(struct of_http_events *events, struct MHD_Connection *connection, struct of_http_connection *guarded)
{
    struct of_http_stream *stream = NULL;
    pthread_mutex_lock(&events->lock);
    if (!events->closing && events->stream_count < OF_HTTP_SERVER_STREAMS) {
        stream = of_alloc(sizeof *stream);
        stream->events = events;
        stream->connection = connection;
        stream->guarded = guarded;
        stream->next = events->streams;
        if (stream->next != NULL)
            stream->next->previous = stream;
        events->streams = stream;
        if (events->stream_count++ == 0) {
            events->wanted = true;
            pthread_cond_signal(&events->wake);
        }
    }
    pthread_mutex_unlock(&events->lock);
    return stream;
}

struct MHD_Response *
of_http_events_response(struct of_http_events *events, struct MHD_Connection *connection,
                        struct of_http_connection *guarded)
{
    struct of_http_stream *stream = begin_stream(events, connection, guarded);
    if (stream == NULL)
        return NULL;
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream,
                                                                      stream, end_stream);
    if (response == NULL)
        end_stream(stream);
    return response;
}
