/* What the records of the aggregates topic come to: for each source partition of one consumer group its marker and its
 * rows, as the newest record of each key says.
 *
 * The newest record of a key counts, whatever stood there before: a record that cannot be used is of no concern once a
 * later one, or a deletion, has taken its place. Group values are entered into a dictionary only when a partition is
 * restored, so that values which were deleted long ago take no room there.
 *
 * Owner: whoever called create. Threads: one at a time. Memory: some 150 bytes per key beside the group value, of
 * deleted ones as well. */
#ifndef OF_ORDER_RECORDED_H
#define OF_ORDER_RECORDED_H

#include "order/groups.h"
#include "order/slot_state.h"
#include "order/state_record.h"

/* What a key is known to be. */
enum of_recorded_state { OF_RECORDED_ABSENT, OF_RECORDED_THERE, OF_RECORDED_BAD };

struct of_recorded_row {
    enum of_recorded_state state;
    struct of_slice group_value;
    struct of_aggregate aggregate; /* while THERE; otherwise of nothing */
};

struct of_recorded_partition {
    char *topic;
    int32_t partition;
    enum of_recorded_state marker_state;
    struct of_state_marker marker; /* while THERE */
    char *fields;                  /* what marker.value_field and group_by_field point to */
    struct of_recorded_row *rows;
    uint32_t row_count, row_room;
    uint32_t there; /* rows that are THERE */
    uint32_t bad;   /* keys that are BAD, the marker's too */
    char *why_bad;  /* of the last one that became so */
    uint32_t *index; /* row number + 1 by hash of the group value; 0: none */
    uint32_t index_size; /* a power of two */
};

struct of_recorded {
    char *group;
    struct of_recorded_partition **partitions;
    uint32_t count;
    uint64_t changes; /* records that were taken */
};

enum { OF_RECORDED_PARTITIONS_MAX = 65536, OF_RECORDED_ROWS_MAX = 1 << 24 /* of one partition, deleted ones too */ };

struct of_recorded *of_recorded_create(const char *group);
void of_recorded_destroy(struct of_recorded **recorded);

/* Takes a record that stands in that partition of the topic; in the order of offsets. What is of another group, or
 * stands in another partition than its source's, is passed over. value.data NULL: deleted. */
void of_recorded_take(struct of_recorded *recorded, int32_t partition, struct of_slice key, struct of_slice value);

/* NULL: nothing was recorded of it. Lives until forget or destroy. */
struct of_recorded_partition *of_recorded_find(const struct of_recorded *recorded, const char *topic,
                                               int32_t partition);

/* Forgets all that was recorded of partitions with that number, whatever their topic. */
void of_recorded_forget(struct of_recorded *recorded, int32_t partition);

/* Nothing is recorded there any more, not even something unreadable. */
bool of_recorded_is_empty(const struct of_recorded_partition *partition);

/* The fields that sums are made with. */
struct of_state_fields {
    struct of_slice value, group_by;
};

/* OF_POISON: what is recorded cannot be used, err says why and what to do. partition NULL: fine, nothing is recorded.
 * fields NULL: whichever they were. */
OF_MUST_USE enum of_status of_recorded_check(const struct of_recorded_partition *partition,
                                             const struct of_state_fields *fields, struct of_error *err);

/* The state that an owner begins from; group values get their indexes. state is initialised. Takes what the rows hold.
 * OF_POISON as of_recorded_check, and when the dictionary has no room for the values; state is then empty. */
OF_MUST_USE enum of_status of_recorded_restore(struct of_recorded_partition *partition,
                                               const struct of_state_fields *fields, struct of_groups *groups,
                                               struct of_slot_state *state, struct of_error *err);

#endif
