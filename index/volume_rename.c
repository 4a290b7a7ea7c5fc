/* volume_rename() of volume.h. */
#include <stdlib.h>

#include "index/mailbox_transfer.h"
#include "index/volume_names.h"
#include "io/base/clock.h"

/* One name that changes: a mailbox, or (mailboxid 0) a subscription alone. */
struct rename_step {
	uint64_t mailboxid;
	struct bytes from; /* in the store's arena */
	struct bytes to;
};

struct renaming {
	struct volume *volume;
	struct bytes from;
	struct bytes to;
	struct rename_step *steps;
	size_t steps_count;
	struct transfer transfer; /* INBOX: its messages, */
	bool grew;                /* which have become too many for a breath */
};

/* to + what stands behind the old beginning of the name. .p == NULL: no memory. */
static struct bytes new_name(struct renaming *renaming, struct arena *arena, struct bytes name)
{
	size_t rest = name.n - renaming->from.n;
	uint8_t *p = arena_alloc(arena, renaming->to.n + rest);

	if (p == NULL)
		return (struct bytes){ 0 };
	memcpy(p, renaming->to.p, renaming->to.n);
	memcpy(p + renaming->to.n, name.p + renaming->from.n, rest);
	return bytes_of(p, renaming->to.n + rest);
}

static enum rp_err add_step(struct renaming *renaming, const struct catalog_node *node)
{
	struct arena *arena = &renaming->volume->store->arena;
	struct rename_step *step = &renaming->steps[renaming->steps_count];

	if (node->entry.name.n - renaming->from.n + renaming->to.n > CHANGE_NAME_BYTES_MAX)
		return RP_ERR_CANNOT;
	*step = (struct rename_step){ .mailboxid = node->entry.mailboxid,
		.from = arena_copy(arena, node->entry.name),
		.to = new_name(renaming, arena, node->entry.name) };
	if (step->from.p == NULL || step->to.p == NULL)
		return RP_ERR_NOMEM;
	if (step->mailboxid != 0 && names_has_mailbox(renaming->volume, step->to))
		return RP_ERR_EXISTS;
	renaming->steps_count++;
	return RP_OK;
}

static enum rp_err check_names(const struct renaming *renaming)
{
	const struct volume *volume = renaming->volume;
	struct bytes from = renaming->from;
	struct bytes to = renaming->to;

	if (!names_has_mailbox(volume, from))
		return RP_ERR_NOTFOUND;
	if (names_has_mailbox(volume, to))
		return RP_ERR_EXISTS;
	if (!names_is_inbox(from) && to.n > from.n && to.p[from.n] == '/' &&
	    bytes_starts_with(to, from))
		return RP_ERR_CANNOT; /* below itself */
	return RP_OK;
}

/* All names that change: those below were listed before any of them changes. */
static enum rp_err make_steps(struct renaming *renaming)
{
	const struct catalog *catalog = &renaming->volume->catalog;
	struct catalog_node *node = catalog_find(catalog, renaming->from);
	enum rp_err err;

	free(renaming->steps);
	renaming->steps_count = 0;
	renaming->steps = calloc(catalog->count + 1, sizeof(*renaming->steps));
	if (renaming->steps == NULL)
		return RP_ERR_NOMEM;
	err = add_step(renaming, node);
	for (node = catalog_first_below(catalog, renaming->from);
	     err == RP_OK && node != NULL && catalog_is_below(node, renaming->from);
	     node = catalog_after(catalog, node->entry.name))
		err = add_step(renaming, node);
	return err;
}

static enum rp_err prepare_parents(struct renaming *renaming)
{
	size_t from = 0;
	struct bytes parent;
	enum rp_err err = RP_OK;

	while (err == RP_OK && (parent = names_parent(renaming->to, &from)).n != 0)
		if (!names_has_mailbox(renaming->volume, parent))
			err = catalog_prepare(&renaming->volume->catalog, parent.n);
	return err;
}

static enum rp_err rename_prepare(struct task *task, void *arg)
{
	struct renaming *renaming = arg;
	struct catalog *catalog = &renaming->volume->catalog;
	enum rp_err err = check_names(renaming);

	(void)task;
	catalog_drop_spares(catalog);
	arena_reset(&renaming->volume->store->arena);
	if (err == RP_OK)
		err = make_steps(renaming);
	if (err == RP_OK)
		err = prepare_parents(renaming);
	for (size_t i = 0; i < renaming->steps_count && err == RP_OK; i++)
		err = catalog_prepare(catalog, renaming->steps[i].to.n);
	return err;
}

static void write_step(struct breath *breath, const struct rename_step *step)
{
	if (step->mailboxid != 0) {
		BREATH_PUT(
		    breath, change_put_name(&breath->writer, step->mailboxid, step->to));
		return;
	}
	BREATH_PUT(breath, change_put_subscription(&breath->writer, step->from, false));
	BREATH_PUT(breath, change_put_subscription(&breath->writer, step->to, true));
}

