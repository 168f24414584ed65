/* Who this process is to Kafka: the fixed names of its group members and producers, or the decision to have none.
 *
 * With a fixed name a member that crashed and is started again is back at once, with the partitions it had, and its
 * producer ends the transaction that it left behind; otherwise both take until a session or a transaction times out.
 * Two processes of one name fence each other, so a name must be one that nobody else in the group has, now or later.
 * What is wanted:
 *
 *   "auto"     like "host", unless the host's name is likely to be another at the next start, or the same elsewhere
 *              (a container, localhost): then like "none", and the start says so
 *   "host"     the host's name and the first slot that is free on it: web7-0, then web7-1
 *   "none"     no fixed name: a dynamic member, and a transactional id that is this process's alone
 *   otherwise  the name itself
 *
 * A name is locked on this host for its cluster and group (commands/instance_lock.h), so that a second process of the
 * same name is refused where that can be known; from other hosts it fences the first, which ends with status 4.
 *
 * Owner: whoever opened it; the strings live as long as it does. Threads: one at a time; what is asked is constant. */
#ifndef OF_COMMANDS_IDENTITY_H
#define OF_COMMANDS_IDENTITY_H

#include <stdint.h>

#include "core/error.h"

/* What is known of the host. */
struct of_host {
    char name[65];
    const char *changing; /* why the name is no identity, as a sentence about the host; NULL: it is one */
};

/* Where it looks: at files below `root` ("" is the host's own) and in the environment. */
void of_host_look(struct of_host *host, const char *root);

/* The rest of the above for a name that is known: "localhost" and the like. Static text or NULL. */
const char *of_host_complaint(const char *name);

struct of_identity_options {
    const char *wanted;      /* see above */
    const char *cluster;     /* its id, as the brokers tell it */
    const char *group;
    const char *lock_folder; /* NULL: the host's */
    const struct of_host *host;
    uint32_t members; /* fetch threads, each with a member and a producer of its own */
};

struct of_identity;

/* OF_OK; OF_FATAL: the name is in use on this host, or there is no slot, as the text says. */
OF_MUST_USE enum of_status of_identity_open(const struct of_identity_options *options, struct of_identity **out,
                                            struct of_error *err);
void of_identity_close(struct of_identity **identity);

/* The name: "web7-0"; NULL: none. */
const char *of_identity_name(const struct of_identity *identity);

/* Which it is and why: one line, for people. */
const char *of_identity_reason(const struct of_identity *identity);

/* Of one member: group.instance.id, NULL: dynamic; and transactional.id. */
const char *of_identity_instance_id(const struct of_identity *identity, uint32_t member);
const char *of_identity_transactional_id(const struct of_identity *identity, uint32_t member);

/* What is wrong with a name for an instance, or NULL: as an option wants it. */
const char *of_identity_complaint(const char *name);

#endif
