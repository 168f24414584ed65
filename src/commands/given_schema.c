#include "commands/given_schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/embedded.h"
#include "core/memory.h"

enum of_status
of_given_schema_read(const struct of_settings *settings, char **text, struct of_error *err)
{
    const char *path = settings->schema;
    *text = NULL;
    if (path == NULL) {
        *text = of_strdup(of_embedded_order_schema);
        return OF_OK;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return of_error_set(err, OF_FATAL, "%s: cannot be opened: %s", path, strerrordesc_np(errno));
    char *bytes = of_alloc(OF_GIVEN_SCHEMA_BYTES_MAX + 1);
    size_t length = fread(bytes, 1, OF_GIVEN_SCHEMA_BYTES_MAX, file);
    bool whole = !ferror(file) && getc(file) == EOF;
    int number = errno;
    bool failed = ferror(file) != 0;
    fclose(file);
    bytes[length] = '\0';
    *text = bytes;
    if (whole && length > 0 && strlen(bytes) == length)
        return OF_OK;
    free(bytes);
    *text = NULL;
    return of_error_set(err, OF_FATAL, "%s: %s", path, failed ? strerrordesc_np(number) : "is no schema");
}

const char *
of_given_schema_subject(const struct of_settings *settings, char out[OF_SUBJECT_BYTES])
{
    snprintf(out, OF_SUBJECT_BYTES, "%s%s", settings->subject != NULL ? settings->subject : settings->topic,
             settings->subject != NULL ? "" : "-value");
    return out;
}
