#include "index/dbox/dbox_scan.h"

#include <stdlib.h>
#include <string.h>

#include "index/dbox/dbox_core.h"
#include "io/base/num.h"

enum { WINDOW_BYTES = 256 * 1024 };

static_assert(WINDOW_BYTES >= DBOX_BLOCK_BYTES + DBOX_HEADER_BYTES, "a block must fit");

struct walk {
	struct task *task;
	struct dbox_file *file;
	uint64_t size_bytes;
	uint8_t *window;
	uint64_t from; /* what part of the file the window shows */
	size_t bytes;
	dbox_scan_fn *fn;
	dbox_odd_fn *odd;
	void *arg;
	uint64_t known; /* up to here lies what has been told of: a body that is damaged, or another file's */
	bool names_only;
};

/* Show [at, at + n) of the file, as far as it is there; good until the next call. */
static enum rp_err show(struct walk *walk, uint64_t at, size_t n, struct bytes *out)
{
	RP_ASSERT(n <= WINDOW_BYTES);
	if (at >= walk->from && at + n <= walk->from + walk->bytes) {
		*out = bytes_of(walk->window + (at - walk->from), n);
		return RP_OK;
	}

	size_t got;
	enum rp_err err =
	    file_read(walk->task, walk->file->file, walk->window, WINDOW_BYTES, at, &got);

	if (err != RP_OK)
		return err;
	walk->from = at;
	walk->bytes = got;
	*out = bytes_of(walk->window, num_min(n, got));
	return RP_OK;
}

/* The checksums of all blocks, computed; RP_ERR_CORRUPT: the body is cut short. */
static enum rp_err sum_blocks(
    struct walk *walk, const struct dbox_record_header *header, uint64_t *sums)
{
	uint64_t blocks = dbox_format_blocks(header->stored_bytes);
	uint64_t at = header->offset + DBOX_HEADER_BYTES;
	uint64_t rest = header->stored_bytes;

