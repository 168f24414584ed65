#include "core/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1024 * 1024 };

static char *
trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    text[length] = '\0';
    return text;
}

static enum of_status
read_line(char *text, int line, of_config_visit *visit, void *context, struct of_error *err)
{
    char *key = trim(text);
    if (*key == '\0' || *key == '#' || *key == '!')
        return OF_OK;
    char *equals = strchr(key, '=');
    if (equals == NULL || equals == key)
        return visit(context, key, NULL, line, err);
    *equals = '\0';
    return visit(context, trim(key), trim(equals + 1), line, err);
}

static enum of_status
read_lines(FILE *file, const char *path, of_config_visit *visit, void *context, struct of_error *err)
{
    char *text = NULL;
    size_t size = 0, total = 0;
    ssize_t length;
    enum of_status status = OF_OK;
    for (int line = 1; status == OF_OK && (length = getline(&text, &size, file)) >= 0; line++) {
        total += (size_t)length;
        if (total > FILE_BYTES_MAX)
            status = of_error_set(err, OF_FATAL, "%s: larger than %d bytes", path, FILE_BYTES_MAX);
        else if (memchr(text, '\0', (size_t)length) != NULL)
            status = of_error_set(err, OF_FATAL, "%s:%d: contains a NUL byte", path, line);
        else
            status = read_line(text, line, visit, context, err);
    }
    if (status == OF_OK && ferror(file))
        status = of_error_set(err, OF_FATAL, "%s: cannot be read: %s", path, strerror(errno));
    free(text);
    return status;
}

enum of_status
of_config_read(const char *path, of_config_visit *visit, void *context, struct of_error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return of_error_set(err, OF_FATAL, "%s: cannot be opened: %s", path, strerror(errno));
    enum of_status status = read_lines(file, path, visit, context, err);
    fclose(file);
    return status;
}
