/* The configuration, read again while the command runs (SIGHUP).
 *
 * All sources are read as at the start; the environment and the flags are those of the process, so it is the file that
 * can have changed. Of what is another value now, what can change while orders flow is taken over and logged; the rest is
 * named, with the word that it takes a restart. If anything is wrong, nothing is taken over.
 *
 *     level and format of the log, failure rate, retry delay
 *     commit interval   with exactly-once up to OF_TRANSACTION_MS or that of the start: transactions are limited by it
 *
 * Owner: the command. Threads: one. */
#ifndef OF_COMMANDS_RELOAD_H
#define OF_COMMANDS_RELOAD_H

#include "commands/settings.h"
#include "pipeline.h"

enum { OF_RELOAD_LIVE = 5 };

struct of_reload {
    const struct of_command_line *line; /* of the start; borrowed */
    char *in_force[OF_RELOAD_LIVE];     /* texts of what can change, as they are now; NULL: as at the start */
    int64_t commit_interval_ms;         /* in force */
};

/* line must have its arguments. */
void of_reload_init(struct of_reload *reload, const struct of_command_line *line);
void of_reload_fini(struct of_reload *reload);

/* Reads, takes over, logs. *retry_delay_ms: what others show; set when it changes. Returns how many values changed, those
 * that take a restart not counted; negative: the configuration is wrong, nothing was taken over. */
int of_reload_now(struct of_reload *reload, struct of_pipeline *pipeline, _Atomic int64_t *retry_delay_ms);

#endif
