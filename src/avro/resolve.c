#include "avro/resolve.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"

enum { PAIRS_MAX = 100000, FIRST_ROOM = 64 };

struct pair {
    const struct of_avro_schema *writer, *reader;
    enum of_fit fit;
};

struct of_resolution {
    struct pair *pairs; /* in the order in which they were met: the outermost first */
    uint32_t count, room;
    uint32_t *at; /* by hash: index + 1; 0: empty. Twice as many as room */
};

/* ---- pairs ---- */

static uint32_t
hash_of(const struct of_avro_schema *writer, const struct of_avro_schema *reader, uint32_t slots)
{
    uint64_t x = ((uint64_t)(uintptr_t)writer >> 4) * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)(uintptr_t)reader;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(x >> 32) & (slots - 1);
}

static uint32_t *
slot_of(const struct of_resolution *resolution, const struct of_avro_schema *writer,
        const struct of_avro_schema *reader)
{
    uint32_t slots = 2 * resolution->room, slot = hash_of(writer, reader, slots);
    for (;; slot = (slot + 1) & (slots - 1)) {
        uint32_t index = resolution->at[slot];
        if (index == 0 || (resolution->pairs[index - 1].writer == writer &&
                           resolution->pairs[index - 1].reader == reader))
            return &resolution->at[slot];
    }
}

static void
grow(struct of_resolution *resolution)
{
    resolution->room = resolution->room ? 2 * resolution->room : FIRST_ROOM;
    resolution->pairs = of_realloc_array(resolution->pairs, resolution->room, sizeof *resolution->pairs);
    free(resolution->at);
    resolution->at = of_alloc_array(2 * (size_t)resolution->room, sizeof *resolution->at);
    for (uint32_t i = 0; i < resolution->count; i++)
        *slot_of(resolution, resolution->pairs[i].writer, resolution->pairs[i].reader) = i + 1;
}

/* What is known so far of a pair; one that was not met fits until something speaks against it. */
static enum of_fit
known_fit(const struct of_resolution *resolution, const struct of_avro_schema *writer,
          const struct of_avro_schema *reader)
{
    uint32_t index = *slot_of(resolution, writer, reader);
    return index != 0 ? resolution->pairs[index - 1].fit : OF_FIT_ALWAYS;
}

/* The same, and the pair is one to be looked at from now on. */
static enum of_fit
meet(struct of_resolution *resolution, const struct of_avro_schema *writer, const struct of_avro_schema *reader)
{
    uint32_t *slot = slot_of(resolution, writer, reader);
    if (*slot != 0)
        return resolution->pairs[*slot - 1].fit;
    if (resolution->count == resolution->room) {
        grow(resolution);
        slot = slot_of(resolution, writer, reader);
    }
    resolution->pairs[resolution->count++] = (struct pair) { writer, reader, OF_FIT_ALWAYS };
    *slot = resolution->count;
    return OF_FIT_ALWAYS;
}

/* ---- rules ---- */

static bool
names_match(const struct of_avro_schema *writer, const struct of_avro_schema *reader)
{
    const char *name = of_avro_unqualified(writer->name);
    if (strcmp(name, of_avro_unqualified(reader->name)) == 0)
        return true;
    for (uint32_t i = 0; i < reader->alias_count; i++)
        if (strcmp(writer->name, reader->aliases[i]) == 0 || strcmp(name, reader->aliases[i]) == 0)
            return true;
    return false;
}

static bool
is_promoted(enum of_avro_type writer, enum of_avro_type reader)
{
    switch (writer) {
    case OF_AVRO_INT: return reader == OF_AVRO_LONG || reader == OF_AVRO_FLOAT || reader == OF_AVRO_DOUBLE;
    case OF_AVRO_LONG: return reader == OF_AVRO_FLOAT || reader == OF_AVRO_DOUBLE;
    case OF_AVRO_FLOAT: return reader == OF_AVRO_DOUBLE;
    case OF_AVRO_STRING: return reader == OF_AVRO_BYTES;
    case OF_AVRO_BYTES: return reader == OF_AVRO_STRING;
    default: return false;
    }
}

static bool
decimals_match(const struct of_avro_schema *writer, const struct of_avro_schema *reader)
{
    bool both = writer->logical == OF_AVRO_DECIMAL && reader->logical == OF_AVRO_DECIMAL;
    return !both || (writer->precision == reader->precision && writer->scale == reader->scale);
}

