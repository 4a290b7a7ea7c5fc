/* msgset.h -- a set of messages of one view, as bitmaps: what every SEARCH key yields.
 *
 * A set stays right after any change: it names the messages that it had when it was made, and sets
 * made at different times can be combined. New messages are let in by view_take_exists() alone, so
 * the sets of one command are over the same messages; flags may have changed between two keys, as
 * in any SEARCH.
 */
#ifndef RP_INDEX_MSGSET_H
#define RP_INDEX_MSGSET_H

#include "index/view.h"

struct msgset;

enum msgset_column {
	MSGSET_INTERNALDATE, /* compared by its date in its own zone, as days since 1970 */
	MSGSET_SENT,         /* likewise */
	MSGSET_SIZE,
	MSGSET_MODSEQ,
	MSGSET_SAVEDATE,             /* seconds */
	MSGSET_INTERNALDATE_SECONDS, /* the moment itself, for OLDER and YOUNGER */
};

/* All, none; with one flag (any group's pages are loaded first: these suspend). */
RP_MUST_USE enum rp_err msgset_all(struct task *task, struct view *view, struct msgset **out);
RP_MUST_USE enum rp_err msgset_none(struct task *task, struct view *view, struct msgset **out);
RP_MUST_USE enum rp_err msgset_flag(
    struct task *task, struct view *view, uint32_t flag, struct msgset **out);
RP_MUST_USE enum rp_err msgset_keyword(
    struct task *task, struct view *view, struct bytes keyword, struct msgset **out);
RP_MUST_USE enum rp_err msgset_uids(
    struct task *task, struct view *view, const struct runs *uids, struct msgset **out);

/* Messages whose column lies in [least, greatest]. */
RP_MUST_USE enum rp_err msgset_range(struct task *task, struct view *view,
    enum msgset_column column, int64_t least, int64_t greatest, struct msgset **out);

/* a becomes the result; b is unchanged, and of the same view. Not: of all that is in the view. */
void msgset_and(struct msgset *a, const struct msgset *b);
void msgset_or(struct msgset *a, const struct msgset *b);
void msgset_not(struct msgset *a);
void msgset_free(struct msgset *set); /* NULL is fine */

uint32_t msgset_count(const struct msgset *set);
bool msgset_has(const struct msgset *set, uint32_t uid);
void msgset_remove(struct msgset *set, uint32_t uid);

/* The UIDs, or the seqnos, of the set as runs; ascending. */
RP_MUST_USE enum rp_err msgset_uids_of(const struct msgset *set, struct runs *uids);
RP_MUST_USE enum rp_err msgset_seqnos_of(const struct msgset *set, struct runs *seqnos);

/* Least and greatest UID; 0: empty. The greatest MODSEQ of its messages. */
uint32_t msgset_first(const struct msgset *set);
uint32_t msgset_last(const struct msgset *set);
RP_MUST_USE enum rp_err msgset_highest_modseq(
    struct task *task, const struct msgset *set, uint64_t *modseq);

#endif
