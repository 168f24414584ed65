/* What publish handed over for one partition and is not known to be committed: so that reading again from the committed
 * offset does not write the same letters again.
 *
 * When one letter is refused the partition starts again from the committed offset, and comes past all records whose
 * letters are already written. Here they are remembered, by offset, in reading order; the second time they are found
 * and not written again. After a crash nothing is remembered, and letters since the last commit are written twice: that
 * is what at-least-once means.
 *
 * Entries are numbered from the start of the assignment; a number stays valid when older entries are forgotten.
 * Threads: publish's own. Cost: 16 bytes per letter between two commits; constant time per letter. */
#ifndef OF_STAGES_HANDED_H
#define OF_STAGES_HANDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum of_handed_state {
    OF_HANDED_NEVER,   /* not handed over, or refused: to be written */
    OF_HANDED_WAITING, /* handed over, not settled yet */
    OF_HANDED_WRITTEN,
};

enum { OF_HANDED_MOST = 1 << 22 }; /* beyond so many entries nothing more is remembered */

struct of_handed_entry {
    int64_t offset;
    uint8_t destination; /* enum of_destination */
    uint8_t state;       /* enum of_handed_state */
};

struct of_handed {
    struct of_handed_entry *entries;
    size_t count, room;
    size_t cursor;    /* the next entry that a record of this reading can meet */
    uint64_t forgotten; /* entries before entries[0] */
};

void of_handed_fini(struct of_handed *handed);

/* Reading starts again at the committed offset. */
void of_handed_rewind(struct of_handed *handed);

/* What is known of the letter of the record at this offset, which comes after all others asked for in this reading. */
enum of_handed_state of_handed_find(struct of_handed *handed, int64_t offset, uint8_t destination);

/* The letter that find was asked for last is handed over. Returns its number; UINT64_MAX: it is not remembered. */
uint64_t of_handed_add(struct of_handed *handed, int64_t offset, uint8_t destination);

/* The letter of that number is settled. */
void of_handed_settle(struct of_handed *handed, uint64_t number, bool written);

/* Everything below this offset is committed. */
void of_handed_forget(struct of_handed *handed, int64_t committed);

#endif
