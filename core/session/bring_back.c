#include "core/session/bring_back.h"

#include "core/mail/header.h"
#include "index/dbox/dbox.h"

enum { LINE_ARENA_BYTES_MAX = 64 * 1024 };

/* What a terminal, and JSON, take as it is. */
static struct bytes printable(struct arena *arena, struct bytes block, struct bytes name)
{
	struct bytes value = header_find(block, name);
	struct bytes text = value.p != NULL ? header_unfolded(arena, value) : value;
	uint8_t *p = text.p != NULL ? arena_alloc(arena, text.n) : NULL;

	if (p == NULL)
		return bytes_of(NULL, 0);
	for (size_t i = 0; i < text.n; i++)
		p[i] = text.p[i] >= ' ' && text.p[i] < 0x7f ? text.p[i] : '?';
	return bytes_of(p, text.n);
}

static enum rp_err tell(struct task *task, const struct undelete *undelete, size_t i,
    struct arena *arena, bring_back_fn *fn, void *arg)
{
	uint8_t *p = arena_alloc(arena, BRING_BACK_HEADER_BYTES);
	struct bring_back_line line = {.from = bytes_of(NULL, 0), .subject = bytes_of(NULL, 0)};
	struct dbox_body *body;
	size_t got = 0;

	if (p == NULL)
		return RP_ERR_NOMEM;
	undelete_at(undelete, i, &line.message);
	enum rp_err err = undelete_body_open(task, undelete, i, &body);

	if (err == RP_OK) {
		err = dbox_body_read(task, body, 0, p, BRING_BACK_HEADER_BYTES, &got);
		dbox_body_close(body);
	}
	if (err == RP_OK) {
		line.from = printable(arena, bytes_of(p, got), BYTES_LIT("From"));
		line.subject = printable(arena, bytes_of(p, got), BYTES_LIT("Subject"));
	}
	if (err == RP_ERR_CANCELED || err == RP_ERR_NOMEM)
		return err;
	fn(arg, &line);
	return RP_OK;
}

static enum rp_err list(
    struct task *task, const struct undelete *undelete, bring_back_fn *fn, void *arg)
{
	struct arena arena;
	enum rp_err err = RP_OK;

	arena_init(&arena, LINE_ARENA_BYTES_MAX);
	for (size_t i = 0; err == RP_OK && fn != NULL && i < undelete_count(undelete); i++) {
		arena_reset(&arena);
		err = tell(task, undelete, i, &arena, fn, arg);
		if (err == RP_OK)
			err = task_pause(task);
	}
	arena_fini(&arena);
	return err;
}

struct lost_teller {
	bring_back_fn *fn; /* may be NULL */
	void *arg;
};

static void tell_lost(void *arg, const struct undelete_message *message, enum rp_err why)
{
	const struct lost_teller *teller = arg;
	const struct bring_back_line line = {.message = *message, .lost = why};

	if (teller->fn != NULL)
		teller->fn(teller->arg, &line);
}

enum rp_err bring_back_run(struct task *task, struct store *store, const struct bring_back_in *in,
    bring_back_fn *fn, void *arg, struct bring_back_out *out)
{
	const struct undelete_filter filter = {.mailbox = in->mailbox, .since_s = in->since_s};
	struct lost_teller teller = {fn, arg};
	struct undelete *undelete;
	struct volume *volume;
	size_t back = 0;
	size_t lost = 0;

	*out = (struct bring_back_out){0};
	enum rp_err err = volume_open(task, store, &in->userid, &volume);

	if (err != RP_OK)
		return err;
	err = undelete_begin(task, volume, &filter, &undelete);
	if (err == RP_OK) {
		out->found = undelete_count(undelete);
		undelete_tell_lost(undelete, tell_lost, &teller);
		err = in->lists ? list(task, undelete, fn, arg)
		                : undelete_all(task, undelete, in->to, &back, &lost);
		undelete_end(task, undelete);
	}
	volume_close(volume);
	out->back = back;
	out->lost = lost;
	return err;
}
