/* journal_notes.h -- which records are about which mailbox: for who reads many mailboxes of a user, one after the other.
 *
 * Each of them alone is a replay of all records. The second one that is asked for makes notes of where they lie, and from then on each
 * mailbox meets its own, and what is missing. What was written since is replayed as ever.
 */
#ifndef RP_INDEX_JOURNAL_NOTES_H
#define RP_INDEX_JOURNAL_NOTES_H

#include "index/journal.h"

enum {
	/* In memory. A journal that needs more (some 1,300,000 changes) is replayed for each mailbox: so many changes have
	 * been to few mailboxes, or take longer than these replays. */
	JOURNAL_NOTES_BYTES_MAX = 64 * 1024 * 1024,
};

struct journal_notes;

/* The caller's, and who holds them. The journal's files stay in their places till the last one lets go. RP_ERR_NOMEM. */
RP_MUST_USE enum rp_err journal_notes_new(
    struct journal *journal, uint64_t bytes_max, struct journal_notes **out);
void journal_notes_hold(struct journal_notes *notes);
void journal_notes_let_go(struct journal_notes *notes);

/* As journal_replay(), for one mailbox. Of the changes up to *done fn gets those that are about it, all parts of each, with
 * payloads that have only what is about it, and what is missing, but no change of which the last part is missing and later ones are not; behind that it gets all. *done: `since` when it was a
 * replay. */
RP_MUST_USE enum rp_err journal_notes_replay(struct task *task, struct journal_notes *notes, uint64_t mailboxid,
    uint64_t since, journal_replay_fn *fn, void *arg, uint64_t *done);

#endif
