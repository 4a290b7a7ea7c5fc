/* journal_look.h -- what lies in the files of a journal that should not lie there, by file and offset: for check and repair.
 * Which LSNs are lost journal_replay() tells.
 */
#ifndef RP_INDEX_JOURNAL_LOOK_H
#define RP_INDEX_JOURNAL_LOOK_H

#include "index/journal.h"

enum journal_odd {
	JOURNAL_ODD_HEADER, /* one copy of it, or the zeroes behind it: the other copy is sound */
	JOURNAL_ODD_KNOWN,  /* both copies: who has the journal open knows it still, reads by it, and will write it again */
	JOURNAL_ODD_LOST,   /* both copies: what is in the file cannot be read */
	JOURNAL_ODD_ZEROES, /* those behind a record are none; the record is sound */
	JOURNAL_ODD_GAP,    /* no sound record, where one was, or may have been */
	JOURNAL_ODD_BEHIND, /* bytes behind the last record of a sealed file */
	JOURNAL_ODD_MARK,   /* there it has not its end mark, and nothing else */
	JOURNAL_ODD_END,    /* the file in use has no end mark: there may have been more records */
};

/* May they be put in order, and nothing is lost? */
static inline bool journal_odd_is_harmless(enum journal_odd what)
{
	return what == JOURNAL_ODD_HEADER || what == JOURNAL_ODD_KNOWN || what == JOURNAL_ODD_ZEROES ||
	       what == JOURNAL_ODD_BEHIND || what == JOURNAL_ODD_MARK;
}

struct journal_oddity {
	enum journal_odd what;
	struct bytes name; /* of the file */
	uint64_t offset;
	uint64_t bytes;
	uint64_t lsn; /* of the sound record before it in this file; 0: there is none */
};

typedef enum rp_err journal_look_fn(
    struct task *task, void *arg, const struct journal_oddity *oddity);

/* Call fn for each, file by file; fn's error ends it. What is written meanwhile is not looked at. mends: what is harmless is put
 * in order, and durable then: nobody else may use the journal. */
RP_MUST_USE enum rp_err journal_look(
    struct task *task, struct journal *journal, bool mends, journal_look_fn *fn, void *arg);

/* A file is sealed when the next one is there, a merge leaves the one in use, and a repair begins one. Is none there that is in use? */
bool journal_look_newest_is_gone(const struct journal *journal, uint64_t *first);

/* The name of the file that has, or had, the record `first`; records up to *rest were in it, at most `last`. false: it is there. true:
 * it is gone, and what else is there shows that it was; where it may have been a merged one both names are given. */
enum { JOURNAL_LOOK_NAME_BYTES = 128 };
bool journal_look_is_gone(const struct journal *journal, uint64_t first, uint64_t last,
    uint64_t *rest, char name[JOURNAL_LOOK_NAME_BYTES]);

#endif
