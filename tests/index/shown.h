/* shown.h -- what a client was told of a mailbox, and mail whose journal loses records, for tests of the numbers that are given then. */
#ifndef RP_TESTS_INDEX_SHOWN_H
#define RP_TESTS_INDEX_SHOWN_H

#include "index/journal_core.h"
#include "tests/index/made_mail.h"
#include "tests/index/open_store.h"

enum {
	ROWS_MAX = JOURNAL_FILE_BYTES_MAX / 18, /* of one journal file */
	MORE = 6,
};

/* What a client was told of a mailbox. */
struct shown {
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highestmodseq;
};

struct shown shown_of(struct volume *volume, const char *name);

/* Made mail: volume_close(). */
struct volume *shown_open_made(struct task *task, struct store *store);

/* Made mail, and six more messages in INBOX, of which no derived file knows; the server has ended. */
struct shown shown_make_more(struct task *task);

/* Likewise: a message comes to a/b, its record goes, and one to INBOX stays: what a/b and INBOX were, at the end. */
void shown_lose_one_of_two(struct task *task, struct shown *of_ab, struct shown *of_inbox);

/* A file of its journal: file_close(). */
struct file *shown_open_journal(struct task *task, const char *name, uint64_t *bytes);

/* Of 1-.journal so many bytes go at the end, or those of [from, to) are others. */
void shown_cut_journal(struct task *task, uint64_t bytes);
void shown_damage_journal(struct task *task, uint64_t from, uint64_t to);

/* Above all that was shown, and by more than the lost records can have given out; there is room to go on. */
void shown_assert_above(const struct shown *now, const struct shown *shown);

#endif
