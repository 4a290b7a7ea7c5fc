/* What is left of a user's mail, held against what there was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "index/checkpoint.h"
#include "index/dbox/dbox.h"
#include "index/mailbox_state.h"
#include "index/view.h"
#include "index/volume_state.h"
#include "tests/sim/damage.h"

struct look {
	const struct ledger *ledger;
	struct volume *volume;
	struct bytes lines;
	bool bodies_alone; /* messages may be there that only their bodies tell of */
	struct damage_loss *loss;
};

/* By its number: of a mailbox whose first record is lost check may know no name yet. */
static bool is_named(const struct look *look, uint64_t mailboxid, uint32_t uid)
{
	struct bytes rest = look->lines;
	char mailbox[64];
	char message[64];

	snprintf(mailbox, sizeof(mailbox), "mailbox %llu (", (unsigned long long)mailboxid);
	snprintf(message, sizeof(message), "), UID %u, ", uid);
	while (rest.n > 0) {
		size_t n = bytes_find(rest, 0, '\n');
		struct bytes line = bytes_slice(rest, 0, n);

		if (line.n > strlen(mailbox) && memcmp(line.p, mailbox, strlen(mailbox)) == 0 &&
		    memmem(line.p, line.n, message, strlen(message)) != NULL)
			return true;
		rest = bytes_from(rest, n < rest.n ? n + 1 : n);
	}
	return false;
}

/* Its own bytes, or an error: never another's. */
static void look_at_body(
    struct task *task, struct look *look, struct mailbox *mailbox, uint32_t uid)
{
	const struct ledger_event *born = ledger_born(look->ledger, mailbox->mailboxid, uid);
	uint8_t *text;
	uint8_t *expected;
	struct dbox_body *body;
	size_t got = 0;
	enum rp_err err = mailbox_body_open(task, mailbox, uid, &body);

	if (born == NULL) {
		if (!look->bodies_alone)
			assert_panic("mailbox %llu, UID %u: it never was",
			    (unsigned long long)mailbox->mailboxid, uid);
		if (err == RP_OK)
			dbox_body_close(body);
		return; /* an upload that was broken off */
	}
	text = malloc(born->bytes + 1);
	expected = malloc(born->bytes + 1);
	MODEL_CHECK(text != NULL && expected != NULL);
	model_body(born->seed, expected, born->bytes);
	if (err == RP_OK) {
		err = dbox_body_read(task, body, 0, text, born->bytes + 1, &got);
		dbox_body_close(body);
	}
	if (err == RP_OK) {
		MODEL_EQ(got, born->bytes);
		MODEL_CHECK(memcmp(text, expected, got) == 0);
		look->loss->served++;
	} else {
		look->loss->bodies_lost++;
		look->loss->bodies_unnamed += !is_named(look, mailbox->mailboxid, uid);
	}
	free(text);
	free(expected);
}

static const struct model_message *message_of(const struct model_mailbox *model, uint32_t uid)
{
	for (size_t i = 0; i < model->count; i++)
		if (model->message[i].uid == uid)
			return &model->message[i];
	return NULL;
}

static void look_at_messages(struct task *task, struct look *look, struct mailbox *mailbox,
    const struct model_mailbox *model)
{
	struct view *view;
	struct view_cursor cursor;
	size_t met = 0;
	enum rp_err err;

	MODEL_EQ(view_open(task, mailbox, NULL, &view), RP_OK);
	view_cursor_init(&cursor, view, NULL);
	while ((err = view_cursor_next(task, &cursor)) == RP_OK) {
		const struct model_message *message = message_of(model, cursor.message.uid);

		if (cursor.message.internaldate.seconds == DAMAGE_CAME_S)
			continue;
		met += message != NULL;
		look->loss->messages_back += message == NULL;
		look->loss->messages_older +=
		    message != NULL && (message->flags != cursor.message.flags ||
		                           message->modseq > cursor.message.modseq);
		look_at_body(task, look, mailbox, cursor.message.uid);
	}
	MODEL_EQ(err, RP_ERR_END);
	look->loss->messages_lost += (unsigned)(model->count - met);
	view_close(view);
}

/* Of a user whose files are all gone, bodies too, nothing tells which UIDVALIDITYs he had; and the clock may have been set back. */
static bool may_be_unknown(const struct volume *volume)
{
	return dbox_last_file(volume->dbox) == 0;
}

