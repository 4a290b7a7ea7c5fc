/* What a volume shows against the model, and all of it as one number. */
#include <stdio.h>
#include <stdlib.h>

#include <xxhash.h>

#include "index/dbox/dbox.h"
#include "index/mailbox_state.h"
#include "index/volume_state.h"
#include "tests/index/model.h"

static void check_body(
    struct task *task, struct mailbox *mailbox, const struct model_message *message)
{
	uint8_t *expected = malloc(message->bytes + 1);
	uint8_t *found = malloc(message->bytes + 1);
	struct dbox_body *body;
	struct arena arena;
	struct bytes entry;
	char text[64];
	size_t got;

	MODEL_EQ(mailbox_body_open(task, mailbox, message->uid, &body), RP_OK);
	MODEL_EQ(dbox_body_bytes(body), message->bytes);
	MODEL_EQ(dbox_body_read(task, body, 0, found, message->bytes + 1, &got), RP_OK);
	MODEL_EQ(got, message->bytes);
	model_body(message->seed, expected, message->bytes);
	MODEL_CHECK(memcmp(found, expected, message->bytes) == 0);
	free(found);
	free(expected);
	dbox_body_close(body);
	arena_init(&arena, 65536);
	MODEL_EQ(mailbox_cache(task, mailbox, message->uid, &arena, &entry), RP_OK);
	snprintf(text, sizeof(text), "entry of %u bytes", message->bytes);
	MODEL_CHECK(bytes_eq(entry, bytes_of_str(text)));
	arena_fini(&arena);
}

uint32_t model_keywords_of(const struct view_cursor *cursor, const struct mailbox *mailbox)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < mailbox_keywords_count(mailbox); i++) {
		if (i / 64 >= cursor->keyword_words ||
		    (cursor->keywords[i / 64] >> (i % 64) & 1) == 0)
			continue;
		for (unsigned k = 0; k < MODEL_KEYWORDS; k++)
			if (bytes_eq(mailbox_keyword(mailbox, i), bytes_of_str(model_keyword(k))))
				bits |= 1u << k;
	}
	return bits;
}

void model_check_modseq(struct model_message *message, uint64_t modseq, uint64_t highestmodseq)
{
	if (message->modseq == MODEL_UNTOLD) {
		MODEL_CHECK(modseq != 0 && modseq <= highestmodseq);
		message->modseq = modseq;
	}
	MODEL_EQ(modseq, message->modseq);
}

static void check_message(const struct view_cursor *cursor, struct mailbox *mailbox,
    struct model_message *message, uint64_t lsn)
{
	const struct message *found = &cursor->message;

	MODEL_EQ(found->uid, message->uid);
	MODEL_EQ(found->flags, message->flags);
	MODEL_EQ(model_keywords_of(cursor, mailbox), message->keywords);
	MODEL_EQ(found->rfc822_size_bytes, message->bytes);
	MODEL_EQ(found->internaldate.seconds, model_date(message->seed).seconds);
	MODEL_EQ(found->internaldate.zone_min, model_date(message->seed).zone_min);
	MODEL_EQ(found->sent.seconds, model_sent(message->seed).seconds);
	MODEL_EQ(found->sent.zone_min, model_sent(message->seed).zone_min);
	MODEL_EQ(found->threadid, 0); /* nothing gives one yet */
	MODEL_CHECK(found->emailid != 0);
	MODEL_CHECK(found->savedate_s != 0);
	if (message->modseq == MODEL_NEW)
		message->modseq = lsn;
	model_check_modseq(message, found->modseq, lsn);
	if (message->emailid == MODEL_NEW)
		message->emailid = found->emailid;
	MODEL_EQ(found->emailid, message->emailid);
	if (message->savedate_s == MODEL_NEW)
		message->savedate_s = found->savedate_s;
	MODEL_EQ(found->savedate_s, message->savedate_s);
}

static void check_messages(struct task *task, struct volume *volume, unsigned name,
    struct model_mailbox *model, uint64_t lsn, unsigned bodies)
{
	struct mailbox *mailbox;
	struct view *view;
	struct view_cursor cursor;
	size_t n = 0;
	enum rp_err err;

	MODEL_EQ(mailbox_open(task, volume, bytes_of_str(model_name(name)), &mailbox), RP_OK);
	MODEL_EQ(view_open(task, mailbox, NULL, &view), RP_OK);
	MODEL_EQ(view_exists(view), model->count);
	view_cursor_init(&cursor, view, NULL);
	while ((err = view_cursor_next(task, &cursor)) == RP_OK) {
		MODEL_CHECK(n < model->count);
		MODEL_EQ(cursor.seqno, n + 1);
		check_message(&cursor, mailbox, &model->message[n], lsn);
		n++;
	}
	MODEL_EQ(err, RP_ERR_END);
	MODEL_EQ(n, model->count);
	for (size_t i = 0; bodies != 0 && i < n; i += bodies)
		check_body(task, mailbox, &model->message[i]);
	view_close(view);
	mailbox_close(mailbox);
}

