#include "core/session/intake.h"

#include "core/session/message_cache.h"
#include "core/session/message_reader.h"

enum {
	/* The tree, the texts that are made of it while they grow, and the parser. */
	INTAKE_ARENA_BYTES_MAX = MIME_TREE_BYTES_MAX + 4 * MESSAGE_CACHE_BYTES_MAX,
	INTAKE_SLICE_BYTES = 16 * 1024, /* parsed between two looks at the clock */
};

enum rp_err intake_begin(
    struct intake *intake, uint64_t bytes_max, intake_sink_fn *sink, void *sink_arg)
{
	enum rp_err err = RP_ERR_NOMEM;

	*intake = (struct intake){ .sink = sink, .sink_arg = sink_arg, .bytes_max = bytes_max };
	arena_init(&intake->arena, INTAKE_ARENA_BYTES_MAX);
	intake->parser = arena_alloc(&intake->arena, sizeof(*intake->parser));
	if (intake->parser != NULL)
		err = mime_init(intake->parser, &intake->arena, MIME_FOR_INDEX);
	if (err != RP_OK) {
		arena_fini(&intake->arena);
		*intake = (struct intake){ 0 };
	}
	return err;
}

static enum rp_err put(struct task *task, struct intake *intake, struct bytes span)
{
	if (span.n > intake->bytes_max - intake->bytes)
		return RP_ERR_TOOBIG;
	intake->bytes += span.n;
	mime_feed(intake->parser, span);
	return intake->sink(task, intake->sink_arg, span);
}

enum rp_err intake_write(struct task *task, struct intake *intake, struct bytes b)
{
	while (b.n > 0) {
		struct bytes slice = bytes_slice(b, 0, b.n < INTAKE_SLICE_BYTES ? b.n : INTAKE_SLICE_BYTES);
		struct bytes span;
		enum rp_err err;

		b = bytes_from(b, slice.n);
		while ((span = normalise_next(&intake->normalise, &slice)).n > 0) {
			err = put(task, intake, span);
			if (err != RP_OK)
				return err;
		}
		err = task_pause(task);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

enum rp_err intake_finish(struct task *task, struct intake *intake, struct append *append)
{
	struct bytes rest = normalise_finish(&intake->normalise);
	struct bytes entry = { 0 };
	int64_t seconds;
	int16_t zone_min;

	if (rest.n > 0) {
		enum rp_err err = put(task, intake, rest);

		if (err != RP_OK)
			return err;
	}
	if (message_cache_encode(&intake->arena, mime_finish(intake->parser), &entry) != RP_OK)
		entry = bytes_of(NULL, 0);
	intake->parser = NULL;
	append->sent = MAIL_SENT_NONE;
	if (entry.n > 0 && message_reader.sent_date(entry, &seconds, &zone_min))
		append->sent = (struct mail_date){ seconds, zone_min };
	append->cache_entry = entry;
	return RP_OK;
}

void intake_end(struct intake *intake)
{
	if (intake->parser != NULL)
		mime_fini(intake->parser);
	if (intake->sink != NULL)
		arena_fini(&intake->arena);
	*intake = (struct intake){ 0 };
}

enum rp_err intake_to_body(struct task *task, void *body_put, struct bytes piece)
{
	return body_write(task, body_put, piece);
}