/* Missing parents of the new name, and the mailbox itself where it is a new one. */
static enum rp_err write_parents(
    struct breath *breath, struct renaming *renaming, struct change_sums *sums)
{
	size_t slash = renaming->to.n;
	struct bytes parent;
	uint64_t mailboxid;

	while (slash > 0 && renaming->to.p[slash - 1] != '/')
		slash--;
	if (slash == 0)
		return RP_OK;
	parent = bytes_slice(renaming->to, 0, slash - 1);
	if (parent.n == 0 || names_has_mailbox(renaming->volume, parent))
		return RP_OK;
	return names_write(breath, parent, 0, sums, &mailboxid);
}

static enum rp_err rename_write(struct breath *breath, void *arg)
{
	struct renaming *renaming = arg;
	struct change_sums sums = renaming->volume->catalog.sums;
	enum rp_err err = check_names(renaming);

	if (err == RP_OK)
		err = make_steps(renaming);
	if (err == RP_OK)
		err = write_parents(breath, renaming, &sums);
	if (err != RP_OK)
		return err;
	for (size_t i = 0; i < renaming->steps_count; i++)
		write_step(breath, &renaming->steps[i]);
	BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
	return RP_OK;
}

/* The new mailbox. */
static enum rp_err opening_prepare(void *arg)
{
	struct renaming *renaming = arg;

	catalog_drop_spares(&renaming->volume->catalog);
	return names_prepare(renaming->volume, renaming->to);
}

static enum rp_err opening_write(struct breath *breath, void *arg)
{
	struct renaming *renaming = arg;
	struct change_sums sums = renaming->volume->catalog.sums;
	enum rp_err err = check_names(renaming);

	if (err == RP_OK)
		err = names_write(breath, renaming->to, 0, &sums, &renaming->transfer.toid);
	if (err == RP_OK)
		BREATH_PUT(breath, change_put_sums(&breath->writer, &sums));
	return err;
}

static enum rp_err inbox_prepare(struct task *task, void *arg)
{
	struct renaming *renaming = arg;
	enum rp_err err;

	renaming->grew = transfer_is_many(&renaming->transfer);
	if (renaming->grew)
		return RP_ERR_LIMIT;
	err = transfer_prepare(task, &renaming->transfer);
	if (err == RP_OK)
		err = check_names(renaming);
	return err == RP_OK ? opening_prepare(renaming) : err;
}

static enum rp_err inbox_write(struct breath *breath, void *arg)
{
	struct renaming *renaming = arg;
	enum rp_err err = transfer_look(&renaming->transfer);

	if (err == RP_OK)
		err = opening_write(breath, renaming);
	if (err != RP_OK)
		return err;
	transfer_write(breath, &renaming->transfer);
	return RP_OK;
}

/* INBOX stays; its messages move to a new mailbox (RFC 3501, section 6.3.5). Its children stay too. */
static enum rp_err rename_inbox(struct task *task, struct renaming *renaming)
{
	struct breath_plan plan = { .type = CHANGE_RENAME,
		.prepare = inbox_prepare,
		.write = inbox_write,
		.arg = renaming,
		.room = BREATH_ROOM_SOME };
	struct transfer_opening opening = {
	    .prepare = opening_prepare, .write = opening_write, .arg = renaming};
	struct mailbox *inbox;
	bool is_long = false;
	enum rp_err err = mailbox_open(task, renaming->volume, renaming->from, &inbox);

	if (err != RP_OK)
		return err;
	renaming->transfer =
	    (struct transfer){.from = inbox, .opening = &opening, .moves = true};
	renaming->transfer.savedate_s = (uint32_t)(loop_wall_ns(task_loop(task)) / CLOCK_NS_PER_S);
	err = check_names(renaming);
	if (err == RP_OK)
		err = transfer_measure(task, &renaming->transfer, &is_long);
	if (err == RP_OK && !is_long) {
		err = mailbox_run(task, inbox, &plan);
		is_long = err == RP_ERR_LIMIT && renaming->grew;
	}
	if (is_long)
		err = transfer_long(task, &renaming->transfer);
	catalog_drop_spares(&renaming->volume->catalog);
	transfer_fini(&renaming->transfer);
	mailbox_close(inbox);
	return err;
}

enum rp_err volume_rename(
    struct task *task, struct volume *volume, struct bytes from, struct bytes to)
{
	struct renaming renaming = { .volume = volume, .from = from, .to = to };
	struct breath_plan plan = { .type = CHANGE_RENAME,
		.prepare = rename_prepare,
		.write = rename_write,
		.arg = &renaming,
		.room = BREATH_ROOM_SOME };
	enum rp_err err;

	if (to.n == 0 || to.n > CHANGE_NAME_BYTES_MAX)
		return RP_ERR_CANNOT;
	if (names_is_inbox(from))
		return rename_inbox(task, &renaming);
	err = breath_run(task, volume, &plan);
	free(renaming.steps);
	return err;
}
