/* Looking through a user's indexes for what refers to his dbox files. */
#include <stdlib.h>

#include "index/compact_core.h"
#include "index/dbox/dbox_format.h"
#include "index/kept_read.h"
#include "index/long_sort.h"
#include "index/mailbox_state.h"
#include "index/view.h"
#include "io/base/num.h"

enum {
	SCAN_TRIES_MAX = 8,  /* a table is replaced by a checkpoint now and then */
	SCAN_ROW_BYTES = 20, /* that are looked at */
	PAUSE_ROWS = 1024,   /* that are gone through without a look at the clock */
	TOLD_BYTES = 256,    /* of journal, about, for a body's new place */
};

/* With more of it live a file stays. */
static const double LIVE_SHARE_MAX = 0.5;

enum rp_err compact_core_add(struct compact_rows *rows, const struct compact_row *row)
{
	if (rows->count == rows->max) {
		size_t max = 2 * rows->max + 64;
		struct compact_row *p = realloc(rows->row, max * sizeof(*p));

		if (p == NULL)
			return RP_ERR_NOMEM;
		rows->row = p;
		rows->max = max;
	}
	rows->row[rows->count++] = *row;
	return RP_OK;
}

static enum rp_err scan_mailbox(
    struct task *task, struct volume *volume, uint64_t mailboxid, table_body_fn *fn, void *arg)
{
	struct mailbox *mailbox;
	enum rp_err err = mailbox_open_id(task, volume, mailboxid, &mailbox);

	if (err != RP_OK)
		return err == RP_ERR_NOTFOUND ? RP_OK : err;
	err = RP_ERR_BUSY;
	for (unsigned i = 0; err == RP_ERR_BUSY && i < SCAN_TRIES_MAX; i++) {
		struct runs listed = RUNS_EMPTY;

		err = view_listed(mailbox, &listed);
		/* It was made anew over lost records, of which the catalog had heard: a body that it does not know may be a message. */
		if (err == RP_OK && table_heard_uid(mailbox->table) != UINT32_MAX)
			err = RP_ERR_CORRUPT;
		if (err == RP_OK)
			err = table_bodies(task, mailbox->table, &listed, fn, arg);
		runs_fini(&listed);
	}
	mailbox_close(mailbox);
	return err;
}

/* So many more may come. */
typedef enum rp_err room_fn(struct task *task, void *arg, size_t more);

/* Each mailbox; *mailboxid: the one that is scanned. */
static enum rp_err scan(struct task *task, struct volume *volume, uint64_t *mailboxid,
    room_fn *make_room, table_body_fn *fn, void *arg)
{
	const struct catalog *catalog = &volume->catalog;
	enum rp_err err = RP_OK;

	*mailboxid = 0;
	while (err == RP_OK) {
		size_t i = 0;

		if (compact_core_must_end(volume))
			return RP_ERR_CANCELED;
		while (i < catalog->ids_count && catalog->by_id[i]->entry.mailboxid <= *mailboxid)
			i++;
		if (i == catalog->ids_count)
			return RP_OK;
		*mailboxid = catalog->by_id[i]->entry.mailboxid;
		uint64_t rows = catalog->by_id[i]->entry.messages_count;

		err = make_room(task, arg, rows);
		if (err == RP_OK)
			err = scan_mailbox(task, volume, *mailboxid, fn, arg);
		if (err == RP_OK)
			err = pace_spend(
			    task, volume->store, &volume->compact_pace, rows * SCAN_ROW_BYTES);
	}
	return err;
}

struct collecting {
	struct compact *compact;
	uint64_t mailboxid;
};

static enum rp_err collect(
    void *arg, uint32_t uid, struct dbox_ref body, uint64_t emailid, uint32_t size_bytes)
{
	struct collecting *collecting = arg;
	struct compact *compact = collecting->compact;
	struct compact_row row = {collecting->mailboxid, emailid, uid, body.file, body.offset};

	(void)size_bytes;
	return compact_core_empties(compact, body.file) ? compact_core_add(&compact->rows, &row) : RP_OK;
}

