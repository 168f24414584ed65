#include "avro/plan.h"

#include <stdlib.h>

#include "avro/emit.h"
#include "core/memory.h"

const struct of_plan_role of_plan_roles[OF_PLAN_ROLES] = {
    { OF_ROLE_VALUE, "value", "value-field", "int, long, float, double or decimal" },
    { OF_ROLE_GROUP, "group", "group-by-field", "string, bytes, enum, int, long or uuid" },
    { OF_ROLE_ID, "id", "id-field", "string, bytes, enum, int, long or uuid" },
};

static bool
op_is(const struct of_op *op, uint8_t kind, uint8_t wanted)
{
    return op->kind == kind && op->roles == wanted;
}

static enum of_plan_shape
shape_of(const struct of_plan *plan)
{
    const struct of_op *ops = plan->ops;
    if (plan->op_count == 4 && op_is(&ops[0], OF_OP_BYTES, OF_ROLE_ID) && op_is(&ops[1], OF_OP_BYTES, OF_ROLE_GROUP) &&
        op_is(&ops[2], OF_OP_FLOAT, OF_ROLE_VALUE))
        return OF_SHAPE_ID_GROUP_FLOAT;
    return OF_SHAPE_ANY;
}

static enum of_status
add_references(struct of_avro_tree *tree, const char *const *references, size_t count, struct of_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct of_avro_schema *type;
        if (of_avro_tree_add(tree, of_slice_str(references[i]), &type, err) != OF_OK)
            return of_error_prefix(err, "schema reference %zu of %zu", i + 1, count);
    }
    return OF_OK;
}

/* The reader's schema and how the writer's fits it; all NULL without one. */
static enum of_status
resolve(const char *reader_json, const struct of_avro_schema *writer, struct of_avro_tree **tree,
        const struct of_avro_schema **reader, struct of_resolution **resolution, struct of_error *err)
{
    if (reader_json == NULL)
        return OF_OK;
    *tree = of_avro_tree_create();
    if (of_avro_tree_add(*tree, of_slice_str(reader_json), reader, err) != OF_OK)
        return of_error_prefix(err, "the reader's schema");
    enum of_status status = of_resolution_create(writer, *reader, resolution, err);
    if (status == OF_OK && of_resolution_fit(*resolution, writer, *reader) == OF_FIT_NEVER)
        status = of_resolution_explain(*resolution, writer, *reader, err);
    return status;
}

/* writer: the outermost type. */
static enum of_status
compile(struct of_plan *plan, const struct of_avro_schema *writer, const struct of_plan_fields *fields,
        struct of_error *err)
{
    char text[OF_AVRO_NAME_BYTES];
    if (writer->type != OF_AVRO_RECORD)
        return of_error_set(err, OF_POISON, "the schema is of type %s; it must be a record",
                            of_avro_describe(writer, text));
    plan->name = of_strdup(writer->name);
    struct of_avro_tree *tree = NULL;
    const struct of_avro_schema *reader = NULL;
    struct of_resolution *resolution = NULL;
    enum of_status status = resolve(fields->reader_schema, writer, &tree, &reader, &resolution, err);
    if (status == OF_OK)
        status = of_plan_emit(plan, writer, reader, resolution, fields, err);
    of_resolution_destroy(&resolution);
    of_avro_tree_destroy(&tree);
    return status;
}

enum of_status
of_plan_compile_referring(struct of_slice schema_json, const char *const *references, size_t reference_count,
                          const struct of_plan_fields *fields, size_t max_field_bytes, struct of_plan **out,
                          struct of_error *err)
{
    struct of_avro_tree *tree = of_avro_tree_create();
    struct of_plan *plan = of_alloc(sizeof *plan);
    plan->max_field_bytes = max_field_bytes;
    const struct of_avro_schema *writer;
    enum of_status status = add_references(tree, references, reference_count, err);
    if (status == OF_OK)
        status = of_avro_tree_add(tree, schema_json, &writer, err);
    if (status == OF_OK)
        status = compile(plan, writer, fields, err);
    if (status == OF_OK)
        plan->shape = shape_of(plan);
    else
        of_plan_destroy(&plan);
    of_avro_tree_destroy(&tree);
    *out = plan;
    return status;
}

enum of_status
of_plan_compile(struct of_slice schema_json, const struct of_plan_fields *fields, size_t max_field_bytes,
                struct of_plan **out, struct of_error *err)
{
    return of_plan_compile_referring(schema_json, NULL, 0, fields, max_field_bytes, out, err);
}

enum of_status
of_plan_check_schema(struct of_slice schema_json, struct of_error *err)
{
    struct of_avro_tree *tree = of_avro_tree_create();
    const struct of_avro_schema *schema;
    enum of_status status = of_avro_tree_add(tree, schema_json, &schema, err);
    of_avro_tree_destroy(&tree);
    return status;
}

void
of_plan_destroy(struct of_plan **plan)
{
    struct of_plan *p = *plan;
    *plan = NULL;
    if (p == NULL)
        return;
    for (uint32_t i = 0; i < p->field_count; i++) {
        free(p->fields[i].path);
        free(p->fields[i].type);
        free(p->fields[i].note);
    }
    for (uint32_t i = 0; i < p->text_count; i++)
        free(p->texts[i]);
    for (uint32_t i = 0; i < p->constant_count; i++)
        free(p->constants[i].text);
    free(p->ops);
    free(p->fields);
    free(p->targets);
    free(p->texts);
    free(p->constants);
    free(p->name);
    free(p);
}
