/* table.h -- one mailbox's messages in memory: rows in UID order, in groups of columns and bitmaps.
 *
 * The base is an .index file (read small, mapped large, checked per column at first touch); what
 * was appended or changed since lies in memory or in copied pages until the next checkpoint. UIDs,
 * live bits and flags are always in memory; only columns may be cold.
 *
 *     prepare (may suspend: loads columns, reserves memory)  ->  look, decide, apply (one breath,
 * cannot fail)
 *
 * What was prepared holds until the next suspension. Who prepares two things (two tables, an append
 * and flags) asks again with task == NULL, which never suspends: RP_ERR_BUSY: it is not prepared
 * any more, start over. Replay uses the same calls.
 *
 * A table can be freed while a task is suspended in it (checkpoint): it then lives until that task
 * leaves, and the call says RP_ERR_BUSY: take mailbox->table again. After any suspension the table
 * is asked of the mailbox anew.
 *
 * A row that is expunged keeps its columns and flags until the next checkpoint, or longer while a
 * view lists it.
 */
#ifndef RP_INDEX_TABLE_H
#define RP_INDEX_TABLE_H

#include "index/dbox/dbox.h"
#include "index/mailbox.h"

struct table;

enum {
	TABLE_SYSTEM_FLAGS =
	    5, /* flag numbers 0..4: 1 << flag is of enum mail_flag; 5 + k: keyword k */
	TABLE_HISTORY_MAX =
	    16384, /* entries of the expunge history, 16 bytes each: memory of a mailbox */
	TABLE_ROWS_MAX = 1 << 28, /* row arithmetic in 32 bits; a file that says more is corrupt */
};

/* All that stands in the columns of one message. */
struct table_row {
	uint32_t uid;
	uint32_t flags;
	const uint16_t *
	    keywords; /* keywords_count keyword indexes; of table_row(): good until its next call */
	size_t keywords_count;
	uint64_t modseq;
	struct mail_date internaldate;
	struct mail_date sent;
	uint32_t rfc822_size_bytes;
	uint32_t savedate_s;
	struct dbox_ref body;
	uint32_t cache_offset; /* in units of 8 bytes in the cache file; 0: none */
	uint64_t emailid;
	uint64_t threadid;
};

/* An empty table; or the one in an index file (content checked; RP_ERR_CORRUPT, RP_ERR_NOTFOUND:
 * rebuild it). lsn: the file has all changes up to this one. table_free: the owner lets go; NULL is
 * fine. A checkpoint's fresh table takes its place with view_news_table(). */
RP_MUST_USE enum rp_err table_new(struct loop *loop, uint64_t mailboxid, struct table **out);
RP_MUST_USE enum rp_err table_open(struct task *task, const char *path, const struct userid *userid,
    uint64_t mailboxid, struct table **out, uint64_t *lsn);
void table_free(struct table *table);

/* Checkpoint: fresh (opened, replayed) takes the place of old, in the breath in which the mailbox
 * takes it: what walks over old finds its place in fresh. Then view_news_table(), then
 * table_free(old). */
void table_succeed(struct table *fresh, struct table *old);

/* Memory: own, and pages of the file that were changed. */
size_t table_bytes(const struct table *table);

/* A column did not match its checksum, or a page was lost: what was read since may be wrong. Ask
 * before anything is committed, and after RP_ERR_CORRUPT; then rebuild. */
bool table_is_bad(const struct table *table);

/* What is to be appended. */
struct table_room {
	uint32_t first_uid;
	uint32_t last_uid;
	size_t rows;         /* messages between them */
	size_t flags_on;     /* different flags and keywords, new ones too, that any of them has; an
	                        upper bound will do */
	size_t new_keywords; /* names that table_keyword() may have to make */
};

/* Prepare: an append; changes of flags (flags_on: as above, those to be turned on; turning off
 * needs no count; also loads the modseq column); an expunge; reading or changing any column of
 * these messages. uids may name what is not there. RP_ERR_NOMEM, RP_ERR_LIMIT (rows),
 * RP_ERR_CORRUPT, RP_ERR_BUSY, RP_ERR_CANCELED. */
