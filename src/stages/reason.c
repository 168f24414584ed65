#include "stages/reason.h"

#include <stdio.h>

#include "avro/framing.h"
#include "avro/plan.h"
#include "order/cause.h"

const char *
of_reason(const struct of_batch *batch, uint32_t at, const struct of_record *record, char text[OF_REASON_BYTES])
{
    struct of_framing framing;
    switch ((enum of_cause)batch->status[at]) {
    case OF_CAUSE_UNDECODABLE:
        if (batch->plan == NULL || !of_framing_find(batch->chunk->ops, record, &framing))
            return NULL;
        return of_plan_explain(batch->plan, of_slice_of(record->value.data + framing.body_at,
                                                        record->value.length - framing.body_at),
                               text, OF_REASON_BYTES);
    case OF_CAUSE_UNRESOLVABLE_SCHEMA:
    case OF_CAUSE_UNKNOWN_SCHEMA:
        if (batch->refused[0] == '\0')
            return NULL;
        snprintf(text, OF_REASON_BYTES, "%s", batch->refused);
        return text;
    default: return NULL;
    }
}
