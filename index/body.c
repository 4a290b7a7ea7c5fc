#include "index/body.h"

#include <stdlib.h>

#include "index/room.h"
#include "index/trim.h"
#include "index/volume_state.h"

enum { BODY_FIRST_BYTES = 4096 };

enum rp_err body_begin(struct task *task, struct volume *volume, struct body_put **out)
{
	struct body_put *put = calloc(1, sizeof(*put));

	(void)task;
	if (put == NULL)
		return RP_ERR_NOMEM;
	put->volume = volume;
	volume_hold(volume);
	*out = put;
	return RP_OK;
}

/* Room in memory for n bytes in all. */
static bool reserve(struct body_put *put, size_t n)
{
	size_t wanted = put->bytes_max != 0 ? put->bytes_max : BODY_FIRST_BYTES;
	uint8_t *p;

	while (wanted < n)
		wanted *= 2;
	if (wanted == put->bytes_max)
		return true;
	p = realloc(put->p, wanted);
	if (p == NULL)
		return false;
	put->p = p;
	put->bytes_max = wanted;
	return true;
}

enum rp_err body_spill(struct task *task, struct body_put *put)
{
	enum rp_err err;

	if (!body_is_inline(put))
		return RP_OK;
	/* What is left on a full disk is for what was promised. */
	if (commit_room(put->volume->store->commit) != COMMIT_ROOM_ENOUGH) {
		put->failed = RP_ERR_NOSPACE;
		trim_start(put->volume, true);
		return RP_ERR_NOSPACE;
	}
	err = volume_wait_begun(task, put->volume);
	if (err == RP_OK)
		err = dbox_stream_begin(task, put->volume->dbox, &put->stream);
	if (err == RP_OK && put->n != 0)
		err = dbox_stream_write(task, put->stream, bytes_of(put->p, put->n));
	if (err != RP_OK) {
		put->failed = err;
		return err;
	}
	free(put->p);
	put->p = NULL;
	put->n = 0;
	put->bytes_max = 0;
	put->asks = true;
	return RP_OK;
}

static enum rp_err write_more(struct task *task, struct body_put *put, struct bytes b)
{
	if (b.n > UINT32_MAX - put->total_bytes)
		return RP_ERR_TOOBIG;
	if (put->stream == NULL && b.n <= DBOX_INLINE_BYTES_MAX - put->n) {
		if (!reserve(put, put->n + b.n))
			return RP_ERR_NOMEM;
		memcpy(put->p + put->n, b.p, b.n);
		put->n += b.n;
		return RP_OK;
	}
	if (put->stream == NULL) {
		enum rp_err err = body_spill(task, put);

		if (err != RP_OK)
			return err;
	}
	if (put->asks && !room_ask(task, put->volume->store, b.n))
		return RP_ERR_NOSPACE;
	return dbox_stream_write(task, put->stream, b);
}

enum rp_err body_write(struct task *task, struct body_put *put, struct bytes b)
{
	enum rp_err err = put->failed;

	RP_ASSERT(put->ref.file == 0);
	if (err != RP_OK || b.n == 0)
		return err;
	err = write_more(task, put, b);
	if (err == RP_OK)
		put->total_bytes += b.n;
	else
		put->failed = err;
	return err;
}

bool body_is_inline(const struct body_put *put)
{
	return put->stream == NULL && put->ref.file == 0;
}

enum rp_err body_finish(
    struct task *task, struct body_put *put, const struct dbox_message *message)
{
	enum rp_err err = put->failed;

	if (err != RP_OK || put->stream == NULL)
		return err;
	err = dbox_stream_finish(task, put->stream, message, &put->ref);
	if (err == RP_OK) {
		put->stream = NULL;
		dbox_expect(put->volume->dbox, put->ref.file);
	}
	return err;
}

void body_abort(struct body_put *put)
{
	if (put == NULL)
		return;
	if (put->stream != NULL)
		dbox_stream_abort(put->stream);
	if (put->ref.file != 0)
		dbox_expect_no_more(put->volume->dbox, put->ref.file);
	if (put->ref.file != 0 && put->refused)
		dbox_take_back(put->volume->dbox, put->ref, put->total_bytes);
	if (put->stream != NULL || put->refused)
		trim_start(put->volume, false);
	volume_close(put->volume);
	free(put->p);
	free(put);
}
