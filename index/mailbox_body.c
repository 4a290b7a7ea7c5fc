/* Bodies and cache entries of mailbox.h. */
#include "index/cache.h"
#include "index/dbox/dbox_format.h"
#include "index/mailbox_state.h"
#include "index/volume_state.h"
#include "io/base/clock.h"
#include "io/base/log.h"

/* A table is replaced by a checkpoint now and then while we wait in it: a few times at most. */
enum { ROW_TRIES_MAX = 8 };
#define BAD_BODY_AGAIN_NS (3600 * CLOCK_NS_PER_S)

/* A message's columns, also of one that is expunged and still listed. A table that turns out to be bad is mended once. */
static enum rp_err find_row(
    struct task *task, struct mailbox *mailbox, uint32_t uid, struct table_row *row)
{
	enum rp_err err = RP_ERR_BUSY;
	bool mended = false;

	for (unsigned i = 0; i < ROW_TRIES_MAX && err == RP_ERR_BUSY; i++) {
		err = table_row(task, mailbox->table, uid, true, row, NULL);
		if (err == RP_ERR_CORRUPT && !mended) {
			mended = true;
			err = mailbox_mend(task, mailbox);
			if (err == RP_OK)
				err = RP_ERR_BUSY;
		}
	}
	return err == RP_ERR_NOTFOUND ? RP_ERR_EXPUNGED : err;
}

/* Of one that is there the file has been lost: no EXPUNGE is going to tell of it. */
static enum rp_err is_lost(const struct mailbox *mailbox, uint32_t uid)
{
	bool there = !mailbox->gone && table_has(mailbox->table, uid, false);

	return there ? RP_ERR_CORRUPT : RP_ERR_EXPUNGED;
}

/* A client asks again, or for the next piece: it is named once an hour. */
static void log_bad_body(const struct mailbox *mailbox, uint32_t uid, struct dbox_ref ref)
{
	const struct volume *volume = mailbox->volume;
	struct store *store = volume->store;
	const uint64_t which[] = {volume->by_userid.hash, mailbox->mailboxid, uid};
	uint64_t who = hash_bytes(store->volumes.key, bytes_of(which, sizeof(which)));

	if (!seldom_is_due(&store->bad_bodies, who, loop_now_ns(store->loop), BAD_BODY_AGAIN_NS))
		return;
	LOG(loop_log(store->loop), LOG_ERROR, "mailbox.bad_body", LOG_STR("volume", volume->dir),
	    LOG_U64("mailboxid", mailbox->mailboxid), LOG_U64("uid", uid), LOG_U64("file", ref.file),
	    LOG_U64("offset", (uint64_t)ref.offset * DBOX_RECORD_ALIGN));
}

void mailbox_body_damaged(
    const struct mailbox *mailbox, uint32_t uid, const struct dbox_body *body)
{
	log_bad_body(mailbox, uid, dbox_body_ref(body));
}

/* Where its body lies may change while we wait. */
static enum rp_err open_row(struct task *task, struct mailbox *mailbox, struct table_row *row,
    struct dbox_body **out)
{
	struct volume *volume = mailbox->volume;
	enum rp_err err = RP_ERR_EXPUNGED;

	for (unsigned i = 0; i < ROW_TRIES_MAX && err == RP_ERR_EXPUNGED; i++) {
		struct dbox_ref tried = row->body;

		if (tried.file == 0)
			return RP_ERR_EXPUNGED;
		err = dbox_body_open(
		    task, volume->dbox, &volume->settle, tried, row->emailid, out);
		if (err != RP_ERR_EXPUNGED || find_row(task, mailbox, row->uid, row) != RP_OK)
			break;
		if (row->body.file == tried.file && row->body.offset == tried.offset) {
			err = is_lost(mailbox, row->uid);
			break;
		}
	}
	if (err == RP_ERR_CORRUPT)
		log_bad_body(mailbox, row->uid, row->body);
	return volume_away(err);
}

enum rp_err mailbox_body_open(
    struct task *task, struct mailbox *mailbox, uint32_t uid, struct dbox_body **out)
{
	struct table_row row;
	enum rp_err err = find_row(task, mailbox, uid, &row);

	return err == RP_OK ? open_row(task, mailbox, &row, out) : err;
}

/* Its cache, opened at first use. NULL: it cannot be had now. */
static struct cache *cache_of(struct task *task, struct mailbox *mailbox)
{
	struct cache *cache;

	if (mailbox->cache != NULL || mailbox->gone)
		return mailbox->cache;
	if (cache_open(task, mailbox, &cache) != RP_OK)
		return NULL;
	if (mailbox->cache != NULL)
		cache_close(cache); /* somebody else was quicker */
	else
		mailbox->cache = cache;
	return mailbox->cache;
}

void mailbox_keep_entry(struct task *task, struct mailbox *mailbox, uint32_t uid, uint64_t emailid,
    struct bytes entry)
{
	struct run run = { uid, uid };
	struct runs uids = { .run = &run, .count = 1, .count_max = 1 };
	struct cache *cache = cache_of(task, mailbox);
	struct table *table;
	uint32_t place;

	if (cache == NULL || table_prepare_rows(task, mailbox->table, &uids) != RP_OK)
		return;
	table = mailbox->table;
	if (mailbox->cache == NULL || table_prepare_rows(NULL, table, &uids) != RP_OK)
		return; /* it was dropped while we waited */
	place = cache_add(mailbox->cache, emailid, entry);
	if (place != 0)
		table_set_cache_offset(table, uid, place);
	cache_write(mailbox, false);
}

static enum rp_err render(struct task *task, struct mailbox *mailbox, struct table_row *row,
    struct arena *arena, struct bytes *entry)
{
	struct volume *volume = mailbox->volume;
	struct dbox_body *body;
	enum rp_err err = open_row(task, mailbox, row, &body);

	if (err != RP_OK)
		return err;
	err = volume->store->settings.reader->render(task, body, arena, entry);
	if (err == RP_ERR_CORRUPT)
		mailbox_body_damaged(mailbox, row->uid, body);
	dbox_body_close(body);
	return err;
}

enum rp_err mailbox_cache(struct task *task, struct mailbox *mailbox, uint32_t uid,
    struct arena *arena, struct bytes *entry)
{
	struct cache *cache;
	struct table_row row;
	enum rp_err err = find_row(task, mailbox, uid, &row);

	if (err != RP_OK)
		return err;
	if (row.cache_offset != 0 && (cache = cache_of(task, mailbox)) != NULL) {
		err = cache_get(task, cache, row.cache_offset, row.emailid, arena, entry);
		if (err == RP_OK || err == RP_ERR_CANCELED)
			return err;
	}
	err = render(task, mailbox, &row, arena, entry);
	if (err == RP_OK)
		mailbox_keep_entry(task, mailbox, uid, row.emailid, *entry);
	return err;
}
