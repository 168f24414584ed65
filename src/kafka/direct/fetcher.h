/* Reads partitions from whichever broker leads them.
 *
 *   leaders.c  who leads what: metadata, brokers, links to them
 *   ask.c      requests: what to fetch from whom, whether logs have diverged
 *   edges.c    what a log holds whose leader says that an offset is out of range
 *   answer.c   what an answer to a fetch holds: batches into stretches, errors into back-off or news
 *   deliver.c  stretches into chunks, retries one by one
 *
 * There is one link to each broker for orders and one for retries, as a broker answers the requests of one connection
 * one after the other, and may wait before it does. A link has one fetch under way; as soon as its answer is here, and
 * before it is worked on, the next one is asked.
 *
 * A partition is asked for when its leader is known and checked, and it is neither held nor in back-off; a retry
 * partition moreover when nothing of it waits here. What is asked remembers the part's generation and offset: an answer
 * that comes too late for either is not looked at.
 *
 * Epochs. When the leader's epoch has changed since a batch was read, the new leader is asked where the epoch of that
 * batch ends in its log. An end before our position means that what we read there is gone: the part is broken, with a
 * text that says from where on. The same is asked at the beginning, where the epoch was committed with the offset. A topic
 * whose id has changed was made anew: all parts of it that were read are broken, and of retries, which we owe, also those that
 * wait to be. What other lanes have seen of a part counts as well (kafka/topic_ids.h).
 *
 * Threads: the fetch thread's; nothing blocks. */
#ifndef OF_KAFKA_DIRECT_FETCHER_H
#define OF_KAFKA_DIRECT_FETCHER_H

#include "core/source.h"
#include "kafka/direct/connection.h"
#include "kafka/direct/messages.h"
#include "kafka/direct/stretch.h"
#include "kafka/direct/tls.h"

/* What a part has to tell. */
enum of_part_news { OF_PART_NOTHING, OF_PART_BROKEN, OF_PART_SKIPPED };

/* What is to be asked of a log that does not hold an offset, one after the other. */
enum of_part_edge { OF_EDGE_NONE, OF_EDGE_FIRST, OF_EDGE_END };

/* An assigned partition; slot->source points to it. */
struct of_direct_part {
    struct of_slot *slot;
    int64_t position;      /* the next offset to ask for */
    int64_t delivered;     /* behind what was handed over */
    int64_t end;           /* of what may be read, as last heard; -1: not yet */
    uint32_t generation;   /* rises with every hold and resume */
    int32_t leader;        /* -1: not known */
    int32_t leader_epoch;  /* -1: not known */
    int32_t last_epoch;    /* of the batch before position, or a later one; -1: not known */
    int32_t delivered_epoch; /* the same before delivered */
    uint32_t stale;        /* times that metadata was older than what we know */
    bool held;
    bool unsure;           /* its leader says that it is none: not asked before metadata has been */
    bool check;            /* the leader's log is to be compared first */
    bool checking;         /* and that is under way: */
    int64_t checked;       /* what it was asked for, a position; a fetch that was under way may have moved on since */
    enum of_part_edge edge; /* asked for first, too */
    bool edge_asked;       /* and that is under way */
    int64_t low;           /* the log's first offset, once edge is OF_EDGE_END */
    int64_t next_ask_ns;   /* not before */
    int64_t backoff_ms;    /* 0: all is well */
    int64_t leaderless_ns; /* since when; 0: there is a leader */
    int64_t error_ns;      /* when the last error came that may pass */
    int32_t bytes;         /* to ask for */
    bool anew;             /* its topic was made anew, which is still to be told */
    uint32_t malformed;    /* times in a row that an answer could not be read */
    enum of_part_news news; /* to be told: cannot be read at `position` for `cause`; goes on there from skipped_from */
    int64_t skipped_from;
    uint8_t cause;         /* enum of_cause */
    char why[256];
    struct of_stretch *first, *last; /* retry: what waits here */
    uint32_t cursor;                 /* in the first */
};

/* What a fetch that is under way asked for. */
struct of_asked_part {
    struct of_direct_part *part;
    uint32_t generation;
    int64_t offset;
};

struct of_link {
    struct of_connection connection;
    struct of_link *next;
    int32_t node; /* -1: one that was named by the options, for a first look */
    enum of_role role;
    uint32_t downs_seen;
    bool fetching;
    bool checking;
    bool listing;
    bool asking_leaders;
    struct of_asked_part *asked; /* by the fetch under way */
    uint32_t asked_count;
    uint32_t first_part;         /* where the next request begins, so that all have their turn */
    int64_t throttled_ns;        /* nothing is fetched before */
    int64_t look_ns;             /* nor before this time, see fetch in ask.c; 0: at once */
};

struct of_broker_address {
    int32_t node; /* -1: named by the options */
    char host[OF_HOST_BYTES];
    int port;
};

struct of_fetcher {
    const struct of_kafka_options *options;
    struct of_direct_settings settings;
    struct of_tls *tls; /* NULL: plain */
    int epoll_fd;
    int timer_fd;
    int64_t timer_ns; /* what it is set to; 0: nothing */
    struct of_slabs slabs[2]; /* by role */
    struct of_link *links;
    struct of_broker_address *brokers; /* those named by the options first */
    uint32_t broker_count;
    uint32_t named_count;
    uint32_t next_named; /* whom to ask first when nobody is connected */
    bool leaders_wanted;
    bool leaders_asked;
    int64_t next_leaders_ns;
    int64_t leaders_backoff_ms;
    int64_t leaders_fresh_until_ns;
    struct of_direct_part *parts;
    uint32_t part_count;
    struct of_direct_part **by_number[2]; /* by role and partition; NULL where not assigned */
    int32_t numbers[2];
    struct of_topic_id topic_ids[2]; /* by role, as last told; outlive assignments */
    bool held_records[2];            /* by role: the topic of that id has had some */
    uint32_t news_count;
    struct of_stretch *ready, *ready_last; /* orders, in the order in which they came */
    struct of_stretch *free;
    bool part_is_free;     /* what waited of a retry partition has been taken since the last turn */
    struct of_arena arena; /* of the answer that is being looked at */
};

