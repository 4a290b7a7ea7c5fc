/* journal.h -- one user's log: every change to his mail, in order, in files of up to 8 MiB.
 *
 * <first>-<last>.journal is sealed; the one in use is <first>-.journal. Files are append-only; a record's place is
 * decided when it is numbered, long before it is written (settle.h). Opening finds the files and the end
 * of what is written; replay reads records in LSN order. Reads and writes go through the volume's directory only.
 *
 * <first>+<last>.journal is what a merge (merge.h) has made of the files that had these LSNs: what still counts of their
 * records, under their LSNs, so LSNs are missing in it without anything being lost. Those files are void then.
 */
#ifndef RP_INDEX_JOURNAL_H
#define RP_INDEX_JOURNAL_H

#include "index/record.h"
#include "io/file.h"

enum {
	JOURNAL_FILE_BYTES_MAX = 8 * 1024 * 1024,
	JOURNAL_FILES_MAX = 4096, /* of one user: 32 GiB of changes; compaction keeps them few */
	JOURNAL_VERSION_UNMARKED = 1, /* of older servers: it ends without a mark; nothing is numbered to it any more */
	JOURNAL_VERSION_MERGED = 2,
	JOURNAL_VERSION = 3, /* behind the newest record lies an end mark (journal_mark.h) */
	JOURNAL_VERSION_MAX = JOURNAL_VERSION,
};

struct journal;
struct pending;

/* dir: the volume's directory under DATA, copied. Makes nothing. An empty directory, or none, is an empty journal. Damage in
 * the file in use is reported in the log by file and offset, and costs the records it hits. RP_ERR_CANNOT: of a newer
 * version. */
RP_MUST_USE enum rp_err journal_open(struct task *task, const char *dir, const struct userid *userid,
    uint64_t epoch, struct journal **out);

/* The same for recovery, which knows the places: nothing is read but headers, and nothing may be numbered. */
RP_MUST_USE enum rp_err journal_open_for_recovery(struct task *task, const char *dir,
    const struct userid *userid, uint64_t epoch, struct journal **out);

/* Nothing of it is in use by a task. NULL is fine. */
void journal_close(struct journal *journal);

/* Begin new files at this size, not at JOURNAL_FILE_BYTES_MAX. For tests, which meet several then. */
void journal_set_file_bytes(struct journal *journal, uint64_t bytes);

/* The LSN of the newest record, 0 when empty; the oldest that is there, 0 likewise; and how many bytes lie behind a given
 * LSN, by estimate (for checkpoint decisions). */
uint64_t journal_last_lsn(const struct journal *journal);
uint64_t journal_first_lsn(const struct journal *journal);

/* The epoch in which the newest record was made that was there when it was opened; 0: not known. */
uint64_t journal_last_epoch(const struct journal *journal);
uint64_t journal_bytes_since(const struct journal *journal, uint64_t lsn);

/* For who looks before there has been a recovery: what the commit logs have of this user (borrowed; NULL: nothing) counts as if it were in
 * its place. A replay tells it, and journal_look() does not tell what a recovery will write anew. Nothing may be numbered then. */
void journal_look_ahead(struct journal *journal, struct pending *pending);

/* How many records the last journal_replay() that came to its end has told from the logs alone, and the first of them. */
uint64_t journal_ahead(const struct journal *journal, uint64_t *first);

/* Did the files show, when it was opened, that there may have been records behind the newest one? The end mark is missing or another
 * record's, there are bytes behind it, or no file is in use, or none of that one's records can be read. */
bool journal_end_is_lost(const struct journal *journal);

/* Was this LSN's record taken into a merged file with others behind it? What has the changes up to it, and no more, cannot be
 * brought up by a replay then, but for a table (thin.h). */
bool journal_is_merged_over(const struct journal *journal, uint64_t lsn);

/* Number the next record: its LSN and place in the journal. Part of a change's breath: no suspension, cannot fail.
 * bytes: record_journal_bytes(). */
void journal_number(
    struct journal *journal, uint64_t bytes, uint64_t *lsn, struct record_place *place);

/* LSNs up to this one are taken, whatever the journal says (a catalog may have seen what a damaged journal has lost). */
void journal_number_from(struct journal *journal, uint64_t lsn);

/* The next record that is numbered begins a file of its own: all before can then be removed (a destroyed user's). */
void journal_cut(struct journal *journal);

/* Write settled records at their places, making and sealing files as places ask for. Unflushed. *done: so many of them
 * are written, also when the next one could not be. */
RP_MUST_USE enum rp_err journal_write(struct task *task, struct journal *journal,
    const struct record *const *records, size_t count, size_t *done);

/* Flush the file that was written last. */
RP_MUST_USE enum rp_err journal_sync(struct task *task, struct journal *journal);

/* This record's file cannot be written: it ends before it. The record and all behind it go to a file of their own, in the order
 * and at the distances of their places; the next one that is numbered to another. A file that has nothing else is set aside
 * under another name. RP_ERR_LIMIT: too many files have failed since it was opened. */
RP_MUST_USE enum rp_err journal_give_up(
    struct task *task, struct journal *journal, const struct record *record);

/* The files that should have the name of a sealed one, as the next is there, get it: a power cut may have lost it, and one that failed
 * in a recovery has another's. One that cannot be renamed is left for the next time. Nobody writes to it meanwhile. */
void journal_seal(struct task *task, struct journal *journal);

/* Of the files whose headers are known and have been lost on the disk, both copies, they are written again. The error of one keeps no
 * other from it, but where the disk may be away. Nobody depends on it. */
RP_MUST_USE enum rp_err journal_keep_headers(struct task *task, struct journal *journal);

/* Remove the files whose records all have LSNs below this one. The file in use stays. */
RP_MUST_USE enum rp_err journal_remove_below(
    struct task *task, struct journal *journal, uint64_t lsn);

/* Call fn for each record with LSN > since, in order; a record fn gets is good during the call, in which fn may suspend
 * (a mailbox's pages are loaded) and changes may be numbered and settled. fn's error ends it.
 * Gaps (damage) are reported by calling fn with record == NULL and the LSNs that are missing. What is numbered but not
 * written yet is not met. */
typedef enum rp_err journal_replay_fn(struct task *task,
    void *arg, const struct record *record, uint64_t missing_first, uint64_t missing_last);
RP_MUST_USE enum rp_err journal_replay(struct task *task, struct journal *journal, uint64_t since,
    journal_replay_fn *fn, void *arg);

/* Between these no merge takes the place of files: for who replays piece by piece, and keeps parts of a change in between. */
void journal_hold(struct journal *journal);
void journal_let_go(struct journal *journal);

/* How many places the last journal_replay() that came to its end has met that bear no sound record. Behind the newest record no
 * gap in the LSNs tells of them. */
uint64_t journal_damaged(const struct journal *journal);

#endif
