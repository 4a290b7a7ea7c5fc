/* Messages that only their bodies tell of: bodies_*() of repair_core.h.
 *
 * A body tells its mailbox by id, its UID (a large one does not), its flags when it was saved, its date and EMAILID; the beginning
 * of each dbox file tells the names of ids. What became of a message later, its flags and that it was expunged, no body tells: the
 * journal does, or an index, and what neither knows comes back as it was saved. A large body may also be what an upload that was
 * broken off has left: where it lies among those that lost records told of, rather a message too many than one too few.
 */
#include <stdlib.h>

#include "index/apply.h"
#include "index/box_names.h"
#include "index/dbox/dbox_format.h"
#include "index/mailbox_state.h"
#include "index/repair/repair_core.h"
#include "index/volume_files.h"
#include "io/base/clock.h"
#include "io/base/num.h"

enum { RENDER_BYTES_MAX = 16 * 1024 * 1024 }; /* of one message's entry, which tells the Date: field */

static enum rp_err take_found(struct task *task, void *arg, const struct dbox_found *found)
{
	struct known *known = arg;
	struct dbox_found *p;

	if (found->message.emailid == 0 || found->message.mailboxid == 0 ||
	    found->body_bytes > UINT32_MAX)
		return RP_OK;
	if (found->message.mailboxid < UINT64_MAX)
		known->mailboxid_next =
		    num_max(known->mailboxid_next, found->message.mailboxid + 1);
	known->uidvalidity_found = (uint32_t)num_max(known->uidvalidity_found, found->message.uidvalidity_last);
	p = known_grow(known->found, known->found_count, &known->found_max, sizeof(*p));
	if (p == NULL)
		return RP_ERR_NOMEM;
	known->found = p;
	p[known->found_count++] = *found;
	return task_pause(task);
}

/* All files, the newest first: its names are the latest. */
static enum rp_err scan_all(struct task *task, struct known *known, struct catalog *names)
{
	struct dbox *dbox = known->repair->volume->dbox;
	uint32_t file = UINT32_MAX;
	enum rp_err err = RP_OK;

	while (err == RP_OK && (file = dbox_file_before(dbox, file)) != 0) {
		struct dbox_scan_report report = { 0 };
		struct arena arena;
		struct bytes text = { 0 };

		arena_init(&arena, DBOX_NAMES_BYTES_MAX + 65536);
		err = dbox_scan(task, dbox, file, &arena, &text, take_found, known, &report);
		if (err == RP_OK)
			err = box_names_take(names, text);
		else if (err == RP_ERR_NOTFOUND || err == RP_ERR_CORRUPT || err == RP_ERR_IO)
			err = RP_OK; /* the check that follows tells of it */
		arena_fini(&arena);
	}
	return err;
}

enum rp_err bodies_find(struct task *task, struct known *known)
{
	struct catalog names;
	enum rp_err err;

	catalog_init(&names, known->repair->volume->catalog.names.key);
	err = scan_all(task, known, &names);
	catalog_fini(&names);
	return err == RP_OK ? bodies_index(known) : err;
}

/* By mailbox, then by UID, those without one last; then in the order in which they came in. */
static int by_mailbox(const void *a, const void *b)
{
	const struct dbox_found *x = a;
	const struct dbox_found *y = b;
	uint32_t x_uid = x->message.uid - 1;
	uint32_t y_uid = y->message.uid - 1;

	if (x->message.mailboxid != y->message.mailboxid)
		return x->message.mailboxid < y->message.mailboxid ? -1 : 1;
	if (x_uid != y_uid)
		return x_uid < y_uid ? -1 : 1;
	return (known_place(x->ref) > known_place(y->ref)) -
	       (known_place(x->ref) < known_place(y->ref));
}

static enum rp_err have_mailbox(
    struct known *known, const struct catalog *names, uint64_t mailboxid)
{
	const struct catalog_node *node = catalog_by_id(names, mailboxid);
	const struct catalog_node *there =
	    catalog_by_id(&known->repair->volume->catalog, mailboxid);

	if (there != NULL && there->found && node != NULL)
		return box_names_tell(&known->repair->volume->catalog, &node->entry);
	if (there != NULL || known_is_gone(known, mailboxid))
		return RP_OK;
	if (node == NULL)
		return known_add_mailbox(known, mailboxid, 0, 0, bytes_of("", 0));
	return known_add_mailbox(known, mailboxid, node->entry.uidvalidity,
	    node->entry.special_use, node->entry.name);
}

/* Of indexes whose mailbox no record and no catalog has. */
static enum rp_err have_indexed(struct known *known, const struct catalog *names)
{
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < known->index_count; i++)
		err = have_mailbox(known, names, known->index[i].mailboxid);
	return err;
}

static enum rp_err have_inbox(struct known *known)
{
	const struct catalog_node *node =
	    catalog_find(&known->repair->volume->catalog, BYTES_LIT("INBOX"));

