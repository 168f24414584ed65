#include "core/error.h"

#include <stdio.h>
#include <string.h>

/* A cut text must say that it was cut. */
static void
mark_cut(char *text, size_t size, int wanted)
{
    if (wanted >= 0 && (size_t)wanted >= size)
        memcpy(text + size - 4, "...", 4);
}

enum of_status
of_error_set(struct of_error *err, enum of_status status, const char *format, ...)
{
    if (err == NULL)
        return status;
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    mark_cut(err->text, sizeof err->text, wanted);
    err->status = status;
    return status;
}

enum of_status
of_error_prefix(struct of_error *err, const char *format, ...)
{
    if (err == NULL)
        return OF_FATAL;
    char below[OF_ERROR_TEXT_BYTES];
    memcpy(below, err->text, sizeof below);
    va_list args;
    va_start(args, format);
    int context = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (context >= 0 && (size_t)context < sizeof err->text) {
        size_t left = sizeof err->text - (size_t)context;
        int wanted = snprintf(err->text + context, left, ": %s", below);
        mark_cut(err->text, sizeof err->text, wanted < 0 ? wanted : context + wanted);
    } else {
        mark_cut(err->text, sizeof err->text, context);
    }
    return err->status;
}

const char *
of_status_name(enum of_status status)
{
    switch (status) {
    case OF_OK: return "ok";
    case OF_AGAIN: return "again";
    case OF_RETRY: return "retry";
    case OF_POISON: return "poison";
    case OF_ABORT: return "abort";
    case OF_FATAL: return "fatal";
    }
    return "unknown";
}
