/* Those who look at a run, for bench/metrics: one that asks for /metrics with a pause between two, and dashboards that
 * read events as they come.
 *
 *     watch PORT DASHBOARDS PAUSE_MS      until its standard input ends; then a line of JSON
 *
 * How long an answer takes is told twice. `took_ms`: from before the request is handed to the kernel until the kernel has
 * received the answer's last byte, by its own timestamp (SO_TIMESTAMPNS): what server and kernel have to answer for.
 * `seen_ms`: until this program has read it, which on a machine that is busy includes its own waiting for a processor.
 * `gathered_ms` is how much of it the server says it was gathering its numbers. The receive buffer takes a whole answer, so the server never waits for this program. Pages of a run that does not read
 * yet, or any more, are left out. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/memory.h"

enum {
    DASHBOARDS_MOST = 32,
    RETRY_MS = 100,           /* to connect */
    PATIENCE_MS = 5000,       /* with an answer */
    PAGE_BYTES = 1 << 20,
    RECEIVE_BYTES = 200 * 1024,
    ANSWERS_MOST = 1 << 20,
};

struct answers {
    float *took_ms, *seen_ms, *gathered_ms;
    uint32_t count;
    size_t bytes; /* the longest */
    uint64_t events;
};

/* One connection; fd -1: none, tried again at due_ns. */
struct watcher {
    int fd;
    int64_t due_ns;  /* CLOCK_MONOTONIC */
    bool asked;
    int64_t sent_ns; /* CLOCK_REALTIME, as the kernel's timestamps */
    size_t length;
};

static const char ask_page[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char ask_events[] = "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
static char page[PAGE_BYTES + 1];
static struct answers answers;
static uint16_t port;

static int64_t
now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * OF_SECOND_NS + now.tv_nsec;
}

/* ---- connections ---- */

static int
connect_to_run(void)
{
    int one = 1, room = RECEIVE_BYTES;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room) == 0
        && setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) == 0
        && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void
hang_up(struct watcher *watcher)
{
    if (watcher->fd >= 0)
        close(watcher->fd);
    *watcher = (struct watcher) { .fd = -1, .due_ns = now_ns(CLOCK_MONOTONIC) + RETRY_MS * OF_MS_NS };
}

