#include "index/thin.h"

#include <stdlib.h>
#include <string.h>

#include "index/apply.h"
#include "io/base/num.h"

enum {
	PAGE_UIDS = 256,
	FLAG_BODY = UINT32_MAX - 1, /* its place changes like a flag does: the last one counts */
	NOTED_RUNS = 64, /* taken out of a record at a time */
	ROWS_STAY_MAX =
	    3, /* so many expunged ones between two others cost less than an item of their own */
	TAIL_BYTES =
	    CHANGE_PAYLOAD_BYTES_MAX / 4, /* that a record at the end surely has room for */
};

/* UIDs that were expunged, the newest of them with this LSN. */
struct expunged {
	uint64_t lsn;
	uint32_t first;
	uint32_t last;
};

struct keyword {
	uint8_t n;
	uint8_t text[MAILBOX_KEYWORD_BYTES_MAX];
};

struct thin_mailbox {
	uint64_t mailboxid;
	struct expunged *by_uid; /* thin_ready(): by UID, disjoint */
	struct expunged *by_lsn; /* the same, by LSN and UID */
	size_t count;
	size_t max;
	size_t told; /* of by_lsn */
	struct keyword *keyword;
	size_t keywords_count;
};

/* When each of these messages had this flag changed last; 0: never. */
struct flag_page {
	struct hash_link link;
	uint64_t mailboxid;
	uint32_t flag; /* CHANGE_FLAG_KEYWORD + k: the mailbox's keyword k */
	uint32_t page; /* UID / PAGE_UIDS */
	uint64_t lsn[PAGE_UIDS];
};

void thin_init(struct thin *thin, struct hash_key key)
{
	*thin = (struct thin){0};
	catalog_init(&thin->catalog, key);
	hash_init(&thin->flags, key);
}

static void free_pages(struct thin *thin)
{
	for (size_t i = 0; i < thin->flags.slots_count; i++) {
		struct hash_link *link = thin->flags.slots[i];

		while (link != NULL) {
			struct hash_link *next = link->next;

			free(RP_CONTAINER_OF(link, struct flag_page, link));
			link = next;
		}
	}
	hash_fini(&thin->flags);
}

