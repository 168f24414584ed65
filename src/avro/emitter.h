/* What the files that write a plan's steps share: emit.c (wanted fields), pass_over.c (everything else) and steps.c,
 * where the pieces of the plan are put together. Private to these three.
 *
 * Threads: one at a time. Pieces of a plan that is given up may stay in it, unused. */
#ifndef OF_AVRO_EMITTER_H
#define OF_AVRO_EMITTER_H

#include "avro/emit.h"

/* Where a jump leads, or a routine begins, that is not known yet. */
#define OF_EMIT_UNKNOWN UINT32_MAX

/* A record that is passed over by a call. */
struct of_routine {
    const struct of_avro_schema *writer, *reader;
    uint32_t start;
};

struct of_emitter {
    struct of_plan *plan;
    const struct of_resolution *resolution; /* NULL without a reader's schema */
    struct of_error *err;
    struct of_routine *routines;
    uint32_t routine_count, routine_room;
    uint32_t label; /* something jumps to this step, or to one before it: nothing may be merged across */
};

/* ---- steps.c ---- */

/* Adds a step. The pointer lives until the next one is added. */
struct of_op *of_emit_op(struct of_emitter *emitter, enum of_op_kind kind, uint32_t count, uint32_t field);

/* Passes over bytes, in one step with those before. */
void of_emit_skip(struct of_emitter *emitter, uint64_t bytes, uint32_t field);

/* A step that ends in a dead letter. */
void of_emit_unfit(struct of_emitter *emitter, const char *why, uint32_t field);

/* What comes next can be jumped to. Returns its number. */
uint32_t of_emit_label(struct of_emitter *emitter);

/* All jumps behind `start` whose end is not known lead here. */
void of_emit_land(struct of_emitter *emitter, uint32_t start);

/* Room for where the branches of a union lead. */
uint32_t of_emit_targets(struct of_emitter *emitter, uint32_t count);

/* Texts of what the writer's symbols become; where they begin. */
uint32_t of_emit_symbols(struct of_emitter *emitter, const struct of_avro_schema *writer,
                         const struct of_avro_schema *reader);

/* A field for people; parent: the path of the record that it is in. Returns its number. */
uint32_t of_emit_field(struct of_emitter *emitter, const char *parent, const char *name,
                       const struct of_avro_schema *type);

/* What becomes of the field; those without a note are not listed. */
void of_emit_note(struct of_emitter *emitter, uint32_t field, const char *text);

/* Forgets the fields behind the first `known`. */
void of_emit_drop_fields(struct of_emitter *emitter, uint32_t known);

/* The type that a writer's field is read as, and the name by which it is wanted; both NULL if the reader has no such
 * field. Without a reader the type is NULL, and the name the writer's. */
const struct of_avro_schema *of_emit_reader(const struct of_avro_field *field, const struct of_avro_schema *reader,
                                            const char **name);

/* ---- pass_over.c ---- */

/* Passes over a value; `reader` matters only where not every value fits it. OF_POISON: the plan becomes
 * too long, or has too many records. */
OF_MUST_USE enum of_status of_emit_pass_over(struct of_emitter *emitter, const struct of_avro_schema *writer,
                                             const struct of_avro_schema *reader, uint32_t field);

/* The routines that were called, behind everything else. OF_POISON: as above. */
OF_MUST_USE enum of_status of_emit_routines(struct of_emitter *emitter);

#endif
