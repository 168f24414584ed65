#include "avro/schema_tree.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "avro/schema_measure.h"
#include "core/memory.h"

struct of_avro_tree {
    void **blocks; /* all memory of the nodes */
    size_t block_count, block_room;
    json_t **texts; /* parsed; names and defaults point into them */
    size_t text_count;
    json_t *names; /* full name -> index into named */
    struct of_avro_schema **named;
    size_t named_count, named_room;
};

/* What is known while a text is read. */
struct reader {
    struct of_avro_tree *tree;
    unsigned depth;
    struct of_error *err;
};

static enum of_status read_schema(struct reader *reader, const json_t *json, const char *space,
                                  struct of_avro_schema **out);

/* ---- memory ---- */

static void *
take_memory(struct of_avro_tree *tree, size_t count, size_t bytes)
{
    if (tree->block_count == tree->block_room) {
        tree->block_room = tree->block_room ? 2 * tree->block_room : 64;
        tree->blocks = of_realloc_array(tree->blocks, tree->block_room, sizeof *tree->blocks);
    }
    void *block = of_alloc_array(count > 0 ? count : 1, bytes);
    tree->blocks[tree->block_count++] = block;
    return block;
}

static struct of_avro_schema *
make_node(struct of_avro_tree *tree, enum of_avro_type type)
{
    struct of_avro_schema *node = take_memory(tree, 1, sizeof *node);
    node->type = type;
    return node;
}

struct of_avro_tree *
of_avro_tree_create(void)
{
    struct of_avro_tree *tree = of_alloc(sizeof *tree);
    tree->names = json_object();
    return tree;
}

void
of_avro_tree_destroy(struct of_avro_tree **tree)
{
    struct of_avro_tree *t = *tree;
    *tree = NULL;
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->block_count; i++)
        free(t->blocks[i]);
    for (size_t i = 0; i < t->text_count; i++)
        json_decref(t->texts[i]);
    json_decref(t->names);
    free(t->blocks);
    free(t->texts);
    free(t->named);
    free(t);
}

/* ---- names ---- */

static enum of_status
refuse(struct reader *reader, const char *what, const char *detail)
{
    return of_error_set(reader->err, OF_POISON, "%s%.200s", what, detail);
}

/* Dotted parts of letters, digits and underscores, none beginning with a digit. Bytes of other scripts are letters. */
static bool
is_name(const char *name, bool dots)
{
    bool at_start = true;
    for (; *name != '\0'; name++) {
        bool digit = *name >= '0' && *name <= '9';
        bool letter = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || *name == '_' ||
                      (uint8_t)*name >= 0x80;
        if (dots && *name == '.' && !at_start) {
            at_start = true;
            continue;
        }
        if (!letter && (!digit || at_start))
            return false;
        at_start = false;
    }
    return !at_start;
}

/* name, within that namespace unless it brings its own. */
static const char *
full_name(struct of_avro_tree *tree, const char *name, const char *space)
{
    if (strchr(name, '.') != NULL || *space == '\0')
        return name;
    size_t size = strlen(space) + strlen(name) + 2;
    char *full = take_memory(tree, size, 1);
    snprintf(full, size, "%s.%s", space, name);
    return full;
}

static const char *
space_of(struct of_avro_tree *tree, const char *full)
{
    const char *dot = strrchr(full, '.');
    if (dot == NULL)
        return "";
    char *space = take_memory(tree, (size_t)(dot - full) + 1, 1);
    memcpy(space, full, (size_t)(dot - full));
    return space;
}

static struct of_avro_schema *
find_named(const struct of_avro_tree *tree, const char *name)
{
    const json_t *index = json_object_get(tree->names, name);
    return index != NULL ? tree->named[json_integer_value(index)] : NULL;
}

static enum of_status
define(struct reader *reader, struct of_avro_schema *node)
{
    struct of_avro_tree *tree = reader->tree;
    if (find_named(tree, node->name) != NULL)
        return refuse(reader, "two types are named ", node->name);
    if (tree->named_count == tree->named_room) {
        tree->named_room = tree->named_room ? 2 * tree->named_room : 16;
        tree->named = of_realloc_array(tree->named, tree->named_room, sizeof *tree->named);
    }
    json_object_set_new(tree->names, node->name, json_integer((json_int_t)tree->named_count));
    tree->named[tree->named_count++] = node;
    return OF_OK;
}

/* A type by its name alone. */
static enum of_status
read_name(struct reader *reader, const char *name, const char *space, struct of_avro_schema **out)
{
    static const char *const primitives[] = { "null",  "boolean", "int",   "long",
                                              "float", "double",  "bytes", "string" };
    for (unsigned i = 0; i < sizeof primitives / sizeof *primitives; i++)
        if (strcmp(name, primitives[i]) == 0) {
            *out = make_node(reader->tree, (enum of_avro_type)i);
            return OF_OK;
        }
    *out = find_named(reader->tree, full_name(reader->tree, name, space));
    if (*out == NULL)
        *out = find_named(reader->tree, name);
    return *out != NULL ? OF_OK : refuse(reader, "there is no type named ", name);
}

