/* table.h -- one mailbox's messages in memory: rows in UID order, in groups of columns and bitmaps.
 *
 * The base is an .index file (read small, mapped large, checked per column at first touch); what was appended or changed
 * since lies in pool memory or in copied pages until the next checkpoint. Applying a change here cannot fail and does not
 * suspend: table_prepare_* has reserved the memory and loaded the pages before. Replay uses the same calls.
 *
 * A row that is expunged keeps its columns until the next checkpoint, or longer while a view lists it.
 */
#ifndef RP_INDEX_TABLE_H
#define RP_INDEX_TABLE_H

#include "index/dbox/dbox.h"
#include "index/mailbox.h"

struct table;

/* All that stands in the columns of one message. */
struct table_row {
	uint32_t uid;
	uint32_t flags;
	const uint16_t *keywords; /* keywords_count keyword indexes */
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

/* An empty table; or the one in an index file (content checked; RP_ERR_CORRUPT, RP_ERR_NOTFOUND: rebuild it). lsn: the
 * file has all changes up to this one. */
RP_MUST_USE enum rp_err table_new(struct loop *loop, uint64_t mailboxid, struct table **out);
RP_MUST_USE enum rp_err table_open(struct task *task, const char *path, const struct userid *userid,
    uint64_t mailboxid, struct table **out, uint64_t *lsn);
void table_free(struct table *table);
size_t table_bytes(const struct table *table); /* memory: own and dirtied */

/* Memory and pages for changes to come; suspends. After it, the apply functions below cannot fail until the next
 * suspension. */
RP_MUST_USE enum rp_err table_prepare_append(
    struct task *task, struct table *table, size_t rows, size_t new_keywords);
RP_MUST_USE enum rp_err table_prepare_flags(
    struct task *task, struct table *table, const struct runs *uids, size_t new_keywords);

/* Keywords: index of a name, made if need be (room was prepared); UINT16_MAX: none, when !make. */
uint16_t table_keyword(struct table *table, struct bytes name, bool make);
unsigned table_keywords_count(const struct table *table);
struct bytes table_keyword_name(const struct table *table, unsigned index);

/* Apply. Idempotent by UID: a row that is there is overwritten, a UID not there is passed over. flag: 0..4 a system flag
 * (1 << flag of enum mail_flag), 5 + k keyword k. */
void table_append(struct table *table, const struct table_row *row);
void table_set_flag(struct table *table, const struct runs *uids, unsigned flag, bool on);
void table_set_modseq(struct table *table, const struct runs *uids, uint64_t modseq);
void table_expunge(struct table *table, const struct runs *uids, uint64_t modseq);
void table_set_cache_offset(struct table *table, uint32_t uid, uint32_t cache_offset);
void table_set_body(struct table *table, uint32_t uid, struct dbox_ref body);

/* Look. Live messages only, unless said. task NULL: in a change's breath, after table_prepare_flags() of these UIDs; does not
 * suspend, and fails only with RP_ERR_NOMEM. */
uint32_t table_count(const struct table *table);
uint32_t table_last_uid(const struct table *table);
RP_MUST_USE enum rp_err table_row(struct task *task, struct table *table, uint32_t uid,
    bool expunged_too, struct table_row *row, bool *expunged);
/* Of the UIDs in the set: those that are there; have the flag on (or off). Adds to out. */
RP_MUST_USE enum rp_err table_having(struct task *task, struct table *table, const struct runs *uids,
    struct runs *out);
RP_MUST_USE enum rp_err table_having_flag(struct task *task, struct table *table,
    const struct runs *uids, unsigned flag, bool on, struct runs *out);
RP_MUST_USE enum rp_err table_having_modseq_above(struct task *task, struct table *table,
    const struct runs *uids, uint64_t modseq, struct runs *out);

/* Counters by looking at all summaries: what the catalog must say. */
struct table_counts {
	uint32_t messages;
	uint32_t unseen;
	uint32_t deleted;
	uint64_t bytes;
};
void table_counts(const struct table *table, struct table_counts *out);

/* Expunge history: runs expunged with modseq > since, added to out; false: the history does not go back so far. */
RP_MUST_USE enum rp_err table_expunged_since(
    const struct table *table, uint64_t since, struct runs *out, bool *complete);

/* Rows that a view lists must not close up: counted holds by view.c. */
void table_hold_rows(struct table *table);
void table_release_rows(struct table *table);

/* Write a whole new index file (closing rows up unless held), in slices, unflushed. A fuzzy copy: changes may be applied
 * meanwhile. lsn: what is surely in it. */
RP_MUST_USE enum rp_err table_write(struct task *task, struct table *table, const char *path,
    const struct userid *userid, uint64_t epoch, uint64_t lsn);

#endif
