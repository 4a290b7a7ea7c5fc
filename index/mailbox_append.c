/* mailbox_append() of mailbox.h: messages come in, all or none. */
#include <stdlib.h>

#include "index/body.h"
#include "index/breath.h"
#include "index/cache.h"
#include "index/dbox/dbox_format.h"
#include "index/mailbox_state.h"
#include "io/base/clock.h"

enum {
	/* Small bodies of one append travel in the log; when they are more than this together they go to their file
	 * before, so that one command does not fill the log. */
	APPEND_INLINE_BYTES_MAX = 1024 * 1024,
};

struct append_keyword {
	struct bytes name;
	uint32_t message;
};

struct appending {
	struct mailbox *mailbox;
	const struct append *messages;
	size_t count;
	uint64_t emailid[MAILBOX_APPEND_MAX];
	struct dbox_ref ref[MAILBOX_APPEND_MAX];
	uint64_t inline_bytes; /* of bodies that travel inside, with what their records take more */
	struct append_keyword *keywords; /* of all messages, by name */
	size_t keywords_count;
	size_t names_count; /* different ones */
	uint32_t savedate_s;
	uint32_t first_uid; /* result */
};

static int by_keyword(const void *a, const void *b)
{
	const struct append_keyword *x = a;
	const struct append_keyword *y = b;
	int order = bytes_cmp_fold(x->name, y->name);

	return order != 0 ? order : (x->message > y->message) - (x->message < y->message);
}

/* The end of the keywords that have the same name as the one at `at`. */
static size_t same_keyword(const struct appending *appending, size_t at)
{
	size_t end = at + 1;

	while (end < appending->keywords_count &&
	       bytes_eq_fold(appending->keywords[end].name, appending->keywords[at].name))
		end++;
	return end;
}

/* All keywords of all messages, those of one name together. */
static enum rp_err gather_keywords(struct appending *appending)
{
	size_t n = 0;

	for (size_t i = 0; i < appending->count; i++) {
		if (appending->messages[i].keywords_count > MAILBOX_KEYWORDS_MAX)
			return RP_ERR_LIMIT;
		n += appending->messages[i].keywords_count;
	}
	appending->keywords = malloc((n + 1) * sizeof(*appending->keywords));
	if (appending->keywords == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = 0; i < appending->count; i++) {
		for (size_t k = 0; k < appending->messages[i].keywords_count; k++) {
			struct bytes name = appending->messages[i].keywords[k];

			if (name.n == 0 || name.n > MAILBOX_KEYWORD_BYTES_MAX)
				return RP_ERR_LIMIT;
			appending->keywords[appending->keywords_count++] =
			    (struct append_keyword){ name, (uint32_t)i };
		}
	}
	qsort(appending->keywords, n, sizeof(*appending->keywords), by_keyword);
	for (size_t at = 0; at < n; at = same_keyword(appending, at))
		appending->names_count++;
	return appending->names_count <= MAILBOX_KEYWORDS_MAX ? RP_OK : RP_ERR_LIMIT;
}

static enum rp_err check(struct appending *appending)
{
	RP_ASSERT(appending->count > 0 && appending->count <= MAILBOX_APPEND_MAX);
	RP_ASSERT(appending->count == 1 || appending->messages[0].delivery == NULL); /* room is made for one */
	for (size_t i = 0; i < appending->count; i++)
		if (appending->messages[i].body->failed != RP_OK)
			return appending->messages[i].body->failed;
	return gather_keywords(appending);
}

static struct dbox_message dbox_message_of(
    const struct appending *appending, size_t i, uint32_t uid)
{
	const struct append *message = &appending->messages[i];

	return (struct dbox_message){
		.mailboxid = appending->mailbox->mailboxid,
		.uid = uid,
		.flags = message->flags,
		.internaldate_s = message->internaldate.seconds,
		.internaldate_zone_min = message->internaldate.zone_min,
		.emailid = appending->emailid[i],
		.uidvalidity_last = appending->mailbox->volume->catalog.sums.uidvalidity_last,
	};
}

/* Ids are drawn, large bodies made durable: before the change, as it refers to them. */
static enum rp_err finish_bodies(struct task *task, struct appending *appending)
{
	struct loop *loop = task_loop(task);

	for (size_t i = 0; i < appending->count; i++) {
		struct body_put *put = appending->messages[i].body;
		struct dbox_message message;
		uint64_t more = put->n + DBOX_RECORD_BYTES_MORE;
		enum rp_err err = RP_OK;

		while (appending->emailid[i] == 0)
			loop_random(loop, &appending->emailid[i], sizeof(appending->emailid[i]));
		if (body_is_inline(put) && appending->inline_bytes + more > APPEND_INLINE_BYTES_MAX)
			err = body_spill(task, put);
		message = dbox_message_of(appending, i, 0);
		if (err == RP_OK && !body_is_inline(put))
			err = body_finish(task, put, &message);
		else if (err == RP_OK)
			appending->inline_bytes += more;
		if (err != RP_OK)
			return err;
		appending->ref[i] = put->ref;
	}
	return RP_OK;
}