void thin_fini(struct thin *thin)
{
	for (size_t i = 0; i < thin->mailboxes_count; i++) {
		free(thin->mailbox[i].by_uid);
		free(thin->mailbox[i].by_lsn);
		free(thin->mailbox[i].keyword);
	}
	free(thin->mailbox);
	free_pages(thin);
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

static struct thin_mailbox *find_mailbox(const struct thin *thin, uint64_t mailboxid)
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

/* UINT32_MAX: nothing is known of it. */
static uint32_t flag_of(struct thin_mailbox *mailbox, const struct change_item *item, bool make)
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

/* NULL: there is none, and none can be made. */
static struct flag_page *page_of(
    struct thin *thin, uint64_t mailboxid, uint32_t flag, uint32_t uid, bool make)
{
	struct flag_page key = {.mailboxid = mailboxid, .flag = flag, .page = uid / PAGE_UIDS};
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

static void note_flag(
    struct thin *thin, struct thin_mailbox *mailbox, uint32_t flag, struct run run, uint64_t lsn)
{
	for (uint64_t uid = run.first; uid <= run.last;) {
		struct flag_page *page =
		    page_of(thin, mailbox->mailboxid, flag, (uint32_t)uid, true);
		uint64_t end = (uid / PAGE_UIDS + 1) * PAGE_UIDS;

		for (; uid < end && uid <= run.last; uid++)
			if (page != NULL)
				page->lsn[uid % PAGE_UIDS] = lsn;
	}
}

/* ---- noting ---- */

static enum rp_err note_flags(struct thin *thin, const struct change_item *item, uint64_t lsn)
{
	struct thin_mailbox *mailbox = have_mailbox(thin, item->mailboxid);
	struct change_runs rest = item->runs;
	struct run run[NOTED_RUNS];
	uint32_t flag;
	size_t n;

	if (mailbox == NULL)
		return RP_ERR_NOMEM;
	flag = flag_of(mailbox, item, true);
	while (flag != UINT32_MAX && (n = change_runs_next(&rest, run, NOTED_RUNS)) > 0)
		for (size_t i = 0; i < n; i++)
			note_flag(thin, mailbox, flag, run[i], lsn);
	return RP_OK;
}

static enum rp_err note_body(struct thin *thin, const struct change_item *item, uint64_t lsn)
{
	struct thin_mailbox *mailbox = have_mailbox(thin, item->mailboxid);

	if (mailbox == NULL)
		return RP_ERR_NOMEM;
	note_flag(thin, mailbox, FLAG_BODY, (struct run){ item->uid, item->uid }, lsn);
	return RP_OK;
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

enum rp_err thin_note(struct thin *thin, uint64_t lsn, struct bytes payload)
{
	struct change_reader reader;
	struct change_item item;
	enum rp_err err = change_check(payload);

	if (err == RP_OK)
		err = apply_to_catalog(&thin->catalog, NULL, lsn, payload);
	if (err == RP_OK && thin->catalog.destroyed)
		err = RP_ERR_CANNOT;
	if (err == RP_OK)
		err = change_open(payload, &reader);
	while (err == RP_OK && (err = change_next(&reader, &item)) == RP_OK) {
		if (item.type == CHANGE_ITEM_FLAG)
			err = note_flags(thin, &item, lsn);
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
static void close_up(struct thin_mailbox *mailbox)
{
	size_t kept = 0;

	qsort(mailbox->by_uid, mailbox->count, sizeof(*mailbox->by_uid), by_first);
	for (size_t i = 0; i < mailbox->count; i++) {
		const struct expunged more = mailbox->by_uid[i];
		struct expunged *before = kept > 0 ? &mailbox->by_uid[kept - 1] : NULL;

		if (before == NULL || (uint64_t)before->last + 1 < more.first) {
			mailbox->by_uid[kept++] = more;
			continue;
		}
		before->last = more.last > before->last ? more.last : before->last;
		before->lsn = num_max(before->lsn, more.lsn);
	}
	mailbox->count = kept;
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

enum rp_err thin_ready(struct thin *thin)
{
	uint64_t records = 1 + tail_bytes(thin) / TAIL_BYTES;

	for (size_t i = 0; i < thin->mailboxes_count; i++) {
		struct thin_mailbox *mailbox = &thin->mailbox[i];

		if (mailbox->count == 0)
			continue;
		close_up(mailbox);
		mailbox->by_lsn = malloc(mailbox->count * sizeof(*mailbox->by_lsn));
		if (mailbox->by_lsn == NULL)
			return RP_ERR_NOMEM;
		memcpy(mailbox->by_lsn, mailbox->by_uid, mailbox->count * sizeof(*mailbox->by_lsn));
		qsort(mailbox->by_lsn, mailbox->count, sizeof(*mailbox->by_lsn), by_lsn_and_first);
	}
	thin->tail = thin->last >= records ? thin->last - records + 1 : 1;
	return RP_OK;
}

static bool is_expunged(const struct thin_mailbox *mailbox, uint32_t uid)
{
	size_t low = 0;
	size_t high = mailbox != NULL ? mailbox->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mailbox->by_uid[middle].last < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return mailbox != NULL && low < mailbox->count && mailbox->by_uid[low].first <= uid;
}

/* ---- writing ---- */

static bool put_row(
    struct change_writer *writer, uint64_t mailboxid, const struct change_row *row, bool *open)
{
	if (!*open && !change_rows_begin(writer, mailboxid, row->uid))
		return false;
	*open = true;
	return change_rows_put(writer, row);
}

static enum rp_err write_rows(
    const struct thin *thin, const struct change_item *item, struct change_writer *writer)
{
	const struct thin_mailbox *mailbox = find_mailbox(thin, item->mailboxid);
	struct change_rows ahead = item->rows;
	struct change_rows behind = item->rows;
	uint32_t gone = 0; /* between the two */
	bool open = false;

	while (change_rows_next(&ahead)) {
		gone++;
		if (is_expunged(mailbox, ahead.row.uid))
			continue;
		if (open && gone > ROWS_STAY_MAX + 1) {
			change_rows_end(writer);
			open = false;
		}
		for (; gone > 0; gone--) {
			bool fits = change_rows_next(&behind);

			if (fits && (open || gone == 1))
				fits = put_row(writer, item->mailboxid, &behind.row, &open);
			if (!fits) {
				if (open)
					change_rows_end(writer);
				return RP_ERR_LIMIT;
			}
		}
	}
	if (open)
		change_rows_end(writer);
	return RP_OK;
}

/* Is this the last change of the flag, of a message that is there? */
static bool counts(struct thin *thin, const struct thin_mailbox *mailbox, uint32_t flag,
    uint32_t uid, uint64_t lsn)
{
	struct flag_page *page;

	if (is_expunged(mailbox, uid))
		return false;
	if (flag == UINT32_MAX)
		return true;
	page = page_of(thin, mailbox->mailboxid, flag, uid, false);
	return page == NULL || page->lsn[uid % PAGE_UIDS] <= lsn;
}

/* The UIDs that count; all of them where that would take more room. */
static enum rp_err runs_that_count(
    struct thin *thin, const struct change_item *item, uint64_t lsn, struct runs *out)
{
	struct thin_mailbox *mailbox = find_mailbox(thin, item->mailboxid);
	struct change_runs rest = item->runs;
	uint32_t flag = flag_of(mailbox, item, false);
	enum rp_err err = RP_OK;
	struct run run;

	while (err == RP_OK && change_runs_next(&rest, &run, 1) == 1)
		for (uint64_t uid = run.first; err == RP_OK && uid <= run.last; uid++)
			if (counts(thin, mailbox, flag, (uint32_t)uid, lsn))
				err = runs_add(out, (uint32_t)uid, (uint32_t)uid);
	if (err != RP_OK || out->count <= item->runs.left)
		return err;
	runs_fini(out);
	rest = item->runs;
	while (err == RP_OK && change_runs_next(&rest, &run, 1) == 1)
		err = runs_add(out, run.first, run.last);
	return err;
}

static enum rp_err write_flag(
    struct thin *thin, const struct change_item *item, uint64_t lsn, struct change_writer *writer)
{
	struct runs runs = RUNS_EMPTY;
	size_t at = 0;
	enum rp_err err = runs_that_count(thin, item, lsn, &runs);

	if (err == RP_OK &&
	    !change_put_flag(writer, item->mailboxid, item->flag, item->name, item->on, &runs, &at))
		err = RP_ERR_LIMIT;
	runs_fini(&runs);
	return err;
}

/* All runs of the mailbox that bear this LSN. A second item of the same record finds them told. */
static enum rp_err write_expunged(
    struct thin *thin, const struct change_item *item, uint64_t lsn, struct change_writer *writer)
{
	struct thin_mailbox *mailbox = find_mailbox(thin, item->mailboxid);
	struct runs runs = RUNS_EMPTY;
	size_t at = 0;
	enum rp_err err = RP_OK;

	while (err == RP_OK && mailbox->told < mailbox->count &&
	       mailbox->by_lsn[mailbox->told].lsn <= lsn) {
		const struct expunged *expunged = &mailbox->by_lsn[mailbox->told++];

		err = runs_add(&runs, expunged->first, expunged->last);
	}
	if (err == RP_OK && !change_put_expunged(writer, item->mailboxid, 0, &runs, &at))
		err = RP_ERR_LIMIT;
	runs_fini(&runs);
	return err;
}

static enum rp_err write_item(
    struct thin *thin, const struct change_item *item, uint64_t lsn, struct change_writer *writer)
{
	const struct catalog_node *node =
	    item->mailboxid != 0 ? catalog_by_id(&thin->catalog, item->mailboxid) : NULL;
	bool fits = true;

	if (node == NULL || lsn < node->created_lsn)
		return RP_OK; /* it is no more, or told at the end */
	switch (item->type) {
	case CHANGE_ITEM_MAILBOX:
		if (lsn == node->created_lsn)
			fits = change_put_mailbox(writer, item->mailboxid, node->entry.uidvalidity,
			    node->entry.special_use, node->entry.name);
		break;
	case CHANGE_ITEM_COUNTERS:
		if (lsn == node->entry.highestmodseq)
			fits = change_put_counters(writer, item->mailboxid, &item->counters);
		break;
	case CHANGE_ITEM_ROWS:
		return write_rows(thin, item, writer);
	case CHANGE_ITEM_FLAG:
		return write_flag(thin, item, lsn, writer);
	case CHANGE_ITEM_EXPUNGED:
		return write_expunged(thin, item, lsn, writer);
	case CHANGE_ITEM_BODY:
		/* The mailbox's last change is told in any case: it may be that a kept body, of a message that is not there, was moved. */
		if (lsn == node->changed_lsn ||
		    counts(thin, find_mailbox(thin, item->mailboxid), FLAG_BODY, item->uid, lsn))
			fits = change_put_body(writer, item->mailboxid, item->uid, item->body);
		break;
	case CHANGE_ITEM_FILE_GONE: /* if it is there again it is found to be empty again */
	case CHANGE_ITEM_NAME:
	case CHANGE_ITEM_GONE:
	case CHANGE_ITEM_SUBSCRIPTION:
	case CHANGE_ITEM_SUMS:
	case CHANGE_ITEM_DESTROYED:
	case CHANGE_ITEM_DELIVERY:
	case CHANGE_ITEM_EXPUNGED_AT:
	case CHANGE_ITEM_GONE_AT:
	case CHANGE_ITEM_KEPT: /* kept.h's */
	case CHANGE_ITEM_KEPT_KEYWORD:
	case CHANGE_ITEM_KEPT_NAME:
	case CHANGE_ITEM_BROUGHT_BACK:
		break;
	}
	return fits ? RP_OK : RP_ERR_LIMIT;
}

/* As much of what stands at the end as has room. True: all. */
static bool write_tail(struct thin *thin, bool last, struct change_writer *writer)
{
	const struct catalog *catalog = &thin->catalog;

	for (; thin->tail_name < catalog->count; thin->tail_name++) {
		const struct catalog_entry *entry = &catalog->by_name[thin->tail_name]->entry;

		if (entry->subscribed && !change_put_subscription(writer, entry->name, true))
			return false;
	}
	for (; thin->tail_delivery < catalog->delivered.count; thin->tail_delivery++)
		if (!change_put_delivery(
		        writer, delivered_at(&catalog->delivered, thin->tail_delivery)))
			return false;
	if (last && !thin->sums_told)
		thin->sums_told = change_put_sums(writer, &catalog->sums);
	return thin->sums_told;
}

enum rp_err thin_write(
    struct thin *thin, uint64_t lsn, struct bytes payload, struct change_writer *writer)
{
	struct change_reader reader;
	struct change_item item;
	enum rp_err err = change_open(payload, &reader);

	RP_ASSERT(lsn <= thin->last);
	while (err == RP_OK && (err = change_next(&reader, &item)) == RP_OK)
		err = write_item(thin, &item, lsn, writer);
	if (err != RP_ERR_END)
		return err;
	if (lsn >= thin->tail && !write_tail(thin, lsn == thin->last, writer) && lsn == thin->last)
		return RP_ERR_LIMIT;
	return RP_OK;
}
