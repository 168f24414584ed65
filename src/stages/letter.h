/* Letters: the records that failed orders become, for the retry topic and for the dead-letter topic.
 *
 * A letter borrows key, value and headers from the record it is about and adds its own headers (docs/headers.md). A
 * dead letter that is too large for its topic is shrunk step by step: without the message text, without other systems'
 * headers, and at last with its payload cut to its first bytes beside a digest of all of them.
 *
 * Owner: one letter is reused for record after record; what it points to lives until the next call and as long as the
 * record. Threads: one. Cost: no allocation once it has seen the largest number of headers. */
#ifndef OF_STAGES_LETTER_H
#define OF_STAGES_LETTER_H

#include "core/flow.h"
#include "core/sink.h"
#include "order/cause.h"

/* How much of a dead letter is left out. */
enum of_letter_size {
    OF_LETTER_WHOLE,
    OF_LETTER_NO_MESSAGE,
    OF_LETTER_OWN_HEADERS, /* and no headers but ours */
    OF_LETTER_DIGEST,      /* and no more than the first OF_LETTER_KEPT_BYTES of key and value */
    OF_LETTER_SIZES,
};

enum {
    OF_LETTER_KEPT_BYTES = 1024,
    OF_LETTER_HEADERS_MOST = 1000, /* of the record, ours apart; a writer who means harm can have millions in a megabyte */
};

/* What is told about a failed record. */
struct of_letter_facts {
    struct of_origin origin;
    struct of_slice group;    /* consumer group */
    enum of_cause cause;
    uint32_t attempts;        /* made, this one included; 0: never processed */
    int64_t now_ms;           /* of this failure */
    int64_t due_ms;           /* retry only: when the next attempt is due */
    const char *stage;        /* that found the failure */
    const char *message;      /* for people, one line */
    bool has_schema_id;
    struct of_schema_key schema_id;
};

struct of_letter;

struct of_letter *of_letter_create(void);
void of_letter_destroy(struct of_letter **letter);

/* The record for the retry topic; NULL: it has too many headers. */
const struct of_outgoing *of_letter_retry(struct of_letter *letter, const struct of_chunk_ops *ops,
                                          const struct of_record *record, const struct of_letter_facts *facts);

/* The record for the dead-letter topic; NULL: it has too many headers for this size. */
const struct of_outgoing *of_letter_dead(struct of_letter *letter, const struct of_chunk_ops *ops,
                                         const struct of_record *record, const struct of_letter_facts *facts,
                                         enum of_letter_size size);

#endif
