#include "commands/schema_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro/plan.h"
#include "core/memory.h"

enum { FILE_BYTES_MAX = 4 << 20 };

static enum of_status
read_text(FILE *file, char **text, struct of_error *err)
{
    size_t length = 0, room = 1 << 14;
    char *bytes = of_alloc(room);
    for (size_t got; (got = fread(bytes + length, 1, room - length - 1, file)) > 0;) {
        length += got;
        if (length > FILE_BYTES_MAX)
            break;
        if (length == room - 1) {
            room *= 2;
            bytes = of_realloc_array(bytes, room, 1);
        }
    }
    bytes[length] = '\0';
    *text = bytes;
    if (ferror(file))
        return of_error_set(err, OF_FATAL, "%s", strerrordesc_np(errno));
    if (length > FILE_BYTES_MAX)
        return of_error_set(err, OF_FATAL, "it is longer than %d bytes", FILE_BYTES_MAX);
    if (strlen(bytes) != length)
        return of_error_set(err, OF_FATAL, "it is no text: it has a byte 0");
    return OF_OK;
}

enum of_status
of_schema_file_read(const char *path, char **text, struct of_error *err)
{
    *text = NULL;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return of_error_set(err, OF_FATAL, "%s: %s", path, strerrordesc_np(errno));
    enum of_status status = read_text(file, text, err);
    fclose(file);
    if (status == OF_OK)
        status = of_plan_check_schema(of_slice_str(*text), err);
    if (status == OF_OK)
        return OF_OK;
    free(*text);
    *text = NULL;
    of_error_prefix(err, "%s", path);
    if (err != NULL)
        err->status = OF_FATAL;
    return OF_FATAL;
}
