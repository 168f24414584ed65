#include "order/recorded.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/assert.h"
#include "core/memory.h"

#define START_OVER "`orderflow reset` starts over"

struct of_recorded *
of_recorded_create(const char *group)
{
    struct of_recorded *recorded = of_alloc(sizeof *recorded);
    recorded->group = of_strdup(group);
    return recorded;
}

static void
destroy_partition(struct of_recorded_partition *partition)
{
    for (uint32_t i = 0; i < partition->row_count; i++) {
        of_aggregate_fini(&partition->rows[i].aggregate);
        free((void *)(uintptr_t)partition->rows[i].group_value.data);
    }
    free(partition->rows);
    free(partition->index);
    free(partition->fields);
    free(partition->why_bad);
    free(partition->topic);
    free(partition);
}

void
of_recorded_destroy(struct of_recorded **recorded)
{
    struct of_recorded *gone = *recorded;
    *recorded = NULL;
    if (gone == NULL)
        return;
    for (uint32_t i = 0; i < gone->count; i++)
        destroy_partition(gone->partitions[i]);
    free(gone->partitions);
    free(gone->group);
    free(gone);
}

void
of_recorded_forget(struct of_recorded *recorded, int32_t partition)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < recorded->count; i++) {
        if (recorded->partitions[i]->partition == partition)
            destroy_partition(recorded->partitions[i]);
        else
            recorded->partitions[kept++] = recorded->partitions[i];
    }
    recorded->count = kept;
}

/* ---- finding ---- */

/* Few enough topics share a partition number, and whole partitions are read one after the other, that looking from the
 * end finds the right one at once. */
static struct of_recorded_partition *
find_partition(const struct of_recorded *recorded, struct of_slice topic, int32_t partition)
{
    for (uint32_t i = recorded->count; i-- > 0;) {
        struct of_recorded_partition *each = recorded->partitions[i];
        if (each->partition == partition && of_slice_equal(of_slice_str(each->topic), topic))
            return each;
    }
    return NULL;
}

struct of_recorded_partition *
of_recorded_find(const struct of_recorded *recorded, const char *topic, int32_t partition)
{
    return find_partition(recorded, of_slice_str(topic), partition);
}

static struct of_recorded_partition *
make_partition(struct of_recorded *recorded, struct of_slice topic, int32_t number)
{
    struct of_recorded_partition *partition = of_alloc(sizeof *partition);
    partition->topic = of_alloc(topic.length + 1);
    memcpy(partition->topic, topic.data, topic.length);
    partition->partition = number;
    recorded->partitions =
        of_realloc_array(recorded->partitions, recorded->count + 1, sizeof(struct of_recorded_partition *));
    recorded->partitions[recorded->count++] = partition;
    return partition;
}

/* FNV-1a, folded: the table is per partition and bounded, and whoever writes to the topic is trusted with the sums. */
static uint32_t
hash_of(struct of_slice value)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < value.length; i++)
        hash = (hash ^ value.data[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)(hash ^ hash >> 32);
}

/* Where the value is in the index, or would go. */
static uint32_t *
index_at(const struct of_recorded_partition *partition, struct of_slice value)
{
    uint32_t at = hash_of(value) & (partition->index_size - 1);
    while (partition->index[at] != 0
           && !of_slice_equal(partition->rows[partition->index[at] - 1].group_value, value))
        at = (at + 1) & (partition->index_size - 1);
    return &partition->index[at];
}

/* At most half of the index is used. */
static void
grow(struct of_recorded_partition *partition)
{
    partition->row_room = partition->row_room ? 2 * partition->row_room : 16;
    partition->rows = of_realloc_array(partition->rows, partition->row_room, sizeof *partition->rows);
    free(partition->index);
    partition->index_size = 2 * partition->row_room;
    partition->index = of_alloc_array(partition->index_size, sizeof *partition->index);
    for (uint32_t i = 0; i < partition->row_count; i++)
        *index_at(partition, partition->rows[i].group_value) = i + 1;
}

