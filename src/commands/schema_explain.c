#include "commands/schema_explain.h"

#include <stdlib.h>

#include "commands/commands.h"
#include "commands/registry_options.h"
#include "commands/schema_file.h"

/* The schema of that id with all that it refers to, asked for once. */
static enum of_status
ask_registry(const struct of_settings *settings, struct of_schema_source **source, struct of_error *err)
{
    struct of_registry_client *client;
    enum of_status status = of_registry_open(settings, &client, err);
    if (status != OF_OK)
        return status;
    enum of_registry_answer answer =
        of_registry_get_schema(client, of_schema_key_id((uint32_t)settings->schema_id), source, err);
    of_registry_client_close(&client);
    return answer == OF_REGISTRY_FOUND ? OF_OK : OF_FATAL;
}

static enum of_status
read_file(const char *path, struct of_schema_source **source, struct of_error *err)
{
    char *text;
    enum of_status status = of_schema_file_read(path, &text, err);
    *source = status == OF_OK ? of_schema_source_create(text) : NULL;
    free(text);
    return status;
}

bool
of_schema_explain_source(const struct of_settings *settings, const struct of_schema_source *source,
                         const char *reader_schema, FILE *out)
{
    const struct of_plan_fields fields = {
        .value = settings->value_field,
        .group_by = settings->group_by_field,
        .id = settings->id_field,
        .reader_schema = reader_schema,
    };
    struct of_plan *plan;
    struct of_error err;
    if (of_schema_source_compile(source, &fields, (size_t)settings->max_field_bytes, &plan, &err) != OF_OK) {
        fprintf(out, "orders of this schema are dead letters (unresolvable_schema): %s\n", err.text);
        return false;
    }
    of_plan_print_fields(plan, out);
    fprintf(out, "\nsteps\n");
    of_plan_print(plan, out);
    of_plan_destroy(&plan);
    return true;
}

static int
explain(const struct of_settings *settings, const char *path)
{
    char *reader_schema = NULL;
    struct of_schema_source *source = NULL;
    struct of_error err;
    enum of_status status = OF_OK;
    if (settings->reader_schema != NULL)
        status = of_schema_file_read(settings->reader_schema, &reader_schema, &err);
    if (status == OF_OK)
        status = path != NULL ? read_file(path, &source, &err) : ask_registry(settings, &source, &err);
    int exit_status = OF_EXIT_FAILED;
    if (status == OF_OK)
        exit_status = of_schema_explain_source(settings, source, reader_schema, stdout) ? OF_EXIT_DONE
                                                                                         : OF_EXIT_FAILED;
    else
        fprintf(stderr, "orderflow schema explain: %s\n", err.text);
    of_schema_source_destroy(&source);
    free(reader_schema);
    return exit_status;
}

int
of_schema_explain(const struct of_command_line *line)
{
    const char *path = line->options.operand_count > 1 ? line->options.operands[1] : NULL;
    bool by_id = line->settings.schema_id >= 0;
    if ((path != NULL) == by_id) {
        fprintf(stderr, "orderflow schema explain: give a FILE or --id N%s\n", by_id ? ", not both" : "");
        return OF_EXIT_USAGE;
    }
    return explain(&line->settings, path);
}
