/* Where the next record goes in a file that was there before; and what lies behind that, as an upload was not ended, is cut off. */
#include <stdlib.h>
#include <string.h>

#include "index/dbox/dbox.h"
#include "index/dbox/dbox_core.h"
#include "io/base/num.h"

enum {
	END_FIRST_BYTES = 80 * 1024, /* looked through first: a small body that ends a file begins in it */
	END_WINDOW_BYTES = 256 * 1024,
	END_UNKNOWN_MAX = 16, /* of the newest files: more than that nobody uploads to at once */
	END_TAILS_MAX = 64,   /* likewise, of those that it is known of */
};

static_assert(END_FIRST_BYTES >= DBOX_INLINE_BYTES_MAX + 2 * DBOX_HEADER_BYTES, "a small body must fit");
static_assert(END_FIRST_BYTES <= END_WINDOW_BYTES && END_FIRST_BYTES % DBOX_RECORD_ALIGN == 0, "one window");

enum look_found { LOOK_NOTHING, LOOK_SOUND, LOOK_DAMAGED };

/* Is there the header of a record, or what may have been one? Mail may look like that on purpose: then its remains stay. */
static enum look_found look_at(const struct dbox_file *file, const struct userid *userid, const uint8_t *p,
    uint64_t offset, uint64_t *end)
{
	struct dbox_record_header header;

	memcpy(&header, p, sizeof(header));
	if (header.magic != DBOX_RECORD_MAGIC && header.nonce != file->nonce)
		return LOOK_NOTHING;
	if (dbox_format_check(bytes_of(p, sizeof(header)), userid, file->nonce, offset, &header) != RP_OK)
		return LOOK_DAMAGED;
	*end = offset + dbox_format_record_bytes(header.stored_bytes);
	return LOOK_SOUND;
}

/* Where the last record ends whose header is sound, from `first` on. From the file's end backwards: how much is read is as much as its
 * last record takes. UINT64_MAX: what lies behind may have been one. */
static enum rp_err end_of_records(struct task *task, const struct dbox_file *file, const struct userid *userid,
    uint64_t first, uint64_t size_bytes, uint64_t *end)
{
	uint8_t *window = malloc(END_WINDOW_BYTES + DBOX_HEADER_BYTES);
	uint64_t to = size_bytes - size_bytes % DBOX_RECORD_ALIGN;
	uint64_t step = END_FIRST_BYTES;
	enum look_found found = LOOK_NOTHING;
	enum rp_err err = window != NULL ? RP_OK : RP_ERR_NOMEM;

	*end = first;
	while (err == RP_OK && found == LOOK_NOTHING && to > first) {
		uint64_t from = to - num_min(step, to - first);
		size_t i = (size_t)(to - from);
		size_t got;

		err = file_read(task, file->file, window, i + DBOX_HEADER_BYTES, from, &got);
		while (err == RP_OK && found == LOOK_NOTHING && i > 0) {
			i -= DBOX_RECORD_ALIGN;
			if (i + DBOX_HEADER_BYTES <= got)
				found = look_at(file, userid, window + i, from + i, end);
		}
		to = from;
		step = END_WINDOW_BYTES;
		if (err == RP_OK)
			err = task_pause(task);
	}
	free(window);
	if (found == LOOK_DAMAGED)
		*end = UINT64_MAX;
	return err;
}

/* What an upload has left that a crash, or the server's end, cut short. It began behind the last record, and the place of its own
 * header, which is written last, was never written. Anything else there stays: it may be a record that is damaged. */
static enum rp_err find_remains(struct task *task, const struct dbox_file *file, const struct userid *userid,
    uint64_t first, uint64_t size_bytes, uint64_t *remains)
{
	static const uint8_t zero[DBOX_HEADER_BYTES];
	uint8_t p[DBOX_HEADER_BYTES];
	uint64_t end;
	size_t got;
	enum rp_err err = end_of_records(task, file, userid, first, size_bytes, &end);

	*remains = UINT64_MAX;
	if (err != RP_OK || end >= size_bytes)
		return err;
	err = file_read(task, file->file, p, sizeof(p), end, &got);
	if (err == RP_OK && got == sizeof(p) && bytes_eq(bytes_of(p, got), bytes_of(zero, sizeof(zero))))
		*remains = end;
	return err;
}

