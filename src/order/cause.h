/* The causes of order/cause.def as numbers, and what follows from each.
 *
 * A record's status in its batch is one byte: OF_CAUSE_NONE, or why it is no counted order. The byte decides its fate;
 * the text is only looked up when a dead letter or a log line is written.
 * Threads: constants, any. */
#ifndef OF_ORDER_CAUSE_H
#define OF_ORDER_CAUSE_H

#include "core/slice.h"

enum of_cause {
    OF_CAUSE_NONE = 0, /* nothing wrong so far */
#define OF_CAUSE(symbol, name, class, text) OF_CAUSE_##symbol,
#include "order/cause.def"
#undef OF_CAUSE
    OF_CAUSE_COUNT,
};

enum of_cause_class {
    OF_CLASS_NONE = 0,
    OF_CLASS_POISON,
    OF_CLASS_TRANSIENT,
    OF_CLASS_INFRASTRUCTURE,
    OF_CLASS_PASSED_OVER,
};

/* "null_value", ...; "none" for OF_CAUSE_NONE, "unknown" for a number that is no cause. Never NULL. */
const char *of_cause_name(enum of_cause cause);

/* One sentence for people, without a full stop. Never NULL. */
const char *of_cause_text(enum of_cause cause);

enum of_cause_class of_cause_class(enum of_cause cause);

/* "poison", "transient", "infrastructure", "passed_over", "none". */
const char *of_cause_class_name(enum of_cause_class class);

/* The cause of that name; OF_CAUSE_NONE if there is none such. */
enum of_cause of_cause_of_name(struct of_slice name);

#endif
