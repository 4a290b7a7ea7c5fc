/* Opening and closing of mailbox.h, and what can be asked without a task. The changes are in mailbox_*.c. */
#include "index/mailbox.h"

#include <stdlib.h>

#include "index/cache.h"
#include "index/mailbox_state.h"
#include "index/volume_state.h"

static struct mailbox *mailbox_new(struct volume *volume, uint64_t mailboxid)
{
	struct mailbox *mailbox = calloc(1, sizeof(*mailbox));

	if (mailbox == NULL)
		return NULL;
	mailbox->volume = volume;
	mailbox->mailboxid = mailboxid;
	list_init(&mailbox->link);
	list_init(&mailbox->idle);
	list_init(&mailbox->rest);
	list_init(&mailbox->views);
	list_init(&mailbox->watches);
	task_queue_init(&mailbox->loaded);
	list_push_back(&volume->mailboxes, &mailbox->link);
	return mailbox;
}

void mailbox_hold(struct mailbox *mailbox)
{
	struct store *store = mailbox->volume->store;

	if (mailbox->refs++ > 0) {
		mailbox_note_rest(mailbox);
		return;
	}
	volume_hold(mailbox->volume);
	if (list_linked(&mailbox->idle)) {
		list_del(&mailbox->idle);
		store->idle_bytes -= mailbox->idle_bytes;
	}
}

void mailbox_forget(struct mailbox *mailbox)
{
	struct volume *volume = mailbox->volume;
	struct catalog_node *node =
	    mailbox->gone ? NULL : catalog_by_id(&volume->catalog, mailbox->mailboxid);

	RP_ASSERT(mailbox->refs == 0 && !mailbox->loading);
	RP_ASSERT(list_empty(&mailbox->views));
	if (node != NULL)
		node->loaded = NULL;
	if (list_linked(&mailbox->idle)) {
		list_del(&mailbox->idle);
		volume->store->idle_bytes -= mailbox->idle_bytes;
	}
	list_del(&mailbox->link);
	table_free(mailbox->table);
	cache_close(mailbox->cache);
	free(mailbox->gone_name);
	free(mailbox);
}

static void let_idle(struct mailbox *mailbox)
{
	struct store *store = mailbox->volume->store;

	mailbox->idle_bytes = sizeof(*mailbox) + table_bytes(mailbox->table) + cache_pending_bytes(mailbox->cache);
	list_push_back(&store->idle_mailboxes, &mailbox->idle);
	store->idle_bytes += mailbox->idle_bytes;
}

void mailbox_note_rest(struct mailbox *mailbox)
{
	struct store *store = mailbox->volume->store;
	bool rests = mailbox->refs > 0 && mailbox->refs == mailbox->resting &&
	             mailbox->table != NULL && !mailbox->gone;

	if (rests == list_linked(&mailbox->rest))
		return;
	if (rests) {
		mailbox->rest_bytes = table_bytes(mailbox->table) + cache_pending_bytes(mailbox->cache);
		store->resting_bytes += mailbox->rest_bytes;
		list_push_back(&store->resting_mailboxes, &mailbox->rest);
	} else {
		store->resting_bytes -= mailbox->rest_bytes;
		list_del(&mailbox->rest);
	}
}

bool mailbox_sleep(struct mailbox *mailbox)
{
	struct table *table = mailbox->table;

	RP_ASSERT(list_linked(&mailbox->rest));
	if (table_is_held(table) || view_is_behind(mailbox))
		return false;
	cache_write(mailbox, true);
	if (!list_linked(&mailbox->rest))
		return true; /* that uses it now, and it comes again */
	mailbox->slept = table_state(table);
	mailbox->table = NULL;
	mailbox_note_rest(mailbox);
	table_free(table);
	cache_close(mailbox->cache);
	mailbox->cache = NULL;
	return true;
}

void mailbox_close(struct mailbox *mailbox)
{
	struct volume *volume;
	struct store *store;

	if (mailbox == NULL)
		return;
	RP_ASSERT(mailbox->refs > 0);
	if (mailbox->refs == 1 && !mailbox->gone)
		cache_write(mailbox, true);
	if (--mailbox->refs > 0) {
		mailbox_note_rest(mailbox);
		store_trim(mailbox->volume->store);
		return;
	}
	mailbox_note_rest(mailbox);
	volume = mailbox->volume;
	store = volume->store; /* where memory is short the volume is gone when it is closed */
	if (mailbox->gone || mailbox->table == NULL || table_is_bad(mailbox->table))
		mailbox_forget(mailbox);
	else
		let_idle(mailbox);
	volume_close(volume);
	store_trim(store);
}

