/* Whether what was written with one schema can be read as another: Apache Avro's schema resolution, specification 1.12.
 *
 * The answer is found for pairs of types, once, by looking at each pair's parts until nothing changes any more; so
 * recursive types and unions on either side need no special care. Where the specification leaves room, it does what
 * Apache Avro's Java library does: of the branches of a reader's union the first of the same type is taken, before one
 * that needs a promotion; named types match by their unqualified names or an alias of the reader's. In one place it goes
 * beyond the specification, as that library does: a record of which a reader's union has none of that name is read as
 * the union's first record that can be read from its fields. (That library looks at the fields only, not at what is in
 * them, and so may take one that it then cannot read.)
 *
 * Owner: create to destroy; both trees must outlive it. Threads: one at a time. Private to src/avro. */
#ifndef OF_AVRO_RESOLVE_H
#define OF_AVRO_RESOLVE_H

#include "avro/schema_tree.h"

enum of_fit {
    OF_FIT_ALWAYS,
    OF_FIT_SOMETIMES, /* depends on the value: on the branch of a union, on an enum's symbol, on an array being empty */
    OF_FIT_NEVER,
};

struct of_resolution;

/* OF_POISON: the two have too many parts to be compared. */
OF_MUST_USE enum of_status of_resolution_create(const struct of_avro_schema *writer,
                                                const struct of_avro_schema *reader, struct of_resolution **out,
                                                struct of_error *err);
void of_resolution_destroy(struct of_resolution **resolution); /* NULL inside is fine */

/* Of any pair of which one part is within the other's counterpart, the outermost included. */
enum of_fit of_resolution_fit(const struct of_resolution *resolution, const struct of_avro_schema *writer,
                              const struct of_avro_schema *reader);

/* Sets the error to why this pair fits never, with the path to the parts that do not, their types, and returns
 * OF_POISON. */
enum of_status of_resolution_explain(const struct of_resolution *resolution, const struct of_avro_schema *writer,
                                     const struct of_avro_schema *reader, struct of_error *err);

/* The branch of the reader's union that a writer's type other than a union is read as; NULL: none. The one of the same
 * full name; for a record the first that can be read of those that match by name, then of all records; the first that
 * matches, be it readable or not; the first promotion. The pair with the union is one of those of of_resolution_fit. */
const struct of_avro_schema *of_resolution_branch(const struct of_resolution *resolution,
                                                  const struct of_avro_schema *writer,
                                                  const struct of_avro_schema *reader_union);

/* The reader's field that a writer's field is read as; NULL: none, it is passed over. */
const struct of_avro_field *of_resolution_field(const struct of_avro_field *field, const struct of_avro_schema *reader);

/* The writer's field that a reader's field is read from; NULL: none, it needs its default. */
const struct of_avro_field *of_resolution_source(const struct of_avro_schema *writer,
                                                 const struct of_avro_schema *reader,
                                                 const struct of_avro_field *field);

/* The symbol that a writer's symbol is read as: itself, the reader's default, or NULL. */
const char *of_resolution_symbol(const char *symbol, const struct of_avro_schema *reader);

#endif
