/* Which large bodies are messages of which all records are lost: large_*() of repair_core.h.
 *
 * A large body is on disk before its message has a UID, so it has none. It may be a message, or what a broken upload has left, or one
 * that was expunged so long ago that no record tells of it any more. What is known of it is its EMAILID, its mailbox and its place:
 *
 *   - whoever names its EMAILID has told what became of it. A COPY says so of the copy alone.
 *   - the records of what lies in a file before a place that they name had come by then: if no record was missing, it was told. Of places
 *     in other files this says nothing, as a large one waits for no other. In a merged journal records are not in the order in
 *     which they came.
 *   - in its mailbox a UID must have been given out of which no record tells, and its index has not heard.
 *
 * Where it stays open, rather a message too many than one too few. Not known: an upload of several in one command that was under way
 * while others wrote into the same files, and whose record alone is lost.
 */
#include <stdlib.h>

#include "index/dbox/dbox.h"
#include "index/journal.h"
#include "index/repair/repair_core.h"
#include "index/volume_state.h"
#include "io/base/num.h"

/* The newest four take mail, and each upload that is under way has one for itself: older ones had nothing new. */
enum { FILES_IN_USE = 32 };

void large_fini(struct known_large *large)
{
	free(large->named);
	free(large->far);
	free(large->box);
}

static enum rp_err add_named(struct known_large *large, uint64_t emailid, uint64_t mailboxid)
{
	struct large_named *p = known_grow(large->named, large->named_count, &large->named_max, sizeof(*p));

	if (p == NULL)
		return RP_ERR_NOMEM;
	large->named = p;
	p[large->named_count++] = (struct large_named){ emailid, mailboxid };
	return RP_OK;
}

/* mailboxid 0: whoever it belongs to. */
static enum rp_err add_far(struct known_large *large, uint64_t mailboxid, struct dbox_ref ref)
{
	struct large_far *last = large->far_count > 0 ? &large->far[large->far_count - 1] : NULL;
	struct large_far *p;

	if (last != NULL && last->mailboxid == mailboxid && last->file == ref.file) {
		last->offset = (uint32_t)num_max(last->offset, ref.offset);
		return RP_OK;
	}
	p = known_grow(large->far, large->far_count, &large->far_max, sizeof(*p));
	if (p == NULL)
		return RP_ERR_NOMEM;
	large->far = p;
	p[large->far_count++] = (struct large_far){ mailboxid, ref.file, ref.offset };
	return RP_OK;
}