static enum rp_err make_room_rows(struct task *task, void *arg, size_t more)
{
	struct collecting *collecting = arg;
	struct compact_rows *rows = &collecting->compact->rows;
	void *p = rows->row;
	size_t max = num_max(2 * rows->max, rows->count + more);
	enum rp_err err;

	if (rows->count + more <= rows->max)
		return RP_OK;
	err = long_realloc(
	    task, &p, rows->count * sizeof(*rows->row), max * sizeof(*rows->row));
	if (err != RP_OK)
		return err;
	rows->row = p;
	rows->max = max;
	return RP_OK;
}

/* Those that can be brought back. Read after the indexes: what was expunged meanwhile is met here, or was met there. */
static enum rp_err collect_kept(struct task *task, struct compact *compact)
{
	struct kept kept;
	enum rp_err err =
	    kept_read(task, compact->volume, &compact->volume->compact_pace, &kept);

	if (err != RP_OK)
		return err;
	for (size_t i = 0; err == RP_OK && i < kept.mailboxes_count; i++) {
		const struct kept_mailbox *mailbox = &kept.mailbox[i];

		for (size_t k = 0; err == RP_OK && k < mailbox->rows.count; k++) {
			const struct change_row *row = &kept_row_at(&mailbox->rows, k)->row;
			struct compact_row found = {
			    mailbox->mailboxid, row->emailid, row->uid, row->body.file, row->body.offset};

			if (compact_core_empties(compact, row->body.file))
				err = compact_core_add(&compact->rows, &found);
			if (err == RP_OK && k % PAUSE_ROWS == 0)
				err = task_pause(task);
		}
	}
	kept_fini(task, &kept);
	return err;
}

enum rp_err compact_core_scan(struct task *task, struct compact *compact)
{
	struct collecting collecting = {.compact = compact};
	enum rp_err err =
	    scan(task, compact->volume, &collecting.mailboxid, make_room_rows, collect, &collecting);

	return err == RP_OK ? collect_kept(task, compact) : err;
}

/* A file that can be emptied, and how much of it is referred to. */
struct weighed {
	uint64_t live;
	uint64_t bytes;
	uint64_t needs; /* room, to be emptied */
	uint32_t number;
};

/* What a row refers to. COPY shares: several may be of one body. */
struct weight {
	uint64_t seconds; /* when it was expunged; UINT64_MAX: it is not */
	uint32_t file;
	uint32_t offset;
	uint32_t bytes; /* of the message */
};

/* By number: as many as there are, however many there have been. */
struct weighing {
	struct weighed *file;
	size_t count;
	size_t max;
	size_t at; /* that was found last: the next body often lies beside */
	struct weight *weight;
	size_t weights_count;
	size_t weights_max;
	uint64_t mailboxid;
};

/* NULL: it is none that can be emptied. */
static struct weighed *find_weighed(struct weighing *weighing, uint32_t number)
{
	size_t low = 0;
	size_t high = weighing->count;

	if (weighing->at < high && weighing->file[weighing->at].number == number)
		return &weighing->file[weighing->at];
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (weighing->file[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == weighing->count || weighing->file[low].number != number)
		return NULL;
	weighing->at = low;
	return &weighing->file[low];
}

static enum rp_err add_weighed(struct weighing *weighing, uint32_t number, uint64_t bytes)
{
	if (weighing->count == weighing->max) {
		size_t max = 2 * weighing->max + 16;
		struct weighed *p = realloc(weighing->file, max * sizeof(*p));

		if (p == NULL)
			return RP_ERR_NOMEM;
		weighing->file = p;
		weighing->max = max;
	}
	weighing->file[weighing->count++] = (struct weighed){.number = number, .bytes = bytes};
	return RP_OK;
}

static bool is_passed(const struct compact_passed *passed, uint32_t number)
{
	for (size_t i = 0; i < passed->count; i++)
		if (passed->number[i] == number)
			return true;
	return false;
}

static enum rp_err list_sealed(struct task *task, struct volume *volume,
    const struct compact_passed *passed, struct weighing *weighing)
{
	uint32_t number = 0;

	while ((number = dbox_next_sealed(volume->dbox, number)) != 0) {
		uint64_t bytes = 0;
		enum rp_err err;

		if (is_passed(passed, number))
			continue;
		err = dbox_file_bytes(task, volume->dbox, number, &bytes);
		/* One that cannot be read is left as it is: for repair to say so. */
		if (err == RP_ERR_CANCELED || err == RP_ERR_NOMEM)
			return err;
		if (err == RP_OK && bytes > 0)
			err = add_weighed(weighing, number, bytes);
		if (err == RP_ERR_NOMEM)
			return err;
	}
	return RP_OK;
}

static enum rp_err add_weight(struct weighing *weighing, const struct weight *weight)
{
	if (weighing->weights_count == weighing->weights_max) {
		size_t max = 2 * weighing->weights_max + 64;
		struct weight *p = realloc(weighing->weight, max * sizeof(*p));

		if (p == NULL)
			return RP_ERR_NOMEM;
		weighing->weight = p;
		weighing->weights_max = max;
	}
	weighing->weight[weighing->weights_count++] = *weight;
	return RP_OK;
}

static enum rp_err make_room_weights(struct task *task, void *arg, size_t more)
{
	struct weighing *weighing = arg;
	void *p = weighing->weight;
	size_t max = num_max(2 * weighing->weights_max, weighing->weights_count + more);
	enum rp_err err;