/* Sends a request that fits any socket's buffer. */
static void
ask(struct watcher *watcher, const char *request)
{
    if (watcher->fd < 0)
        watcher->fd = connect_to_run();
    watcher->asked = true;
    watcher->length = 0;
    watcher->due_ns = now_ns(CLOCK_MONOTONIC) + PATIENCE_MS * OF_MS_NS;
    watcher->sent_ns = now_ns(CLOCK_REALTIME);
    if (watcher->fd < 0 || send(watcher->fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        hang_up(watcher);
}

/* ---- reading ---- */

/* Like recv; *at_ns: when the kernel had received the last of it. */
static ssize_t
receive(int fd, char *bytes, size_t size, int64_t *at_ns)
{
    union {
        struct cmsghdr head;
        char room[256];
    } control;
    struct iovec piece = { bytes, size };
    struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
    *at_ns = 0;
    for (struct cmsghdr *part = got > 0 ? CMSG_FIRSTHDR(&message) : NULL; part != NULL; part = CMSG_NXTHDR(&message, part)) {
        struct timespec at;
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        memcpy(&at, CMSG_DATA(part), sizeof at);
        *at_ns = at.tv_sec * OF_SECOND_NS + at.tv_nsec;
    }
    return got;
}

/* The length of the whole answer; 0: its head is not there yet. */
static size_t
whole_length(void)
{
    static const char name[] = "\r\nContent-Length:";
    char *body = strstr(page, "\r\n\r\n");
    if (body == NULL)
        return 0;
    char *found = strcasestr(page, name);
    size_t length = found != NULL && found < body ? strtoul(found + sizeof name - 1, NULL, 10) : PAGE_BYTES;
    return (size_t)(body - page) + 4 + length;
}

static void
count_answer(const struct watcher *scraper, int64_t received_ns)
{
    if (strncmp(page, "HTTP/1.1 200", 12) != 0 || strstr(page, "\norderflow_orders_total ") == NULL
        || strstr(page, "phase=\"reading\"") == NULL || received_ns == 0 || answers.count == ANSWERS_MOST)
        return;
    static const char gathering[] = "\norderflow_measure_duration_seconds ";
    const char *gathered = strstr(page, gathering);
    answers.gathered_ms[answers.count] = gathered != NULL ? strtof(gathered + sizeof gathering - 1, NULL) * 1000 : 0;
    answers.took_ms[answers.count] = (float)(received_ns - scraper->sent_ns) / 1e6F;
    answers.seen_ms[answers.count++] = (float)(now_ns(CLOCK_REALTIME) - scraper->sent_ns) / 1e6F;
    if (scraper->length > answers.bytes)
        answers.bytes = scraper->length;
}

static void
read_page(struct watcher *scraper, int64_t pause_ns)
{
    int64_t received_ns;
    ssize_t got = receive(scraper->fd, page + scraper->length, PAGE_BYTES - scraper->length, &received_ns);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        hang_up(scraper);
        return;
    }
    scraper->length += (size_t)got;
    page[scraper->length] = '\0';
    size_t whole = whole_length();
    if (whole == 0 || scraper->length < whole)
        return;
    count_answer(scraper, received_ns);
    scraper->asked = false;
    scraper->due_ns = now_ns(CLOCK_MONOTONIC) + pause_ns;
}

static void
read_events(struct watcher *dashboard)
{
    static char text[1 << 16];
    ssize_t got = recv(dashboard->fd, text, sizeof text - 1, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        hang_up(dashboard);
        return;
    }
    dashboard->due_ns = now_ns(CLOCK_MONOTONIC) + PATIENCE_MS * OF_MS_NS;
    text[got] = '\0';
    for (const char *at = text; (at = strstr(at, "data: ")) != NULL; at++)
        answers.events++;
}

/* ---- turning ---- */

/* What is due: asking, or giving up. Returns when the next thing is. */
static int64_t
do_what_is_due(struct watcher *watchers, uint32_t count)
{
    int64_t next_ns = INT64_MAX, now = now_ns(CLOCK_MONOTONIC);
    for (uint32_t i = 0; i < count; i++) {
        if (watchers[i].due_ns <= now && watchers[i].asked)
            hang_up(&watchers[i]);
        else if (watchers[i].due_ns <= now)
            ask(&watchers[i], i == 0 ? ask_page : ask_events);
        if (watchers[i].due_ns < next_ns)
            next_ns = watchers[i].due_ns;
    }
    return next_ns;
}

static void
watch(struct watcher *watchers, uint32_t count, int64_t pause_ns)
{
    struct pollfd polled[DASHBOARDS_MOST + 2];
    do {
        int64_t left_ns = do_what_is_due(watchers, count) - now_ns(CLOCK_MONOTONIC);
        for (uint32_t i = 0; i < count; i++)
            polled[i] = (struct pollfd) { .fd = watchers[i].fd, .events = POLLIN };
        polled[count] = (struct pollfd) { .fd = STDIN_FILENO, .events = POLLIN };
        struct timespec left = { .tv_sec = left_ns / OF_SECOND_NS, .tv_nsec = left_ns % OF_SECOND_NS };
        if (left_ns < 0)
            left = (struct timespec) { 0 };
        if (ppoll(polled, count + 1, &left, NULL) < 0)
            return;
        if (polled[0].revents != 0)
            read_page(&watchers[0], pause_ns);
        for (uint32_t i = 1; i < count; i++)
            if (polled[i].revents != 0)
                read_events(&watchers[i]);
    } while (polled[count].revents == 0);
}

static void
print_times(const char *name, const float *times)
{
    printf("\"%s\":[", name);
    for (uint32_t i = 0; i < answers.count; i++)
        printf("%s%.4f", i > 0 ? "," : "", (double)times[i]);
    printf("],");
}

int
main(int argc, char **argv)
{
    struct watcher watchers[DASHBOARDS_MOST + 1];
    int dashboards = argc == 4 ? atoi(argv[2]) : -1;
    if (dashboards < 0 || dashboards > DASHBOARDS_MOST) {
        fprintf(stderr, "usage: watch PORT DASHBOARDS PAUSE_MS, with 0 to %d dashboards\n", DASHBOARDS_MOST);
        return 2;
    }
    port = (uint16_t)atoi(argv[1]);
    answers.took_ms = of_alloc_array(ANSWERS_MOST, sizeof *answers.took_ms);
    answers.seen_ms = of_alloc_array(ANSWERS_MOST, sizeof *answers.seen_ms);
    answers.gathered_ms = of_alloc_array(ANSWERS_MOST, sizeof *answers.gathered_ms);
    for (int i = 0; i <= dashboards; i++)
        watchers[i] = (struct watcher) { .fd = -1 };
    watch(watchers, (uint32_t)dashboards + 1, atoi(argv[3]) * OF_MS_NS);
    printf("{");
    print_times("took_ms", answers.took_ms);
    print_times("seen_ms", answers.seen_ms);
    print_times("gathered_ms", answers.gathered_ms);
    printf("\"bytes\":%zu,\"events\":%llu}\n", answers.bytes, (unsigned long long)answers.events);
    free(answers.took_ms);
    free(answers.seen_ms);
    free(answers.gathered_ms);
    return 0;
}