/* By mailbox; where it would stand. */
static size_t box_at(const struct known_large *large, uint64_t mailboxid)
{
	size_t low = 0;
	size_t high = large->box_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (large->box[middle].mailboxid < mailboxid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The one of this mailbox; a new one has had no UID. NULL: no memory. */
static struct large_box *box_of(struct known_large *large, uint64_t mailboxid)
{
	size_t at = box_at(large, mailboxid);
	struct large_box *p;

	if (at < large->box_count && large->box[at].mailboxid == mailboxid)
		return &large->box[at];
	p = known_grow(large->box, large->box_count, &large->box_max, sizeof(*p));
	if (p == NULL)
		return NULL;
	large->box = p;
	for (size_t i = large->box_count++; i > at; i--)
		p[i] = p[i - 1];
	p[at] = (struct large_box){ .mailboxid = mailboxid, .uidnext = 1 };
	return &p[at];
}

/* A record tells that this UID is the next, or is given out by it, and that those from `next` on are not given out yet. */
static enum rp_err note_uids(struct known_large *large, uint64_t mailboxid, uint32_t uid, uint32_t next)
{
	struct large_box *box = box_of(large, mailboxid);

	if (box == NULL)
		return RP_ERR_NOMEM;
	if (box->gaps < large->gaps && uid > box->uidnext)
		box->lost_uid = uid - 1;
	box->gaps = large->gaps;
	box->uidnext = (uint32_t)num_max(box->uidnext, next);
	return RP_OK;
}

void large_note_gap(struct known_large *large, uint64_t last, bool merged)
{
	if (large->gaps == 0 && merged)
		large->far_count = 0;
	large->gaps++;
	large->lost_lsn = last;
}

enum rp_err large_note_row(
    struct known_large *large, unsigned change, uint64_t mailboxid, const struct change_row *row)
{
	enum rp_err err = add_named(large, row->emailid, change == CHANGE_COPY ? mailboxid : 0);

	if (err == RP_OK && large->gaps == 0)
		err = add_far(large, 0, row->body);
	return err;
}

enum rp_err large_note_item(struct known_large *large, const struct change_item *item)
{
	uint64_t first = (uint64_t)item->rows.row.uid + 1;

	switch (item->type) {
	case CHANGE_ITEM_ROWS:
		return item->rows.left == 0 ? RP_OK
		                            : note_uids(large, item->mailboxid, (uint32_t)num_min(first, UINT32_MAX),
						  (uint32_t)num_min(first + item->rows.left, UINT32_MAX));
	case CHANGE_ITEM_COUNTERS:
		return note_uids(large, item->mailboxid, item->counters.uidnext, item->counters.uidnext);
	case CHANGE_ITEM_BODY:
		return large->gaps == 0 ? add_far(large, 0, item->body) : RP_OK;
	default:
		return RP_OK;
	}
}

struct noting {
	struct known_large *large;
	struct large_box *box;
};

static enum rp_err note_known(
    void *arg, uint32_t uid, struct dbox_ref body, uint64_t emailid, uint32_t size_bytes)
{
	struct noting *noting = arg;
	enum rp_err err = add_named(noting->large, emailid, noting->box->mailboxid);

	(void)size_bytes;
	if (err == RP_OK && uid <= noting->box->index_last)
		err = add_far(noting->large, noting->box->mailboxid, body);
	return err;
}

enum rp_err large_note_table(
    struct task *task, struct known_large *large, uint64_t mailboxid, const struct known_table *of)
{
	struct noting noting = { large, box_of(large, mailboxid) };

	if (noting.box == NULL)
		return RP_ERR_NOMEM;
	noting.box->index_last = of->index_last;
	noting.box->index_lsn = of->index_lsn;
	return table_bodies(task, of->table, NULL, note_known, &noting);
}

static int by_emailid(const void *a, const void *b)
{
	const struct large_named *x = a;
	const struct large_named *y = b;

	if (x->emailid != y->emailid)
		return x->emailid < y->emailid ? -1 : 1;
	return (x->mailboxid > y->mailboxid) - (x->mailboxid < y->mailboxid);
}

static int by_file(const void *a, const void *b)
{
	const struct large_far *x = a;
	const struct large_far *y = b;

	if (x->mailboxid != y->mailboxid)
		return x->mailboxid < y->mailboxid ? -1 : 1;
	return (x->file > y->file) - (x->file < y->file);
}

void large_ready(struct known_large *large, const struct dbox *dbox)
{
	uint32_t newest = 0;

	for (size_t i = 0; i < large->far_count; i++)
		if (large->far[i].mailboxid == 0)
			newest = (uint32_t)num_max(newest, large->far[i].file);
	large->first_file = newest;
	for (unsigned i = 1; i < FILES_IN_USE && large->first_file > 0; i++)
		large->first_file = dbox_file_before(dbox, large->first_file);
	if (large->named_count > 0)
		qsort(large->named, large->named_count, sizeof(*large->named), by_emailid);
	if (large->far_count > 0)
		qsort(large->far, large->far_count, sizeof(*large->far), by_file);
}

static bool has_name(const struct known_large *large, uint64_t emailid, uint64_t mailboxid)
{
	struct large_named wanted = { emailid, mailboxid };

	return large->named_count > 0 && bsearch(&wanted, large->named, large->named_count,
					     sizeof(wanted), by_emailid) != NULL;
}

/* Does it lie before one that came when no record was missing? */
static bool is_before_far(const struct known_large *large, uint64_t mailboxid, struct dbox_ref ref)
{
	struct large_far wanted = { mailboxid, ref.file, 0 };
	size_t low = 0;
	size_t high = large->far_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (by_file(&large->far[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < large->far_count && by_file(&large->far[low], &wanted) == 0; low++)
		if (ref.offset <= large->far[low].offset)
			return true;
	return false;
}

/* May one of its UIDs be one of which nothing tells? */
static bool has_unheard(const struct known_large *large, uint64_t mailboxid, bool tail_lost)
{
	size_t at = box_at(large, mailboxid);
	const struct large_box *box = &large->box[at];

	if (tail_lost || at == large->box_count || box->mailboxid != mailboxid)
		return true;
	return box->index_lsn < large->lost_lsn &&
	       (box->gaps < large->gaps || box->lost_uid > box->index_last);
}

bool large_may_be(const struct known_large *large, const struct dbox_found *found, bool tail_lost)
{
	uint64_t mailboxid = found->message.mailboxid;

	return (tail_lost || large->gaps > 0) && found->ref.file >= large->first_file &&
	       !is_before_far(large, 0, found->ref) && !is_before_far(large, mailboxid, found->ref) &&
	       has_unheard(large, mailboxid, tail_lost) &&
	       !has_name(large, found->message.emailid, 0) &&
	       !has_name(large, found->message.emailid, mailboxid);
}