/* OF_OK; OF_POISON: the settings are not for us; OF_FATAL: a certificate cannot be read, no file descriptors. */
enum of_status of_fetcher_open(struct of_fetcher *fetcher, const struct of_kafka_options *options,
                               struct of_error *err) OF_MUST_USE;
void of_fetcher_close(struct of_fetcher *fetcher);

void of_fetcher_begin(struct of_fetcher *fetcher, struct of_slot *const *slots, const int64_t *offsets, uint32_t count);
void of_fetcher_end(struct of_fetcher *fetcher);

/* Receives, asks, and sets the timer for the next turn. */
void of_fetcher_turn(struct of_fetcher *fetcher, int64_t now_ns);

/* A part with something to tell, which it then has told; NULL: none. offset: the first that was not handed over, as what
 * waits here is dropped, or the first that is skipped. */
struct of_direct_part *of_fetcher_news(struct of_fetcher *fetcher, enum of_part_news *news, int64_t *offset);

void of_fetcher_hold(struct of_fetcher *fetcher, struct of_direct_part *part);
void of_fetcher_resume(struct of_fetcher *fetcher, struct of_direct_part *part, int64_t offset);

/* ---- deliver.c: as core/source.h has them ---- */

bool of_fetcher_read(struct of_fetcher *fetcher, struct of_chunk *chunk);
bool of_fetcher_peek(struct of_fetcher *fetcher, struct of_direct_part *part, struct of_record *record);
void of_fetcher_take(struct of_direct_part *part, const struct of_record *record, struct of_chunk *chunk);
int64_t of_fetcher_at_end(struct of_direct_part *part);
void of_fetcher_release(struct of_fetcher *fetcher, struct of_chunk *chunk);

/* Drops what waits of a part. */
void of_fetcher_drop_waiting(struct of_fetcher *fetcher, struct of_direct_part *part);
void of_fetcher_drop_ready(struct of_fetcher *fetcher);

/* ---- between the files ---- */

struct of_stretch *of_fetcher_make_stretch(struct of_fetcher *fetcher, struct of_direct_part *part);
void of_fetcher_queue(struct of_fetcher *fetcher, struct of_stretch *stretch);
void of_fetcher_tell(struct of_fetcher *fetcher, struct of_direct_part *part, enum of_part_news news);
void of_fetcher_discard(struct of_fetcher *fetcher, struct of_stretch *stretch);

/* leaders.c */
enum of_status of_fetcher_name_brokers(struct of_fetcher *fetcher, struct of_error *err) OF_MUST_USE;
void of_fetcher_want_leaders(struct of_fetcher *fetcher);
void of_fetcher_ask_leaders(struct of_fetcher *fetcher, int64_t now_ns);
void of_fetcher_take_leaders(struct of_fetcher *fetcher, struct of_link *link, const struct of_received *received,
                             int64_t now_ns);
void of_fetcher_keep_links(struct of_fetcher *fetcher);
void of_link_destroy(struct of_fetcher *fetcher, struct of_link **link);
/* Nothing that the link was asked about its parts is answered any more. */
void of_link_forget_asked(struct of_fetcher *fetcher, const struct of_link *link);

/* ask.c */
void of_fetcher_ask(struct of_fetcher *fetcher, struct of_link *link, int64_t now_ns);
void of_fetcher_take_checks(struct of_fetcher *fetcher, struct of_link *link, const struct of_received *received,
                            int64_t now_ns);

/* edges.c */
void of_fetcher_ask_edges(struct of_fetcher *fetcher, struct of_link *link, struct of_slice topic, int64_t now_ns);
void of_fetcher_take_edges(struct of_fetcher *fetcher, struct of_link *link, const struct of_received *received,
                           int64_t now_ns);

/* answer.c */
void of_fetcher_take_fetched(struct of_fetcher *fetcher, struct of_link *link, const struct of_received *received,
                             int64_t now_ns);

/* What an error of a partition means: back-off and a look for its leader, or news. */
void of_part_take_error(struct of_fetcher *fetcher, struct of_direct_part *part, int16_t code, int64_t now_ns);
void of_part_back_off(struct of_fetcher *fetcher, struct of_direct_part *part, int64_t now_ns);
void of_part_break(struct of_fetcher *fetcher, struct of_direct_part *part, uint8_t cause, const char *format, ...)
    OF_PRINTF(4, 5);
void of_part_made_anew(struct of_fetcher *fetcher, struct of_direct_part *part);
void of_part_diverged(struct of_fetcher *fetcher, struct of_direct_part *part, int32_t epoch, int64_t end);

static inline bool
of_part_is_led_by(const struct of_direct_part *part, const struct of_link *link)
{
    return part->slot->role == link->role && part->leader == link->node && link->node >= 0;
}

static inline bool
of_part_can_ask(const struct of_direct_part *part, const struct of_link *link, int64_t now_ns)
{
    return of_part_is_led_by(part, link) && !part->held && !part->unsure && part->next_ask_ns <= now_ns;
}

static inline struct of_direct_part *
of_fetcher_part(const struct of_fetcher *fetcher, enum of_role role, int32_t partition)
{
    return partition >= 0 && partition < fetcher->numbers[role] ? fetcher->by_number[role][partition] : NULL;
}

#endif