	for (uint64_t i = 0; i < blocks; i++) {
		size_t n = (size_t)num_min(rest, DBOX_BLOCK_BYTES);
		struct bytes block = bytes_of(walk->window, 0);
		enum rp_err err = n != 0 ? show(walk, at, n, &block) : RP_OK;

		if (err != RP_OK)
			return err;
		if (block.n != n)
			return RP_ERR_CORRUPT;
		sums[i] = dbox_format_xxh3(block, header->nonce);
		at += n;
		rest -= n;
		err = task_pause(walk->task);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

/* Is the array in the file the one that was computed? */
static enum rp_err compare_sums(
    struct walk *walk, const struct dbox_record_header *header, const uint64_t *sums, size_t count)
{
	uint64_t at = header->offset + dbox_format_sums_offset(header->stored_bytes);
	const uint8_t *p = (const uint8_t *)sums;
	size_t n = count * sizeof(uint64_t);

	while (n > 0) {
		size_t part = num_min(n, WINDOW_BYTES);
		struct bytes in;
		enum rp_err err = show(walk, at, part, &in);

		if (err != RP_OK)
			return err;
		if (!bytes_eq(in, bytes_of(p, part)))
			return RP_ERR_CORRUPT;
		p += part;
		at += part;
		n -= part;
	}
	return RP_OK;
}

static enum rp_err check_body(struct walk *walk, const struct dbox_record_header *header)
{
	size_t count = (size_t)dbox_format_blocks(header->stored_bytes);

	if (dbox_format_content_bytes(header->stored_bytes) > walk->size_bytes - header->offset)
		return RP_ERR_CORRUPT;

	uint64_t *sums = malloc(count * sizeof(uint64_t));

	if (sums == NULL)
		return RP_ERR_NOMEM;

	enum rp_err err = sum_blocks(walk, header, sums);
	uint64_t all = sums[0];

	if (err == RP_OK && count > 1) {
		all = dbox_format_xxh3(bytes_of(sums, count * sizeof(uint64_t)), header->nonce);
		err = compare_sums(walk, header, sums, count);
	}
	if (err == RP_OK && all != header->sums_xxh3)
		err = RP_ERR_CORRUPT;
	free(sums);
	return err;
}

/* ---- oddities ---- */

static enum rp_err tell(struct walk *walk, enum dbox_odd what, uint64_t offset, uint64_t bytes)
{
	struct dbox_oddity oddity = { .what = what,
		.file = walk->file->number,
		.standin = walk->file->standin,
		.offset = offset,
		.bytes = bytes };

	return walk->odd(walk->task, walk->arg, &oddity);
}

/* Is [at, end) zeroes, as far as it is there? */
static enum rp_err is_zero(struct walk *walk, uint64_t at, uint64_t end, bool *zero)
{
	*zero = true;
	while (*zero && at < end) {
		struct bytes in;
		enum rp_err err = show(walk, at, (size_t)num_min(end - at, WINDOW_BYTES), &in);

		if (err != RP_OK || in.n == 0)
			return err;
		for (size_t i = 0; *zero && i < in.n; i++)
			*zero = in.p[i] == 0;
		at += in.n;
		err = task_pause(walk->task);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

static enum rp_err look_at_zeroes(struct walk *walk, enum dbox_odd what, uint64_t at, uint64_t end)
{
	bool zero;
	enum rp_err err;

	if (walk->odd == NULL || at >= end)
		return RP_OK;
	err = is_zero(walk, at, end, &zero);
	return err == RP_OK && !zero ? tell(walk, what, at, end - at) : err;
}

/* Behind the body, and behind the array of checksums. */
static enum rp_err look_behind_body(struct walk *walk, const struct dbox_record_header *header)
{
	uint64_t at = header->offset;
	uint64_t body_end = DBOX_HEADER_BYTES + header->stored_bytes;
	uint64_t end = dbox_format_content_bytes(header->stored_bytes);
	enum rp_err err = RP_OK;

	if (end != body_end)
		err = look_at_zeroes(walk, DBOX_ODD_ZEROES, at + body_end,
		    at + dbox_format_sums_offset(header->stored_bytes));
	if (err == RP_OK)
		err = look_at_zeroes(walk, DBOX_ODD_ZEROES, at + end,
		    at + dbox_format_record_bytes(header->stored_bytes));
	return err;
}

/* Between two records, or behind the last one; there somebody may be writing. */
static enum rp_err look_at_gap(struct walk *walk, uint64_t from, uint64_t to)
{
	from = num_max(from, walk->known);
	if (to == walk->size_bytes && (walk->file->streaming || walk->file->tail))
		return RP_OK;
	return look_at_zeroes(walk, DBOX_ODD_GAP, from, to);
}

static enum rp_err look_at_area(struct walk *walk, struct bytes area)
{
	const struct dbox_file *file = walk->file;
	struct format_header header;
	unsigned bad;
	enum rp_err err;

	if (walk->odd == NULL || (file->streaming && file->end == 0)) /* it is being made */
		return RP_OK;
	err = format_look_area(area, FORMAT_DBOX, DBOX_VERSION, &header, &bad);
	if (err != RP_OK || bad == (FORMAT_FIRST_BAD | FORMAT_SECOND_BAD))
		return tell(walk, DBOX_ODD_HEADER, 0, FORMAT_AREA_BYTES);
	if (bad == 0)
		return RP_OK;
	return tell(walk, DBOX_ODD_HEADER, (bad & FORMAT_FIRST_BAD) != 0 ? 0 : FORMAT_SECTOR_BYTES,
	    FORMAT_SECTOR_BYTES);
}

/* ---- records ---- */

/* The header at `at`, or the next sound one behind it. RP_ERR_END: none. */
static enum rp_err next_header(
    struct walk *walk, uint64_t *at, struct dbox_record_header *header)
{
	while (*at + DBOX_HEADER_BYTES <= walk->size_bytes) {
		struct bytes in;
		enum rp_err err = show(walk, *at, DBOX_HEADER_BYTES, &in);

		if (err != RP_OK)
			return err;
		if (dbox_format_check(in, &walk->file->dbox->userid, walk->file->nonce, *at,
			header) == RP_OK)
			return RP_OK;
		*at += DBOX_RECORD_ALIGN;
		err = task_pause(walk->task);
		if (err != RP_OK)
			return err;
	}
	return RP_ERR_END;
}

/* The nonce that a header names which is sound by it; 0: it is none. */
static uint64_t nonce_of(struct bytes in, const struct userid *userid, uint64_t at)
{
	uint64_t nonce = num_get_u64(in.p + offsetof(struct dbox_record_header, nonce));
	struct dbox_record_header header;

	return nonce != 0 && dbox_format_check(in, userid, nonce, at, &header) == RP_OK ? nonce : 0;
}

enum rp_err dbox_core_find_nonce(
    struct task *task, const struct dbox_file *file, struct file *open, uint64_t *nonce)
{
	const struct userid userid = file->dbox->userid;
	uint8_t *window = malloc(WINDOW_BYTES);
	uint64_t at = FORMAT_AREA_BYTES;
	size_t got = WINDOW_BYTES;
	enum rp_err err = window != NULL ? RP_OK : RP_ERR_NOMEM;

	*nonce = 0;
	while (err == RP_OK && *nonce == 0 && got == WINDOW_BYTES) {
		err = file_read(task, open, window, WINDOW_BYTES, at, &got);
		for (size_t i = 0; err == RP_OK && *nonce == 0 && i + DBOX_HEADER_BYTES <= got;
		     i += DBOX_RECORD_ALIGN)
			*nonce = nonce_of(bytes_of(window + i, DBOX_HEADER_BYTES), &userid, at + i);
		at += WINDOW_BYTES - DBOX_HEADER_BYTES;
		if (err == RP_OK)
			err = task_pause(task);
	}
	free(window);
	return err == RP_OK && *nonce == 0 ? RP_ERR_CORRUPT : err;
}

/* Has a stand-in this record, or one that begins where it does? Then it is met there. */
static enum rp_err is_superseded(struct walk *walk, uint64_t at, bool *superseded)
{
	*superseded = false;
	for (struct dbox_file *file = walk->file->next; file != NULL; file = file->next) {
		uint8_t area[DBOX_HEADER_BYTES];
		struct dbox_record_header header;
		size_t got = 0;
		enum rp_err err = dbox_core_use(walk->task, file);

		if (err == RP_OK) {
			err = file_read(walk->task, file->file, area, sizeof(area), at, &got);
			dbox_core_release(file);
		}
		if (err == RP_ERR_CANCELED || err == RP_ERR_NOMEM)
			return err;
		if (err == RP_OK && dbox_format_check(bytes_of(area, got), &file->dbox->userid,
					file->nonce, at, &header) == RP_OK) {
			*superseded = true;
			return RP_OK;
		}
	}
	return RP_OK;
}

/* One record. *at: where to look for the next. The length stands in a sound header, but what follows a bad body is looked at
 * from its begin. */
static enum rp_err walk_record(struct walk *walk, const struct dbox_record_header *header,
    uint64_t *at, struct dbox_scan_report *report)
{
	enum rp_err err = check_body(walk, header);
	struct dbox_found found = {
		.ref = { walk->file->number, (uint32_t)(*at / DBOX_RECORD_ALIGN) },
		.body_bytes = header->body_bytes,
		.record_bytes = dbox_format_record_bytes(header->stored_bytes),
		.sound = err == RP_OK,
	};

	if (err != RP_OK && err != RP_ERR_CORRUPT)
		return err;
	dbox_format_message(header, &found.message);
	report->records++;
	if (!found.sound)
		report->damaged++;
	err = walk->fn != NULL ? walk->fn(walk->task, walk->arg, &found) : RP_OK;
	if (err == RP_OK && found.sound)
		err = look_behind_body(walk, header);
	walk->known = num_max(walk->known, *at + found.record_bytes);
	*at += found.sound ? found.record_bytes : DBOX_RECORD_ALIGN;
	return err;
}

static enum rp_err walk_records(struct walk *walk, uint64_t at, struct dbox_scan_report *report)
{
	for (;;) {
		struct dbox_record_header header;
		uint64_t from = at;
		bool superseded = false;
		enum rp_err found = next_header(walk, &at, &header);
		enum rp_err err = found == RP_ERR_END ? RP_OK : found;

		if (walk->file->standin == 0) /* a stand-in is mostly holes */
			report->passed_bytes += num_min(at, walk->size_bytes) - from;
		if (err == RP_OK)
			err = look_at_gap(walk, from, found == RP_ERR_END ? walk->size_bytes : at);
		if (err != RP_OK || found == RP_ERR_END)
			return err;
		err = is_superseded(walk, at, &superseded);
		if (err == RP_OK && superseded) {
			walk->known = num_max(walk->known,
			    at + dbox_format_record_bytes(header.stored_bytes));
			at += DBOX_RECORD_ALIGN;
		} else if (err == RP_OK) {
			err = walk_record(walk, &header, &at, report);
		}
		if (err != RP_OK)
			return err;
	}
}

static enum rp_err read_names(
    struct walk *walk, struct arena *arena, struct bytes *names, uint64_t *first)
{
	uint8_t area[FORMAT_AREA_BYTES];
	struct format_header header;
	size_t got;
	enum rp_err err = file_read(walk->task, walk->file->file, area, sizeof(area), 0, &got);

	if (err != RP_OK)
		return err;
	*names = bytes_of(NULL, 0);
	*first = FORMAT_AREA_BYTES;
	err = look_at_area(walk, bytes_of(area, got));
	if (err != RP_OK || walk->file->header_lost)
		return err;
	err = format_check_area(bytes_of(area, got), FORMAT_DBOX, DBOX_VERSION, &header);
	if (err != RP_OK)
		return err;

	uint64_t n = header.extra[DBOX_EXTRA_NAMES_BYTES];

	if (n == 0 || n > DBOX_NAMES_BYTES_MAX)
		return RP_OK;
	uint8_t *p = arena_alloc(arena, (size_t)n);

	if (p == NULL)
		return RP_ERR_LIMIT;
	err = file_read(walk->task, walk->file->file, p, (size_t)n, FORMAT_AREA_BYTES, &got);
	if (err != RP_OK)
		return err;
	if (got == n && dbox_format_xxh3(bytes_of(p, got), header.nonce) ==
		header.extra[DBOX_EXTRA_NAMES_XXH3]) {
		*names = bytes_of(p, got);
		*first = num_round_up(FORMAT_AREA_BYTES + n, DBOX_RECORD_ALIGN);
		return look_at_zeroes(walk, DBOX_ODD_BEGIN_ZEROES, FORMAT_AREA_BYTES + n, *first);
	}
	/* Records may lie there: the header is of an earlier beginning. */
	return walk->odd != NULL ? tell(walk, DBOX_ODD_NAMES, FORMAT_AREA_BYTES, n) : RP_OK;
}

/* as: who wants to be told, and what. */
static enum rp_err scan_file(const struct walk *as, struct dbox_file *file, struct arena *arena,
    struct bytes *names, struct dbox_scan_report *report)
{
	struct task *task = as->task;
	struct walk walk = *as;
	uint64_t first;
	enum rp_err err = dbox_core_use(task, file);

	if (err != RP_OK)
		return err;
	report->header_lost = report->header_lost || file->header_lost;
	walk.file = file;
	walk.window = malloc(WINDOW_BYTES);
	if (walk.window == NULL)
		err = RP_ERR_NOMEM;
	if (err == RP_OK)
		err = file_size(task, file->file, &walk.size_bytes);
	if (err == RP_OK)
		err = read_names(&walk, arena, names, &first);
	if (err == RP_OK && !walk.names_only)
		err = walk_records(&walk, first, report);
	free(walk.window);
	dbox_core_release(file);
	return err;
}

enum rp_err dbox_scan(struct task *task, struct dbox *dbox, uint32_t number, struct arena *arena,
    struct bytes *names, dbox_scan_fn *fn, void *arg, struct dbox_scan_report *report)
{
	return dbox_scan_all(task, dbox, number, arena, names, fn, NULL, arg, report);
}

enum rp_err dbox_read_names(
    struct task *task, struct dbox *dbox, uint32_t number, struct arena *arena, struct bytes *names)
{
	const struct walk as = { .task = task, .names_only = true };
	struct dbox_file *file = dbox_core_find(dbox, number);
	struct dbox_scan_report report = { 0 };

	*names = bytes_of(NULL, 0);
	return file != NULL ? scan_file(&as, file, arena, names, &report) : RP_ERR_NOTFOUND;
}

enum rp_err dbox_scan_all(struct task *task, struct dbox *dbox, uint32_t number,
    struct arena *arena, struct bytes *names, dbox_scan_fn *fn, dbox_odd_fn *odd, void *arg,
    struct dbox_scan_report *report)
{
	const struct walk as = { .task = task, .fn = fn, .odd = odd, .arg = arg };
	struct dbox_file *file = dbox_core_find(dbox, number);

	*report = (struct dbox_scan_report){ 0 };
	*names = bytes_of(NULL, 0);
	if (file == NULL)
		return RP_ERR_NOTFOUND;

	enum rp_err err = scan_file(&as, file, arena, names, report);
	bool sealed = file->next != NULL;

	/* A sealed file may be unreadable: that costs what is in it alone. */
	if (sealed && (err == RP_ERR_IO || err == RP_ERR_NOTFOUND))
		err = RP_ERR_CORRUPT;
	while ((err == RP_OK || err == RP_ERR_CORRUPT) && (file = file->next) != NULL) {
		struct bytes none;
		enum rp_err scanned = scan_file(&as, file, arena, &none, report);

		if (scanned != RP_OK)
			err = scanned == RP_ERR_IO ? RP_ERR_CORRUPT : scanned;
	}
	return err;
}
