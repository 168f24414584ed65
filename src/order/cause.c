#include "order/cause.h"

static const struct {
    const char *name;
    enum of_cause_class class;
    const char *text;
} causes[OF_CAUSE_COUNT] = {
    [OF_CAUSE_NONE] = { "none", OF_CLASS_NONE, "nothing is wrong" },
#define OF_CAUSE(symbol, name, class, text) [OF_CAUSE_##symbol] = { name, OF_CLASS_##class, text },
#include "order/cause.def"
#undef OF_CAUSE
};

static bool
known(enum of_cause cause)
{
    return (unsigned)cause < OF_CAUSE_COUNT;
}

const char *
of_cause_name(enum of_cause cause)
{
    return known(cause) ? causes[cause].name : "unknown";
}

const char *
of_cause_text(enum of_cause cause)
{
    return known(cause) ? causes[cause].text : "unknown cause";
}

enum of_cause_class
of_cause_class(enum of_cause cause)
{
    return known(cause) ? causes[cause].class : OF_CLASS_NONE;
}

const char *
of_cause_class_name(enum of_cause_class class)
{
    static const char *const names[] = { "none", "poison", "transient", "infrastructure", "passed_over" };
    return (unsigned)class < sizeof names / sizeof *names ? names[class] : "unknown";
}

enum of_cause
of_cause_of_name(struct of_slice name)
{
    for (int cause = 1; cause < OF_CAUSE_COUNT; cause++)
        if (of_slice_equal(name, of_slice_str(causes[cause].name)))
            return (enum of_cause)cause;
    return OF_CAUSE_NONE;
}
