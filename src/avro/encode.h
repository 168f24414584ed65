/* Rows to Avro bytes: what `produce` and the tests write.
 *
 * Any flat record: null, boolean, int, long, float, double, bytes, string, enum, fixed, decimals (on bytes and fixed),
 * and unions of null with one of these, in that order or the other. Cells come in the order of the fields. One that is
 * absent becomes null where the field may be null; one that is missing becomes the field's default, where it has one.
 *
 *     field                cell
 *     string               text, or an integer, which becomes decimal text
 *     int, long            an integer, or text that is one
 *     float, double        a number, or text that is one; beyond a float's range is refused
 *     boolean              a boolean, or "true" and "false"
 *     bytes, fixed         text, its bytes as they are; a fixed exactly as long as it is
 *     enum                 text: one of its symbols
 *     decimal              a number, or text that is one, with no more decimals and digits than the schema has
 *
 * Owner: whoever creates it. Threads: one encoder belongs to one thread; several do not disturb each other.
 * Cost: some 50 ns an order. */
#ifndef OF_AVRO_ENCODE_H
#define OF_AVRO_ENCODE_H

#include "core/cell.h"
#include "core/error.h"
#include "core/slice.h"

struct of_encoder;

/* OF_POISON: the text is no schema, or not one of a flat record. */
OF_MUST_USE enum of_status of_encoder_create(struct of_slice schema_json, struct of_encoder **out,
                                             struct of_error *err);

size_t of_encoder_field_count(const struct of_encoder *encoder);

/* Lives as long as the encoder. */
const char *of_encoder_field_name(const struct of_encoder *encoder, size_t field);

/* Whether a row must have it: there is neither a default nor null. */
bool of_encoder_field_required(const struct of_encoder *encoder, size_t field);

/* The number that an int, long, float or double field gets from a cell, as it is written: rounded to a float where the
 * field is one. False: the field is of another type, or the cell holds no number. */
bool of_encoder_number(const struct of_encoder *encoder, size_t field, const struct of_cell *cell, double *number);

/* Writes framing and body into buffer, and how many bytes that took into *written. OF_POISON: "column price: \"abc\" is
 * not a number"; or more than size bytes are needed. */
OF_MUST_USE enum of_status of_encoder_encode(const struct of_encoder *encoder, uint32_t schema_id,
                                             const struct of_cell *cells, uint8_t *buffer, size_t size,
                                             size_t *written, struct of_error *err);

/* Clears the caller's pointer; NULL inside is fine. */
void of_encoder_destroy(struct of_encoder **encoder);

#endif
