/* journal_core.h -- the files of one journal. For journal*.c alone. */
#ifndef RP_INDEX_JOURNAL_CORE_H
#define RP_INDEX_JOURNAL_CORE_H

#include "index/format.h"
#include "index/journal.h"
#include "index/pending.h"

enum {
	JOURNAL_CORE_DIR_BYTES = 256,
	JOURNAL_CORE_PATH_BYTES = JOURNAL_CORE_DIR_BYTES + 64,
	JOURNAL_CORE_MOVED_MAX = 16, /* files of one open journal that end early: more is no accident of the disk */
};

/* extra[] of a file's header. */
enum journal_extra {
	JOURNAL_EXTRA_MERGED_LAST, /* the last LSN of a merged one; 0: it is none */
	JOURNAL_EXTRA_GOES_ON,     /* 1: the file before it failed; what was tried there is here */
};

/* Records from this LSN on that were to lie in file `from`, the first of them at `offset`, lie in a file of their own. */
struct journal_moved {
	uint64_t from;
	uint64_t lsn; /* and the new file's name */
	uint64_t offset;
};

/* Values, not objects: the array moves, so a file is found again by its first LSN after a suspension. */
struct journal_file {
	uint64_t first;
	uint64_t last;    /* by its name; 0: the name has none yet */
	uint64_t sealing; /* it is just getting the name that says so, or may have got it; 0: it is not */
	uint64_t nonce;   /* 0: its header is not read */
	uint64_t epoch;   /* its header's; known with the nonce */
	uint64_t written; /* all records that are in it lie before this offset; 0: not known */
	bool marks;       /* behind them lies an end mark; known with the nonce */
	bool torn;        /* but it is being written just now, or could not be */
	bool goes_on;     /* JOURNAL_EXTRA_GOES_ON; known with the nonce */
	bool merged;      /* <first>+<last>.journal */
	bool doubled;     /* in use, and beside it lies a sealed one that has less */
	bool lost;        /* its header is damaged: nothing in it can be read, nothing is written to it */
};

struct journal {
	char dir[JOURNAL_CORE_DIR_BYTES];
	struct userid userid;
	uint64_t epoch;
	struct loop *loop;
	struct journal_file *files; /* by first */
	size_t files_count;
	size_t files_max;
	uint64_t last_lsn;     /* numbered */
	uint64_t last_epoch;   /* of the newest record, when it was opened; 0: not known */
	uint64_t number_first; /* the file that the next record goes to, and where; 0: a new one */
	uint64_t number_end;
	struct file *file; /* open for writing; NULL: none */
	uint64_t file_first;
	struct journal_moved moved[JOURNAL_CORE_MOVED_MAX]; /* in the order in which it happened */
	size_t moved_count;
	uint64_t file_bytes_max;
	unsigned replays;               /* under way: files that they go through stay in the list */
	struct task_queue replays_over; /* who waits until there is none */
	bool voids;                     /* files were found that lie in a merged one's range */
	bool recovering;
	struct pending *pending; /* what recovery will write; for who looks before */
	uint64_t told;           /* records that were read from files for replays, since it was opened: for tests */
	uint64_t ahead;          /* records of these that the last whole replay has told, and the first */
	uint64_t ahead_first;
	bool end_lost;    /* when it was opened: what lay behind the newest record cannot be read */
	uint64_t damaged; /* places without a sound record that the last whole replay met */
};

/* The first file whose first LSN is >= `first`; files_count: none. */
size_t journal_core_lower(const struct journal *journal, uint64_t first);

/* NULL: no such file. Good until the next suspension. */
struct journal_file *journal_core_find(const struct journal *journal, uint64_t first);

RP_MUST_USE enum rp_err journal_core_add(
    struct journal *journal, const struct journal_file *file);
void journal_core_drop(struct journal *journal, uint64_t first);

/* The greatest LSN that can be in this file; 0: it is the newest and not sealed. */
uint64_t journal_core_last(const struct journal *journal, size_t at);

/* journal_owed.c, for who looks ahead. All records from one LSN to another: will recovery write them into this file? Any at all? From this
 * one on without a gap: their bytes. Is this LSN the first of a file that goes on with what another was to have? */