	if (weighing->weights_count + more <= weighing->weights_max)
		return RP_OK;
	err = long_realloc(task, &p, weighing->weights_count * sizeof(*weighing->weight),
	    max * sizeof(*weighing->weight));
	if (err != RP_OK)
		return err;
	weighing->weight = p;
	weighing->weights_max = max;
	return RP_OK;
}

static enum rp_err weigh(
    void *arg, uint32_t uid, struct dbox_ref body, uint64_t emailid, uint32_t size_bytes)
{
	struct weight weight = {UINT64_MAX, body.file, body.offset, size_bytes};

	(void)uid;
	(void)emailid;
	return add_weight(arg, &weight);
}

static int by_share(const void *a, const void *b)
{
	const struct weighed *x = a;
	const struct weighed *y = b;
	double x_share = (double)x->live / (double)x->bytes;
	double y_share = (double)y->live / (double)y->bytes;

	return x_share < y_share ? -1 : x_share > y_share;
}

static int weighed_by_number(const void *a, const void *b)
{
	const struct weighed *x = a;
	const struct weighed *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static enum rp_err take_lightest(struct task *task, struct compact *compact, struct weighing *weighing)
{
	uint64_t live_max = dbox_file_bytes_max(compact->volume->dbox) / 2;
	uint64_t room = commit_room_to_gain_bytes(compact->volume->store->commit);
	uint64_t live = 0;
	enum rp_err err = long_sort(task, weighing->file, weighing->count, sizeof(*weighing->file), by_share);

	compact->count = 0;
	if (err != RP_OK)
		return err;
	for (size_t i = 0; i < weighing->count && compact->count < COMPACT_FILES_MAX; i++) {
		const struct weighed *file = &weighing->file[i];

		if ((double)file->live >= LIVE_SHARE_MAX * (double)file->bytes ||
		    (compact->count > 0 && live + file->live > live_max))
			break;
		if (file->needs > room) {
			compact->lacks_room = true;
			continue;
		}
		room -= file->needs;
		live += file->live;
		compact->number[compact->count++] = file->number;
	}
	qsort(compact->number, compact->count, sizeof(*compact->number), by_number);
	return long_sort(task, weighing->file, weighing->count, sizeof(*weighing->file), weighed_by_number);
}

/* What is kept is live until its time is over. */
static enum rp_err weigh_kept(struct task *task, struct weighing *weighing, const struct kept *kept)
{
	enum rp_err err = make_room_weights(task, weighing, kept->rows_count);

	for (size_t i = 0; err == RP_OK && i < kept->mailboxes_count; i++) {
		const struct kept_rows *rows = &kept->mailbox[i].rows;

		for (size_t k = 0; err == RP_OK && k < rows->count; k++) {
			const struct kept_row *one = kept_row_at(rows, k);
			const struct change_row *row = &one->row;
			struct weight weight = {one->seconds, row->body.file, row->body.offset,
			    row->rfc822_size_bytes};

			err = row->body.file != 0 ? add_weight(weighing, &weight) : RP_OK;
			if (err == RP_OK && k % PAUSE_ROWS == 0)
				err = task_pause(task);
		}
	}
	return err;
}

/* By place; of one body that one first which is live the longest. */
static int by_place(const void *a, const void *b)
{
	const struct weight *x = a;
	const struct weight *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->seconds > y->seconds ? -1 : x->seconds < y->seconds;
}

static int by_seconds(const void *a, const void *b)
{
	const struct weight *x = a;
	const struct weight *y = b;

	return x->seconds < y->seconds ? -1 : x->seconds > y->seconds;
}

static bool is_same_body(const struct weight *a, const struct weight *b)
{
	return a->file == b->file && a->offset == b->offset;
}

/* Each body counts once for its file. What can be brought back and is shared with nothing else is left, by time. */
static enum rp_err add_up(struct task *task, struct weighing *weighing, uint64_t *shared)
{
	struct weight *weight = weighing->weight;
	struct weight before = {0};
	size_t left = 0;
	enum rp_err err =
	    long_sort(task, weight, weighing->weights_count, sizeof(*weight), by_place);

	*shared = 0;
	for (size_t at = 0; err == RP_OK && at < weighing->weights_count; at++) {
		const struct weight one = weight[at];

		if (at == 0 || !is_same_body(&one, &before)) {
			struct weighed *file = find_weighed(weighing, one.file);

			if (file != NULL)
				file->live += dbox_format_record_bytes(one.bytes);
			if (file != NULL)
				file->needs += dbox_format_record_bytes(one.bytes) + TOLD_BYTES;
			if (file != NULL && one.seconds != UINT64_MAX)
				weight[left++] = one;
		} else if (one.seconds == UINT64_MAX) {
			*shared += one.bytes; /* the sums count it too often */
		}
		before = one;
		if (at % PAUSE_ROWS == 0)
			err = task_pause(task);
	}
	if (err != RP_OK)
		return err;
	weighing->weights_count = left;
	return long_sort(task, weight, left, sizeof(*weight), by_seconds);
}

/* When what was expunged in this second is over, there is a file to be emptied. UINT64_MAX: by time alone there never is. */
static enum rp_err next_expiry(struct task *task, struct weighing *weighing, uint64_t *seconds)
{
	enum rp_err err = RP_OK;

	*seconds = UINT64_MAX;
	for (size_t i = 0; err == RP_OK && i < weighing->weights_count; i++) {
		const struct weight *weight = &weighing->weight[i];
		struct weighed *file = find_weighed(weighing, weight->file);

		file->live -= dbox_format_record_bytes(weight->bytes);
		if ((double)file->live < LIVE_SHARE_MAX * (double)file->bytes) {
			*seconds = weight->seconds;
			return RP_OK;
		}
		if (i % PAUSE_ROWS == 0)
			err = task_pause(task);
	}
	return err;
}

static enum rp_err choose(
    struct task *task, struct compact *compact, struct weighing *weighing, const struct compact_passed *passed)
{
	struct volume *volume = compact->volume;
	uint64_t shared;
	struct kept kept;
	enum rp_err err = list_sealed(task, volume, passed, weighing);

	volume->compact_copied_bytes =
	    0; /* those on the way may be met too: then they count twice */
	if (err == RP_OK)
		err = scan(task, volume, &weighing->mailboxid, make_room_weights, weigh, weighing);
	if (err == RP_OK)
		err = kept_read(task, volume, &volume->compact_pace, &kept);
	if (err != RP_OK)
		return err;
	err = weigh_kept(task, weighing, &kept);
	kept_fini(task, &kept);
	if (err == RP_OK)
		err = add_up(task, weighing, &shared);
	if (err != RP_OK)
		return err;
	volume->compact_shared_bytes = shared;
	err = take_lightest(task, compact, weighing);
	return err == RP_OK ? next_expiry(task, weighing, &volume->compact_at_expiry) : err;
}

enum rp_err compact_core_choose(struct task *task, struct compact *compact, const struct compact_passed *passed)
{
	struct weighing weighing = {0};
	enum rp_err err = choose(task, compact, &weighing, passed);

	free(weighing.file);
	free(weighing.weight);
	return err;
}
