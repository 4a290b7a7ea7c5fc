/* Writing bodies: small ones get a place and are written when settled, large ones are streamed. */
#include <stdlib.h>
#include <string.h>

#include "index/dbox/dbox.h"
#include "index/dbox/dbox_core.h"
#include "io/base/num.h"

enum rp_err dbox_reserve(struct task *task, struct dbox *dbox, uint64_t body_bytes)
{
	uint64_t bytes = body_bytes + DBOX_RECORD_BYTES_MORE;

	if (bytes > DBOX_FILE_BYTES_MAX / 2)
		return RP_ERR_LIMIT;
	if (dbox->open != NULL && dbox_core_has_room(dbox->open, bytes))
		return RP_OK;

	struct dbox_file *file;
	enum rp_err err = dbox_core_with_room(task, dbox, bytes, NULL, &file);

	if (err != RP_OK)
		return err;
	dbox->open = file;
	return RP_OK;
}

enum rp_err dbox_place_inline(struct dbox *dbox, const struct dbox_message *message,
    struct bytes body, struct arena *arena, struct bytes *record, struct dbox_ref *ref)
{
	struct dbox_file *file = dbox->open;
	uint64_t bytes = dbox_format_record_bytes(body.n);
	struct dbox_record_header header;

	RP_ASSERT(body.n <= DBOX_INLINE_BYTES_MAX);
	RP_ASSERT(bytes <= body.n + DBOX_RECORD_BYTES_MORE);
	if (file == NULL || !dbox_core_has_room(file, bytes))
		return RP_ERR_BUSY;

	uint8_t *p = arena_alloc(arena, bytes);

	if (p == NULL)
		return RP_ERR_LIMIT;
	dbox_format_fill(&header, &dbox->userid, message, body.n, file->nonce, file->end);
	dbox_format_put(p, &header, body);
	*record = bytes_of(p, bytes);
	*ref = (struct dbox_ref){ file->number, (uint32_t)(file->end / DBOX_RECORD_ALIGN) };
	file->end += bytes;
	return RP_OK;
}

bool dbox_record_is_sound(struct bytes record, const struct userid *userid, uint64_t offset)
{
	struct dbox_record_header header;

	return dbox_format_check_whole(record, userid, offset, &header) == RP_OK;
}

/* The nonce of the file that a record of ours belongs in. It was checked when it was made, or read from a log. */
static uint64_t nonce_of(struct bytes record)
{
	struct dbox_record_header header;

	if (record.n < sizeof(header))
		return 0;
	memcpy(&header, record.p, sizeof(header));
	return header.magic == DBOX_RECORD_MAGIC ? header.nonce : 0;
}

/* The file that takes what is settled into this one, used: itself, or what stands in for it. One that is not there, or whose
 * header is not, was made in the last run and lost in a crash: the record has its nonce. */
static enum rp_err use_for_settled(struct task *task, struct dbox *dbox, uint32_t number,
    uint64_t nonce, struct dbox_file **out)
{
	struct dbox_file *file = dbox_core_find(dbox, number);

	if (file == NULL)
		return nonce != 0 ? dbox_core_create(task, dbox, number, nonce, out)
		                  : RP_ERR_CORRUPT;
	file = dbox_core_newest(file);
	if (file->given_up)
		return nonce != 0 ? dbox_core_stand_in(task, dbox, file, nonce, out)
		                  : RP_ERR_CORRUPT;

	enum rp_err err = dbox_core_use(task, file);

	if (err == RP_OK && file->header_lost && nonce != 0) {
		dbox_core_release(file);
		err = RP_ERR_CORRUPT;
	}
	if (err == RP_ERR_CORRUPT && nonce != 0) {
		err = dbox_core_renew(task, dbox, file, nonce);
		if (err == RP_OK)
			err = dbox_core_use(task, file);
	}
	if (err == RP_OK)
		*out = file;
	return err;
}

enum rp_err dbox_write_settled(
    struct task *task, struct dbox *dbox, uint64_t number, uint64_t offset, struct bytes record)
{
	struct dbox_file *file;