RP_MUST_USE enum rp_err table_prepare_append(
    struct task *task, struct table *table, const struct table_room *room);
RP_MUST_USE enum rp_err table_prepare_flags(struct task *task, struct table *table,
    const struct runs *uids, size_t flags_on, size_t new_keywords);
RP_MUST_USE enum rp_err table_prepare_expunge(
    struct task *task, struct table *table, const struct runs *uids);
/* And table_expunge_unmet() of the same. */
RP_MUST_USE enum rp_err table_prepare_expunge_unmet(
    struct task *task, struct table *table, const struct runs *uids);
RP_MUST_USE enum rp_err table_prepare_rows(
    struct task *task, struct table *table, const struct runs *uids);

/* Keywords: index of a name (A-Z like a-z), made if need be (room was prepared); where there are MAILBOX_KEYWORDS_MAX in the place of
 * one that no live message has. UINT16_MAX: none when !make; or it is too long, or all are in use. Names are good until the next
 * one is made. */
uint16_t table_keyword(struct table *table, struct bytes name, bool make);
unsigned table_keywords_count(const struct table *table);
struct bytes table_keyword_name(const struct table *table, unsigned index);

/* Can messages have these keywords, beside those that live messages have? In one breath: begin, add each (different ones, also such
 * as are there), ask. Of a table that tasks are suspended in no name is given up. */
enum { TABLE_KEYWORD_WORDS = (MAILBOX_KEYWORDS_MAX + 63) / 64 };
struct table_naming {
	const struct table *table;
	uint64_t used[TABLE_KEYWORD_WORDS]; /* keywords that live messages have */
	size_t in_use;                      /* of these, and afterwards */
	size_t made;                        /* names that are not there yet */
};
void table_naming_begin(struct table_naming *naming, const struct table *table);
void table_naming_add(struct table_naming *naming, struct bytes name);
bool table_naming_fits(const struct table_naming *naming);

/* Grows when a name is made; from one table of a mailbox to the next only if they have others. */
uint64_t table_names_version(const struct table *table);

/* A replay met a keyword that had no room. */
void table_set_overfull(struct table *table);
bool table_is_overfull(const struct table *table);

/* Apply. Idempotent by UID: a row that is there is overwritten (and live again), a UID not there is
 * passed over. An append below the greatest UID ever that finds no row is passed over too: it was
 * expunged and its row closed up. Live rows only, but for table_set_cache_offset and
 * table_set_body. */
void table_append(struct table *table, const struct table_row *row);
void table_set_flag(struct table *table, const struct runs *uids, unsigned flag, bool on);
void table_set_modseq(struct table *table, const struct runs *uids, uint64_t modseq);
/* The same for a change that is more than one record, of which the first has first_modseq. */
void table_set_modseq_of(
    struct table *table, const struct runs *uids, uint64_t first_modseq, uint64_t modseq);
void table_expunge(struct table *table, const struct runs *uids, uint64_t modseq);

/* Replay, behind table_expunge() of the same: those that never were in this table, for a merge has left them out, were there
 * once: in the history, and not to come again. */
void table_expunge_unmet(struct table *table, const struct runs *uids, uint64_t modseq);
void table_set_cache_offset(struct table *table, uint32_t uid, uint32_t cache_offset);
void table_set_body(struct table *table, uint32_t uid, struct dbox_ref body);

/* What sessions know a table by, when it is given up and read again: no change between. */
struct table_state {
	uint64_t version;
	uint64_t modseq;
	uint64_t flags_modseq;
	uint64_t flags_modseq_before;
	uint64_t names_version;
	uint64_t names; /* a hash of them */
};
/* Is a task suspended in it? */
bool table_is_held(const struct table *table);

struct table_state table_state(const struct table *table);
void table_set_state(struct table *fresh, const struct table_state *state);

/* The index file that is written next names no cache entries: they are to go. */
void table_leave_cache(struct table *table);

/* It names none from this place on: they are not in the cache's file. */
void table_cut_cache(struct table *table, uint32_t end);

/* Look. Live messages only, unless said. */
uint32_t table_count(const struct table *table);
uint32_t table_last_uid(
    const struct table *table); /* the greatest that ever was, expunged ones too; 0: none */