/* The first who wants it reads it; the others wait. If he fails or is cancelled the next one tries. */
static enum rp_err load_first(struct task *task, struct mailbox *mailbox)
{
	struct table *table = NULL;
	enum rp_err err;

	mailbox->loading = true;
	err = mailbox_load(task, mailbox->volume, mailbox->mailboxid, &table);
	mailbox->loading = false;
	if (err == RP_OK && mailbox->gone) {
		table_free(table);
		err = RP_ERR_NOTFOUND;
	}
	if (err == RP_OK) {
		if (mailbox->slept.version != 0)
			table_set_state(table, &mailbox->slept);
		mailbox->table = table;
	}
	task_queue_wake_all(&mailbox->loaded);
	return err;
}

enum rp_err mailbox_wait_loaded(struct task *task, struct mailbox *mailbox)
{
	enum rp_err err = RP_OK;

	while (err == RP_OK && mailbox->table == NULL) {
		if (mailbox->gone)
			err = RP_ERR_NOTFOUND;
		else if (mailbox->loading)
			err = task_queue_wait(task, &mailbox->loaded);
		else
			err = load_first(task, mailbox);
	}
	return err;
}

static enum rp_err open_node(struct task *task, struct volume *volume, struct catalog_node *node,
    struct mailbox **out)
{
	struct mailbox *mailbox;
	enum rp_err err;

	if (node == NULL || node->entry.mailboxid == 0)
		return RP_ERR_NOTFOUND;
	if (node->loaded == NULL)
		node->loaded = mailbox_new(volume, node->entry.mailboxid);
	mailbox = node->loaded;
	if (mailbox == NULL)
		return RP_ERR_NOMEM;
	mailbox_hold(mailbox);
	err = mailbox_wait_loaded(task, mailbox);
	if (err != RP_OK) {
		mailbox_close(mailbox);
		return volume_away(err);
	}
	*out = mailbox;
	return RP_OK;
}

enum rp_err mailbox_open(
    struct task *task, struct volume *volume, struct bytes name, struct mailbox **out)
{
	return open_node(task, volume, catalog_find(&volume->catalog, name), out);
}

enum rp_err mailbox_open_id(
    struct task *task, struct volume *volume, uint64_t mailboxid, struct mailbox **out)
{
	return open_node(task, volume, catalog_by_id(&volume->catalog, mailboxid), out);
}

const struct catalog_entry *mailbox_entry(const struct mailbox *mailbox)
{
	struct catalog *catalog = &mailbox->volume->catalog;
	struct catalog_node *node;

	if (mailbox->gone)
		return &mailbox->facts;
	node = catalog_by_id(catalog, mailbox->mailboxid);
	RP_ASSERT(node != NULL);
	node->entry.has_children = catalog_has_children(catalog, node->entry.name);
	return &node->entry;
}

struct change_counters mailbox_counters(const struct mailbox *mailbox)
{
	const struct catalog_node *node =
	    catalog_by_id(&mailbox->volume->catalog, mailbox->mailboxid);

	return (struct change_counters){
		.uidnext = node->entry.uidnext,
		.messages_count = node->entry.messages_count,
		.unseen_count = node->entry.unseen_count,
		.deleted_count = node->entry.deleted_count,
		.bytes = node->entry.bytes,
	};
}

enum rp_err mailbox_give_runs(struct runs *to, struct runs *runs)
{
	if (to->count == 0) {
		runs_fini(to);
		*to = *runs;
		*runs = RUNS_EMPTY;
		return RP_OK;
	}
	for (size_t i = 0; i < runs->count; i++)
		if (runs_add(to, runs->run[i].first, runs->run[i].last) != RP_OK)
			return RP_ERR_UNKNOWN;
	runs_fini(runs);
	return RP_OK;
}

struct volume *mailbox_volume(const struct mailbox *mailbox)
{
	return mailbox->volume;
}

bool mailbox_is_gone(const struct mailbox *mailbox)
{
	return mailbox->gone;
}

unsigned mailbox_keywords_count(const struct mailbox *mailbox)
{
	return table_keywords_count(mailbox->table);
}

bool mailbox_has_room_for_keyword(const struct mailbox *mailbox)
{
	struct table_naming naming;

	table_naming_begin(&naming, mailbox->table);
	table_naming_add(&naming, BYTES_LIT("")); /* no keyword has this name */
	return table_naming_fits(&naming);
}

struct bytes mailbox_keyword(const struct mailbox *mailbox, unsigned index)
{
	return table_keyword_name(mailbox->table, index);
}
