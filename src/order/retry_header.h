/* The record header `orderflow.retry`: what a record of the retry topic remembers of its order, packed into one value.
 *
 * The retry topic is internal and one header costs far less than six, hence binary; docs/headers.md has the layout.
 * Slices borrow: from the caller when encoding, from the parsed bytes afterwards. Pure functions: any thread.
 * Parsing trusts nothing and allocates nothing; what it refuses is treated as a record without the header. */
#ifndef OF_ORDER_RETRY_HEADER_H
#define OF_ORDER_RETRY_HEADER_H

#include "core/error.h"
#include "order/cause.h"

#define OF_RETRY_HEADER_NAME "orderflow.retry"

enum {
    OF_RETRY_HEADER_VERSION = 1,
    OF_RETRY_HEADER_FIXED_BYTES = 46, /* without the two strings */
    OF_RETRY_HEADER_TEXT_BYTES_MAX = 65535,
    OF_RETRY_HEADER_ATTEMPTS_MAX = 1000000,
};

struct of_retry_header {
    struct of_slice group;        /* consumer group that wrote it; not empty */
    struct of_slice origin_topic; /* not empty */
    int32_t origin_partition;
    int64_t origin_offset;
    int64_t origin_timestamp_ms; /* of the order's own record; -1: it had none */
    uint32_t attempts;           /* made so far, 1 to OF_RETRY_HEADER_ATTEMPTS_MAX */
    int64_t due_ms;              /* wall time of the next attempt */
    int64_t first_failed_ms;     /* wall time */
    enum of_cause cause;         /* of the last failure; not OF_CAUSE_NONE */
};

/* Bytes that of_retry_header_encode writes. */
static inline size_t
of_retry_header_bytes(const struct of_retry_header *header)
{
    return OF_RETRY_HEADER_FIXED_BYTES + header->group.length + header->origin_topic.length;
}

/* Returns the number of bytes written; 0, and nothing is written, if they do not fit. A header that parse would refuse
 * is a bug. */
size_t of_retry_header_encode(const struct of_retry_header *header, uint8_t *bytes, size_t size);

/* False if the bytes are not exactly one valid header of a known version; *header is undefined then. */
OF_MUST_USE bool of_retry_header_parse(struct of_slice bytes, struct of_retry_header *header);

#endif