static enum rp_err cut(struct task *task, struct dbox_file *file)
{
	uint64_t size_bytes;
	enum rp_err err = file_size(task, file->file, &size_bytes);

	if (err == RP_OK && size_bytes > file->end)
		err = file_truncate(task, file->file, file->end);
	if (err == RP_OK)
		file->tail = false;
	return err;
}

static enum rp_err look(struct task *task, struct dbox_file *file, const struct userid *userid)
{
	uint64_t remains = UINT64_MAX;
	uint64_t size_bytes = 0;
	uint64_t first;
	bool whole;
	enum rp_err err = dbox_core_is_begun(task, file, &whole, &first);

	file->full = file->full || !whole; /* a crash, or damage: nothing more goes there */
	if (err == RP_OK)
		err = file_size(task, file->file, &size_bytes);
	if (err == RP_OK && !file->full)
		err = find_remains(task, file, userid, first, size_bytes, &remains);
	if (err != RP_OK || file->end != 0 || file->dbox == NULL)
		return err;
	if (remains == UINT64_MAX) {
		file->end = num_round_up(num_max(size_bytes, FORMAT_AREA_BYTES), DBOX_RECORD_ALIGN);
		return RP_OK;
	}
	file->end = remains;
	file->tail = true;
	return cut(task, file);
}

enum rp_err dbox_core_find_end(struct task *task, struct dbox_file *file)
{
	struct dbox *dbox = file->dbox;
	enum rp_err err;

	RP_ASSERT(!file->ending && !file->streaming);
	file->ending = true; /* nobody else has its end meanwhile */
	err = dbox_core_use(task, file);
	if (err == RP_OK) {
		if (file->tail)
			err = cut(task, file);
		else if (file->end == 0)
			err = look(task, file, &dbox->userid);
		dbox_core_release(file);
	} else if (err == RP_ERR_NOTFOUND || err == RP_ERR_CORRUPT || err == RP_ERR_CANNOT || err == RP_ERR_DENIED) {
		file->full = true;
		err = RP_OK;
	}
	file->ending = false;
	task_queue_wake_all(&dbox->ends);
	if (err != RP_ERR_IO)
		return err;
	file->full = true; /* it fails: others take what comes */
	return RP_OK;
}

/* The i-th newest file. */
static bool may_be_trimmed(const struct dbox_file *file, size_t i, bool unknown_too)
{
	if (file->streaming || file->ending || file->removed)
		return false;
	return file->tail || (unknown_too && i < END_UNKNOWN_MAX && file->end == 0 && !file->full);
}

bool dbox_may_trim(const struct dbox *dbox, bool unknown_too)
{
	size_t count = num_min(dbox->files_count, END_TAILS_MAX);

	for (size_t i = 0; i < count; i++)
		if (may_be_trimmed(dbox->files[dbox->files_count - 1 - i], i, unknown_too))
			return true;
	return false;
}

enum rp_err dbox_trim(struct task *task, struct dbox *dbox, bool unknown_too)
{
	uint32_t number = UINT32_MAX;
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < END_TAILS_MAX; i++) {
		struct dbox_file *file;

		number = dbox_file_before(dbox, number);
		if (number == 0)
			break;
		file = dbox_core_find(dbox, number);
		if (!may_be_trimmed(file, i, unknown_too))
			continue;
		file->refs++; /* it stays while we wait */
		err = dbox_core_find_end(task, file);
		dbox_core_release(file);
	}
	return err;
}

void dbox_take_back(struct dbox *dbox, struct dbox_ref ref, uint64_t body_bytes)
{
	struct dbox_file *file = dbox_core_find(dbox, ref.file);
	uint64_t start = (uint64_t)ref.offset * DBOX_RECORD_ALIGN;

	if (file == NULL || file->streaming || file->ending || file->next != NULL ||
	    file->end != start + dbox_format_record_bytes(body_bytes))
		return;
	file->end = start;
	file->tail = true;
}
