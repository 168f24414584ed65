/* A shop: embedded cluster, mock registry, orders by number, and plain clients that write topics, read them, and ask how
 * far the group is. Owner: the test. Threads: the test's own. */
#ifndef OF_TESTS_EMBEDDED_SHOP_H
#define OF_TESTS_EMBEDDED_SHOP_H

#include "embedded/fixture.h"
#include "order/groups.h"
#include "support/orders.h"

struct shop {
    struct fixture fixture;
    struct of_groups *groups; /* of all pipelines in the shop */
    char registry[64];        /* name of the mock */
    uint32_t schema_id;
    void *writer, *asker; /* librdkafka handles */
};

void shop_open(struct shop *shop);
void shop_close(struct shop *shop);

/* Writes to the orders topic; flush waits until everything is acknowledged. */
void shop_write(struct shop *shop, int32_t partition, struct of_slice key, struct of_slice value);
void shop_flush(struct shop *shop);

/* Orders first, first + 1, ... evenly over the partitions, flushed. */
void shop_write_orders(struct shop *shop, int first, int count);

/* Records of a topic, ever. -1: the broker does not answer. */
int64_t shop_count(struct shop *shop, const char *topic);

/* Records of orders and retry that the group has not committed. Commits are asked for before ends, and letters are
 * acknowledged before a commit, so 0 means that nothing more comes. -1: the broker does not answer. */
int64_t shop_lag(struct shop *shop);

/* Fails the test when that is not 0 within the time. */
void shop_wait_for_end(struct shop *shop, int limit_ms);

/* ---- what a topic holds ---- */

enum { LETTERS_MOST = 10000 };

struct letters {
    void *reader; /* a librdkafka handle */
    void *messages[LETTERS_MOST];
    size_t count;
};

/* Reads all of a topic; in each partition in order. */
void letters_open(struct letters *letters, struct shop *shop, const char *topic);
void letters_close(struct letters *letters);

/* Views, valid until letters_close. */
int32_t letters_partition(const struct letters *letters, size_t index);
int64_t letters_timestamp_ms(const struct letters *letters, size_t index);
struct of_slice letters_key(const struct letters *letters, size_t index);
struct of_slice letters_value(const struct letters *letters, size_t index);
/* data NULL: no such header. */
struct of_slice letters_header(const struct letters *letters, size_t index, const char *name);
/* A header that is a number; fails the test if it is missing. */
int64_t letters_number(const struct letters *letters, size_t index, const char *name);

#endif
