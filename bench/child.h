/* A program to be measured, run in a process of its own, so that its memory and processor time are its own.
 *
 * Threads: the caller must have no other threads, because children are forked. */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>

struct bench_usage {
    double processor_s; /* user and system */
    double peak_mb;     /* most memory resident at any moment (VmHWM), in MiB */
};

/* Runs body(context) in a child whose standard output is collected: the last size - 1 bytes of it come back in `text`.
 * Standard error stays the caller's. body returns the exit status, or replaces itself (exec). False: it did not end
 * with status 0, which is then said on standard error. Blocks until it ends; a child never outlives its parent. */
bool bench_child(const char *name, int (*body)(void *context), void *context, char *text, size_t size,
                 struct bench_usage *usage);

#endif
