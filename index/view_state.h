/* view_state.h -- what a view is inside: shared by view.c, view_cursor.c and msgset.c. */
#ifndef RP_INDEX_VIEW_STATE_H
#define RP_INDEX_VIEW_STATE_H

#include <assert.h>

#include "index/group.h"
#include "index/mailbox_state.h"
#include "index/view.h"

enum {
	VIEW_RUNS_MAX = VIEW_UNANNOUNCED_BYTES_MAX / sizeof(struct run),
	VIEW_KNOWN_MAX =
	    256, /* own silent changes among others' untold ones; beyond they are told needlessly */
};

/* A change the session made itself. */
struct view_known {
	uint64_t modseq;
	struct run uids;
};

struct view {
	struct list link; /* in mailbox->views */
	struct mailbox *mailbox;
	struct watch *watch;
	uint64_t version;     /* grows with every change of the view */
	uint32_t uid_max;     /* messages up to this one are told of */
	uint32_t exists;      /* == live ones up to uid_max + unannounced ones, unless overrun */
	struct runs expunged; /* unannounced; none is live */
	uint32_t *expunged_before; /* per run, and one more: how many UIDs lie in the runs before */
	size_t own_runs;           /* of them were added by the session itself, and do not count */
	bool own;                  /* view_own_expunges() */
	bool overrun;
	bool resting;              /* view_rest() */
	/* Flags are told up to a MODSEQ; those of messages that were let in since, which have a UID
	 * > told_uid, to another. */
	uint64_t told_modseq;
	uint64_t told_new_modseq;
	uint32_t told_uid;
	uint64_t taking_modseq; /* what view_take_flags() makes of them */
	uint32_t taking_uid;
	struct view_known *known; /* view_told_flags(); NULL: none, which is mostly so */
	unsigned known_count;
	unsigned known_room;
	uint64_t names_told; /* table_names_version() */
	uint64_t keywords[GROUP_KEYWORD_WORDS]; /* what a cursor lends */
};

/* Each idle connection with a selected mailbox has one. */
static_assert(sizeof(struct view) <= 384, "what a view rarely needs is not in it");

/* The session is to end: its seqnos cannot be kept right any more. */
void view_overrun(struct view *view);

/* None is unannounced any more: the memory goes back. */
void view_drop_expunged(struct view *view);

/* How many unannounced UIDs are less than this one. */
uint32_t view_expunged_before(const struct view *view, uint32_t uid);

/* Has the session been told of this state of the message? */
bool view_knows(const struct view *view, uint32_t uid, uint64_t modseq);

/* Rows of the mailbox's table that the view can show: [0, this). */
uint32_t view_rows(const struct view *view, const struct table *table);

/* Of a word of 64 rows: those in the view. *listed: some unannounced UID lies between its UIDs. */
uint64_t view_word(
    const struct view *view, const struct table *table, uint32_t word, uint32_t rows, bool *listed);

#endif