	if (node != NULL && node->entry.mailboxid != 0)
		return RP_OK;
	return known_add_mailbox(known, known->mailboxid_next, 0, 0, BYTES_LIT("INBOX"));
}

static enum rp_err have_mailboxes(struct known *known, const struct catalog *names)
{
	enum rp_err err = have_indexed(known, names);

	for (size_t i = 0; err == RP_OK && i < known->found_count; i++)
		if (known->found[i].sound)
			err = have_mailbox(known, names, known->found[i].message.mailboxid);
	/* Without a record and a catalog empty mailboxes too. */
	for (size_t i = 0; err == RP_OK && known->no_records && i < names->ids_count; i++)
		err = have_mailbox(known, names, names->by_id[i]->entry.mailboxid);
	return err == RP_OK ? have_inbox(known) : err;
}

static enum rp_err note_table(
    struct task *task, void *arg, uint64_t mailboxid, const struct known_table *of)
{
	return large_note_table(task, arg, mailboxid, of);
}

enum rp_err bodies_gather(struct task *task, struct known *known)
{
	struct catalog names;
	bool without_uid = false;
	enum rp_err err;

	catalog_init(&names, known->repair->volume->catalog.names.key);
	err = scan_all(task, known, &names);
	if (err == RP_OK)
		err = have_mailboxes(known, &names);
	catalog_sort(&known->repair->volume->catalog);
	catalog_fini(&names);
	if (known->found_count > 0)
		qsort(known->found, known->found_count, sizeof(*known->found), by_mailbox);
	for (size_t i = 0; i < known->found_count; i++)
		without_uid = without_uid || known->found[i].message.uid == 0;
	if (err == RP_OK && without_uid)
		err = known_each_table(task, known, note_table, &known->large); /* they tell it together */
	large_ready(&known->large, known->repair->volume->dbox);
	return err == RP_OK ? bodies_index(known) : err;
}

void bodies_of(const struct known *known, uint64_t mailboxid, size_t *from, size_t *to)
{
	size_t low = 0;
	size_t high = known->found_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (known->found[middle].message.mailboxid < mailboxid)
			low = middle + 1;
		else
			high = middle;
	}
	*from = low;
	while (low < known->found_count && known->found[low].message.mailboxid == mailboxid)
		low++;
	*to = low;
}

/* A record names it as the body of the very message for which it came, and was part of a change that never happened. What other mailboxes
 * had of it, by COPY, says nothing. One without a UID may be of any message of its mailbox. */