static void check_counters(const struct catalog_entry *entry, const struct model_mailbox *model)
{
	uint64_t bytes = 0;
	uint32_t unseen = 0;
	uint32_t deleted = 0;

	for (size_t i = 0; i < model->count; i++) {
		bytes += model->message[i].bytes;
		unseen += (model->message[i].flags & MAIL_SEEN) == 0;
		deleted += (model->message[i].flags & MAIL_DELETED) != 0;
	}
	MODEL_EQ(entry->messages_count, model->count);
	MODEL_EQ(entry->unseen_count, unseen);
	MODEL_EQ(entry->deleted_count, deleted);
	MODEL_EQ(entry->bytes, bytes);
	MODEL_EQ(entry->uidnext, model->uidnext);
}

/* Where many were copied or moved: that of the record that tells of this one. A group's LSNs are adjacent: so many messages in each, then
 * those that left where they were, then the counters, which give the mailbox its HIGHESTMODSEQ. What is before a group tells nothing: parts
 * of one that was given up, what compact notes. */
static uint64_t modseq_in_part(
    const struct volume *volume, const struct model_mailbox *mailbox, uint32_t uid)
{
	uint64_t part = volume->store->settings.transfer_messages_max;
	uint64_t parts = (mailbox->came + part - 1) / part;

	return mailbox->highestmodseq - mailbox->came_moved - parts +
	       (uid - (mailbox->uidnext - mailbox->came)) / part;
}

/* That of the change; or, as who copies or moves counts before he waits for his turn, and then there may be others, that of a part. */
static void learn_modseq(const struct volume *volume, const struct model_mailbox *mailbox,
    struct model_message *message, const struct table_row *row)
{
	bool in_parts = mailbox->came > 0 && volume->store->settings.transfer_messages_max != 0;

	message->modseq = in_parts ? MODEL_UNTOLD : mailbox->highestmodseq;
	if (row == NULL)
		return;
	if (in_parts && row->modseq != mailbox->highestmodseq)
		message->modseq = modseq_in_part(volume, mailbox, message->uid);
	model_check_modseq(message, row->modseq, mailbox->highestmodseq);
}

/* What the change has given it, where the mailbox is in memory: else it is learned when it is met first. */
static void learn_row(const struct volume *volume, const struct model_mailbox *mailbox,
    struct model_message *message)
{
	const struct catalog_node *node = catalog_by_id(&volume->catalog, mailbox->mailboxid);
	struct table_row row;

	if (node->loaded == NULL || node->loaded->table == NULL ||
	    table_row(NULL, node->loaded->table, message->uid, false, &row, NULL) != RP_OK) {
		learn_modseq(volume, mailbox, message, NULL);
		return;
	}
	learn_modseq(volume, mailbox, message, &row);
	if (message->savedate_s == MODEL_NEW)
		message->savedate_s = row.savedate_s;
	if (message->emailid == MODEL_NEW)
		message->emailid = row.emailid;
}

static void learn_rows(const struct volume *volume, struct model_mailbox *mailbox)
{
	for (size_t i = 0; i < mailbox->count; i++)
		if (mailbox->message[i].modseq == MODEL_NEW)
			learn_row(volume, mailbox, &mailbox->message[i]);
	mailbox->came = 0;
	mailbox->came_moved = false;
}

/* What only the volume knows. UIDVALIDITY rises with each mailbox of a user, whatever the clock does. */
static void learn(const struct volume *volume, struct model *model,
    struct model_mailbox *mailbox, const struct catalog_entry *entry)
{
	bool made = mailbox->uidvalidity == MODEL_NEW;

	if (made) {
		MODEL_CHECK(entry->uidvalidity > model->uidvalidity_before);
		mailbox->uidvalidity = entry->uidvalidity;
		if (entry->uidvalidity > model->uidvalidity_last)
			model->uidvalidity_last = entry->uidvalidity;
	}
	if (mailbox->mailboxid == MODEL_NEW)
		mailbox->mailboxid = entry->mailboxid;
	if (mailbox->highestmodseq == MODEL_NEW) {
		mailbox->highestmodseq = entry->highestmodseq;
		learn_rows(volume, mailbox);
	}
}

/* What a quota is measured by: all mailboxes together. */
static void check_sums(const struct volume *volume, const struct model *model)
{
	uint64_t messages = 0;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < MODEL_NAMES; i++) {
		const struct model_mailbox *mailbox = &model->mailbox[i];

		for (size_t m = 0; mailbox->there && m < mailbox->count; m++)
			bytes += mailbox->message[m].bytes;
		messages += mailbox->there ? mailbox->count : 0;
	}
	MODEL_EQ(volume->catalog.sums.messages_count, messages);
	MODEL_EQ(volume->catalog.sums.bytes, bytes);
}

