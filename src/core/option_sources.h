/* Where options come from: flags, environment, file. Part of core/option.
 *
 * Each reads one source, checks every value, and keeps a value unless a stronger source gave one already. */
#ifndef OF_CORE_OPTION_SOURCES_H
#define OF_CORE_OPTION_SOURCES_H

#include "core/option.h"

struct of_option_value {
    char *text; /* NULL: not given */
    enum of_option_origin origin;
    int file_line; /* 0: not in the file */
};

/* commands: bits, of an option or of the properties. */
static inline bool
of_option_belongs(uint32_t commands, unsigned command)
{
    return command == OF_EVERY_COMMAND || (commands >> command & 1) != 0;
}

/* The command's options one by one, in the order of the table: the first after `last` (NULL: of all), or NULL. */
const struct of_option *of_option_next(const struct of_option_table *table, unsigned command,
                                       const struct of_option *last);

/* Whether a section begins with this option. *section: of the option before it, "" at first; moved on. */
bool of_option_begins_section(const struct of_option *option, const char **section);

/* The row whose name is the first `length` bytes of `name`, or NULL. */
const struct of_option *of_option_find(const struct of_option_table *table, const char *name, size_t length);

enum { OF_OPTION_NAME_BYTES = 128 }; /* of an environment variable, longer names are cut */

/* "ORDERFLOW_RETRY_DELAY_MS". Returns out. */
const char *of_option_variable(const struct of_option_table *table, const struct of_option *option,
                               char out[OF_OPTION_NAME_BYTES]);

OF_MUST_USE enum of_status of_options_read_flags(struct of_options *options, const char *const *arguments,
                                                 struct of_error *err);
OF_MUST_USE enum of_status of_options_read_environment(struct of_options *options, const char *const *environment,
                                                       struct of_error *err);
/* After the other two: they may name the file. */
OF_MUST_USE enum of_status of_options_read_file(struct of_options *options, struct of_error *err);

#endif
