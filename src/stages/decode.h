/* The decode stage: chunks in, batches of columns out.
 *
 * For each record: framing, the plan of its writer schema, the plan over its bytes, the group's number; into a batch
 * that points back into the chunk for the rest. A record that cannot be read stays in its batch with a status. Where the
 * schema is not known yet, or the registry cannot be asked, the partition is held: the batch is cut there, and the chunk
 * goes home marked; until the slot's next epoch its chunks go home as they came.
 *
 * Owns the batches: a pool per lane, so that a lane whose batches wait behind a barrier cannot keep another lane, on
 * which that barrier may depend, from moving. How many may be under way at once is the back-pressure. What publish has put
 * aside until a commit is through does not count, up to a bound: the stages go on meanwhile.
 *
 * Threads: whichever turns the stage (core/crew.h). It reads the schema cache as a registered reader, one read section per batch. */
#ifndef OF_STAGES_DECODE_H
#define OF_STAGES_DECODE_H

#include "core/clock.h"
#include "core/counter.h"
#include "core/stage.h"
#include "order/groups.h"
#include "registry/cache.h"

struct of_decode_options {
    uint32_t instance;
    uint32_t lanes;
    uint32_t batches_per_lane; /* under way at once, those not counted that publish has put aside: */
    uint32_t aside_per_lane;   /* and so many of these */
    const struct of_clock *clock;
    struct of_slice group; /* consumer group: retry records of another are passed over */
    struct of_groups *groups;
    struct of_schema_cache *schemas;
    bool measure; /* batches: all that are not full, and of the others one that stands for OF_DECODE_SAMPLE */
};

enum { OF_DECODE_SAMPLE = 16 };

/* Batches of its pools, any thread: taken out, and given back, since the start. */
struct of_decode_counts {
    of_counter borrowed, given_back;
};

struct of_decode;

struct of_decode *of_decode_create(const struct of_decode_options *options);
/* All batches must be home. */
void of_decode_destroy(struct of_decode **decode);

const struct of_decode_counts *of_decode_counts(const struct of_decode *decode);
/* In all its pools together. */
uint32_t of_decode_batches(const struct of_decode *decode);

extern const struct of_stage_ops of_decode_stage;

#endif
