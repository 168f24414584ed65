#include "registry/schema_source.h"

#include <stdlib.h>

#include "core/memory.h"

struct of_schema_source *
of_schema_source_create(const char *text)
{
    struct of_schema_source *source = of_alloc(sizeof *source);
    source->text = of_strdup(text);
    return source;
}

void
of_schema_source_add(struct of_schema_source *source, const char *text)
{
    source->references = of_realloc_array(source->references, source->reference_count + 1, sizeof *source->references);
    source->references[source->reference_count++] = of_strdup(text);
}

enum of_status
of_schema_source_compile(const struct of_schema_source *source, const struct of_plan_fields *fields,
                         size_t max_field_bytes, struct of_plan **out, struct of_error *err)
{
    return of_plan_compile_referring(of_slice_str(source->text), (const char *const *)source->references,
                                     source->reference_count, fields, max_field_bytes, out, err);
}

void
of_schema_source_destroy(struct of_schema_source **source)
{
    struct of_schema_source *gone = *source;
    *source = NULL;
    if (gone == NULL)
        return;
    for (size_t i = 0; i < gone->reference_count; i++)
        free(gone->references[i]);
    free(gone->references);
    free(gone->text);
    free(gone);
}