/* What the specification calls a match: the two by themselves, whatever is in records and unions. */
static bool
outsides_match(const struct of_avro_schema *writer, const struct of_avro_schema *reader)
{
    if (writer->type == OF_AVRO_UNION || reader->type == OF_AVRO_UNION)
        return true;
    if (writer->type != reader->type)
        return is_promoted(writer->type, reader->type);
    if (writer->type == OF_AVRO_ARRAY || writer->type == OF_AVRO_MAP)
        return outsides_match(writer->items, reader->items);
    if (writer->name != NULL && !names_match(writer, reader))
        return false;
    return (writer->type != OF_AVRO_FIXED || writer->size == reader->size) && decimals_match(writer, reader);
}

static bool
is_of_name(const struct of_avro_schema *type, const struct of_avro_schema *writer)
{
    return type->type == writer->type && writer->name != NULL && strcmp(type->name, writer->name) == 0;
}

/* The first record of a union that a writer's record can be read as: by its name, too, or by its fields alone. */
static const struct of_avro_schema *
record_branch(const struct of_resolution *resolution, const struct of_avro_schema *writer,
              const struct of_avro_schema *reader_union, bool by_name)
{
    for (uint32_t i = 0; i < reader_union->count; i++) {
        const struct of_avro_schema *branch = reader_union->branches[i];
        if (branch->type == OF_AVRO_RECORD && (!by_name || names_match(writer, branch)) &&
            known_fit(resolution, writer, branch) != OF_FIT_NEVER)
            return branch;
    }
    return NULL;
}

/* Whatever is in records and unions. */
static const struct of_avro_schema *
matching_branch(const struct of_avro_schema *writer, const struct of_avro_schema *reader_union)
{
    const struct of_avro_schema *promotion = NULL;
    for (uint32_t i = 0; i < reader_union->count; i++) {
        const struct of_avro_schema *branch = reader_union->branches[i];
        if (!outsides_match(writer, branch))
            continue;
        if (writer->type == branch->type)
            return branch;
        if (promotion == NULL)
            promotion = branch;
    }
    return promotion;
}

const struct of_avro_schema *
of_resolution_branch(const struct of_resolution *resolution, const struct of_avro_schema *writer,
                     const struct of_avro_schema *reader_union)
{
    for (uint32_t i = 0; i < reader_union->count; i++)
        if (is_of_name(reader_union->branches[i], writer))
            return reader_union->branches[i];
    const struct of_avro_schema *record = NULL;
    if (writer->type == OF_AVRO_RECORD) {
        record = record_branch(resolution, writer, reader_union, true);
        if (record == NULL)
            record = record_branch(resolution, writer, reader_union, false);
    }
    return record != NULL ? record : matching_branch(writer, reader_union);
}

static bool
has_alias(const struct of_avro_field *field, const char *name)
{
    for (uint32_t i = 0; i < field->alias_count; i++)
        if (strcmp(field->aliases[i], name) == 0)
            return true;
    return false;
}

const struct of_avro_field *
of_resolution_field(const struct of_avro_field *field, const struct of_avro_schema *reader)
{
    const struct of_avro_field *same = of_avro_find_field(reader, field->name, strlen(field->name));
    for (uint32_t i = 0; same == NULL && i < reader->count; i++)
        if (has_alias(&reader->fields[i], field->name))
            same = &reader->fields[i];
    return same;
}

const struct of_avro_field *
of_resolution_source(const struct of_avro_schema *writer, const struct of_avro_schema *reader,
                     const struct of_avro_field *field)
{
    const struct of_avro_field *source = of_avro_find_field(writer, field->name, strlen(field->name));
    for (uint32_t i = 0; source == NULL && i < field->alias_count; i++) {
        source = of_avro_find_field(writer, field->aliases[i], strlen(field->aliases[i]));
        if (source != NULL && of_resolution_field(source, reader) != field)
            source = NULL; /* the reader has a field of that very name */
    }
    return source;
}

const char *
of_resolution_symbol(const char *symbol, const struct of_avro_schema *reader)
{
    for (uint32_t i = 0; i < reader->count; i++)
        if (strcmp(reader->symbols[i], symbol) == 0)
            return reader->symbols[i];
    return reader->symbol_default;
}

/* ---- fitting ---- */

