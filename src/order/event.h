/* What the pipeline tells the outside as it happens: one event per settled record, and per change of a partition.
 *
 * Events are made by the publish stage (records, in the order in which batches reach it) and by the fetch stage
 * (partitions), and shown by the console. They travel by value through core/event rings; everything in them is copied,
 * so that nothing in an event outlives its record. */
#ifndef OF_ORDER_EVENT_H
#define OF_ORDER_EVENT_H

#include <stdint.h>

#include "core/value.h"
#include "order/cause.h"

enum of_event_kind {
    OF_EVENT_PROCESSED,   /* an order is counted (it may still be taken back by an abort) */
    OF_EVENT_RETRY,       /* an attempt failed; a retry record was handed to the producer */
    OF_EVENT_DEAD_LETTER, /* a record was handed to the producer as a dead letter */
    OF_EVENT_ASSIGNED,    /* the lane reads this partition from `offset` */
    OF_EVENT_REVOKED,     /* the lane gave this partition up, everything before `offset` is committed */
    OF_EVENT_LOST,        /* the group took this partition away; what was not committed is dropped */
    OF_EVENT_HELD,        /* the partition cannot go on at `offset` for now; `cause` and `text` say why */
    OF_EVENT_RESUMED,     /* a held partition is read again from `offset` */
    OF_EVENT_SKIPPED,     /* what was behind `offset` is gone: the partition is read on at `next_offset`; `text` says so */
};

enum { OF_EVENT_FIELD_BYTES = 120, OF_EVENT_TEXT_BYTES = 256, OF_EVENT_TOPIC_BYTES = 250 };

struct of_event {
    enum of_event_kind kind;
    enum of_cause cause;     /* OF_CAUSE_NONE for a processed order */
    int64_t wall_ms;         /* when it was settled */
    const char *topic;       /* where it was read; static for the life of the run */
    int32_t partition;
    int64_t offset;
    int64_t next_offset;     /* SKIPPED alone */
    char origin_topic[OF_EVENT_TOPIC_BYTES]; /* where the order first stood: differs for records of the retry topic */
    int32_t origin_partition;
    int64_t origin_offset;
    uint32_t attempt;        /* attempts made, this one included; 0: never processed (poison before that stage) */
    bool has_order;          /* id, group and value below could be decoded */
    bool id_cut, group_cut;  /* the copies below are cut to their arrays */
    uint8_t id_length, group_length; /* bytes */
    char id[OF_EVENT_FIELD_BYTES];   /* raw bytes as the record has them, maybe no UTF-8 */
    char group[OF_EVENT_FIELD_BYTES];
    double value;        /* of a scaled one the nearest double */
    uint8_t value_kind;  /* enum of_value_kind */
    uint8_t value_scale; /* of a scaled one */
    of_int128 scaled;    /* value times 10^value_scale */
    char text[OF_EVENT_TEXT_BYTES];  /* HELD, DEAD_LETTER: detail for people, NUL-terminated, may be empty */
};

#endif