	if (number == 0 || number >= UINT32_MAX)
		return RP_ERR_CORRUPT;

	enum rp_err err =
	    use_for_settled(task, dbox, (uint32_t)number, nonce_of(record), &file);

	if (err != RP_OK)
		return err;
	err = file_write(task, file->file, record.p, record.n, offset, false);
	dbox_core_release(file);
	return err;
}

/* The newest file of a number: dbox_core_release(). */
static enum rp_err use_newest(
    struct task *task, struct dbox *dbox, uint64_t number, struct dbox_file **out)
{
	struct dbox_file *file =
	    number < UINT32_MAX ? dbox_core_find(dbox, (uint32_t)number) : NULL;

	if (file == NULL)
		return RP_ERR_NOTFOUND;
	*out = dbox_core_newest(file);
	return dbox_core_use(task, *out);
}

enum rp_err dbox_sync_settled(struct task *task, struct dbox *dbox, uint64_t number)
{
	struct dbox_file *file;
	enum rp_err err = use_newest(task, dbox, number, &file);

	if (err != RP_OK)
		return err;
	err = file_sync(task, file->file);
	dbox_core_release(file);
	return err;
}

enum rp_err dbox_touch(struct task *task, struct dbox *dbox, uint64_t number)
{
	struct dbox_file *file;
	enum rp_err err = use_newest(task, dbox, number, &file);

	if (err != RP_OK)
		return err;
	err = dbox_core_begin_again(task, file);
	dbox_core_release(file);
	return err;
}

struct dbox_stream {
	struct dbox *dbox;
	struct dbox_file *file; /* used, and its end is ours */
	uint64_t start;         /* where the record begins */
	uint64_t body_bytes;
	uint8_t *block; /* DBOX_BLOCK_BYTES, filled up to body_bytes % that */
	uint64_t *sums;
	size_t sums_count;
	size_t sums_max;
};

enum rp_err dbox_stream_begin(struct task *task, struct dbox *dbox, struct dbox_stream **out)
{
	struct dbox_stream *stream = calloc(1, sizeof(*stream));
	struct dbox_file *file;
	enum rp_err err = RP_ERR_NOMEM;

	if (stream == NULL)
		return err;
	stream->dbox = dbox;
	stream->block = malloc(DBOX_BLOCK_BYTES);
	if (stream->block == NULL)
		goto fail;
	err = dbox_core_with_room(task, dbox, DBOX_INLINE_BYTES_MAX, dbox->open, &file);
	if (err != RP_OK)
		goto fail;
	if (file == dbox->open) /* chosen for small bodies while we waited; they find another */
		dbox->open = NULL;
	file->streaming = true;
	err = dbox_core_use(task, file);
	if (err != RP_OK) {
		file->streaming = false;
		goto fail;
	}
	dbox->streams_count++;
	stream->file = file;
	stream->start = file->end;
	*out = stream;
	return RP_OK;
fail:
	free(stream->block);
	free(stream);
	return err;
}

static enum rp_err add_sum(struct dbox_stream *stream, struct bytes block)
{
	if (stream->sums_count == stream->sums_max) {
		size_t room = stream->sums_max == 0 ? 64 : 2 * stream->sums_max;
		uint64_t *sums = realloc(stream->sums, room * sizeof(uint64_t));

		if (sums == NULL)
			return RP_ERR_NOMEM;
		stream->sums = sums;
		stream->sums_max = room;
	}
	stream->sums[stream->sums_count++] = dbox_format_xxh3(block, stream->file->nonce);
	return RP_OK;
}

/* n bytes of the block that ends the body so far. */
static enum rp_err put_block(struct task *task, struct dbox_stream *stream, size_t n)
{
	uint64_t at = stream->start + DBOX_HEADER_BYTES + stream->body_bytes - n;
	enum rp_err err = add_sum(stream, bytes_of(stream->block, n));

	if (err != RP_OK || n == 0)
		return err;
	stream->file->tail = true;
	return file_write(task, stream->file->file, stream->block, n, at, false);
}

