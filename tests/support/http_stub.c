#include "support/http_stub.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/assert.h"
#include "core/memory.h"

enum { ANSWERS_MAX = 64, REQUEST_BYTES = 64 << 10, IDLE_MS = 5000 };

struct of_http_stub {
    pthread_t thread;
    int listener;
    int stop_fd; /* becomes readable when it is to stop */
    char url[64];

    pthread_mutex_t lock; /* over what follows */
    struct of_stub_answer answers[ANSWERS_MAX];
    size_t answer_count;
    size_t next_answer;
    unsigned requests;
    char last[REQUEST_BYTES];
};

static int
poll_both(const struct of_http_stub *stub, struct pollfd fds[2], int fd, int timeout_ms)
{
    fds[0] = (struct pollfd) { .fd = stub->stop_fd, .events = POLLIN };
    fds[1] = (struct pollfd) { .fd = fd, .events = POLLIN };
    return poll(fds, 2, timeout_ms);
}

/* Waits until fd can be read; false when the stub is to stop or the time is over. */
static bool
wait_for(const struct of_http_stub *stub, int fd, int timeout_ms)
{
    struct pollfd fds[2];
    return poll_both(stub, fds, fd, timeout_ms) > 0 && fds[0].revents == 0;
}

/* Lets the time pass; false as soon as the client hangs up or the stub is to stop. */
static bool
let_pass(const struct of_http_stub *stub, int fd, int delay_ms)
{
    struct pollfd fds[2];
    return delay_ms == 0 || poll_both(stub, fds, fd, delay_ms) == 0;
}

static size_t
body_length(const char *headers)
{
    const char *line = strcasestr(headers, "\r\nContent-Length:");
    return line != NULL ? strtoul(line + sizeof "\r\nContent-Length:" - 1, NULL, 10) : 0;
}

/* Reads headers and body into `request`, with a NUL. */
static bool
read_request(const struct of_http_stub *stub, int fd, char request[REQUEST_BYTES])
{
    size_t length = 0;
    while (length + 1 < REQUEST_BYTES && wait_for(stub, fd, IDLE_MS)) {
        ssize_t count = recv(fd, request + length, REQUEST_BYTES - 1 - length, 0);
        if (count <= 0)
            return false;
        length += (size_t)count;
        request[length] = '\0';
        const char *end = strstr(request, "\r\n\r\n");
        if (end != NULL && length >= (size_t)(end + 4 - request) + body_length(request))
            return true;
    }
    return false;
}

static struct of_stub_answer
take_answer(struct of_http_stub *stub, const char *request)
{
    struct of_stub_answer answer = { .status = 500 };
    pthread_mutex_lock(&stub->lock);
    stub->requests++;
    snprintf(stub->last, sizeof stub->last, "%s", request);
    if (stub->answer_count > 0)
        answer = stub->answers[stub->next_answer];
    if (stub->next_answer + 1 < stub->answer_count)
        stub->next_answer++;
    pthread_mutex_unlock(&stub->lock);
    return answer;
}

static bool
send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = send(fd, bytes, length, MSG_NOSIGNAL);
        if (count <= 0)
            return false;
        bytes += count;
        length -= (size_t)count;
    }
    return true;
}

static void
send_answer(int fd, const struct of_stub_answer *answer)
{
    size_t length = answer->body_bytes > 0 ? answer->body_bytes : answer->body != NULL ? strlen(answer->body) : 0;
    char head[1024];
    int head_length = snprintf(head, sizeof head,
                               "HTTP/1.1 %d Scripted\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n",
                               answer->status, length + (answer->act == OF_STUB_CUT ? 10 : 0),
                               answer->headers != NULL ? answer->headers : "");
    if (!send_all(fd, head, (size_t)head_length))
        return;
    if (answer->body_bytes == 0) {
        send_all(fd, answer->body, length);
        return;
    }
    char piece[4096];
    memset(piece, 'x', sizeof piece);
    for (size_t sent = 0; sent < length; sent += sizeof piece)
        if (!send_all(fd, piece, length - sent < sizeof piece ? length - sent : sizeof piece))
            return;
}

static void
serve(struct of_http_stub *stub, int fd)
{
    static const char garbage[] = "\x16\x03\x01 this is no HTTP\r\n\r\n";
    char *request = of_alloc(REQUEST_BYTES);
    if (read_request(stub, fd, request)) {
        struct of_stub_answer answer = take_answer(stub, request);
        bool go_on = let_pass(stub, fd, answer.delay_ms);
        if (go_on && answer.act == OF_STUB_GARBAGE)
            send_all(fd, garbage, sizeof garbage - 1);
        else if (go_on && answer.act != OF_STUB_CLOSE)
            send_answer(fd, &answer);
    }
    free(request);
}

static void *
run(void *ctx)
{
    struct of_http_stub *stub = ctx;
    while (wait_for(stub, stub->listener, -1)) {
        int fd = accept4(stub->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        serve(stub, fd);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
    return NULL;
}

struct of_http_stub *
of_http_stub_start(void)
{
    struct of_http_stub *stub = of_alloc(sizeof *stub);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    stub->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    OF_ASSERT(stub->listener >= 0);
    OF_ASSERT(bind(stub->listener, (struct sockaddr *)&address, size) == 0 && listen(stub->listener, 16) == 0);
    OF_ASSERT(getsockname(stub->listener, (struct sockaddr *)&address, &size) == 0);
    snprintf(stub->url, sizeof stub->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    stub->stop_fd = eventfd(0, EFD_CLOEXEC);
    OF_ASSERT(stub->stop_fd >= 0);
    pthread_mutex_init(&stub->lock, NULL);
    OF_ASSERT(pthread_create(&stub->thread, NULL, run, stub) == 0);
    return stub;
}

void
of_http_stub_stop(struct of_http_stub **stub)
{
    struct of_http_stub *s = *stub;
    *stub = NULL;
    uint64_t one = 1;
    OF_ASSERT(write(s->stop_fd, &one, sizeof one) == sizeof one);
    pthread_join(s->thread, NULL);
    close(s->listener);
    close(s->stop_fd);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

const char *
of_http_stub_url(const struct of_http_stub *stub)
{
    return stub->url;
}

void
of_http_stub_push(struct of_http_stub *stub, const struct of_stub_answer *answer)
{
    pthread_mutex_lock(&stub->lock);
    OF_ASSERT(stub->answer_count < ANSWERS_MAX);
    stub->answers[stub->answer_count++] = *answer;
    pthread_mutex_unlock(&stub->lock);
}

void
of_http_stub_reset(struct of_http_stub *stub)
{
    pthread_mutex_lock(&stub->lock);
    stub->answer_count = 0;
    stub->next_answer = 0;
    stub->requests = 0;
    stub->last[0] = '\0';
    pthread_mutex_unlock(&stub->lock);
}

unsigned
of_http_stub_requests(struct of_http_stub *stub)
{
    pthread_mutex_lock(&stub->lock);
    unsigned requests = stub->requests;
    pthread_mutex_unlock(&stub->lock);
    return requests;
}

const char *
of_http_stub_last(struct of_http_stub *stub, char *out, size_t size)
{
    pthread_mutex_lock(&stub->lock);
    snprintf(out, size, "%s", stub->last);
    pthread_mutex_unlock(&stub->lock);
    return out;
}
