#include "avro/schema_text.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

static json_t *plain(const json_t *schema);

/* Copies an attribute if it has the JSON type that it must have; libavro says what it then misses. */
static void
keep(json_t *to, const json_t *from, const char *name, json_type type)
{
    json_t *value = json_object_get(from, name);
    if (value != NULL && json_typeof(value) == type)
        json_object_set(to, name, value);
}

static json_t *
plain_field(const json_t *field)
{
    json_t *copy = json_object();
    keep(copy, field, "name", JSON_STRING);
    json_t *type = json_object_get(field, "type");
    if (type != NULL)
        json_object_set_new(copy, "type", plain(type));
    return copy;
}

static json_t *
plain_list(const json_t *list, json_t *(*of_each)(const json_t *))
{
    json_t *copy = json_array();
    for (size_t i = 0; i < json_array_size(list); i++)
        json_array_append_new(copy, of_each(json_array_get(list, i)));
    return copy;
}

/* A named or composed type: what libavro needs of it, under the attributes that hold further schemas plain ones. */
static json_t *
plain_object(const json_t *schema, const char *type)
{
    json_t *copy = json_object();
    json_object_set_new(copy, "type", json_string(strcmp(type, "error") == 0 ? "record" : type));
    keep(copy, schema, "name", JSON_STRING);
    keep(copy, schema, "namespace", JSON_STRING);
    keep(copy, schema, "symbols", JSON_ARRAY);
    keep(copy, schema, "size", JSON_INTEGER);
    json_t *fields = json_object_get(schema, "fields");
    if (json_is_array(fields))
        json_object_set_new(copy, "fields", plain_list(fields, plain_field));
    static const char *const inner[] = { "items", "values" };
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++) {
        const json_t *below = json_object_get(schema, inner[i]);
        if (below != NULL)
            json_object_set_new(copy, inner[i], plain(below));
    }
    return copy;
}

static bool
is_object_type(const char *type)
{
    static const char *const names[] = { "record", "error", "enum", "fixed", "array", "map" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(type, names[i]) == 0)
            return true;
    return false;
}

/* The plain form of any schema. As deep as the text is nested, which jansson bounds at 2048. */
static json_t *
plain(const json_t *schema)
{
    if (json_is_array(schema))
        return plain_list(schema, plain);
    if (!json_is_object(schema))
        return json_deep_copy(schema);
    const json_t *type = json_object_get(schema, "type");
    if (!json_is_string(type))
        return type != NULL ? plain(type) : json_object();
    if (is_object_type(json_string_value(type)))
        return plain_object(schema, json_string_value(type));
    return json_deep_copy(type);
}

static enum of_status
parse_plain(const char *text, avro_schema_t *out, struct of_error *err)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    enum of_status status = OF_OK;
    pthread_mutex_lock(&one_at_a_time);
    if (avro_schema_from_json_length(text, strlen(text), out) != 0)
        status = of_error_set(err, OF_POISON, "the schema is not valid Avro: %s", avro_strerror());
    pthread_mutex_unlock(&one_at_a_time);
    return status;
}

enum of_status
of_schema_parse(struct of_slice json, avro_schema_t *out, struct of_error *err)
{
    if (json.length > OF_SCHEMA_MAX_BYTES)
        return of_error_set(err, OF_POISON, "the schema is %zu bytes long; the limit is %d", json.length,
                            OF_SCHEMA_MAX_BYTES);
    json_error_t where;
    json_t *schema = json_loadb((const char *)json.data, json.length, JSON_DECODE_ANY, &where);
    if (schema == NULL)
        return of_error_set(err, OF_POISON, "the schema is not valid JSON: line %d, column %d: %s", where.line,
                            where.column, where.text);
    json_t *copy = plain(schema);
    char *text = json_dumps(copy, JSON_COMPACT | JSON_ENCODE_ANY);
    enum of_status status = text != NULL ? parse_plain(text, out, err)
                                         : of_error_set(err, OF_POISON, "the schema cannot be written as JSON again");
    free(text);
    json_decref(copy);
    json_decref(schema);
    return status;
}
