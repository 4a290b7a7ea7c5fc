/* Reading bodies: a block is checked before a byte of it is given out. */
#include <stdlib.h>
#include <string.h>

#include "index/dbox/dbox.h"
#include "index/dbox/dbox_core.h"
#include "io/base/num.h"

enum {
	FIRST_BYTES = 16 * 1024, /* read with the header: most mail is smaller and costs one read */
	RUN_BYTES_MAX = 1024 * 1024, /* whole blocks that are read straight to the caller at once */
};

struct dbox_body {
	struct dbox_file *file; /* used; NULL: all of it is in memory */
	struct dbox_record_header header;
	struct dbox_message message;
	uint64_t offset; /* of the body in the file */
	uint64_t *sums;  /* of the blocks, when there are more than one */
	uint8_t *block;  /* memory for block_room bytes */
	size_t block_room;
	size_t block_bytes;   /* what is there of block_number, checked when block_sound */
	uint64_t block_number;
	bool block_sound;
};

static size_t block_size(const struct dbox_body *body, uint64_t number)
{
	uint64_t from = number * DBOX_BLOCK_BYTES;

	return (size_t)num_min(DBOX_BLOCK_BYTES, body->header.stored_bytes - from);
}

static bool block_is_sound(const struct dbox_body *body, uint64_t number, const uint8_t *p)
{
	uint64_t sum = body->sums != NULL ? body->sums[number] : body->header.sums_xxh3;
	struct bytes in = bytes_of(p, block_size(body, number));

	return dbox_format_xxh3(in, body->header.nonce) == sum;
}

/* A record that is not settled yet: a copy of its body, at most 64 KiB. */
static enum rp_err open_unsettled(
    const struct dbox *dbox, struct bytes record, uint64_t offset, struct dbox_body *body)
{
	enum rp_err err = dbox_format_check_whole(record, &dbox->userid, offset, &body->header);

	if (err != RP_OK)
		return err;
	body->block_room = (size_t)body->header.stored_bytes;
	body->block = malloc(body->block_room + 1);
	if (body->block == NULL)
		return RP_ERR_NOMEM;
	memcpy(body->block, record.p + DBOX_HEADER_BYTES, body->block_room);
	body->block_bytes = body->block_room;
	body->block_sound = true;
	return RP_OK;
}

/* The checksums of a body of several blocks, themselves checked by the header. */
static enum rp_err read_sums(struct task *task, struct dbox_body *body)
{
	uint64_t blocks = dbox_format_blocks(body->header.stored_bytes);
	size_t n = (size_t)blocks * sizeof(uint64_t);
	size_t got;

	if (blocks == 1)
		return RP_OK;
	body->sums = malloc(n);
	if (body->sums == NULL)
		return RP_ERR_NOMEM;

	uint64_t at = body->header.offset + dbox_format_sums_offset(body->header.stored_bytes);
	enum rp_err err = file_read(task, body->file->file, body->sums, n, at, &got);

	if (err != RP_OK)
		return err;
	if (got != n || dbox_format_xxh3(bytes_of(body->sums, n), body->header.nonce) !=
		body->header.sums_xxh3)
		return RP_ERR_CORRUPT;
	return RP_OK;
}

/* Header and, in the same read, the beginning of the body. */
static enum rp_err open_in_file(struct task *task, uint64_t offset, struct dbox_body *body)
{
	struct dbox_file *file = body->file;
	uint8_t *p = malloc(DBOX_HEADER_BYTES + FIRST_BYTES);
	size_t got;

	if (p == NULL)
		return RP_ERR_NOMEM;

	enum rp_err err =
	    file_read(task, file->file, p, DBOX_HEADER_BYTES + FIRST_BYTES, offset, &got);

	if (err == RP_OK && file->dbox == NULL)
		err = RP_ERR_EXPUNGED; /* removed while we read */
	if (err == RP_OK)
		err = dbox_format_check(
		    bytes_of(p, got), &file->dbox->userid, file->nonce, offset, &body->header);
	if (err == RP_ERR_END)
		err = RP_ERR_CORRUPT;
	if (err == RP_OK) {
		body->offset = offset + DBOX_HEADER_BYTES;
		body->block_bytes = num_min(got - DBOX_HEADER_BYTES, block_size(body, 0));
		body->block_room = DBOX_HEADER_BYTES + FIRST_BYTES;
		memmove(p, p + DBOX_HEADER_BYTES, body->block_bytes);
		body->block = p;
		return read_sums(task, body);
	}
	free(p);
	return err;
}

static enum rp_err open_from(struct task *task, struct dbox_file *file, uint64_t offset,
    uint64_t emailid, struct dbox_body *body)
{
	enum rp_err err = dbox_core_use(task, file);

	if (err != RP_OK)
		return err == RP_ERR_NOTFOUND ? RP_ERR_EXPUNGED : err;
	body->file = file;
	err = open_in_file(task, offset, body);
	if (err == RP_OK && body->header.emailid != emailid)
		err = RP_ERR_CORRUPT;
	return err;
}

/* For another try in another file. */
static void let_go(struct dbox_body *body)
{
	if (body->file != NULL)
		dbox_core_release(body->file);
	free(body->sums);
	free(body->block);
	*body = (struct dbox_body){ 0 };
}

/* What stands in for the file first, the newest before all: what the file itself has there may be half of it. */
static enum rp_err open_settled(struct task *task, struct dbox *dbox, uint32_t number,
    uint64_t offset, uint64_t emailid, struct dbox_body *body)
{
	struct dbox_file *first = dbox_core_find(dbox, number);

	if (first == NULL || first->removed)
		return RP_ERR_EXPUNGED;
	for (uint32_t standin = dbox_core_newest(first)->standin;; standin--) {
		struct dbox_file *file = first;

		while (file->next != NULL && file->standin < standin)
			file = file->next;

		enum rp_err err = open_from(task, file, offset, emailid, body);

		if (err == RP_OK || err == RP_ERR_CANCELED || err == RP_ERR_NOMEM || standin == 0)
			return err;
		let_go(body);
		first = dbox_core_find(dbox, number);
		if (first == NULL || first->removed)
			return RP_ERR_EXPUNGED;
	}
}