static void look_at_mailbox(struct task *task, struct look *look, unsigned name)
{
	const struct model_mailbox *model =
	    &look->ledger->state[look->ledger->durable % LEDGER_STATES].model.mailbox[name];
	const struct catalog_entry *entry =
	    volume_find(look->volume, bytes_of_str(model_name(name)));
	struct mailbox *mailbox;

	if (!model->there)
		return;
	if (entry == NULL || entry->mailboxid != model->mailboxid) {
		look->loss->mailboxes_lost++;
		look->loss->messages_lost += (unsigned)model->count;
		return;
	}
	MODEL_CHECK(entry->uidvalidity >= model->uidvalidity ||
	            may_be_unknown(look->volume));
	look->loss->counters_older +=
	    entry->uidvalidity == model->uidvalidity &&
	    (entry->uidnext < model->uidnext || entry->highestmodseq < model->highestmodseq);
	MODEL_EQ(mailbox_open(task, look->volume, bytes_of_str(model_name(name)), &mailbox), RP_OK);
	look_at_messages(task, look, mailbox, model);
	mailbox_close(mailbox);
}

void damage_look(struct task *task, const struct ledger *ledger, struct volume *volume,
    struct bytes lines, struct damage_loss *loss)
{
	static const char alone[] = "by their bodies alone";
	struct look look = {.ledger = ledger,
	    .volume = volume,
	    .lines = lines,
	    .bodies_alone = memmem(lines.p, lines.n, alone, sizeof(alone) - 1) != NULL,
	    .loss = loss};

	*loss = (struct damage_loss){0};
	for (unsigned i = 0; i < MODEL_NAMES; i++)
		look_at_mailbox(task, &look, i);
}

static void come(struct task *task, struct volume *volume, uint64_t mailboxid)
{
	struct append message = {.internaldate = {DAMAGE_CAME_S, 0}};
	struct mailbox *mailbox;
	uint32_t uid;

	MODEL_EQ(mailbox_open_id(task, volume, mailboxid, &mailbox), RP_OK);
	MODEL_EQ(body_begin(task, volume, &message.body), RP_OK);
	MODEL_EQ(body_write(task, message.body, BYTES_LIT("it came behind the damage\r\n")), RP_OK);
	MODEL_EQ(mailbox_append(task, mailbox, &message, 1, &uid), RP_OK);
	mailbox_close(mailbox);
}

void damage_go_on(struct task *task, struct volume *volume)
{
	uint64_t last = 0;
	enum rp_err err;
	size_t i;

	while ((i = catalog_id_lower(&volume->catalog, last + 1)) < volume->catalog.ids_count) {
		last = volume->catalog.by_id[i]->entry.mailboxid;
		come(task, volume, last);
	}
	while ((err = checkpoint_now(task, volume)) == RP_ERR_BUSY) /* one has begun by itself */
		MODEL_EQ(task_sleep(task, 1000 * 1000), RP_OK);
	MODEL_EQ(err, RP_OK);
}

static uint64_t number_of(struct bytes name)
{
	return XXH3_64bits(name.p, name.n);
}

static void must_not_fall(const struct volume *volume, const struct damage_shown *was,
    const struct catalog_entry *entry)
{
	if (may_be_unknown(volume))
		return;
	if (was->uidvalidity != entry->uidvalidity) {
		if (was->mailboxid == entry->mailboxid && was->name == number_of(entry->name))
			MODEL_CHECK(entry->uidvalidity > was->uidvalidity);
		return;
	}
	MODEL_EQ(was->mailboxid, entry->mailboxid);
	MODEL_CHECK(entry->uidnext >= was->uidnext);
	MODEL_CHECK(entry->highestmodseq >= was->highestmodseq);
}

void damage_shown(struct volume *volume, struct damage_shown_all *all)
{
	const struct catalog_entry *entry = NULL;

	while (
	    (entry = volume_next(volume, entry != NULL ? entry->name : bytes_of_str(""))) != NULL) {
		if (entry->mailboxid == 0)
			continue;
		for (unsigned i = 0; i < all->count; i++)
			must_not_fall(volume, &all->shown[i], entry);
		MODEL_CHECK(all->count < DAMAGE_SHOWN_MAX);
		all->shown[all->count++] = (struct damage_shown){number_of(entry->name),
		    entry->mailboxid, entry->uidvalidity, entry->uidnext, entry->highestmodseq};
	}
}

void damage_shown_promised(const struct ledger *ledger, struct damage_shown_all *all)
{
	const struct model *model = &ledger->state[ledger->durable % LEDGER_STATES].model;

	for (unsigned i = 0; i < MODEL_NAMES; i++) {
		const struct model_mailbox *mailbox = &model->mailbox[i];

		if (!mailbox->there)
			continue;
		MODEL_CHECK(all->count < DAMAGE_SHOWN_MAX);
		all->shown[all->count++] =
		    (struct damage_shown){number_of(bytes_of_str(model_name(i))),
			mailbox->mailboxid, mailbox->uidvalidity, mailbox->uidnext,
			mailbox->highestmodseq};
	}
}

bool damage_is_loss(const struct damage_loss *loss)
{
	return loss->mailboxes_lost + loss->messages_lost + loss->messages_back +
	           loss->messages_older + loss->bodies_lost + loss->counters_older >
	       0;
}
