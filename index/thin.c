/* What counts of a user's changes: noting it. */
#include "index/thin_core.h"

#include <stdlib.h>
#include <string.h>

#include "index/apply.h"
#include "index/long_sort.h"
#include "io/base/num.h"

enum {
	NOTED_RUNS = 64, /* taken out of a record at a time */
	TAIL_BYTES =
	    CHANGE_PAYLOAD_BYTES_MAX / 4, /* that a record at the end surely has room for */
};

enum rp_err thin_core_let_in(struct task *task)
{
	return task != NULL ? task_pause(task) : RP_OK;
}

void thin_init(struct thin *thin, struct hash_key key)
{
	*thin = (struct thin){0};
	catalog_init(&thin->catalog, key);
	hash_init(&thin->flags, key);
}

static void free_pages(struct task *task, struct thin *thin)
{
	for (size_t i = 0; i < thin->flags.slots_count; i++) {
		struct hash_link *link = thin->flags.slots[i];

		while (link != NULL) {
			struct hash_link *next = link->next;

			(void)!thin_core_let_in(task); /* cancelled or not, it has to be done */
			free(RP_CONTAINER_OF(link, struct flag_page, link));
			link = next;
		}
	}
	hash_fini(&thin->flags);
}

void thin_fini(struct task *task, struct thin *thin)
{
	for (size_t i = 0; i < thin->mailboxes_count; i++) {
		free(thin->mailbox[i].by_uid);
		free(thin->mailbox[i].by_lsn);
		free(thin->mailbox[i].keyword);
	}
	free(thin->mailbox);
	free_pages(task, thin);
	catalog_fini(&thin->catalog);
}