static bool is_told(const struct known *known, const struct dbox_found *found)
{
	struct known_told told = {
	    known_place(found->ref), found->message.mailboxid, found->message.uid};
	size_t low = 0;
	size_t high = known->told_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (known_told_order(&known->told[middle], &told) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < known->told_count && known->told[low].place == told.place &&
	       known->told[low].mailboxid == told.mailboxid &&
	       (told.uid == 0 || known->told[low].uid == told.uid);
}

/* It may be of a message whose record came late, or of an upload that was broken off. */
static bool may_be_new(const struct known *known, const struct dbox_found *found)
{
	return found->sound && found->message.uid == 0 && !is_told(known, found) &&
	       large_may_be(&known->large, found, known->tail_lost);
}

bool bodies_is_new(const struct known *known, const struct dbox_found *found)
{
	const struct dbox_found *other;

	if (!may_be_new(known, found))
		return false;
	for (size_t i = bodies_first(known, found->message.emailid);
	    (other = &known->found[known->by_emailid[i].at]) != found; i++)
		if (may_be_new(known, other))
			return false;
	return true;
}

/* Has no index heard of it, and has no record told of its row? */
static bool is_untold(const struct known *known, const struct dbox_found *found,
    const struct known_table *of)
{
	uint32_t uid = found->message.uid;

	return found->sound && uid > of->index_last && !is_told(known, found) &&
	       !table_has(of->table, uid, true);
}

/* What a delivery would have told: its Date: field. */
static enum rp_err sent_of(struct task *task, struct volume *volume,
    const struct dbox_found *found, struct mail_date *sent)
{
	const struct mail_reader *reader = volume->store->settings.reader;
	struct dbox_body *body;
	struct arena arena;
	struct bytes entry = { 0 };
	enum rp_err err;

	*sent = MAIL_SENT_NONE;
	if (reader == NULL)
		return RP_OK;
	err = dbox_body_open(
	    task, volume->dbox, NULL, found->ref, found->message.emailid, &body);
	if (err != RP_OK)
		return err;
	arena_init(&arena, RENDER_BYTES_MAX);
	err = reader->render(task, body, &arena, &entry);
	if (err == RP_OK && !reader->sent_date(entry, &sent->seconds, &sent->zone_min))
		*sent = MAIL_SENT_NONE;
	arena_fini(&arena);
	dbox_body_close(body);
	/* A message that cannot be rendered has no Date: for anybody. */
	return err == RP_ERR_CANCELED ? err : RP_OK;
}

enum rp_err bodies_row(struct task *task, struct known *known, const struct dbox_found *found,
    uint32_t uid, struct change_row *row)
{
	struct volume *volume = known->repair->volume;

	*row = (struct change_row){ .uid = uid,
		.flags = found->message.flags & ((1u << CHANGE_FLAG_KEYWORD) - 1),
		.internaldate = { found->message.internaldate_s,
		    found->message.internaldate_zone_min },
		.rfc822_size_bytes = (uint32_t)found->body_bytes,
		.savedate_s = (uint32_t)(loop_wall_ns(volume->store->loop) / CLOCK_NS_PER_S),
		.body = found->ref,
		.emailid = found->message.emailid };
	return sent_of(task, volume, found, &row->sent);
}

static enum rp_err add_untold(
    struct task *task, struct known *known, const struct dbox_found *found, struct table *table)
{
	struct table_room room = { .first_uid = found->message.uid,
		.last_uid = found->message.uid,
		.rows = 1,
		.flags_on = CHANGE_FLAG_KEYWORD };
	struct change_row row;
	struct table_row of;
	enum rp_err err = bodies_row(task, known, found, found->message.uid, &row);

	if (err == RP_OK)
		err = table_prepare_append(task, table, &room);
	if (err != RP_OK)
		return err;
	of = apply_row(&row, 0);
	table_append(table, &of);
	return task_pause(task);
}

/* Of two copies of a body (a file was about to be emptied) the first is taken: a table has a UID once. */
enum rp_err bodies_table(struct task *task, struct known *known, uint64_t mailboxid,
    const struct known_table *of, struct table **out)
{
	struct table *table = NULL;
	size_t at;
	size_t end;
	enum rp_err err = RP_OK;

	*out = NULL;
	for (bodies_of(known, mailboxid, &at, &end); err == RP_OK && at < end; at++) {
		const struct dbox_found *found = &known->found[at];

		if (!is_untold(known, found, of) ||
		    (table != NULL && table_has(table, found->message.uid, true)))
			continue;
		if (table == NULL)
			err = table_new(known->repair->volume->store->loop, mailboxid, &table);
		if (err == RP_OK)
			err = add_untold(task, known, found, table);
	}
	if (err == RP_OK && table != NULL)
		err = mailbox_replay_rows(task, known->repair->volume, mailboxid, table);
	if (err != RP_OK)
		table_free(table);
	else
		*out = table;
	return err;
}

static enum rp_err say_untold(struct task *task, struct known *known, const struct catalog_entry *entry, struct table *table)
{
	struct table_row row;
	enum rp_err err = RP_OK;

	for (uint32_t uid = table_uid_from(table, 1, false); err == RP_OK && uid != 0;
	     uid = uid < UINT32_MAX ? table_uid_from(table, uid + 1, false) : 0) {
		err = table_row(task, table, uid, false, &row, NULL);
		if (err != RP_OK)
			break;
		known->recovered++;
		repair_say_body(known->repair, entry->mailboxid, entry->name, uid, row.body,
			"its body alone tells of it");
		err = task_pause(task);
	}
	return err;
}

static enum rp_err say_new(struct task *task, struct known *known, const struct catalog_entry *entry)
{
	size_t at;
	size_t end;
	enum rp_err err = RP_OK;

	for (bodies_of(known, entry->mailboxid, &at, &end); err == RP_OK && at < end; at++) {
		const struct dbox_found *found = &known->found[at];

		if (!bodies_is_new(known, found))
			continue;
		known->recovered++;
		repair_say(known->repair, "mailbox %llu (%.*s), %u.dbox at %llu: a body alone tells of a message without a UID",
			(unsigned long long)entry->mailboxid, BYTES_FMT(entry->name), found->ref.file,
			(unsigned long long)found->ref.offset * DBOX_RECORD_ALIGN);
		err = task_pause(task);
	}
	return err;
}

static enum rp_err say_found_of(struct task *task, struct known *known, const struct catalog_entry *entry)
{
	struct known_table of;
	struct table *table = NULL;
	enum rp_err err = known_table(task, known, entry->mailboxid, &of);

	if (err != RP_OK)
		return err;
	err = bodies_table(task, known, entry->mailboxid, &of, &table);
	if (err == RP_OK && table != NULL)
		err = say_untold(task, known, entry, table);
	if (err == RP_OK)
		err = say_new(task, known, entry);
	table_free(of.table);
	table_free(table);
	return err;
}

enum rp_err bodies_say(struct task *task, struct known *known)
{
	const struct catalog *catalog = &known->repair->volume->catalog;
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < catalog->ids_count; i++)
		err = say_found_of(task, known, &catalog->by_id[i]->entry);
	return err;
}
