#include "support/http_ask.h"

#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>

int
http_connect(const char *address)
{
    char host[64];
    const char *colon = strrchr(address, ':');
    size_t bracket = address[0] == '[';
    snprintf(host, sizeof host, "%.*s", (int)((size_t)(colon - address) - 2 * bracket), address + bracket);
    struct addrinfo *place, wanted = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
    assert_int_equal(getaddrinfo(host, colon + 1, &wanted, &place), 0);
    int fd = socket(place->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, place->ai_addr, place->ai_addrlen), 0);
    freeaddrinfo(place);
    const struct timeval patience = { .tv_sec = 20 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static size_t
promised_bytes(const char *head)
{
    const char *field = strcasestr(head, "\r\nContent-Length:");
    return field != NULL ? strtoul(field + strlen("\r\nContent-Length:"), NULL, 10) : SIZE_MAX;
}

void
http_exchange(int fd, const char *request, struct http_answer *answer)
{
    *answer = (struct http_answer) { .body = "" };
    (void)!send(fd, request, strlen(request), MSG_NOSIGNAL); /* it may be refused before it is read */
    size_t length = 0;
    bool no_body = strncmp(request, "HEAD ", 5) == 0;
    for (ssize_t got; (got = recv(fd, answer->text + length, sizeof answer->text - 1 - length, 0)) > 0;) {
        length += (size_t)got;
        char *end = strstr(answer->text, "\r\n\r\n");
        if (end == NULL)
            continue;
        answer->body = end + 4;
        if (strlen(answer->body) >= (no_body ? 0 : promised_bytes(answer->text)))
            break;
    }
    if (sscanf(answer->text, "HTTP/1.%*d %d", &answer->status) != 1)
        answer->status = 0;
}

void
http_ask(const char *address, const char *method, const char *path, struct http_answer *answer)
{
    char request[512];
    int fd = http_connect(address);
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", method, path);
    http_exchange(fd, request, answer);
    close(fd);
}