/* Index of the first mailbox whose id is not below this one. */
static size_t mailbox_lower(const struct thin *thin, uint64_t mailboxid)
{
	size_t low = 0;
	size_t high = thin->mailboxes_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (thin->mailbox[middle].mailboxid < mailboxid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct thin_mailbox *thin_core_mailbox(const struct thin *thin, uint64_t mailboxid)
{
	size_t i = mailbox_lower(thin, mailboxid);

	return i < thin->mailboxes_count && thin->mailbox[i].mailboxid == mailboxid
	           ? &thin->mailbox[i]
	           : NULL;
}

/* NULL: no memory. */
static struct thin_mailbox *have_mailbox(struct thin *thin, uint64_t mailboxid)
{
	size_t i = mailbox_lower(thin, mailboxid);

	if (i < thin->mailboxes_count && thin->mailbox[i].mailboxid == mailboxid)
		return &thin->mailbox[i];
	if (thin->mailboxes_count == thin->mailboxes_max) {
		size_t max = 2 * thin->mailboxes_max + 8;
		struct thin_mailbox *p = realloc(thin->mailbox, max * sizeof(*p));

		if (p == NULL)
			return NULL;
		thin->mailbox = p;
		thin->mailboxes_max = max;
	}
	memmove(thin->mailbox + i + 1, thin->mailbox + i,
	    (thin->mailboxes_count - i) * sizeof(*thin->mailbox));
	thin->mailbox[i] = (struct thin_mailbox){.mailboxid = mailboxid};
	thin->mailboxes_count++;
	return &thin->mailbox[i];
}

/* ---- flags ---- */

/* The keyword's number in this mailbox; made if asked for. UINT32_MAX: none. */
static uint32_t keyword_of(struct thin_mailbox *mailbox, struct bytes name, bool make)
{
	struct keyword *p;

	for (size_t i = 0; i < mailbox->keywords_count; i++)
		if (bytes_eq_fold(bytes_of(mailbox->keyword[i].text, mailbox->keyword[i].n), name))
			return (uint32_t)i;
	if (!make || name.n > MAILBOX_KEYWORD_BYTES_MAX)
		return UINT32_MAX;
	p = realloc(mailbox->keyword, (mailbox->keywords_count + 1) * sizeof(*p));
	if (p == NULL)
		return UINT32_MAX;
	mailbox->keyword = p;
	p = &mailbox->keyword[mailbox->keywords_count];
	p->n = (uint8_t)name.n;
	memcpy(p->text, name.p, name.n);
	return (uint32_t)mailbox->keywords_count++;
}

uint32_t thin_core_flag(struct thin_mailbox *mailbox, const struct change_item *item, bool make)
{
	uint32_t k;

	if (item->flag != CHANGE_FLAG_KEYWORD)
		return item->flag;
	k = keyword_of(mailbox, item->name, make);
	return k != UINT32_MAX ? CHANGE_FLAG_KEYWORD + k : UINT32_MAX;
}

static bool same_page(const struct hash_link *link, const void *key)
{
	const struct flag_page *page = RP_CONTAINER_OF(link, struct flag_page, link);
	const struct flag_page *wanted = key;

	return page->mailboxid == wanted->mailboxid && page->flag == wanted->flag &&
	       page->page == wanted->page;
}

struct flag_page *thin_core_page(
    struct thin *thin, uint64_t mailboxid, uint32_t flag, uint32_t uid, bool make)
{
	struct flag_page key = {
	    .mailboxid = mailboxid, .flag = flag, .page = uid / THIN_CORE_PAGE_UIDS};
	uint8_t bytes[16];
	struct hash_link *link;
	struct flag_page *page;
	uint64_t h;

	num_put_u64(bytes, mailboxid);
	num_put_u32(bytes + 8, flag);
	num_put_u32(bytes + 12, key.page);
	h = hash_bytes(thin->flags.key, bytes_of(bytes, sizeof(bytes)));
	link = thin->flags.count != 0 ? hash_find(&thin->flags, h, same_page, &key) : NULL;
	if (link != NULL)
		return RP_CONTAINER_OF(link, struct flag_page, link);
	if (!make || thin->flags_bytes + sizeof(*page) > THIN_FLAGS_BYTES_MAX)
		return NULL;
	page = calloc(1, sizeof(*page));
	if (page == NULL)
		return NULL;
	page->mailboxid = mailboxid;
	page->flag = flag;
	page->page = key.page;
	if (!hash_add(&thin->flags, &page->link, h)) {
		free(page);
		return NULL;
	}
	thin->flags_bytes += sizeof(*page);
	return page;
}

static enum rp_err note_flag(struct task *task, struct thin *thin, struct thin_mailbox *mailbox,
    uint32_t flag, struct run run, uint64_t lsn)
{
	for (uint64_t uid = run.first; uid <= run.last;) {
		struct flag_page *page =
		    thin_core_page(thin, mailbox->mailboxid, flag, (uint32_t)uid, true);
		uint64_t end = (uid / THIN_CORE_PAGE_UIDS + 1) * THIN_CORE_PAGE_UIDS;
		enum rp_err err = thin_core_let_in(task);

		if (err != RP_OK)
			return err;

		for (; uid < end && uid <= run.last; uid++)
			if (page != NULL)
				page->lsn[uid % THIN_CORE_PAGE_UIDS] = lsn;
	}
	return RP_OK;
}

/* ---- noting ---- */

static enum rp_err note_flags(
    struct task *task, struct thin *thin, const struct change_item *item, uint64_t lsn)
{
	struct thin_mailbox *mailbox = have_mailbox(thin, item->mailboxid);
	struct change_runs rest = item->runs;
	struct run run[NOTED_RUNS];
	enum rp_err err = RP_OK;
	uint32_t flag;
	size_t n;

	if (mailbox == NULL)
		return RP_ERR_NOMEM;
	flag = thin_core_flag(mailbox, item, true);
	while (err == RP_OK && flag != UINT32_MAX &&
	       (n = change_runs_next(&rest, run, NOTED_RUNS)) > 0)
		for (size_t i = 0; err == RP_OK && i < n; i++)
			err = note_flag(task, thin, mailbox, flag, run[i], lsn);
	return err;
}

static enum rp_err note_body(struct thin *thin, const struct change_item *item, uint64_t lsn)
{
	struct thin_mailbox *mailbox = have_mailbox(thin, item->mailboxid);

	if (mailbox == NULL)
		return RP_ERR_NOMEM;
	return note_flag(
	    NULL, thin, mailbox, THIN_CORE_FLAG_BODY, (struct run){item->uid, item->uid}, lsn);
}

static enum rp_err note_expunged(struct thin *thin, const struct change_item *item, uint64_t lsn)
{
	struct thin_mailbox *mailbox = have_mailbox(thin, item->mailboxid);
	struct change_runs rest = item->runs;
	struct run run;

	if (mailbox == NULL)
		return RP_ERR_NOMEM;
	while (change_runs_next(&rest, &run, 1) == 1) {
		struct expunged *newest =
		    mailbox->count > 0 ? &mailbox->by_uid[mailbox->count - 1] : NULL;

		if (newest != NULL && newest->last + 1 == run.first) {
			newest->last = run.last; /* the usual case, and nothing to sort */
			newest->lsn = lsn;
			continue;
		}
		if (mailbox->count == mailbox->max) {
			size_t max = 2 * mailbox->max + 16;
			struct expunged *p = realloc(mailbox->by_uid, max * sizeof(*p));

			if (p == NULL)
				return RP_ERR_NOMEM;
			mailbox->by_uid = p;
			mailbox->max = max;
		}
		mailbox->by_uid[mailbox->count++] = (struct expunged){lsn, run.first, run.last};
	}
	return RP_OK;
}

enum rp_err thin_note(struct task *task, struct thin *thin, uint64_t lsn, struct bytes payload)
{
	struct change_reader reader;
	struct change_item item;
	enum rp_err err = change_check(payload);

	if (err == RP_OK)
		err = apply_to_catalog(&thin->catalog, NULL, "", lsn, payload);
	if (err == RP_OK && thin->catalog.destroyed)
		err = RP_ERR_CANNOT;
	if (err == RP_OK)
		err = change_open(payload, &reader);
	while (err == RP_OK && (err = change_next(&reader, &item)) == RP_OK) {
		if (item.type == CHANGE_ITEM_FLAG)
			err = note_flags(task, thin, &item, lsn);
		else if (item.type == CHANGE_ITEM_EXPUNGED)
			err = note_expunged(thin, &item, lsn);
		else if (item.type == CHANGE_ITEM_BODY)
			err = note_body(thin, &item, lsn);
	}
	if (err != RP_ERR_END)
		return err;
	thin->last = lsn;
	thin->changes++;
	return RP_OK;
}

/* ---- in between ---- */

static int by_first(const void *a, const void *b)
{
	const struct expunged *x = a;
	const struct expunged *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static int by_lsn_and_first(const void *a, const void *b)
{
	const struct expunged *x = a;
	const struct expunged *y = b;

	if (x->lsn != y->lsn)
		return x->lsn < y->lsn ? -1 : 1;
	return by_first(a, b);
}

/* What touches becomes one. */
static enum rp_err close_up(struct task *task, struct thin_mailbox *mailbox)
{
	size_t kept = 0;
	enum rp_err err =
	    long_sort(task, mailbox->by_uid, mailbox->count, sizeof(*mailbox->by_uid), by_first);

	for (size_t i = 0; err == RP_OK && i < mailbox->count; i++) {
		const struct expunged more = mailbox->by_uid[i];
		struct expunged *before = kept > 0 ? &mailbox->by_uid[kept - 1] : NULL;

		err = thin_core_let_in(task);
		if (before == NULL || (uint64_t)before->last + 1 < more.first) {
			mailbox->by_uid[kept++] = more;
			continue;
		}
		before->last = more.last > before->last ? more.last : before->last;
		before->lsn = num_max(before->lsn, more.lsn);
	}
	if (err == RP_OK)
		mailbox->count = kept;
	return err;
}

/* How much the last records have to take besides what is left of them. */
static uint64_t tail_bytes(const struct thin *thin)
{
	const struct catalog *catalog = &thin->catalog;
	uint64_t bytes = CHANGE_ITEM_BYTES_MAX;

	for (size_t i = 0; i < catalog->count; i++)
		if (catalog->by_name[i]->entry.subscribed)
			bytes += catalog->by_name[i]->entry.name.n + 2 * CHANGE_ITEM_BYTES_MAX;
	return bytes + catalog->delivered.count * CHANGE_ITEM_BYTES_MAX;
}

static enum rp_err ready_mailbox(struct task *task, struct thin_mailbox *mailbox)
{
	enum rp_err err = close_up(task, mailbox);

	if (err != RP_OK)
		return err;
	mailbox->by_lsn = malloc(mailbox->count * sizeof(*mailbox->by_lsn));
	if (mailbox->by_lsn == NULL)
		return RP_ERR_NOMEM;
	memcpy(mailbox->by_lsn, mailbox->by_uid, mailbox->count * sizeof(*mailbox->by_lsn));
	return long_sort(
	    task, mailbox->by_lsn, mailbox->count, sizeof(*mailbox->by_lsn), by_lsn_and_first);
}

enum rp_err thin_ready(struct task *task, struct thin *thin)
{
	uint64_t records = 1 + tail_bytes(thin) / TAIL_BYTES;

	for (size_t i = 0; i < thin->mailboxes_count; i++) {
		struct thin_mailbox *mailbox = &thin->mailbox[i];
		enum rp_err err = mailbox->count != 0 ? ready_mailbox(task, mailbox) : RP_OK;

		if (err != RP_OK)
			return err;
	}
	thin->tail = thin->last >= records ? thin->last - records + 1 : 1;
	return RP_OK;
}
