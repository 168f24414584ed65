#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void
be_child(int (*body)(void *), void *context, const int fds[2])
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(fds[1], STDOUT_FILENO);
    close(fds[0]);
    close(fds[1]);
    int status = body(context);
    fflush(stdout);
    _exit(status);
}

/* Reads to the end, keeping the last bytes. */
static void
collect(int fd, char *text, size_t size)
{
    size_t have = 0;
    for (;;) {
        if (have == size - 1) { /* full: the older half makes room */
            memmove(text, text + size / 2, have - size / 2);
            have -= size / 2;
        }
        ssize_t got = read(fd, text + have, size - 1 - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    text[have] = '\0';
}

static double
seconds(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static bool
reap(const char *name, pid_t child, struct bench_usage *usage)
{
    int status;
    struct rusage spent;
    while (wait4(child, &status, 0, &spent) < 0)
        if (errno != EINTR) {
            perror(name);
            return false;
        }
    usage->processor_s = seconds(&spent.ru_utime) + seconds(&spent.ru_stime);
    usage->peak_mb = (double)spent.ru_maxrss / 1024;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    fprintf(stderr, "%s: ended with %s %d\n", name, WIFEXITED(status) ? "status" : "signal",
            WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return false;
}

bool
bench_child(const char *name, int (*body)(void *context), void *context, char *text, size_t size,
            struct bench_usage *usage)
{
    int fds[2];
    fflush(NULL);
    if (pipe(fds) != 0) {
        perror(name);
        return false;
    }
    pid_t child = fork();
    if (child == 0)
        be_child(body, context, fds);
    close(fds[1]);
    if (child < 0)
        perror(name);
    else
        collect(fds[0], text, size);
    close(fds[0]);
    return child > 0 && reap(name, child, usage);
}
