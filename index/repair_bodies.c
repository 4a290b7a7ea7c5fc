/* From bodies alone: repair_from_bodies() of repair_core.h.
 *
 * A body tells its mailbox by id, its flags when it was saved, its date and EMAILID; the beginning of each dbox file tells
 * the names of ids. First one change makes the mailboxes, then others put the messages into them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "index/breath.h"
#include "index/dbox/dbox_scan.h"
#include "index/repair_core.h"
#include "io/base/clock.h"

enum { ROWS_AT_A_TIME = 2000, RECOVERED_NAME_BYTES = 40 };

struct bodies {
	struct repair *repair;
	struct catalog *names;
	struct dbox_found *found; /* count of them; sorted by mailbox */
	size_t count;
	size_t count_max;
	size_t from; /* rows of one change: [from, end) */
	size_t end;
	uint32_t savedate_s;
};

static enum rp_err take_found(struct task *task, void *arg, const struct dbox_found *found)
{
	struct bodies *bodies = arg;

	if (!found->sound || found->message.emailid == 0 || found->message.mailboxid == 0 ||
	    found->body_bytes > UINT32_MAX)
		return RP_OK;
	if (bodies->count == bodies->count_max) {
		size_t wanted = bodies->count_max != 0 ? 2 * bodies->count_max : 1024;
		struct dbox_found *p = realloc(bodies->found, wanted * sizeof(*p));

		if (p == NULL)
			return RP_ERR_NOMEM;
		bodies->found = p;
		bodies->count_max = wanted;
	}
	bodies->found[bodies->count++] = *found;
	return task_pause(task);
}

/* A line of a dbox file's beginning: id uidvalidity special_use name. What is known by now stays. */
static enum rp_err take_name(struct catalog *names, struct bytes line)
{
	struct change_item item = { .type = CHANGE_ITEM_MAILBOX };
	uint64_t number[3];
	enum rp_err err;

	for (unsigned i = 0; i < 3; i++) {
		size_t space = bytes_find(line, 0, ' ');

		if (space == line.n ||
		    !bytes_to_u64(bytes_slice(line, 0, space), UINT64_MAX - 1, &number[i]))
			return RP_OK;
		line = bytes_from(line, space + 1);
	}
	if (number[0] == 0 || number[1] == 0 || number[1] > UINT32_MAX || number[2] > 0xff ||
	    line.n == 0 || line.n > CHANGE_NAME_BYTES_MAX)
		return RP_OK;
	item.mailboxid = number[0];
	item.uidvalidity = (uint32_t)number[1];
	item.special_use = (unsigned)number[2];
	item.name = line;
	err = catalog_apply(names, &item, 0);
	return err == RP_ERR_CORRUPT ? RP_OK : err;
}

static enum rp_err take_names(struct catalog *names, struct bytes text)
{
	enum rp_err err = RP_OK;

	for (size_t at = 0, end; err == RP_OK && at < text.n; at = end + 1) {
		end = bytes_find(text, at, '\n');
		err = take_name(names, bytes_slice(text, at, end));
	}
	return err;
}

/* All files, the newest first: its names are the latest. */
static enum rp_err scan_all(struct task *task, struct bodies *bodies)
{
	struct dbox *dbox = bodies->repair->volume->dbox;
	enum rp_err err = RP_OK;

	for (uint32_t file = dbox_last_file(dbox); err == RP_OK && file > 0; file--) {
		struct dbox_scan_report report = { 0 };
		struct arena arena;
		struct bytes names = { 0 };

		arena_init(&arena, DBOX_NAMES_BYTES_MAX + 65536);
		err = dbox_scan(task, dbox, file, &arena, &names, take_found, bodies, &report);
		if (err == RP_OK)
			err = take_names(bodies->names, names);
		else if (err == RP_ERR_NOTFOUND || err == RP_ERR_CORRUPT)
			err = RP_OK; /* the check that follows tells of it */
		arena_fini(&arena);
	}
	return err;
}

/* An id that nobody knows a name for. */
static enum rp_err name_unknown(struct bodies *bodies, uint64_t mailboxid)
{
	struct change_item item = { .type = CHANGE_ITEM_MAILBOX,
		.mailboxid = mailboxid,
		.uidvalidity = 1 };
	char name[RECOVERED_NAME_BYTES];
	int n = snprintf(name, sizeof(name), "Recovered-%llu", (unsigned long long)mailboxid);
	enum rp_err err;

	if (catalog_by_id(bodies->names, mailboxid) != NULL)
		return RP_OK;
	item.name = bytes_of(name, (size_t)n);
	err = catalog_apply(bodies->names, &item, 0);
	repair_say(bodies->repair, "mailbox %llu is now %s", (unsigned long long)mailboxid, name);
	return err;
}

static enum rp_err complete_names(struct bodies *bodies)
{
	struct change_item inbox = { .type = CHANGE_ITEM_MAILBOX,
		.uidvalidity = 1,
		.name = BYTES_LIT("INBOX") };
	const struct catalog_node *node;
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < bodies->count; i++)
		err = name_unknown(bodies, bodies->found[i].message.mailboxid);
	node = catalog_find(bodies->names, inbox.name);
	if (err != RP_OK || (node != NULL && node->entry.mailboxid != 0))
		return err;
	inbox.mailboxid = bodies->names->sums.mailboxid_next;
	return catalog_apply(bodies->names, &inbox, 0);
}

static enum rp_err create_prepare(struct task *task, void *arg)
{
	struct bodies *bodies = arg;
	struct catalog *catalog = &bodies->repair->volume->catalog;
	enum rp_err err = RP_OK;

	(void)task;
	catalog_drop_spares(catalog);
	for (size_t i = 0; err == RP_OK && i < bodies->names->count; i++)
		err = catalog_prepare(catalog, bodies->names->by_name[i]->entry.name.n);
	return err;
}

