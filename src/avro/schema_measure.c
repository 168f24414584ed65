#include "avro/schema_measure.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "core/assert.h"
#include "core/value.h"

enum { UUID_BYTES = 16 };

/* ---- logical types ---- */

/* How many decimal digits so many bytes of two's complement hold for certain. */
static double
digits_in(uint32_t bytes)
{
    return floor((8.0 * bytes - 1) * log10(2));
}

static void
read_decimal(struct of_avro_schema *schema, const json_t *json)
{
    const json_t *precision = json_object_get(json, "precision"), *scale = json_object_get(json, "scale");
    json_int_t digits = json_integer_value(precision), decimals = json_integer_value(scale);
    bool scale_is_number = scale == NULL || json_is_integer(scale);
    if (schema->type != OF_AVRO_BYTES && schema->type != OF_AVRO_FIXED)
        return;
    if (!json_is_integer(precision) || !scale_is_number || digits < 1 || digits > INT32_MAX || decimals < 0 ||
        decimals > digits)
        return;
    if (schema->type == OF_AVRO_FIXED && (double)digits > digits_in(schema->size))
        return;
    schema->logical = OF_AVRO_DECIMAL;
    schema->logical_name = "decimal";
    schema->precision = (uint32_t)digits;
    schema->scale = (uint32_t)decimals;
}