/* A file that fails takes nothing more: the client's next try finds another. */
static enum rp_err seal_failed(struct dbox_stream *stream, enum rp_err err)
{
	if (err == RP_ERR_IO)
		stream->file->full = true;
	return err;
}

enum rp_err dbox_stream_write(struct task *task, struct dbox_stream *stream, struct bytes b)
{
	if (b.n > DBOX_BODY_BYTES_MAX - stream->body_bytes)
		return RP_ERR_TOOBIG;
	while (b.n > 0) {
		size_t have = (size_t)(stream->body_bytes % DBOX_BLOCK_BYTES);
		size_t n = num_min(b.n, DBOX_BLOCK_BYTES - have);

		memcpy(stream->block + have, b.p, n);
		stream->body_bytes += n;
		b = bytes_from(b, n);
		if (have + n < DBOX_BLOCK_BYTES)
			return RP_OK;

		enum rp_err err = put_block(task, stream, DBOX_BLOCK_BYTES);

		if (err != RP_OK)
			return seal_failed(stream, err);
	}
	return RP_OK;
}

/* The array of checksums with the zeroes before and behind it; nothing to do for one block. */
static enum rp_err put_sums(struct task *task, struct dbox_stream *stream)
{
	uint64_t body_end = DBOX_HEADER_BYTES + stream->body_bytes;
	uint64_t record_bytes = dbox_format_record_bytes(stream->body_bytes);
	uint64_t before = dbox_format_sums_offset(stream->body_bytes) - body_end;
	uint64_t n = record_bytes - body_end;

	if (n == 0)
		return RP_OK;

	uint8_t *p = calloc(1, n);

	if (p == NULL)
		return RP_ERR_NOMEM;
	if (stream->sums_count > 1)
		memcpy(p + before, stream->sums, stream->sums_count * sizeof(uint64_t));

	enum rp_err err =
	    file_write(task, stream->file->file, p, n, stream->start + body_end, false);

	free(p);
	return err;
}

static enum rp_err put_header(
    struct task *task, struct dbox_stream *stream, const struct dbox_message *message)
{
	struct dbox_record_header header;
	uint64_t nonce = stream->file->nonce;

	dbox_format_fill(&header, &stream->dbox->userid, message, stream->body_bytes, nonce,
	    stream->start);
	header.sums_xxh3 = stream->sums_count == 1
	    ? stream->sums[0]
	    : dbox_format_xxh3(
		  bytes_of(stream->sums, stream->sums_count * sizeof(uint64_t)), nonce);
	dbox_format_sign(&header);
	return file_write(
	    task, stream->file->file, &header, sizeof(header), stream->start, false);
}

static void end_stream(struct dbox_stream *stream)
{
	stream->file->streaming = false;
	stream->dbox->streams_count--;
	dbox_core_release(stream->file);
	free(stream->block);
	free(stream->sums);
	free(stream);
}

enum rp_err dbox_stream_finish(struct task *task, struct dbox_stream *stream,
    const struct dbox_message *message, struct dbox_ref *ref)
{
	struct dbox_file *file = stream->file;
	size_t rest = (size_t)(stream->body_bytes % DBOX_BLOCK_BYTES);
	enum rp_err err = RP_OK;

	file->tail = true;
	if (stream->sums_count != dbox_format_blocks(stream->body_bytes))
		err = put_block(task, stream, rest);
	if (err == RP_OK)
		err = put_sums(task, stream);
	if (err == RP_OK)
		err = put_header(task, stream, message);
	if (err == RP_OK)
		err = file_sync(task, file->file);
	if (err == RP_OK)
		err = dbox_core_sync_name(task, stream->dbox, file);
	if (err != RP_OK)
		return seal_failed(stream, err);
	*ref = (struct dbox_ref){ file->number, (uint32_t)(stream->start / DBOX_RECORD_ALIGN) };
	file->end = stream->start + dbox_format_record_bytes(stream->body_bytes);
	file->tail = false;
	end_stream(stream);
	return RP_OK;
}

void dbox_stream_abort(struct dbox_stream *stream)
{
	if (stream != NULL)
		end_stream(stream);
}
