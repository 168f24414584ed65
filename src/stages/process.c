#include "stages/process.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/memory.h"
#include "order/cause.h"
#include "order/failure.h"

struct of_process {
    struct of_process_options options;
};

struct of_process *
of_process_create(const struct of_process_options *options)
{
    struct of_process *process = of_alloc(sizeof *process);
    process->options = *options;
    return process;
}

void
of_process_destroy(struct of_process **process)
{
    free(*process);
    *process = NULL;
}

static void
fail(struct of_batch *batch, uint32_t i, enum of_cause cause)
{
    batch->status[i] = (uint8_t)cause;
    batch->failed++;
}

static void
validate_binary(const struct of_process_options *options, struct of_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        double value = batch->value[i];
        /* A NaN fails every comparison, so it is the good range that is asked for. */
        bool good = isfinite(value) && value >= options->min_value && value <= options->max_value;
        if (!good && batch->status[i] == OF_CAUSE_NONE)
            fail(batch, i, OF_CAUSE_INVALID_VALUE);
    }
}

/* Limits are doubles, so a decimal is compared as the nearest one: 0.10 is not below a limit of 0.1. */
static void
validate_scaled(const struct of_process_options *options, struct of_batch *batch)
{
    if (isinf(options->min_value) && isinf(options->max_value))
        return;
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->status[i] != OF_CAUSE_NONE)
            continue;
        double value = of_scaled_round(batch->scaled[i], batch->value_scale);
        if (value < options->min_value || value > options->max_value)
            fail(batch, i, OF_CAUSE_INVALID_VALUE);
    }
}

static void
validate(const struct of_process_options *options, struct of_batch *batch)
{
    if (batch->value_kind == OF_VALUE_BINARY)
        validate_binary(options, batch);
    else
        validate_scaled(options, batch);
}

/* Where an order first stood decides, so that a retry draws again and a repeated run draws the same. */

static void
simulate(const struct of_process_options *options, double rate, struct of_batch *batch)
{
    uint64_t prefix = of_failure_prefix(options->seed, batch->slot->topic_hash, batch->slot->partition);
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->status[i] == OF_CAUSE_NONE && of_failure_at(prefix, batch->offset[i], 1, rate))
            fail(batch, i, OF_CAUSE_SIMULATED);
}

/* A retry partition has orders of one partition, or of a few. */
static void
simulate_retries(const struct of_process_options *options, double rate, struct of_batch *batch)
{
    const struct of_origin *before = NULL;
    uint64_t prefix = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct of_origin *origin = &batch->origins[i];
        if (batch->status[i] != OF_CAUSE_NONE)
            continue;
        if (before == NULL || before->partition != origin->partition || !of_slice_equal(before->topic, origin->topic))
            prefix = of_failure_prefix(options->seed, of_fnv1a64(origin->topic), origin->partition);
        before = origin;
        if (of_failure_at(prefix, origin->offset, origin->attempts + 1, rate))
            fail(batch, i, OF_CAUSE_SIMULATED);
    }
}

static bool
process_item(void *self, struct of_port *port, struct of_item *item)
{
    struct of_process *process = self;
    struct of_batch *batch = (struct of_batch *)item;
    if (!of_slot_dropped(batch->slot, batch->epoch)) {
        validate(&process->options, batch);
        double rate = of_tuning_failure_rate(process->options.tuning);
        if (rate > 0)
            (batch->slot->role == OF_ROLE_RETRY ? simulate_retries : simulate)(&process->options, rate, batch);
    }
    of_port_forward(port, item);
    return true;
}

static void
describe(const void *self, int64_t now_ns, FILE *out)
{
    (void)now_ns;
    const struct of_process *process = self;
    double rate = of_tuning_failure_rate(process->options.tuning);
    if (rate > 0)
        fprintf(out, "  %g of all attempts fail as a simulation\n", rate);
}

const struct of_stage_ops of_process_stage = {
    .describe = describe,
    .name = "process",
    .process = process_item,
};