void
of_avro_read_logical(struct of_avro_schema *schema, const struct json_t *json)
{
    static const struct {
        const char *name;
        enum of_avro_type type;
    } times[] = {
        { "date", OF_AVRO_INT },
        { "time-millis", OF_AVRO_INT },
        { "time-micros", OF_AVRO_LONG },
        { "timestamp-millis", OF_AVRO_LONG },
        { "timestamp-micros", OF_AVRO_LONG },
        { "timestamp-nanos", OF_AVRO_LONG },
        { "local-timestamp-millis", OF_AVRO_LONG },
        { "local-timestamp-micros", OF_AVRO_LONG },
        { "local-timestamp-nanos", OF_AVRO_LONG },
    };
    const char *name = json_string_value(json_object_get(json, "logicalType"));
    if (name == NULL)
        return;
    bool uuid = schema->type == OF_AVRO_STRING || (schema->type == OF_AVRO_FIXED && schema->size == UUID_BYTES);
    if (strcmp(name, "decimal") == 0) {
        read_decimal(schema, json);
    } else if (strcmp(name, "uuid") == 0 && uuid) {
        schema->logical = OF_AVRO_UUID;
        schema->logical_name = "uuid";
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (schema->type == times[i].type && strcmp(name, times[i].name) == 0) {
            schema->logical = OF_AVRO_TIME;
            schema->logical_name = times[i].name;
        }
}

/* ---- measures ---- */

static uint32_t
heavier(uint64_t weight)
{
    return weight < OF_AVRO_HEAVY ? (uint32_t)weight : OF_AVRO_HEAVY;
}

static void
set_leaf(struct of_avro_schema *schema)
{
    static const uint8_t sizes[] = { [OF_AVRO_FLOAT] = 4, [OF_AVRO_DOUBLE] = 8, [OF_AVRO_UNION] = 0 };
    bool fixed = schema->type == OF_AVRO_FIXED;
    schema->constant = fixed || schema->type == OF_AVRO_NULL || sizes[schema->type] > 0;
    schema->min_bytes = fixed ? schema->size : schema->constant ? sizes[schema->type] : 1;
    schema->weight = schema->min_bytes > 0;
    schema->nesting = 1;
}

static enum of_status
measure_within(struct of_avro_schema *schema, const struct of_avro_schema *part, struct of_error *err)
{
    /* A part that is still being measured contains this one: a value of it has an end only if a union or an array in
     * between says so, which costs a byte at least. */
    bool open = part->state == OF_AVRO_MEASURING;
    uint32_t nesting = open ? 1 : part->nesting + 1;
    if (nesting > OF_AVRO_NESTING_MAX)
        return of_error_set(err, OF_POISON, "its types are nested too deeply");
    schema->nesting = nesting > schema->nesting ? nesting : schema->nesting;
    schema->weight = open ? OF_AVRO_HEAVY : heavier((uint64_t)schema->weight + part->weight + 1);
    return OF_OK;
}

static enum of_status
measure_record(struct of_avro_schema *schema, struct of_error *err)
{
    schema->constant = true;
    for (uint32_t i = 0; i < schema->count; i++) {
        struct of_avro_schema *part = schema->fields[i].type;
        enum of_status status = of_avro_measure(part, err);
        if (status == OF_OK)
            status = measure_within(schema, part, err);
        if (status != OF_OK)
            return status;
        bool open = part->state == OF_AVRO_MEASURING;
        schema->constant = schema->constant && !open && part->constant;
        uint64_t bytes = schema->min_bytes + (open ? 0 : part->min_bytes);
        schema->min_bytes = bytes < UINT32_MAX ? bytes : UINT32_MAX; /* a lower bound, beyond every record */
        if (bytes >= UINT32_MAX)
            schema->constant = false;
    }
    if (!schema->constant && schema->min_bytes == 0)
        schema->min_bytes = 1;
    return OF_OK;
}

static enum of_status
measure_union(struct of_avro_schema *schema, struct of_error *err)
{
    uint64_t least = UINT32_MAX;
    for (uint32_t i = 0; i < schema->count; i++) {
        struct of_avro_schema *part = schema->branches[i];
        enum of_status status = of_avro_measure(part, err);
        if (status == OF_OK)
            status = measure_within(schema, part, err);
        if (status != OF_OK)
            return status;
        uint64_t bytes = part->state == OF_AVRO_MEASURING ? 0 : part->min_bytes;
        least = bytes < least ? bytes : least;
    }
    schema->min_bytes = 1 + least;
    return OF_OK;
}

static enum of_status
measure_items(struct of_avro_schema *schema, struct of_error *err)
{
    schema->min_bytes = 1; /* the end of the blocks */
    schema->weight = 4;
    enum of_status status = of_avro_measure(schema->items, err);
    return status == OF_OK ? measure_within(schema, schema->items, err) : status;
}

enum of_status
of_avro_measure(struct of_avro_schema *schema, struct of_error *err)
{
    enum of_status status = OF_OK;
    if (schema->state != OF_AVRO_UNMEASURED)
        return OF_OK;
    schema->state = OF_AVRO_MEASURING;
    schema->nesting = 1;
    switch (schema->type) {
    case OF_AVRO_RECORD: status = measure_record(schema, err); break;
    case OF_AVRO_UNION: status = measure_union(schema, err); break;
    case OF_AVRO_ARRAY:
    case OF_AVRO_MAP: status = measure_items(schema, err); break;
    default: set_leaf(schema);
    }
    schema->state = OF_AVRO_MEASURED;
    return status;
}

/* ---- looking ---- */

const char *
of_avro_unqualified(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL ? dot + 1 : name;
}

const struct of_avro_field *
of_avro_find_field(const struct of_avro_schema *record, const char *name, size_t length)
{
    for (uint32_t i = 0; i < record->count; i++)
        if (strlen(record->fields[i].name) == length && memcmp(record->fields[i].name, name, length) == 0)
            return &record->fields[i];
    return NULL;
}

const char *
of_avro_type_name(enum of_avro_type type)
{
    static const char *const names[] = {
        [OF_AVRO_NULL] = "null",     [OF_AVRO_BOOLEAN] = "boolean", [OF_AVRO_INT] = "int",
        [OF_AVRO_LONG] = "long",     [OF_AVRO_FLOAT] = "float",     [OF_AVRO_DOUBLE] = "double",
        [OF_AVRO_BYTES] = "bytes",   [OF_AVRO_STRING] = "string",   [OF_AVRO_RECORD] = "record",
        [OF_AVRO_ENUM] = "enum",     [OF_AVRO_FIXED] = "fixed",     [OF_AVRO_ARRAY] = "array",
        [OF_AVRO_MAP] = "map",       [OF_AVRO_UNION] = "union",
    };
    return names[type];
}

static const char *
describe_union(const struct of_avro_schema *schema, char text[OF_AVRO_NAME_BYTES])
{
    char branch[OF_AVRO_NAME_BYTES];
    size_t length = (size_t)snprintf(text, OF_AVRO_NAME_BYTES, "union of ");
    for (uint32_t i = 0; i < schema->count && length < OF_AVRO_NAME_BYTES; i++)
        length += (size_t)snprintf(text + length, OF_AVRO_NAME_BYTES - length, "%s%s",
                                   i == 0 ? "" : i + 1 < schema->count ? ", " : " and ",
                                   of_avro_describe(schema->branches[i], branch));
    if (schema->count == 0)
        snprintf(text, OF_AVRO_NAME_BYTES, "union of nothing");
    return text;
}

const char *
of_avro_describe(const struct of_avro_schema *schema, char text[OF_AVRO_NAME_BYTES])
{
    char items[OF_AVRO_NAME_BYTES];
    const char *type = of_avro_type_name(schema->type);
    if (schema->type == OF_AVRO_UNION)
        return describe_union(schema, text);
    if (schema->type == OF_AVRO_ARRAY || schema->type == OF_AVRO_MAP)
        /* Unions and arrays stand in each other at most a few levels before a name; cut beyond. */
        snprintf(text, OF_AVRO_NAME_BYTES, "%s of %.*s", type, OF_AVRO_NAME_BYTES - 16,
                 of_avro_describe(schema->items, items));
    else if (schema->logical == OF_AVRO_DECIMAL)
        snprintf(text, OF_AVRO_NAME_BYTES, "decimal(%u,%u) as %s %.120s", schema->precision, schema->scale, type,
                 schema->name != NULL ? schema->name : "");
    else if (schema->logical != OF_AVRO_PLAIN)
        snprintf(text, OF_AVRO_NAME_BYTES, "%s as %s", schema->logical_name, type);
    else
        snprintf(text, OF_AVRO_NAME_BYTES, "%s%s%.180s", type, schema->name != NULL ? " " : "",
                 schema->name != NULL ? schema->name : "");
    size_t length = strlen(text);
    if (length > 0 && text[length - 1] == ' ')
        text[length - 1] = '\0';
    return text;
}
