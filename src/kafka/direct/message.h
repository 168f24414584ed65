/* Requests and answers of the Kafka protocol as C structs, and one driver that writes and reads all of them from the
 * tables in messages.c: which fields a message has, in which versions, in which order.
 *
 * Source: the message definitions of Apache Kafka (clients/src/main/resources/common/message) and KIP-482 for flexible
 * versions: compact lengths and tagged fields.
 *
 * Errors: reading gives OF_POISON for what does not follow the tables, has bytes behind its end (more tags apart), or would
 * need more than the arena's limit. Threads: tables are constant, everything else belongs to one thread.
 * Owner: arrays that were read lie in the arena until it is emptied; strings and bytes are views of the answer. */
#ifndef OF_KAFKA_DIRECT_MESSAGE_H
#define OF_KAFKA_DIRECT_MESSAGE_H

#include "core/error.h"
#include "kafka/direct/wire.h"

/* ---- the tables ---- */

enum of_field_type {
    OF_FIELD_BOOL,    /* bool */
    OF_FIELD_INT8,    /* int8_t */
    OF_FIELD_INT16,   /* int16_t */
    OF_FIELD_INT32,   /* int32_t */
    OF_FIELD_INT64,   /* int64_t */
    OF_FIELD_STRING,  /* struct of_slice; data NULL: null */
    OF_FIELD_BYTES,   /* the same, with a longer length */
    OF_FIELD_STRUCT,  /* the struct of `shape` itself */
    OF_FIELD_ARRAY,   /* struct of_array of structs of `shape` */
    OF_FIELD_NUMBERS, /* struct of_array of int32_t */
};

struct of_array {
    void *items;
    uint32_t count;
    bool null; /* no array, which is not the same as an empty one */
};

enum { OF_FIELD_EVER = 127, OF_FIELD_NO_TAG = -1 };

struct of_field {
    enum of_field_type type;
    int8_t since, until; /* versions that have it, both included */
    int8_t tag;          /* OF_FIELD_NO_TAG: it stands in its place */
    bool nullable;
    uint16_t at;         /* in the struct */
    const struct of_shape *shape;
};

struct of_shape {
    const struct of_field *fields;
    uint32_t count;
    size_t size;           /* of the struct */
    const void *initial;   /* what a field has that a version lacks; NULL: zeros */
};

enum of_api {
    OF_API_FETCH = 1,
    OF_API_LIST_OFFSETS = 2,
    OF_API_METADATA = 3,
    OF_API_SASL_HANDSHAKE = 17,
    OF_API_VERSIONS = 18,
    OF_API_OFFSET_FOR_LEADER_EPOCH = 23,
    OF_API_SASL_AUTHENTICATE = 36,
};

struct of_message {
    const char *name;
    enum of_api api;
    int16_t lowest, highest; /* versions that we speak */
    int16_t flexible;        /* the first with compact lengths and tags */
    const struct of_shape *request;
    const struct of_shape *answer;
};

extern const struct of_message of_messages[];
extern const uint32_t of_message_count;

/* The message's row; it must be there. */
const struct of_message *of_message_find(enum of_api api);

/* ---- memory of what is read ---- */

struct of_arena {
    struct of_arena_block *blocks;
    size_t used;  /* bytes, all blocks together */
    size_t limit; /* bytes */
};

void of_arena_empty(struct of_arena *arena); /* keeps nothing; also its end */

/* ---- the driver ---- */

/* Appends a whole request with its length and head. */
void of_message_write_request(struct of_wire_writer *writer, const struct of_message *message, int16_t version,
                              int32_t correlation, const char *client_id, const void *request);

/* Reads an answer from its correlation id on, and compares that. */
enum of_status of_message_read_answer(const struct of_message *message, int16_t version, int32_t correlation,
                                      struct of_slice bytes, void *answer, struct of_arena *arena,
                                      struct of_error *err) OF_MUST_USE;

/* The body alone, by a shape: what the two above are made of. */
void of_message_write(struct of_wire_writer *writer, const struct of_shape *shape, int16_t version, bool flexible,
                      const void *object);
void of_message_read(struct of_wire_reader *reader, const struct of_shape *shape, int16_t version, bool flexible,
                     void *object, struct of_arena *arena);

#endif
