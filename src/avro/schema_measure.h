/* What follows from a schema's tree by looking at it: logical types, how few bytes a value has, how deep it goes.
 * Private to src/avro, used while a text is added. */
#ifndef OF_AVRO_SCHEMA_MEASURE_H
#define OF_AVRO_SCHEMA_MEASURE_H

#include "avro/schema_tree.h"

/* Sets the logical type that json names, if it fits the type. Never fails: others are ignored, as the specification
 * says. */
void of_avro_read_logical(struct of_avro_schema *schema, const struct json_t *json);

/* Fills the measured part of the schema and of all within it. OF_POISON: nested too deeply. */
OF_MUST_USE enum of_status of_avro_measure(struct of_avro_schema *schema, struct of_error *err);

#endif