enum rp_err dbox_body_open(struct task *task, struct dbox *dbox, const struct settle *settle,
    struct dbox_ref ref, uint64_t emailid, struct dbox_body **out)
{
	uint64_t offset = (uint64_t)ref.offset * DBOX_RECORD_ALIGN;
	struct bytes unsettled = settle == NULL ? bytes_of(NULL, 0)
	                                        : settle_find_body(settle, ref.file, offset);
	struct dbox_body *body = calloc(1, sizeof(*body));
	enum rp_err err;

	if (body == NULL)
		return RP_ERR_NOMEM;
	if (unsettled.n != 0) {
		err = open_unsettled(dbox, unsettled, offset, body);
		if (err == RP_OK && body->header.emailid != emailid)
			err = RP_ERR_CORRUPT;
	} else {
		err = open_settled(task, dbox, ref.file, offset, emailid, body);
	}
	if (err != RP_OK) {
		dbox_body_close(body);
		return err;
	}
	dbox_format_message(&body->header, &body->message);
	*out = body;
	return RP_OK;
}

struct dbox_ref dbox_body_ref(const struct dbox_body *body)
{
	return (struct dbox_ref){.file = body->file != NULL ? body->file->number : 0,
	    .offset = (uint32_t)(body->header.offset / DBOX_RECORD_ALIGN)};
}

uint64_t dbox_body_bytes(const struct dbox_body *body)
{
	return body->header.body_bytes;
}

const struct dbox_message *dbox_body_message(const struct dbox_body *body)
{
	return &body->message;
}

void dbox_body_close(struct dbox_body *body)
{
	if (body == NULL)
		return;
	let_go(body);
	free(body);
}

static enum rp_err make_room(struct dbox_body *body, size_t n)
{
	if (body->block_room >= n)
		return RP_OK;

	uint8_t *p = realloc(body->block, n);

	if (p == NULL)
		return RP_ERR_NOMEM;
	body->block = p;
	body->block_room = n;
	return RP_OK;
}

/* Have a whole block in body->block, checked. */
static enum rp_err load_block(struct task *task, struct dbox_body *body, uint64_t number)
{
	size_t n = block_size(body, number);
	size_t got = 0;

	if (body->block_number != number) {
		body->block_bytes = 0;
		body->block_sound = false;
		body->block_number = number;
	}
	if (body->block_sound)
		return RP_OK;

	enum rp_err err = make_room(body, n);
	size_t have = body->block_bytes;

	if (err == RP_OK && have < n)
		err = file_read(task, body->file->file, body->block + have, n - have,
		    body->offset + number * DBOX_BLOCK_BYTES + have, &got);
	if (err != RP_OK)
		return err;
	if (have + got != n || !block_is_sound(body, number, body->block)) {
		body->block_bytes = 0; /* another try reads it again */
		return RP_ERR_CORRUPT;
	}
	body->block_bytes = n;
	body->block_sound = true;
	return RP_OK;
}

/* Whole blocks from `number` on straight to the caller's memory. */
static enum rp_err read_run(
    struct task *task, struct dbox_body *body, uint64_t number, uint8_t *p, size_t n)
{
	size_t got;
	enum rp_err err = file_read(
	    task, body->file->file, p, n, body->offset + number * DBOX_BLOCK_BYTES, &got);

	if (err != RP_OK)
		return err;
	if (got != n)
		return RP_ERR_CORRUPT;
	for (size_t at = 0; at < n; number++) {
		if (!block_is_sound(body, number, p + at))
			return RP_ERR_CORRUPT;
		at += block_size(body, number);
	}
	return RP_OK;
}

/* How many bytes of whole blocks can be read from offset on into n bytes; 0: not even one, or it is here already. */
static size_t run_bytes(const struct dbox_body *body, uint64_t offset, size_t n)
{
	uint64_t number = offset / DBOX_BLOCK_BYTES;
	uint64_t rest = body->header.stored_bytes - offset;

	if (body->file == NULL || offset % DBOX_BLOCK_BYTES != 0)
		return 0;
	if (body->block_number == number && body->block_bytes != 0)
		return 0;
	if (n >= rest)
		return (size_t)num_min(rest, RUN_BYTES_MAX);
	return num_min(n - n % DBOX_BLOCK_BYTES, RUN_BYTES_MAX);
}

enum rp_err dbox_body_read(
    struct task *task, struct dbox_body *body, uint64_t offset, void *p, size_t n, size_t *got)
{
	size_t done = 0;

	if (offset >= body->header.body_bytes) {
		*got = 0;
		return RP_OK;
	}
	n = (size_t)num_min(n, body->header.body_bytes - offset);
	while (done < n) {
		uint64_t number = (offset + done) / DBOX_BLOCK_BYTES;
		size_t run = run_bytes(body, offset + done, n - done);
		enum rp_err err;

		if (run != 0) {
			err = read_run(task, body, number, (uint8_t *)p + done, run);
			if (err != RP_OK)
				return err;
			done += run;
			continue;
		}
		err = load_block(task, body, number);
		if (err != RP_OK)
			return err;

		size_t from = (size_t)((offset + done) % DBOX_BLOCK_BYTES);
		size_t part = num_min(n - done, body->block_bytes - from);

		memcpy((uint8_t *)p + done, body->block + from, part);
		done += part;
	}
	*got = done;
	return RP_OK;
}