static const char *
text_of(const json_t *json, const char *attribute)
{
    return json_string_value(json_object_get(json, attribute)); /* NULL unless it is a string */
}

/* Strings of a list, as they are; things of another kind are passed over. */
static const char **
read_texts(struct reader *reader, const json_t *list, uint32_t *count)
{
    const char **texts = take_memory(reader->tree, json_array_size(list), sizeof *texts);
    *count = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_is_string(json_array_get(list, i)))
            texts[(*count)++] = json_string_value(json_array_get(list, i));
    return texts;
}

/* ---- records, enums, fixed ---- */

static enum of_status
read_field(struct reader *reader, const json_t *json, const char *space, struct of_avro_field *field)
{
    const json_t *type = json_object_get(json, "type");
    field->name = text_of(json, "name");
    if (field->name == NULL || !is_name(field->name, false))
        return refuse(reader, "a field has no proper name", "");
    if (type == NULL)
        return of_error_set(reader->err, OF_POISON, "field \"%.200s\": it has no type", field->name);
    field->initial = json_object_get(json, "default");
    field->aliases = read_texts(reader, json_object_get(json, "aliases"), &field->alias_count);
    if (read_schema(reader, type, space, &field->type) != OF_OK)
        return of_error_prefix(reader->err, "field \"%.200s\"", field->name);
    return OF_OK;
}

static enum of_status
read_record(struct reader *reader, const json_t *json, const char *space, struct of_avro_schema *node)
{
    const json_t *fields = json_object_get(json, "fields");
    if (!json_is_array(fields))
        return refuse(reader, "it has no fields: record ", node->name);
    node->fields = take_memory(reader->tree, json_array_size(fields), sizeof *node->fields);
    json_t *seen = json_object();
    enum of_status status = OF_OK;
    for (size_t i = 0; i < json_array_size(fields) && status == OF_OK; i++) {
        struct of_avro_field *field = &node->fields[node->count];
        status = read_field(reader, json_array_get(fields, i), space, field);
        if (status == OF_OK && json_object_get(seen, field->name) != NULL)
            status = of_error_set(reader->err, OF_POISON, "the record %.200s has the field \"%.200s\" twice",
                                  node->name, field->name);
        if (status == OF_OK)
            json_object_set_new(seen, field->name, json_true());
        node->count++;
    }
    json_decref(seen);
    return status;
}

static enum of_status
read_enum(struct reader *reader, const json_t *json, struct of_avro_schema *node)
{
    const json_t *symbols = json_object_get(json, "symbols");
    if (!json_is_array(symbols))
        return refuse(reader, "it has no symbols: enum ", node->name);
    node->symbols = read_texts(reader, symbols, &node->count);
    json_t *seen = json_object();
    for (uint32_t i = 0; i < node->count; i++)
        json_object_set_new(seen, node->symbols[i], json_true());
    bool all_differ = json_object_size(seen) == json_array_size(symbols);
    node->symbol_default = text_of(json, "default");
    bool has_default = node->symbol_default == NULL || json_object_get(seen, node->symbol_default) != NULL;
    json_decref(seen);
    if (!all_differ)
        return refuse(reader, "its symbols are not all different names: enum ", node->name);
    return has_default ? OF_OK : refuse(reader, "its default is none of its symbols: enum ", node->name);
}

static enum of_status
read_fixed(struct reader *reader, const json_t *json, struct of_avro_schema *node)
{
    const json_t *size = json_object_get(json, "size");
    json_int_t bytes = json_integer_value(size);
    if (!json_is_integer(size) || bytes < 0 || bytes > INT32_MAX)
        return refuse(reader, "it has an impossible size: fixed ", node->name);
    node->size = (uint32_t)bytes;
    of_avro_read_logical(node, json);
    return OF_OK;
}

static enum of_status
read_named(struct reader *reader, const json_t *json, enum of_avro_type type, const char *space,
           struct of_avro_schema **out)
{
    const char *name = text_of(json, "name"), *own_space = text_of(json, "namespace");
    if (name == NULL || !is_name(name, true))
        return refuse(reader, "a record, enum or fixed has no proper name", "");
    struct of_avro_schema *node = *out = make_node(reader->tree, type);
    node->name = full_name(reader->tree, name, own_space != NULL ? own_space : space);
    space = space_of(reader->tree, node->name);
    node->aliases = read_texts(reader, json_object_get(json, "aliases"), &node->alias_count);
    for (uint32_t i = 0; i < node->alias_count; i++)
        node->aliases[i] = full_name(reader->tree, node->aliases[i], space);
    enum of_status status = define(reader, node);
    if (status != OF_OK)
        return status;
    switch (type) {
    case OF_AVRO_RECORD: return read_record(reader, json, space, node);
    case OF_AVRO_ENUM: return read_enum(reader, json, node);
    default: return read_fixed(reader, json, node);
    }
}

/* ---- arrays, maps, unions ---- */