/* NULL: there are too many. */
static struct of_recorded_row *
row_of(struct of_recorded_partition *partition, struct of_slice group_value)
{
    if (partition->row_count == partition->row_room)
        grow(partition);
    uint32_t *at = index_at(partition, group_value);
    if (*at != 0)
        return &partition->rows[*at - 1];
    if (partition->row_count == OF_RECORDED_ROWS_MAX)
        return NULL;
    struct of_recorded_row *row = &partition->rows[partition->row_count++];
    uint8_t *copy = of_alloc(group_value.length + 1);
    memcpy(copy, group_value.data, group_value.length);
    *row = (struct of_recorded_row) { .group_value = of_slice_of(copy, group_value.length) };
    of_aggregate_init(&row->aggregate);
    *at = partition->row_count;
    return row;
}

/* ---- taking ---- */

static void
move_on(struct of_recorded_partition *partition, enum of_recorded_state *state, enum of_recorded_state to,
        const struct of_error *err)
{
    partition->bad -= *state == OF_RECORDED_BAD;
    partition->bad += to == OF_RECORDED_BAD;
    *state = to;
    if (to != OF_RECORDED_BAD)
        return;
    free(partition->why_bad);
    partition->why_bad = of_strdup(err->text);
}

static void
take_row(struct of_recorded_partition *partition, enum of_recorded_state to, struct of_state_record *record,
         struct of_error *err)
{
    struct of_recorded_row *row = row_of(partition, record->group_value);
    if (row == NULL) { /* stays bad: what it is of is not remembered */
        enum of_recorded_state none = OF_RECORDED_ABSENT;
        of_error_set(err, OF_POISON, "more than %d group values", OF_RECORDED_ROWS_MAX);
        move_on(partition, &none, OF_RECORDED_BAD, err);
        return;
    }
    partition->there -= row->state == OF_RECORDED_THERE;
    partition->there += to == OF_RECORDED_THERE;
    move_on(partition, &row->state, to, err);
    of_aggregate_fini(&row->aggregate);
    row->aggregate = record->aggregate; /* moved */
    of_aggregate_init(&record->aggregate);
}

static void
take_marker(struct of_recorded_partition *partition, enum of_recorded_state to, const struct of_state_marker *marker,
            const struct of_error *err)
{
    move_on(partition, &partition->marker_state, to, err);
    if (to != OF_RECORDED_THERE)
        return;
    struct of_slice value_field = marker->value_field, group_by_field = marker->group_by_field;
    char *fields = of_alloc(value_field.length + group_by_field.length + 1);
    memcpy(fields, value_field.data, value_field.length);
    memcpy(fields + value_field.length, group_by_field.data, group_by_field.length);
    free(partition->fields);
    partition->fields = fields;
    partition->marker = *marker;
    partition->marker.value_field = of_slice_of(fields, value_field.length);
    partition->marker.group_by_field = of_slice_of(fields + value_field.length, group_by_field.length);
}

void
of_recorded_take(struct of_recorded *recorded, int32_t partition, struct of_slice key, struct of_slice value)
{
    struct of_state_record record;
    struct of_error err = { 0 };
    if (!of_state_read_key(key, &record) || record.place.partition != partition
        || !of_slice_equal(record.place.group, of_slice_str(recorded->group)))
        return;
    struct of_recorded_partition *to = find_partition(recorded, record.place.topic, partition);
    if (to == NULL && recorded->count == OF_RECORDED_PARTITIONS_MAX)
        return;
    if (to == NULL)
        to = make_partition(recorded, record.place.topic, partition);
    enum of_recorded_state state = of_state_read(key, value, &record, &err) != OF_OK ? OF_RECORDED_BAD
                                   : record.deleted                                  ? OF_RECORDED_ABSENT
                                                                                     : OF_RECORDED_THERE;
    if (record.kind == OF_STATE_ROW)
        take_row(to, state, &record, &err);
    else
        take_marker(to, state, &record.marker, &err);
    of_aggregate_fini(&record.aggregate);
    recorded->changes++;
}

