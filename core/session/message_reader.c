/* message_reader.c -- the cache entry of a message whose entry was lost, from its body: what index asks of who knows MIME. */
#include "core/session/message_reader.h"

#include "core/session/message_cache.h"
#include "index/dbox/dbox.h"

enum {
	READER_PIECE_BYTES = 64 * 1024, /* one checksum block */
	READER_ARENA_BYTES_MAX = MIME_TREE_BYTES_MAX + 4 * MESSAGE_CACHE_BYTES_MAX,
};

static enum rp_err feed_body(
    struct task *task, struct dbox_body *body, struct mime_parser *parser, uint8_t *buffer)
{
	uint64_t offset = 0;
	size_t got = 1;

	while (got > 0) {
		enum rp_err err =
		    dbox_body_read(task, body, offset, buffer, READER_PIECE_BYTES, &got);

		if (err == RP_OK)
			err = task_pause(task);
		if (err != RP_OK)
			return err;
		mime_feed(parser, bytes_of(buffer, got));
		offset += got;
	}
	return RP_OK;
}

enum rp_err message_reader_parse(struct task *task, struct dbox_body *body, struct arena *arena,
    enum mime_purpose purpose, struct mime *out)
{
	struct mime_parser *parser = arena_alloc(arena, sizeof(*parser));
	uint8_t *buffer = arena_alloc(arena, READER_PIECE_BYTES);
	enum rp_err err;

	if (parser == NULL || buffer == NULL)
		return RP_ERR_NOMEM;
	err = mime_init(parser, arena, purpose);
	if (err != RP_OK)
		return err;
	err = feed_body(task, body, parser, buffer);
	if (err != RP_OK) {
		mime_fini(parser);
		return err;
	}
	*out = *mime_finish(parser);
	return RP_OK;
}

static enum rp_err render(
    struct task *task, struct dbox_body *body, struct arena *arena, struct bytes *entry)
{
	struct arena own;
	struct bytes made;
	struct mime mime;
	enum rp_err err;

	arena_init(&own, READER_ARENA_BYTES_MAX);
	err = message_reader_parse(task, body, &own, MIME_FOR_INDEX, &mime);
	if (err == RP_OK)
		err = message_cache_encode(&own, &mime, &made);
	if (err == RP_OK) {
		made = arena_copy(arena, made);
		if (made.p == NULL)
			err = RP_ERR_NOMEM;
		else
			*entry = made;
	}
	arena_fini(&own);
	return err;
}

static bool sent_date(struct bytes entry, int64_t *seconds, int16_t *zone_min)
{
	struct message_cache cache;

	if (message_cache_decode(entry, &cache) != RP_OK || !cache.has_sent)
		return false;
	*seconds = cache.sent_seconds;
	*zone_min = cache.sent_zone_min;
	return true;
}

const struct mail_reader message_reader = { render, sent_date };