static enum rp_err append_prepare(struct task *task, void *arg)
{
	struct appending *appending = arg;
	struct mailbox *mailbox = appending->mailbox;
	struct volume *volume = mailbox->volume;
	struct table_room room;
	uint32_t uidnext;
	enum rp_err err = RP_OK;

	if (mailbox->gone)
		return RP_ERR_NOTFOUND;
	if (appending->inline_bytes != 0)
		err = volume_wait_begun(task, volume);
	if (err == RP_OK && appending->inline_bytes != 0)
		err = dbox_reserve(task, volume->dbox, appending->inline_bytes);
	if (err != RP_OK)
		return err;
	if (mailbox->gone)
		return RP_ERR_NOTFOUND;
	err = delivered_prepare(&volume->catalog.delivered);
	if (err != RP_OK)
		return err;
	uidnext = mailbox_entry(mailbox)->uidnext;
	if (appending->count > UINT32_MAX - uidnext)
		return RP_ERR_LIMIT;
	room = (struct table_room){ .first_uid = uidnext,
		.last_uid = uidnext + (uint32_t)appending->count - 1,
		.rows = appending->count,
		.flags_on = CHANGE_FLAG_KEYWORD + appending->names_count,
		.new_keywords = appending->names_count };
	return table_prepare_append(task, mailbox->table, &room);
}

/* Give the bodies their places; each travels with a record of its own. RP_ERR_BUSY: the room is gone. */
static enum rp_err place_bodies(
    struct breath *breath, struct appending *appending, struct bytes *records)
{
	uint32_t uid = mailbox_entry(appending->mailbox)->uidnext;