/* ---- using ---- */

bool
of_recorded_is_empty(const struct of_recorded_partition *partition)
{
    return partition->there == 0 && partition->bad == 0 && partition->marker_state == OF_RECORDED_ABSENT;
}

/* A marker without fields was made before any row was: it fits all. */
static enum of_status
check_field(const struct of_recorded_partition *partition, const char *option, struct of_slice recorded,
            struct of_slice wanted, struct of_error *err)
{
    if (recorded.length == 0 || of_slice_equal(recorded, wanted))
        return OF_OK;
    return of_error_set(err, OF_POISON, "what is recorded of %s [%" PRId32 "] was made with --%s %.*s, not %.*s: go on "
                        "with that, use another --group, or start over with `orderflow reset`", partition->topic,
                        partition->partition, option, (int)recorded.length, (const char *)recorded.data,
                        (int)wanted.length, (const char *)wanted.data);
}

enum of_status
of_recorded_check(const struct of_recorded_partition *partition, const struct of_state_fields *fields,
                  struct of_error *err)
{
    if (partition == NULL)
        return OF_OK;
    if (partition->bad > 0)
        return of_error_set(err, OF_POISON, "a record of %s [%" PRId32 "] in the aggregates topic cannot be used: %s; "
                            START_OVER, partition->topic, partition->partition, partition->why_bad);
    if (partition->marker_state != OF_RECORDED_THERE)
        return OF_OK;
    if (partition->marker.rows > partition->there)
        return of_error_set(err, OF_POISON, "the aggregates topic has lost rows of %s [%" PRId32 "]: there are %" PRIu32
                            " of at least %" PRIu64 "; " START_OVER, partition->topic, partition->partition,
                            partition->there, partition->marker.rows);
    enum of_status status = OF_OK;
    if (fields != NULL)
        status = check_field(partition, "group-by-field", partition->marker.group_by_field, fields->group_by, err);
    if (fields != NULL && status == OF_OK)
        status = check_field(partition, "value-field", partition->marker.value_field, fields->value, err);
    return status;
}

/* A value for which there is no room would count as "(other)", while its row stays where it is: twice, at the next
 * restore. */
static enum of_status
restore_row(const struct of_recorded_partition *partition, struct of_recorded_row *row, struct of_groups *groups,
            struct of_slot_state *state, struct of_error *err)
{
    uint32_t group = of_groups_intern(groups, row->group_value);
    if (group == OF_GROUPS_OTHER && !of_slice_equal(row->group_value, of_groups_name(groups, OF_GROUPS_OTHER)))
        return of_error_set(err, OF_POISON, "there is no room for the %" PRIu32 " group values that are recorded of %s "
                            "[%" PRId32 "]: raise --max-groups", partition->there, partition->topic,
                            partition->partition);
    struct of_aggregate *to = &of_table_row(&state->table, group)->aggregate;
    of_aggregate_fini(to);
    *to = row->aggregate; /* moved */
    of_aggregate_init(&row->aggregate);
    return OF_OK;
}

enum of_status
of_recorded_restore(struct of_recorded_partition *partition, const struct of_state_fields *fields,
                    struct of_groups *groups, struct of_slot_state *state, struct of_error *err)
{
    enum of_status status = of_recorded_check(partition, fields, err);
    if (status != OF_OK || partition == NULL)
        return status;
    for (uint32_t i = 0; status == OF_OK && i < partition->row_count; i++)
        if (partition->rows[i].state == OF_RECORDED_THERE)
            status = restore_row(partition, &partition->rows[i], groups, state, err);
    if (status != OF_OK) {
        of_slot_state_fini(state);
        return status;
    }
    if (partition->marker_state == OF_RECORDED_THERE) {
        state->next_offset = partition->marker.next_offset;
        state->retries = partition->marker.retries;
        state->dead_letters = partition->marker.dead_letters;
    }
    return OF_OK;
}
