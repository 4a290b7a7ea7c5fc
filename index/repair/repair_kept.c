/* What was expunged, and is kept for undelete, where the journal is damaged: known_keep() of repair_core.h.
 *
 * When a message was expunged a record alone tells; where that is lost the message is not kept. How it was its own record tells, and
 * where that one is lost its body, and what other records tell of its flags.
 */
#include "index/kept_read.h"
#include "index/repair/repair_core.h"

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

enum rp_err known_keep(struct task *task, struct known *known)
{
	enum rp_err err = kept_read(task, known->repair->volume, NULL, &known->kept);

	if (err == RP_OK) {
		note_gone(known);
		find_moved(known);
		err = take_bodies(task, known);
	}
	if (err != RP_ERR_LIMIT) /* of too many messages the oldest are let go; keywords are too many by damage alone */
		return err;
	repair_say(known->repair, "what is kept for undelete has more keywords than can be: nothing of it is kept");
	kept_fini(task, &known->kept);
	return RP_OK;
}
