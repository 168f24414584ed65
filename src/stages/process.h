/* The process stage: decides whether a decoded order is good.
 *
 * Validation first: a value that is not finite or outside the limits is poison and was never attempted. Then the
 * simulated failure, a pure function of where the order came from and of the attempt (docs/simulated-failures.md), so a
 * run can be repeated and checked. The verdict is the record's status in its batch. */
#ifndef OF_STAGES_PROCESS_H
#define OF_STAGES_PROCESS_H

#include "core/stage.h"
#include "core/tuning.h"

struct of_process_options {
    double min_value, max_value; /* both allowed; infinities: no limit */
    double failure_rate;         /* at the start, 0 to 1 */
    const struct of_tuning *tuning; /* what it is now; the pipeline's */
    uint64_t seed;
};

struct of_process;

struct of_process *of_process_create(const struct of_process_options *options);
void of_process_destroy(struct of_process **process);

extern const struct of_stage_ops of_process_stage;

#endif
