/* A body that is damaged, or gone, while a sound copy of it stands elsewhere: repair_point_elsewhere() of repair_core.h.
 *
 * What empties a file of bodies leaves two copies of each that it moves till the file goes: a crash, or who puts files back, may leave them
 * both. An EMAILID is random and a message's own, so a body that has it, with the size, and is sound by its own checksums, has the message's
 * bytes. The record that tells the new place is a compaction's: MODSEQs stay, as nothing changes that a client has seen.
 */
#include <stdlib.h>

#include "index/breath.h"
#include "index/compact.h"
#include "index/mailbox_state.h"
#include "index/repair/repair_core.h"
#include "io/base/runs.h"

enum { POINTED_MAX = 1024 }; /* messages in one change */

/* Messages of one mailbox, by their new places. */
struct pointing {
	struct volume *volume;
	const struct repair_message *message;
	size_t count;
	struct runs uids;
};

/* Of the mailbox, where somebody has it open; NULL: the record alone tells. */
static struct table *loaded_table(const struct pointing *pointing)
{
	const struct catalog_node *node = catalog_by_id(&pointing->volume->catalog, pointing->message->mailboxid);

	return node != NULL && node->loaded != NULL ? node->loaded->table : NULL;
}

static enum rp_err prepare_rows(struct task *task, const struct pointing *pointing)
{
	struct table *table = loaded_table(pointing);

	return table != NULL ? table_prepare_rows(task, table, &pointing->uids) : RP_OK;
}

static enum rp_err point_prepare(struct task *task, void *arg)
{
	const struct pointing *pointing = arg;
	enum rp_err err = RP_ERR_BUSY;

	while (err == RP_ERR_BUSY) {
		err = prepare_rows(task, pointing);
		if (err == RP_OK)
			err = prepare_rows(NULL, pointing);
	}
	return err;
}

static enum rp_err point_write(struct breath *breath, void *arg)
{
	const struct pointing *pointing = arg;

	for (size_t i = 0; i < pointing->count; i++)
		BREATH_PUT(breath, change_put_body(&breath->writer, pointing->message[i].mailboxid,
				       pointing->message[i].uid, pointing->message[i].ref));
	return RP_OK;
}

static void say_pointed(struct repair *repair, const struct pointing *pointing)
{
	const struct catalog_node *node = catalog_by_id(&repair->volume->catalog, pointing->message->mailboxid);

	for (size_t i = 0; i < pointing->count; i++)
		repair_say_body(repair, pointing->message[i].mailboxid, node != NULL ? node->entry.name : bytes_of("", 0),
		    pointing->message[i].uid, pointing->message[i].ref,
		    "its body was damaged, and is taken from a sound copy here");
}

/* Messages of one mailbox, POINTED_MAX at most. */
static enum rp_err point(struct task *task, struct repair *repair, const struct repair_message *message, size_t count)
{
	struct pointing pointing = { repair->volume, message, count, RUNS_EMPTY };
	struct breath_plan plan = { .type = CHANGE_COMPACT,
		.prepare = point_prepare,
		.write = point_write,
		.arg = &pointing };
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < count; i++)
		err = runs_add(&pointing.uids, message[i].uid, message[i].uid);
	if (err == RP_OK)
		err = breath_run(task, repair->volume, &plan);
	if (err == RP_OK)
		say_pointed(repair, &pointing);
	runs_fini(&pointing.uids);
	return err;
}

static enum rp_err point_all(struct task *task, struct repair *repair, const struct repair_lost *found)
{
	enum rp_err err = RP_OK;

	for (size_t at = 0, n; err == RP_OK && at < found->count; at += n) {
		for (n = 1; n < POINTED_MAX && at + n < found->count &&
		     found->message[at + n].mailboxid == found->message[at].mailboxid;)
			n++;
		err = point(task, repair, &found->message[at], n);
	}
	return err;
}

/* Those of the list that have a copy leave it. */
static enum rp_err take_found(struct known *known, struct repair_lost *lost, struct repair_lost *found)
{
	size_t left = 0;
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < lost->count; i++) {
		struct repair_message message = lost->message[i];

		if (bodies_moved(known, message.emailid, message.rfc822_size_bytes, &message.ref))
			err = repair_keep_lost(found, &message);
		else
			lost->message[left++] = message;
	}
	if (err == RP_OK)
		lost->count = left;
	return err;
}

enum rp_err repair_point_elsewhere(struct task *task, struct repair *repair)
{
	struct repair_lost found = { 0 };
	struct repair_lost kept = { 0 };
	struct known known;
	enum rp_err err;

	known_init(&known, repair);
	err = compact_hold(task, repair->volume); /* what is found stays where it is */
	if (err == RP_OK)
		err = bodies_find(task, &known);
	if (err == RP_OK)
		err = take_found(&known, &repair->lost, &found);
	if (err == RP_OK)
		err = take_found(&known, &repair->unkept, &kept);
	known_fini(task, &known);
	if (err == RP_OK)
		err = point_all(task, repair, &found);
	if (err == RP_OK)
		err = point_all(task, repair, &kept);
	compact_let_go(repair->volume);
	repair->report->messages_bodiless -= found.count;
	repair->report->kept_bodiless -= kept.count;
	free(found.message);
	free(kept.message);
	return err;
}