static enum of_status
read_items(struct reader *reader, const json_t *json, enum of_avro_type type, const char *space,
           struct of_avro_schema **out)
{
    const char *attribute = type == OF_AVRO_ARRAY ? "items" : "values";
    const json_t *items = json_object_get(json, attribute);
    *out = make_node(reader->tree, type);
    if (items == NULL)
        return refuse(reader, "an array or a map has no ", attribute);
    return read_schema(reader, items, space, &(*out)->items);
}

static bool
same_branch(const struct of_avro_schema *a, const struct of_avro_schema *b)
{
    return a->type == b->type && (a->name == NULL || strcmp(a->name, b->name) == 0);
}

static enum of_status
read_union(struct reader *reader, const json_t *json, const char *space, struct of_avro_schema **out)
{
    enum { BRANCHES_MAX = 1000 };
    struct of_avro_schema *node = *out = make_node(reader->tree, OF_AVRO_UNION);
    size_t count = json_array_size(json);
    if (count > BRANCHES_MAX)
        return refuse(reader, "a union has more than 1000 branches", "");
    node->branches = take_memory(reader->tree, count, sizeof *node->branches);
    for (size_t i = 0; i < count; i++) {
        enum of_status status = read_schema(reader, json_array_get(json, i), space, &node->branches[i]);
        if (status != OF_OK)
            return status;
        if (node->branches[i]->type == OF_AVRO_UNION)
            return refuse(reader, "a union stands directly in a union", "");
        for (size_t k = 0; k < i; k++)
            if (same_branch(node->branches[k], node->branches[i]))
                return refuse(reader, "a union has two branches of type ", of_avro_type_name(node->branches[i]->type));
        node->count++;
    }
    return OF_OK;
}

/* ---- any schema ---- */

static enum of_status
read_object(struct reader *reader, const json_t *json, const char *space, struct of_avro_schema **out)
{
    static const struct {
        const char *name;
        enum of_avro_type type;
    } complex[] = { { "record", OF_AVRO_RECORD }, { "error", OF_AVRO_RECORD }, { "enum", OF_AVRO_ENUM },
                    { "fixed", OF_AVRO_FIXED },   { "array", OF_AVRO_ARRAY },  { "map", OF_AVRO_MAP } };
    const json_t *type = json_object_get(json, "type");
    if (type == NULL)
        return refuse(reader, "a schema has no type", "");
    if (!json_is_string(type))
        return read_schema(reader, type, space, out);
    for (size_t i = 0; i < sizeof complex / sizeof *complex; i++)
        if (strcmp(json_string_value(type), complex[i].name) == 0)
            return complex[i].type <= OF_AVRO_FIXED ? read_named(reader, json, complex[i].type, space, out)
                                                    : read_items(reader, json, complex[i].type, space, out);
    enum of_status status = read_name(reader, json_string_value(type), space, out);
    /* A type that was named elsewhere has the logical type that it got there. */
    if (status == OF_OK && (*out)->name == NULL)
        of_avro_read_logical(*out, json);
    return status;
}

static enum of_status
read_schema(struct reader *reader, const json_t *json, const char *space, struct of_avro_schema **out)
{
    if (reader->depth == OF_AVRO_NESTING_MAX)
        return refuse(reader, "its types are nested too deeply", "");
    reader->depth++;
    enum of_status status;
    if (json_is_string(json))
        status = read_name(reader, json_string_value(json), space, out);
    else if (json_is_array(json))
        status = read_union(reader, json, space, out);
    else if (json_is_object(json))
        status = read_object(reader, json, space, out);
    else
        status = refuse(reader, "a schema is neither a name nor an object nor a list", "");
    reader->depth--;
    return status;
}

enum of_status
of_avro_tree_add(struct of_avro_tree *tree, struct of_slice text, const struct of_avro_schema **out,
                 struct of_error *err)
{
    *out = NULL;
    if (text.length > OF_AVRO_TEXT_MAX)
        return of_error_set(err, OF_POISON, "the schema is %zu bytes long; the limit is %d", text.length,
                            OF_AVRO_TEXT_MAX);
    json_error_t where;
    json_t *json = json_loadb((const char *)text.data, text.length, JSON_DECODE_ANY, &where);
    if (json == NULL)
        return of_error_set(err, OF_POISON, "the schema is not valid JSON: line %d, column %d: %s", where.line,
                            where.column, where.text);
    tree->texts = of_realloc_array(tree->texts, tree->text_count + 1, sizeof *tree->texts);
    tree->texts[tree->text_count++] = json;
    struct of_error own = { 0 };
    struct reader reader = { .tree = tree, .err = err != NULL ? err : &own };
    struct of_avro_schema *root = NULL;
    enum of_status status = read_schema(&reader, json, "", &root);
    if (status == OF_OK)
        status = of_avro_measure(root, reader.err);
    if (status != OF_OK)
        return of_error_prefix(reader.err, "the schema is not valid Avro");
    *out = root;
    return OF_OK;
}
