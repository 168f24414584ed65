#include "avro/encode_schema.h"

#include <stdlib.h>

#include "core/cell_json.h"
#include "core/memory.h"

static const char *const type_names[] = {
    [OF_FLAT_NULL] = "null",   [OF_FLAT_BOOLEAN] = "boolean", [OF_FLAT_INT] = "int",     [OF_FLAT_LONG] = "long",
    [OF_FLAT_FLOAT] = "float", [OF_FLAT_DOUBLE] = "double",   [OF_FLAT_BYTES] = "bytes", [OF_FLAT_STRING] = "string",
    [OF_FLAT_ENUM] = "enum",   [OF_FLAT_FIXED] = "fixed",
};

/* Named types that fields before have defined, under their full names and what follows their last dot. */
struct names {
    json_t *types;
};

static enum of_status
refuse(const struct of_flat_field *field, const char *what, struct of_error *err)
{
    return of_error_set(err, OF_POISON, "the field \"%s\" %s", field->name, what);
}

static bool
find_type(const char *name, enum of_flat_type *type)
{
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (strcmp(type_names[i], name) == 0) {
            *type = (enum of_flat_type)i;
            return true;
        }
    return false;
}

static void
note_name(const struct names *names, const json_t *type)
{
    const char *name = json_string_value(json_object_get(type, "name"));
    const char *space = json_string_value(json_object_get(type, "namespace"));
    if (name == NULL)
        return;
    const char *dot = strrchr(name, '.');
    json_object_set(names->types, dot != NULL ? dot + 1 : name, json_incref((json_t *)(uintptr_t)type));
    json_decref((json_t *)(uintptr_t)type);
    if (space == NULL || dot != NULL) {
        json_object_set(names->types, name, (json_t *)(uintptr_t)type);
        return;
    }
    json_t *full = json_sprintf("%s.%s", space, name);
    json_object_set(names->types, json_string_value(full), (json_t *)(uintptr_t)type);
    json_decref(full);
}

static enum of_status
take_decimal(struct of_flat_field *field, const json_t *type)
{
    json_int_t precision = json_integer_value(json_object_get(type, "precision"));
    json_int_t scale = json_integer_value(json_object_get(type, "scale"));
    const char *logical = json_string_value(json_object_get(type, "logicalType"));
    bool bytes = field->type == OF_FLAT_BYTES || field->type == OF_FLAT_FIXED;
    /* What does not fit its type is ignored, as the specification wants it. */
    if (logical == NULL || strcmp(logical, "decimal") != 0 || !bytes || precision < 1 || scale < 0 || scale > precision)
        return OF_OK;
    field->decimal = true;
    field->precision = precision < OF_FLAT_DECIMAL_DIGITS_MAX ? (uint32_t)precision : OF_FLAT_DECIMAL_DIGITS_MAX;
    field->scale = scale < INT32_MAX ? (uint32_t)scale : INT32_MAX;
    return OF_OK;
}

/* A type that is no union, by name or in full. */
static enum of_status
take_type(struct of_flat_field *field, const struct names *names, const json_t *type, int depth, struct of_error *err)
{
    const json_t *inner = json_is_object(type) ? json_object_get(type, "type") : type;
    const char *name = json_string_value(inner);
    if (depth > 4 || (name == NULL && !json_is_object(inner)))
        return refuse(field, "has no type that rows can hold: only a union of null and one type is possible", err);
    if (name == NULL)
        return take_type(field, names, inner, depth + 1, err);
    if (!find_type(name, &field->type)) {
        const json_t *known = json_object_get(names->types, name);
        if (known != NULL)
            return take_type(field, names, known, depth + 1, err);
        char what[200];
        snprintf(what, sizeof what, "is of type %.100s, which rows cannot hold: the record must be flat", name);
        return refuse(field, what, err);
    }
    if (field->type == OF_FLAT_ENUM || field->type == OF_FLAT_FIXED) {
        field->symbols = json_object_get(type, "symbols");
        json_int_t size = json_integer_value(json_object_get(type, "size"));
        bool fine = field->type == OF_FLAT_ENUM ? json_array_size(field->symbols) > 0 : size >= 0 && size <= 1 << 20;
        if (!fine)
            return refuse(field, "has an incomplete type", err);
        field->size = (size_t)size;
        note_name(names, type);
    }
    return take_decimal(field, type);
}

static bool
is_null(const json_t *type)
{
    const char *name = json_string_value(json_is_object(type) ? json_object_get(type, "type") : type);
    return name != NULL && strcmp(name, "null") == 0;
}

static enum of_status
take_union(struct of_flat_field *field, const struct names *names, const json_t *branches, struct of_error *err)
{
    size_t count = json_array_size(branches), others = 0;
    field->in_union = true;
    for (size_t i = 0; i < count && i < 2; i++) {
        if (is_null(json_array_get(branches, i))) {
            field->nullable = true;
            field->null_branch = (uint8_t)i;
        } else {
            field->branch = (uint8_t)i;
            others++;
        }
    }
    if (count > 2 || others != 1)
        return refuse(field, "is a union that rows cannot hold: only null and one type is possible", err);
    return take_type(field, names, json_array_get(branches, field->branch), 0, err);
}

static enum of_status
take_field(struct of_flat_field *field, const struct names *names, const json_t *json, struct of_error *err)
{
    field->name = json_string_value(json_object_get(json, "name"));
    const json_t *type = json_object_get(json, "type"), *initial = json_object_get(json, "default");
    if (field->name == NULL || type == NULL)
        return of_error_set(err, OF_POISON, "the schema has a field without name or type");
    field->has_initial = initial != NULL;
    field->initial = of_cell_of_json(initial);
    return json_is_array(type) ? take_union(field, names, type, err) : take_type(field, names, type, 0, err);
}

static enum of_status
take_record(struct of_flat_record *record, struct of_error *err)
{
    const json_t *fields = json_object_get(record->json, "fields");
    const char *type = json_string_value(json_object_get(record->json, "type"));
    if (type == NULL || strcmp(type, "record") != 0 || !json_is_array(fields) || json_array_size(fields) == 0)
        return of_error_set(err, OF_POISON, "the schema must be a record with fields");
    struct names names = { json_object() };
    enum of_status status = OF_OK;
    record->field_count = json_array_size(fields);
    record->fields = of_alloc_array(record->field_count, sizeof *record->fields);
    for (size_t i = 0; i < record->field_count && status == OF_OK; i++) {
        status = take_field(&record->fields[i], &names, json_array_get(fields, i), err);
        for (size_t j = 0; status == OF_OK && j < i; j++)
            if (strcmp(record->fields[j].name, record->fields[i].name) == 0)
                status = refuse(&record->fields[i], "is there twice", err);
    }
    json_decref(names.types);
    return status;
}

enum of_status
of_flat_record_init(struct of_flat_record *record, struct of_slice schema_json, struct of_error *err)
{
    json_error_t where;
    *record = (struct of_flat_record) { 0 };
    record->json = json_loadb((const char *)schema_json.data, schema_json.length, JSON_DECODE_ANY, &where);
    if (record->json == NULL)
        return of_error_set(err, OF_POISON, "the schema is not valid JSON: line %d, column %d: %s", where.line,
                            where.column, where.text);
    enum of_status status = take_record(record, err);
    if (status != OF_OK)
        of_flat_record_fini(record);
    return status;
}

void
of_flat_record_fini(struct of_flat_record *record)
{
    free(record->fields);
    json_decref(record->json);
    *record = (struct of_flat_record) { 0 };
}
