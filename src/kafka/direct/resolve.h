/* Looking a host's addresses up without waiting for the answer: getaddrinfo(3) blocks for as long as it likes, so it
 * runs on a thread of its own. Numeric addresses are known at once.
 *
 * Threads: start, poll and abandon by one. Owner: the caller's until poll or abandon has taken it. */
#ifndef OF_KAFKA_DIRECT_RESOLVE_H
#define OF_KAFKA_DIRECT_RESOLVE_H

#include <netdb.h>
#include <stdbool.h>

struct of_resolve;

/* Begins. */
struct of_resolve *of_resolve_start(const char *host, int port);

/* False: not yet. True: *resolve is cleared, and *found is the list, to be freed by freeaddrinfo, or NULL with *code,
 * which gai_strerror explains. */
bool of_resolve_poll(struct of_resolve **resolve, struct addrinfo **found, int *code);

/* Nobody wants the answer any more. Fine to call on NULL. */
void of_resolve_abandon(struct of_resolve **resolve);

#endif