bool journal_core_owes(
    const struct journal *journal, uint64_t first, uint64_t lsn, uint64_t last);
bool journal_core_owes_any(const struct journal *journal, uint64_t first);
uint64_t journal_core_owed_bytes(const struct journal *journal, uint64_t first, uint64_t lsn);
bool journal_core_owes_move(const struct journal *journal, uint64_t first);
/* As journal_core_last(), when the files that recovery will make are there. */
uint64_t journal_core_owed_last(const struct journal *journal, size_t at);

/* The path of a file that is not merged; of any. */
void journal_core_path(const struct journal *journal, uint64_t first, uint64_t last,
    char path[JOURNAL_CORE_PATH_BYTES]);
void journal_core_path_of(const struct journal *journal, const struct journal_file *file,
    char path[JOURNAL_CORE_PATH_BYTES]);

/* <first>-.journal, <first>-<last>.journal, <first>+<last>.journal; false: another file's name. */
bool journal_core_parse_name(struct bytes name, struct journal_file *file);

static inline bool journal_core_marks(const struct format_header *header)
{
	return header->version == JOURNAL_VERSION;
}

/* Read the header. RP_ERR_CORRUPT: not sound, or another's; RP_ERR_CANNOT: newer. */
RP_MUST_USE enum rp_err journal_core_read_header(struct task *task, const struct journal *journal,
    struct file *file, uint64_t first, bool merged, struct format_header *header);

/* It is this file's. Its header as it is known; false: it is not. */
void journal_core_note_header(struct journal_file *file, const struct format_header *header);
bool journal_core_known_header(const struct journal *journal, const struct journal_file *file,
    struct format_header *header);

/* If it is known, and lost on the disk: write it again, durable. */
RP_MUST_USE enum rp_err journal_core_keep_header(
    struct task *task, struct journal *journal, uint64_t first);

/* Give the file a header, with a nonce of its own. merged_last: a merged one's last LSN; 0: it is none. */
RP_MUST_USE enum rp_err journal_core_write_header(struct task *task, const struct journal *journal,
    struct file *file, uint64_t first, uint64_t merged_last, struct format_header *out);

/* Walk the records of one file. */
struct journal_walk {
	const struct journal *journal;
	struct file *file;
	uint64_t first; /* the file's */
	struct format_header header;
	bool header_lost; /* it is not there any more, but known */
	bool marks;     /* there should be a mark at its end, */
	bool torn;      /* but it was being written */
	uint64_t mark_lsn; /* that of the sound one that lies at `limit`; 0: there is none */
	uint64_t at;    /* where the next record may begin */
	uint64_t limit; /* and where none can be any more */
	uint8_t *window;
	size_t room;
	uint64_t from; /* the window shows [from, from + bytes) of the file */
	size_t bytes;
	uint64_t damaged; /* places where a record should have been */
};

RP_MUST_USE enum rp_err journal_core_walk_begin(
    struct task *task, struct journal_walk *walk, const struct journal *journal, uint64_t first);
/* The same of a file that is not in the list yet. */
RP_MUST_USE enum rp_err journal_core_walk_path(struct task *task, struct journal_walk *walk,
    const struct journal *journal, const struct journal_file *at, const char *path);
/* The next sound record, good until the next call; RP_ERR_END: no more. */
RP_MUST_USE enum rp_err journal_core_walk_next(
    struct task *task, struct journal_walk *walk, struct record *record);
void journal_core_walk_end(struct journal_walk *walk);

/* Where a replay stands: set the first four, the rest 0. */
struct journal_telling {
	struct journal *journal;
	uint64_t done; /* up to this LSN all was told, or told missing */
	journal_replay_fn *fn;
	void *arg;
	uint64_t file; /* what is told lies in this file, there; 0: it is the at-th of those that are pending */
	uint64_t at;
	uint64_t damaged;
	bool gaps_are_sound; /* in this file, here, LSNs are missing because their records count no more */
	bool in_merged;      /* what is missing in this file no recovery brings */
	uint64_t ahead;      /* records told from the logs alone, and the first of them */
	uint64_t ahead_first;
};

/* journal_replay(). */
RP_MUST_USE enum rp_err journal_core_tell(struct task *task, struct journal_telling *telling);

#endif