void model_check_names(struct volume *volume, struct model *model)
{
	model->lsn = volume->catalog.lsn;
	model->uidvalidity_before = model->uidvalidity_last;
	for (unsigned i = 0; i < MODEL_NAMES; i++) {
		struct model_mailbox *mailbox = &model->mailbox[i];
		const struct catalog_entry *entry = volume_find(volume, bytes_of_str(model_name(i)));

		if (!mailbox->there && !mailbox->subscribed) {
			MODEL_CHECK(entry == NULL);
			continue;
		}
		MODEL_CHECK(entry != NULL);
		MODEL_EQ(entry->subscribed, mailbox->subscribed);
		MODEL_EQ(entry->mailboxid != 0, mailbox->there);
		if (!mailbox->there)
			continue;
		MODEL_EQ(entry->has_children, model_has_children(model, i));
		MODEL_EQ(entry->special_use, mailbox->special_use);
		learn(volume, model, mailbox, entry);
		MODEL_EQ(entry->uidvalidity, mailbox->uidvalidity);
		MODEL_EQ(entry->mailboxid, mailbox->mailboxid);
		MODEL_EQ(entry->highestmodseq, mailbox->highestmodseq);
		MODEL_CHECK(entry->highestmodseq <= model->lsn);
		check_counters(entry, mailbox);
	}
	check_sums(volume, model);
}

void model_check(struct task *task, struct volume *volume, struct model *model, unsigned bodies)
{
	model_check_names(volume, model);
	for (unsigned i = 0; i < MODEL_NAMES; i++)
		if (model->mailbox[i].there)
			check_messages(task, volume, i, &model->mailbox[i],
			    model->mailbox[i].highestmodseq, bodies);
}

static uint64_t mix(uint64_t digest, const void *p, size_t n)
{
	return XXH3_64bits_withSeed(p, n, digest);
}

static uint64_t digest_message(
    uint64_t digest, const struct view_cursor *cursor, const struct mailbox *mailbox)
{
	const struct message *message = &cursor->message;
	uint64_t words[] = {message->uid, message->flags, message->modseq,
	    (uint64_t)message->internaldate.seconds, (uint64_t)message->internaldate.zone_min,
	    (uint64_t)message->sent.seconds, message->rfc822_size_bytes, message->savedate_s,
	    message->emailid, message->threadid};
	uint64_t keyword_sum = 0;

	/* Keywords by name: their numbers may differ from one life to the next. */
	for (unsigned i = 0; i < mailbox_keywords_count(mailbox); i++) {
		struct bytes name = mailbox_keyword(mailbox, i);

		if (i / 64 < cursor->keyword_words &&
		    (cursor->keywords[i / 64] >> (i % 64) & 1) != 0)
			keyword_sum += XXH3_64bits(name.p, name.n);
	}
	digest = mix(digest, words, sizeof(words));
	return mix(digest, &keyword_sum, sizeof(keyword_sum));
}

static uint64_t digest_mailbox(
    struct task *task, struct volume *volume, struct bytes name, uint64_t digest)
{
	const struct catalog_entry *entry;
	struct table_counts counts;
	struct mailbox *mailbox;
	struct view *view;
	struct view_cursor cursor;
	enum rp_err err;

	MODEL_EQ(mailbox_open(task, volume, name, &mailbox), RP_OK);
	entry = mailbox_entry(mailbox);
	table_counts(mailbox->table, &counts);
	MODEL_EQ(entry->messages_count, counts.messages);
	MODEL_EQ(entry->unseen_count, counts.unseen);
	MODEL_EQ(entry->deleted_count, counts.deleted);
	MODEL_EQ(entry->bytes, counts.bytes);
	MODEL_CHECK(entry->uidnext > table_last_uid(mailbox->table));
	MODEL_CHECK(entry->highestmodseq >= table_modseq(mailbox->table));
	MODEL_EQ(view_open(task, mailbox, NULL, &view), RP_OK);
	view_cursor_init(&cursor, view, NULL);
	while ((err = view_cursor_next(task, &cursor)) == RP_OK)
		digest = digest_message(digest, &cursor, mailbox);
	MODEL_EQ(err, RP_ERR_END);
	view_close(view);
	mailbox_close(mailbox);
	return digest;
}

uint64_t model_digest(struct task *task, struct volume *volume)
{
	uint8_t name[1024];
	struct bytes at = {0};
	const struct catalog_entry *entry;
	uint64_t digest = 1;

	while ((entry = volume_next(volume, at)) != NULL) {
		uint64_t words[] = {entry->mailboxid, entry->uidvalidity, entry->uidnext,
		    entry->highestmodseq, entry->messages_count, entry->special_use,
		    entry->subscribed};
		bool there = entry->mailboxid != 0;

		memcpy(name, entry->name.p, entry->name.n);
		at = bytes_of(name, entry->name.n);
		digest = mix(digest, at.p, at.n);
		digest = mix(digest, words, sizeof(words));
		if (there)
			digest = digest_mailbox(task, volume, at, digest);
	}
	return digest;
}