	for (size_t i = 0; i < appending->count; i++) {
		struct body_put *put = appending->messages[i].body;
		struct dbox_message message = dbox_message_of(appending, i, uid + (uint32_t)i);
		enum rp_err err;

		records[i] = (struct bytes){ 0 };
		if (!body_is_inline(put))
			continue;
		if (breath->measuring) {
			/* No place yet: one whose telling takes the most room. */
			appending->ref[i] =
			    (struct dbox_ref){ UINT32_MAX, i % 2 == 0 ? UINT32_MAX : 0 };
			records[i].n = (size_t)dbox_format_record_bytes(put->n);
			continue;
		}
		err = dbox_place_inline(breath->volume->dbox, &message, bytes_of(put->p, put->n),
		    &breath->volume->store->arena, &records[i], &appending->ref[i]);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

static void write_rows(struct breath *breath, struct appending *appending)
{
	uint64_t mailboxid = appending->mailbox->mailboxid;

	BREATH_PUT(breath,
	    change_rows_begin(&breath->writer, mailboxid, appending->first_uid));
	for (size_t i = 0; i < appending->count; i++) {
		const struct append *message = &appending->messages[i];
		struct change_row row = {
			.uid = appending->first_uid + (uint32_t)i,
			.flags = message->flags & ((1u << CHANGE_FLAG_KEYWORD) - 1),
			.internaldate = message->internaldate,
			.sent = message->sent,
			.rfc822_size_bytes = (uint32_t)message->body->total_bytes,
			.savedate_s = appending->savedate_s,
			.body = appending->ref[i],
			.emailid = appending->emailid[i],
		};

		while (!change_rows_put(&breath->writer, &row)) {
			change_rows_end(&breath->writer);
			breath_next(breath);
			BREATH_PUT(breath,
			    change_rows_begin(&breath->writer, mailboxid, row.uid));
		}
	}
	change_rows_end(&breath->writer);
}

/* One keyword, [from, end) of all, on the messages that have it. */
static void write_keyword(
    struct breath *breath, const struct appending *appending, size_t from, size_t end)
{
	struct run run[MAILBOX_APPEND_MAX];
	struct runs uids = { .run = run, .count_max = MAILBOX_APPEND_MAX };
	size_t at = 0;

	for (size_t k = from; k < end; k++) {
		uint32_t uid = appending->first_uid + appending->keywords[k].message;

		if (uids.count > 0 && uid - run[uids.count - 1].last <= 1)
			run[uids.count - 1].last = uid;
		else
			run[uids.count++] = (struct run){ uid, uid };
	}
	BREATH_PUT(breath, change_put_flag(&breath->writer, appending->mailbox->mailboxid,
			       CHANGE_FLAG_KEYWORD, appending->keywords[from].name, true, &uids,
			       &at));
}

static void write_keywords(struct breath *breath, const struct appending *appending)
{
	size_t end;

	for (size_t from = 0; from < appending->keywords_count; from = end) {
		end = same_keyword(appending, from);
		write_keyword(breath, appending, from, end);
	}
}

static void write_counters(struct breath *breath, const struct appending *appending)
{
	const struct catalog_entry *entry = mailbox_entry(appending->mailbox);
	struct change_sums sums = breath->volume->catalog.sums;
	struct change_counters counters = {
		.uidnext = appending->first_uid + (uint32_t)appending->count,
		.messages_count = entry->messages_count + (uint32_t)appending->count,
		.unseen_count = entry->unseen_count,
		.deleted_count = entry->deleted_count,
		.bytes = entry->bytes,
	};

	for (size_t i = 0; i < appending->count; i++) {
		const struct append *message = &appending->messages[i];

		counters.unseen_count += (message->flags & MAIL_SEEN) == 0;
		counters.deleted_count += (message->flags & MAIL_DELETED) != 0;
		counters.bytes += message->body->total_bytes;
		sums.bytes += message->body->total_bytes;
	}
	sums.messages_count += appending->count;
	BREATH_PUT(breath, change_put_counters(
			       &breath->writer, appending->mailbox->mailboxid, &counters));
	BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
}

/* Would the mailbox have more keywords than it may? */
static bool has_too_many_keywords(const struct appending *appending)
{
	struct table_naming naming;

	table_naming_begin(&naming, appending->mailbox->table);
	for (size_t at = 0; at < appending->keywords_count; at = same_keyword(appending, at))
		table_naming_add(&naming, appending->keywords[at].name);
	return !table_naming_fits(&naming);
}

/* Asked in the breath: the same message may be under way twice. */
static bool is_delivered(const struct appending *appending)
{
	const struct delivery_key *key = appending->messages[0].delivery;

	return key != NULL && volume_was_delivered(appending->mailbox->volume, key);
}

static void write_delivery(struct breath *breath, const struct appending *appending)
{
	struct delivery delivery = { .seconds = appending->savedate_s };

	if (appending->messages[0].delivery == NULL)
		return;
	delivery.key = *appending->messages[0].delivery;
	BREATH_PUT(breath, change_put_delivery(&breath->writer, &delivery));
}

static enum rp_err append_write(struct breath *breath, void *arg)
{
	struct appending *appending = arg;
	struct bytes records[MAILBOX_APPEND_MAX];
	enum rp_err err;

	if (has_too_many_keywords(appending))
		return RP_ERR_LIMIT;
	if (is_delivered(appending))
		return RP_ERR_EXISTS;
	err = place_bodies(breath, appending, records);
	if (err != RP_OK)
		return err;
	appending->first_uid = mailbox_entry(appending->mailbox)->uidnext;
	for (size_t i = 0; i < appending->count; i++)
		if (records[i].n != 0)
			breath_body(breath, records[i], appending->ref[i]);
	write_rows(breath, appending);
	write_keywords(breath, appending);
	write_delivery(breath, appending);
	write_counters(breath, appending);
	return RP_OK;
}

/* What is ready to send is kept beside; where that fails it is made again when it is wanted. */
static void keep_entries(struct task *task, const struct appending *appending)
{
	struct mailbox *mailbox = appending->mailbox;

	for (size_t i = 0; i < appending->count; i++) {
		struct bytes entry = appending->messages[i].cache_entry;

		if (entry.n != 0)
			mailbox_keep_entry(task, mailbox, appending->first_uid + (uint32_t)i,
			    appending->emailid[i], entry);
	}
}

enum rp_err mailbox_append(struct task *task, struct mailbox *mailbox,
    const struct append *messages, size_t count, uint32_t *first_uid)
{
	struct appending *appending = calloc(1, sizeof(*appending));
	struct breath_plan plan = { .type = CHANGE_APPEND,
		.prepare = append_prepare,
		.write = append_write,
		.arg = appending,
		.room = BREATH_ROOM_MORE };
	enum rp_err err;

	if (appending == NULL)
		return RP_ERR_NOMEM;
	appending->mailbox = mailbox;
	appending->messages = messages;
	appending->count = count;
	appending->savedate_s = (uint32_t)(loop_wall_ns(task_loop(task)) / CLOCK_NS_PER_S);
	err = check(appending);
	if (err == RP_OK)
		err = finish_bodies(task, appending);
	if (err == RP_OK)
		err = mailbox_run(task, mailbox, &plan);
	if (err == RP_OK) {
		*first_uid = appending->first_uid;
		keep_entries(task, appending);
		for (size_t i = 0; i < count; i++)
			body_abort(messages[i].body);
	}
	for (size_t i = 0; err != RP_OK && i < count; i++)
		messages[i].body->refused = true;
	free(appending->keywords);
	free(appending);
	return err;
}
