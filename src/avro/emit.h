/* Writes the steps of a plan: the part of the compiler behind parsing and resolution. Private to src/avro.
 *
 * Records on the way to a wanted field are written out in line. What is passed over is written out too where it is
 * short, and otherwise becomes a routine of its own, once per type: so the plan is never much longer than the
 * schema, and recursive types are routines that call themselves. */
#ifndef OF_AVRO_EMIT_H
#define OF_AVRO_EMIT_H

#include "avro/plan_private.h"
#include "avro/resolve.h"

/* reader and resolution are both NULL without a reader schema; otherwise the pair fits not never. OF_POISON: a field is
 * missing or of a wrong type; what the plan has got so far means nothing. */
OF_MUST_USE enum of_status of_plan_emit(struct of_plan *plan, const struct of_avro_schema *writer,
                                        const struct of_avro_schema *reader, const struct of_resolution *resolution,
                                        const struct of_plan_fields *fields, struct of_error *err);

/* Makes a constant of a reader's default for those roles of the type. False: the default does not fit the type. */
bool of_plan_make_constant(const struct of_avro_schema *type, const struct json_t *initial, unsigned roles,
                           struct of_plan_constant *constant);

/* Whether a default is one of this type, by its JSON type; of a union's branches that is the first for which it
 * holds. */
bool of_plan_default_fits(const struct of_avro_schema *type, const struct json_t *initial);

#endif
