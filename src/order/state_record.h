/* Records of the aggregates topic: what is committed, in a form that outlives the process and that others can read.
 *
 * Per source partition and group value one row; per source partition one marker, which says up to where all rows are
 * true. The topic is compacted: the newest record of a key counts. Source partition p is written to partition p.
 *
 *   key of a row      consumer group TAB topic TAB partition TAB group value
 *   key of a marker   consumer group TAB topic TAB partition
 *   value             framing (avro/framing.h), then Avro by schemas/aggregate.avsc; null: deleted
 *
 * Consumer groups and topics hold no TAB (the options see to that); a group value may hold any byte.
 *
 * Reading uses the schema that is built in and needs no registry; it takes the bytes of any process and believes no
 * length. Threads: a writer belongs to one; reading any. */
#ifndef OF_ORDER_STATE_RECORD_H
#define OF_ORDER_STATE_RECORD_H

#include "core/error.h"
#include "order/aggregate.h"

enum { OF_STATE_VERSION = 1 };

/* Whose state it is. */
struct of_state_place {
    struct of_slice group; /* consumer group */
    struct of_slice topic;
    int32_t partition;
};

struct of_state_marker {
    int64_t next_offset;
    uint64_t retries, dead_letters; /* as struct of_slot_state counts them */
    uint64_t rows;                  /* that there are at least: fewer mean that the topic has lost some */
    uint32_t version;
    struct of_slice value_field, group_by_field; /* that the rows were made with; empty: there were none yet */
};

struct of_state_writer;

struct of_state_writer *of_state_writer_create(void);
void of_state_writer_destroy(struct of_state_writer **writer);

/* The key alone, as a deletion wants it; group_value.data NULL: a marker's. Lives until the writer's next call. */
struct of_slice of_state_write_key(struct of_state_writer *writer, const struct of_state_place *place,
                                   struct of_slice group_value);

/* Key and value of a record; the slices live until the writer's next call. schema_id: what the registry calls
 * schemas/aggregate.avsc. */
void of_state_write_row(struct of_state_writer *writer, uint32_t schema_id, const struct of_state_place *place,
                        struct of_slice group_value, const struct of_aggregate *aggregate, struct of_slice *key,
                        struct of_slice *value);
void of_state_write_marker(struct of_state_writer *writer, uint32_t schema_id, const struct of_state_place *place,
                           const struct of_state_marker *marker, struct of_slice *key, struct of_slice *value);

enum of_state_kind { OF_STATE_ROW, OF_STATE_MARKER };

struct of_state_record {
    enum of_state_kind kind;
    struct of_state_place place; /* slices into the key */
    struct of_slice group_value; /* row: into the key */
    bool deleted;                /* the value is null; nothing below is set */
    struct of_aggregate aggregate;  /* row; initialised by read in every case, the caller's to fini */
    struct of_state_marker marker;  /* marker: slices into the value */
};

/* Key alone: what it names. False: no key of this topic. */
OF_MUST_USE bool of_state_read_key(struct of_slice key, struct of_state_record *record);

/* OF_OK; OF_POISON: not a record of this kind, or of a version that is not known; err says which. */
OF_MUST_USE enum of_status of_state_read(struct of_slice key, struct of_slice value, struct of_state_record *record,
                                         struct of_error *err);

#endif