/* Where the writer's type stands for the reader's, other than as a branch of the reader's union. */
static enum of_fit
fit_of(struct of_resolution *resolution, const struct of_avro_schema *writer, const struct of_avro_schema *reader)
{
    return outsides_match(writer, reader) ? meet(resolution, writer, reader) : OF_FIT_NEVER;
}

enum of_fit
of_resolution_fit(const struct of_resolution *resolution, const struct of_avro_schema *writer,
                  const struct of_avro_schema *reader)
{
    if (!outsides_match(writer, reader))
        return OF_FIT_NEVER;
    uint32_t index = *slot_of(resolution, writer, reader);
    OF_ASSERT(index != 0);
    return resolution->pairs[index - 1].fit;
}

static enum of_fit
worse(enum of_fit a, enum of_fit b)
{
    return a > b ? a : b;
}

static enum of_fit
part_or_none(uint32_t fitting, uint32_t always, uint32_t count)
{
    return fitting == 0 ? OF_FIT_NEVER : always == count ? OF_FIT_ALWAYS : OF_FIT_SOMETIMES;
}

static enum of_fit
look_at_branches(struct of_resolution *resolution, const struct of_avro_schema *writer,
                 const struct of_avro_schema *reader)
{
    uint32_t fitting = 0, always = 0;
    for (uint32_t i = 0; i < writer->count; i++) {
        enum of_fit fit = fit_of(resolution, writer->branches[i], reader);
        fitting += fit != OF_FIT_NEVER;
        always += fit == OF_FIT_ALWAYS;
    }
    return part_or_none(fitting, always, writer->count);
}

static enum of_fit
look_at_symbols(const struct of_avro_schema *writer, const struct of_avro_schema *reader)
{
    uint32_t known = 0;
    for (uint32_t i = 0; i < writer->count; i++)
        known += of_resolution_symbol(writer->symbols[i], reader) != NULL;
    return part_or_none(known, known, writer->count);
}

static enum of_fit
look_at_fields(struct of_resolution *resolution, const struct of_avro_schema *writer,
               const struct of_avro_schema *reader)
{
    enum of_fit fit = OF_FIT_ALWAYS;
    for (uint32_t i = 0; i < writer->count; i++) {
        const struct of_avro_field *field = of_resolution_field(&writer->fields[i], reader);
        if (field != NULL)
            fit = worse(fit, fit_of(resolution, writer->fields[i].type, field->type));
    }
    for (uint32_t i = 0; i < reader->count; i++)
        if (reader->fields[i].initial == NULL && of_resolution_source(writer, reader, &reader->fields[i]) == NULL)
            fit = OF_FIT_NEVER;
    return fit;
}

static enum of_fit
look_at(struct of_resolution *resolution, const struct of_avro_schema *writer, const struct of_avro_schema *reader)
{
    if (writer->type == OF_AVRO_UNION)
        return look_at_branches(resolution, writer, reader);
    if (reader->type == OF_AVRO_UNION) {
        const struct of_avro_schema *branch = of_resolution_branch(resolution, writer, reader);
        return branch != NULL ? meet(resolution, writer, branch) : OF_FIT_NEVER;
    }
    switch (writer->type) {
    case OF_AVRO_RECORD: return look_at_fields(resolution, writer, reader);
    case OF_AVRO_ENUM: return look_at_symbols(writer, reader);
    case OF_AVRO_ARRAY:
    case OF_AVRO_MAP: /* an empty one fits whatever is in its items */
        return fit_of(resolution, writer->items, reader->items) == OF_FIT_ALWAYS ? OF_FIT_ALWAYS : OF_FIT_SOMETIMES;
    default: return OF_FIT_ALWAYS;
    }
}

enum of_status
of_resolution_create(const struct of_avro_schema *writer, const struct of_avro_schema *reader,
                     struct of_resolution **out, struct of_error *err)
{
    struct of_resolution *resolution = of_alloc(sizeof *resolution);
    grow(resolution);
    fit_of(resolution, writer, reader);
    /* A pair only ever gets worse, twice at most, so this ends. */
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < resolution->count && resolution->count <= PAIRS_MAX; i++) {
            enum of_fit fit = look_at(resolution, resolution->pairs[i].writer, resolution->pairs[i].reader);
            fit = worse(fit, resolution->pairs[i].fit);
            changed = changed || fit != resolution->pairs[i].fit;
            resolution->pairs[i].fit = fit;
        }
    }
    bool fits = resolution->count <= PAIRS_MAX;
    if (!fits)
        of_resolution_destroy(&resolution);
    *out = resolution;
    return fits ? OF_OK : of_error_set(err, OF_POISON, "writer's and reader's schema are too large to be compared");
}