static enum rp_err create_write(struct breath *breath, void *arg)
{
	struct bodies *bodies = arg;
	struct change_sums sums = { .mailboxid_next = bodies->names->sums.mailboxid_next,
		.uidvalidity_last = bodies->names->sums.uidvalidity_last };

	for (size_t i = 0; i < bodies->names->count; i++) {
		const struct catalog_entry *entry = &bodies->names->by_name[i]->entry;

		if (entry->mailboxid != 0) {
			sums.uidvalidity_last =
			    volume_uidvalidity(breath->volume, sums.uidvalidity_last);
			BREATH_PUT(breath,
			    change_put_mailbox(&breath->writer, entry->mailboxid,
				sums.uidvalidity_last, entry->special_use, entry->name));
		}
		if (entry->subscribed)
			BREATH_PUT(breath,
			    change_put_subscription(&breath->writer, entry->name, true));
	}
	BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
	return RP_OK;
}

static struct change_row row_of(
    const struct bodies *bodies, const struct dbox_found *found, uint32_t uid)
{
	struct mail_date date = { found->message.internaldate_s,
		found->message.internaldate_zone_min };

	return (struct change_row){ .uid = uid,
		.flags = found->message.flags & ((1u << CHANGE_FLAG_KEYWORD) - 1),
		.internaldate = date,
		.sent = date,
		.rfc822_size_bytes = (uint32_t)found->body_bytes,
		.savedate_s = bodies->savedate_s,
		.body = found->ref,
		.emailid = found->message.emailid };
}

static void count_in(struct change_counters *counters, const struct dbox_found *found)
{
	counters->uidnext++;
	counters->messages_count++;
	counters->unseen_count += (found->message.flags & MAIL_SEEN) == 0;
	counters->deleted_count += (found->message.flags & MAIL_DELETED) != 0;
	counters->bytes += found->body_bytes;
}

static enum rp_err rows_write(struct breath *breath, void *arg)
{
	struct bodies *bodies = arg;
	uint64_t mailboxid = bodies->found[bodies->from].message.mailboxid;
	const struct catalog_node *node = catalog_by_id(&breath->volume->catalog, mailboxid);
	struct change_sums sums = breath->volume->catalog.sums;
	struct change_counters counters = { .uidnext = node->entry.uidnext,
		.messages_count = node->entry.messages_count,
		.unseen_count = node->entry.unseen_count,
		.deleted_count = node->entry.deleted_count,
		.bytes = node->entry.bytes };

	BREATH_PUT(breath, change_rows_begin(&breath->writer, mailboxid, counters.uidnext));
	for (size_t i = bodies->from; i < bodies->end; i++) {
		const struct dbox_found *found = &bodies->found[i];
		struct change_row row = row_of(bodies, found, counters.uidnext);

		while (!change_rows_put(&breath->writer, &row)) {
			change_rows_end(&breath->writer);
			breath_next(breath);
			BREATH_PUT(breath,
			    change_rows_begin(&breath->writer, mailboxid, row.uid));
		}
		count_in(&counters, found);
		sums.messages_count++;
		sums.bytes += found->body_bytes;
	}
	change_rows_end(&breath->writer);
	BREATH_PUT(breath, change_put_counters(&breath->writer, mailboxid, &counters));
	BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
	return RP_OK;
}

/* By mailbox, then in the order in which they came in. */
static int by_mailbox(const void *a, const void *b)
{
	const struct dbox_found *x = a;
	const struct dbox_found *y = b;

	if (x->message.mailboxid != y->message.mailboxid)
		return x->message.mailboxid < y->message.mailboxid ? -1 : 1;
	if (x->ref.file != y->ref.file)
		return x->ref.file < y->ref.file ? -1 : 1;
	return (x->ref.offset > y->ref.offset) - (x->ref.offset < y->ref.offset);
}

/* From `from` on: so many of one mailbox as fit one change. */
static size_t chunk_end(const struct bodies *bodies, size_t from)
{
	size_t end = from;

	while (end < bodies->count && end - from < ROWS_AT_A_TIME &&
	       bodies->found[end].message.mailboxid == bodies->found[from].message.mailboxid)
		end++;
	return end;
}

static enum rp_err put_messages(struct task *task, struct bodies *bodies)
{
	struct breath_plan plan = { .type = CHANGE_APPEND,
		.write = rows_write,
		.arg = bodies };
	enum rp_err err = RP_OK;

	for (bodies->from = 0; err == RP_OK && bodies->from < bodies->count;
	     bodies->from = bodies->end) {
		bodies->end = chunk_end(bodies, bodies->from);
		err = breath_run(task, bodies->repair->volume, &plan);
	}
	return err;
}

enum rp_err repair_from_bodies(
    struct task *task, struct repair *repair, struct catalog *names)
{
	struct bodies bodies = { .repair = repair,
		.names = names,
		.savedate_s = (uint32_t)(loop_wall_ns(task_loop(task)) / CLOCK_NS_PER_S) };
	struct breath_plan plan = { .type = CHANGE_INIT,
		.prepare = create_prepare,
		.write = create_write,
		.arg = &bodies };
	enum rp_err err = scan_all(task, &bodies);

	if (err == RP_OK)
		err = complete_names(&bodies);
	catalog_sort(names);
	if (err == RP_OK)
		err = breath_run(task, repair->volume, &plan);
	if (err == RP_OK && bodies.count > 0) {
		qsort(bodies.found, bodies.count, sizeof(*bodies.found), by_mailbox);
		err = put_messages(task, &bodies);
	}
	repair_say(repair, "%zu messages from bodies, in %zu mailboxes", bodies.count,
	    names->ids_count);
	free(bodies.found);
	return err;
}
