/* One value of one option: text to typed value, and what is allowed. Part of core/option. */
#ifndef OF_CORE_OPTION_VALUE_H
#define OF_CORE_OPTION_VALUE_H

#include "core/option.h"

union of_option_parsed {
    const char *text; /* the text that was parsed, borrowed */
    int64_t number;
    double real;
    bool flag;
    int choice;
};

/* text == NULL: no value. OF_FATAL with "'abc' is not a whole number (0 to 10)". */
OF_MUST_USE enum of_status of_option_parse(const struct of_option *option, const char *text,
                                           union of_option_parsed *parsed, struct of_error *err);

void of_option_store(const struct of_option *option, union of_option_parsed parsed, void *settings);

#endif