void
of_resolution_destroy(struct of_resolution **resolution)
{
    if (*resolution != NULL) {
        free((*resolution)->pairs);
        free((*resolution)->at);
    }
    free(*resolution);
    *resolution = NULL;
}

/* ---- explaining ---- */

static enum of_status
explain_outside(const struct of_avro_schema *writer, const struct of_avro_schema *reader, struct of_error *err)
{
    char from[OF_AVRO_NAME_BYTES], to[OF_AVRO_NAME_BYTES];
    of_avro_describe(writer, from);
    of_avro_describe(reader, to);
    if (writer->type == OF_AVRO_ENUM && reader->type == OF_AVRO_ENUM && names_match(writer, reader))
        return of_error_set(err, OF_POISON, "the reader's %s has none of the writer's symbols, and no default", to);
    if (writer->type == OF_AVRO_FIXED && reader->type == OF_AVRO_FIXED && writer->size != reader->size)
        return of_error_set(err, OF_POISON, "the writer's %s has %u bytes, the reader's %u", from, writer->size,
                            reader->size);
    return of_error_set(err, OF_POISON, "the writer's %s cannot be read as the reader's %s", from, to);
}

static enum of_status explain(const struct of_resolution *resolution, const struct of_avro_schema *writer,
                              const struct of_avro_schema *reader, unsigned depth, struct of_error *err);

/* What is wrong with the record itself; OF_OK: nothing is. */
static enum of_status
explain_missing(const struct of_avro_schema *writer, const struct of_avro_schema *reader, struct of_error *err)
{
    for (uint32_t i = 0; i < reader->count; i++) {
        const struct of_avro_field *field = &reader->fields[i];
        char type[OF_AVRO_NAME_BYTES];
        if (field->initial == NULL && of_resolution_source(writer, reader, field) == NULL)
            return of_error_set(err, OF_POISON,
                                "the reader's field \"%.100s\" (%s) is not in the writer's record %.100s, and has no "
                                "default",
                                field->name, of_avro_describe(field->type, type), writer->name);
    }
    return OF_OK;
}

/* Of the fields that fit never those first that are no records: a recursive record may fit never for its own sake. */
static enum of_status
explain_fields(const struct of_resolution *resolution, const struct of_avro_schema *writer,
               const struct of_avro_schema *reader, bool records, unsigned depth, struct of_error *err)
{
    for (uint32_t i = 0; i < writer->count; i++) {
        const struct of_avro_schema *type = writer->fields[i].type;
        const struct of_avro_field *field = of_resolution_field(&writer->fields[i], reader);
        if (field == NULL || (type->type == OF_AVRO_RECORD) != records ||
            of_resolution_fit(resolution, type, field->type) != OF_FIT_NEVER)
            continue;
        explain(resolution, type, field->type, depth, err);
        return of_error_prefix(err, "field \"%.100s\"", field->name);
    }
    return OF_OK;
}

static enum of_status
explain(const struct of_resolution *resolution, const struct of_avro_schema *writer,
        const struct of_avro_schema *reader, unsigned depth, struct of_error *err)
{
    enum { DEPTH_MAX = 20 };
    if (writer->type != OF_AVRO_UNION && reader->type == OF_AVRO_UNION) {
        const struct of_avro_schema *branch = of_resolution_branch(resolution, writer, reader);
        reader = branch != NULL ? branch : reader;
    }
    bool records = writer->type == OF_AVRO_RECORD && reader->type == OF_AVRO_RECORD && names_match(writer, reader);
    enum of_status status = OF_OK;
    if (records && depth < DEPTH_MAX) {
        status = explain_fields(resolution, writer, reader, false, depth + 1, err);
        if (status == OF_OK)
            status = explain_missing(writer, reader, err);
        if (status == OF_OK)
            status = explain_fields(resolution, writer, reader, true, depth + 1, err);
    }
    return status != OF_OK ? status : explain_outside(writer, reader, err);
}

enum of_status
of_resolution_explain(const struct of_resolution *resolution, const struct of_avro_schema *writer,
                      const struct of_avro_schema *reader, struct of_error *err)
{
    struct of_error own;
    return explain(resolution, writer, reader, 0, err != NULL ? err : &own);
}