uint64_t table_modseq(const struct table *table); /* the greatest applied; 0: none */
/* The farthest cache entry that any row names, in units of 8 bytes; 0: none. All rows are prepared. */
uint32_t table_cache_last(const struct table *table);
bool table_has(const struct table *table, uint32_t uid, bool expunged_too);

/* The least UID >= uid that is there; 0: none. */
uint32_t table_uid_from(const struct table *table, uint32_t uid, bool expunged_too);

/* Flags (enum mail_flag) of a message, expunged or not; 0 too if it is not there. */
uint32_t table_flags(const struct table *table, uint32_t uid);

/* One message; expunged may be NULL. RP_ERR_NOTFOUND. With task == NULL its columns must be loaded:
 * RP_ERR_BUSY. */
RP_MUST_USE enum rp_err table_row(struct task *task, struct table *table, uint32_t uid,
    bool expunged_too, struct table_row *row, bool *expunged);

/* Of the UIDs in the set (NULL: of all): those that are there; that have the flag on, or off; whose
 * MODSEQ is greater. Added to out, exact. task NULL: in a change's breath; the last one then needs
 * table_prepare_flags() of these UIDs. RP_ERR_NOMEM: out may have got a part. */
RP_MUST_USE enum rp_err table_having(
    struct task *task, struct table *table, const struct runs *uids, struct runs *out);
RP_MUST_USE enum rp_err table_having_flag(struct task *task, struct table *table,
    const struct runs *uids, unsigned flag, bool on, struct runs *out);
RP_MUST_USE enum rp_err table_having_modseq_above(struct task *task, struct table *table,
    const struct runs *uids, uint64_t modseq, struct runs *out);

/* How many of the UIDs in the set (NULL: all) are there. */
uint32_t table_count_of(const struct table *table, const struct runs *uids);

/* Counters by looking at all summaries: what the catalog must say. */
struct table_counts {
	uint32_t messages;
	uint32_t unseen;
	uint32_t deleted;
	uint64_t bytes;
};
void table_counts(const struct table *table, struct table_counts *out);

/* Expunge history: UIDs expunged with modseq > since, added to out; runs may cover UIDs that never
 * were, none that is there. *complete false: the history does not go back so far; out is untouched.
 */
RP_MUST_USE enum rp_err table_expunged_since(
    const struct table *table, uint64_t since, struct runs *out, bool *complete);

/* Each message's body: live ones, and the expunged ones in `listed` (may be NULL). fn does not suspend. RP_ERR_BUSY: the table was
 * replaced meanwhile: start over. Rows that are appended meanwhile may be met or not. */
typedef enum rp_err table_body_fn(
    void *arg, uint32_t uid, struct dbox_ref body, uint64_t emailid, uint32_t size_bytes);
RP_MUST_USE enum rp_err table_bodies(struct task *task, struct table *table,
    const struct runs *listed, table_body_fn *fn, void *arg);

/* The history is known only for changes after this modseq (damage, a restored volume). */
void table_forget_history(struct table *table, uint64_t modseq);

/* Replay: records are lost, behind what it has met and before what it will meet. That it has a greater UID later does not mean that it has
 * heard of those that the lost ones gave. So it is told in its index files too, for good: till a repair. table_heard_uid: up to this
 * UID nothing can be missing but what became of a message; UINT32_MAX: nothing is lost. */
void table_note_loss(struct table *table);
uint32_t table_heard_uid(const struct table *table);

/* Write a whole new index file, in slices, unflushed. Rows close up but for the expunged ones in
 * `listed` (view_listed(); may be NULL; not used after the first suspension). A fuzzy copy: which
 * rows, UIDs, history are there is decided before the first suspension, flags and columns may be
 * newer; so call it in the breath in which `lsn`, the last change applied, is read, and wait until
 * all that was applied when it returns is durable before the file is used. On an error no file is
 * left. RP_ERR_BUSY: the table was replaced. */
RP_MUST_USE enum rp_err table_write(struct task *task, struct table *table, const char *path,
    const struct userid *userid, uint64_t epoch, uint64_t lsn, const struct runs *listed);

#endif
