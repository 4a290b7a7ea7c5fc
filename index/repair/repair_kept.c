/* What was expunged, and is kept for undelete, where the journal is damaged: known_keep() of repair_core.h.
 *
 * When a message was expunged a record alone tells; where that is lost the message is not kept. How it was its own record tells, and
 * where that one is lost its body, and what other records tell of its flags.
 */
#include <stdlib.h>

#include "index/kept_read.h"
#include "index/repair/repair_core.h"
#include "io/base/clock.h"

/* The name of a mailbox that is no more stands with what is kept of it. Of its end the record may be lost. */
static void note_gone(struct known *known)
{
	const struct catalog *catalog = &known->repair->volume->catalog;

	for (size_t i = 0; i < known->kept.mailboxes_count; i++)
		if (catalog_by_id(catalog, known->kept.mailbox[i].mailboxid) == NULL)
			known->kept.mailbox[i].gone = true;
}

/* Of two copies (a file was about to be emptied) the first is taken. */
static enum rp_err take_bodies(struct task *task, struct known *known)
{
	bool any = false;
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < known->found_count; i++) {
		const struct dbox_found *found = &known->found[i];
		uint64_t mailboxid = found->message.mailboxid;
		struct change_row row;

		if (!found->sound || found->message.uid == 0 ||
		    !kept_lacks(&known->kept, mailboxid, found->message.uid))
			continue;
		err = bodies_row(task, known, found, found->message.uid, &row);
		if (err == RP_OK)
			err = kept_add(&known->kept, mailboxid, &row);
		any = true;
	}
	if (err == RP_OK)
		err = kept_end(task, &known->kept);
	if (err == RP_OK && any)
		err = kept_read_flags(task, known->repair->volume, &known->kept);
	return err;
}

/* What the journal tells of them, with the bodies where they are by now. */
static void find_moved(struct known *known)
{
	for (size_t i = 0; i < known->kept.mailboxes_count; i++) {
		const struct kept_rows *rows = &known->kept.mailbox[i].rows;

		for (size_t k = 0; k < rows->count; k++) {
			struct change_row *row = &kept_row_at(rows, k)->row;

			(void)bodies_moved(known, row->emailid, row->rfc822_size_bytes, &row->body);
		}
	}
}

/* ---- a MOVE that has lost some of its records ---- */

static int by_emailid(const void *a, const void *b)
{
	const struct known_moved *x = a;
	const struct known_moved *y = b;

	return (x->emailid > y->emailid) - (x->emailid < y->emailid);
}

struct thinning {
	const struct known *known;
	uint64_t mailboxid;
	uint64_t seconds; /* of those that left by such */
};

/* Did a record that is left put it elsewhere? */
static bool has_arrived(const struct known *known, uint64_t mailboxid, uint64_t emailid)
{
	size_t low = 0;
	size_t high = known->moved_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (known->moved[middle].emailid < emailid)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < known->moved_count && known->moved[low].emailid == emailid; low++)
		if (known->moved[low].mailboxid != mailboxid)
			return true;
	return false;
}

static bool is_kept(void *arg, const struct kept_row *row)
{
	const struct thinning *thinning = arg;
	const struct known *known = thinning->known;
	const struct catalog_node *node = catalog_by_id(&known->repair->volume->catalog, thinning->mailboxid);

	if (row->seconds != thinning->seconds)
		return true;
	if (has_arrived(known, thinning->mailboxid, row->row.emailid))
		return false;
	repair_say_body(known->repair, thinning->mailboxid, node != NULL ? node->entry.name : bytes_of("", 0), row->row.uid,
	    row->row.body, "the record of where it was moved to is lost: undelete offers it");
	return true;
}

struct arriving {
	struct known *known;
	uint64_t mailboxid;
};

static enum rp_err note_arrived(
    void *arg, uint32_t uid, struct dbox_ref body, uint64_t emailid, uint32_t size_bytes)
{
	const struct arriving *arriving = arg;

	(void)uid;
	(void)body;
	(void)size_bytes;
	return known_push_moved(arriving->known, (struct known_moved){ emailid, arriving->mailboxid });
}

/* What is there an index may have told. */
static enum rp_err note_table(
    struct task *task, void *arg, uint64_t mailboxid, const struct known_table *of)
{
	struct arriving arriving = { arg, mailboxid };

	return table_bodies(task, of->table, NULL, note_arrived, &arriving);
}

static enum rp_err has_lost_moves(
    struct task *task, const struct known *known, uint64_t seconds, bool *has)
{
	enum rp_err err = RP_OK;

	*has = false;
	for (size_t i = 0; !*has && i < known->kept.mailboxes_count; i++) {
		const struct kept_rows *rows = &known->kept.mailbox[i].rows;

		for (size_t k = 0; err == RP_OK && !*has && k < rows->count; k++) {
			*has = kept_row_at(rows, k)->seconds == seconds;
			err = k % KEPT_PIECE_ROWS == 0 ? task_pause(task) : RP_OK;
		}
	}
	return err;
}

/* The others are where they were moved to. */
static enum rp_err thin_moved(struct task *task, struct known *known, uint64_t seconds)
{
	bool has;
	enum rp_err err = has_lost_moves(task, known, seconds, &has);

	if (err != RP_OK || !has)
		return err;
	err = known_each_table(task, known, note_table, known);
	if (err == RP_OK && known->moved_count > 0)
		qsort(known->moved, known->moved_count, sizeof(*known->moved), by_emailid);
	for (size_t i = 0; err == RP_OK && i < known->kept.mailboxes_count; i++) {
		struct kept_mailbox *mailbox = &known->kept.mailbox[i];
		struct thinning thinning = { known, mailbox->mailboxid, seconds };

		err = kept_thin(task, &known->kept, mailbox, is_kept, &thinning);
	}
	return err;
}

enum rp_err known_keep(struct task *task, struct known *known)
{
	uint64_t seconds = loop_wall_ns(task_loop(task)) / CLOCK_NS_PER_S + 1; /* no other was expunged then */
	enum rp_err err = kept_read_lost(task, known->repair->volume, seconds, &known->kept);

	if (err == RP_OK) {
		note_gone(known);
		find_moved(known);
		err = take_bodies(task, known);
	}
	if (err == RP_OK)
		err = thin_moved(task, known, seconds);
	if (err != RP_ERR_LIMIT) /* of too many messages the oldest are let go; keywords are too many by damage alone */
		return err;
	repair_say(known->repair, "what is kept for undelete has more keywords than can be: nothing of it is kept");
	kept_fini(task, &known->kept);
	return RP_OK;
}
