/* Schema text to a libavro schema: private to avro/, which is the only folder that includes avro.h.
 *
 * libavro refuses spellings that other implementations accept and ignores attributes that it does not know, so the text
 * first becomes a plain form: only the attributes that say how bytes are laid out, and a type that is wrapped in an
 * object ({"type": {"type": "string", "avro.java.string": "String"}}) unwrapped.
 * Threads: any; libavro keeps its error text in one buffer per process, hence one parse at a time.
 * Errors: OF_POISON, with what is wrong in the text. */
#ifndef OF_AVRO_SCHEMA_TEXT_H
#define OF_AVRO_SCHEMA_TEXT_H

#include <avro.h>

#include "core/error.h"
#include "core/slice.h"

enum { OF_SCHEMA_MAX_BYTES = 4 << 20 };

/* On OF_OK the caller releases *out with avro_schema_decref. */
OF_MUST_USE enum of_status of_schema_parse(struct of_slice json, avro_schema_t *out, struct of_error *err);

#endif
