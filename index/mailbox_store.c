/* mailbox_store() of mailbox.h: flags change. */
#include <limits.h>
#include <stdlib.h>

#include "index/breath.h"
#include "index/mailbox_state.h"
#include "io/base/num.h"

enum {
	CUT_MESSAGES = 16384, /* flags of as many change in about a millisecond, however they stand */
	CUT_UIDS = 65536,     /* looked at before others are let in */
};

/* One flag or keyword, and the messages in which it changes. */
struct store_op {
	unsigned flag;     /* as in struct change_item */
	struct bytes name; /* of the keyword */
	bool on;
	struct runs uids;
};

struct storing {
	struct mailbox *mailbox;
	const struct runs *uids;
	const struct mail_store *store;
	struct store_op *ops; /* ops_count of them, made anew each time we look */
	size_t ops_count;
	size_t ops_max;
	uint64_t generation; /* of the volume when they were made; 0: to be made in any case */
	struct runs chosen;  /* of uids, those that UNCHANGEDSINCE lets through */
	struct runs changed; /* results */
	struct runs modified;
};

static void drop_ops(struct storing *storing)
{
	for (size_t i = 0; i < storing->ops_count; i++)
		runs_fini(&storing->ops[i].uids);
	storing->ops_count = 0;
	runs_fini(&storing->chosen);
	runs_fini(&storing->changed);
	runs_fini(&storing->modified);
}

static enum rp_err add_runs(struct runs *to, const struct runs *from)
{
	enum rp_err err = RP_OK;

	for (size_t i = 0; i < from->count && err == RP_OK; i++)
		err = runs_add(to, from->run[i].first, from->run[i].last);
	return err;
}

static enum rp_err remove_runs(struct runs *from, const struct runs *what)
{
	enum rp_err err = RP_OK;

	for (size_t i = 0; i < what->count && err == RP_OK; i++)
		err = runs_remove(from, what->run[i].first, what->run[i].last);
	return err;
}

static enum rp_err store_prepare(struct task *task, void *arg)
{
	struct storing *storing = arg;
	struct mailbox *mailbox = storing->mailbox;
	size_t names = storing->store->keywords_count;

	if (mailbox->gone)
		return RP_ERR_NOTFOUND;
	return table_prepare_flags(task, mailbox->table, storing->uids,
	    CHANGE_FLAG_KEYWORD + names, storing->store->mode == MAIL_STORE_REMOVE ? 0 : names);
}

/* Which messages may be changed at all. */
static enum rp_err choose(struct storing *storing)
{
	struct table *table = storing->mailbox->table;
	enum rp_err err = table_having(NULL, table, storing->uids, &storing->chosen);

	if (err != RP_OK || !storing->store->has_unchangedsince)
		return err;
	err = table_having_modseq_above(NULL, table, &storing->chosen,
	    storing->store->unchangedsince, &storing->modified);
	return err == RP_OK ? remove_runs(&storing->chosen, &storing->modified) : err;
}

/* Turn a flag on or off where it is otherwise. index: of the table's flags; UINT_MAX: a keyword that it has not. */
static enum rp_err add_op(
    struct storing *storing, unsigned index, unsigned flag, struct bytes name, bool on)
{
	struct store_op *op = &storing->ops[storing->ops_count];
	enum rp_err err;

	if (index == UINT_MAX && !on)
		return RP_OK;
	RP_ASSERT(storing->ops_count < storing->ops_max);
	*op = (struct store_op){ .flag = flag, .name = name, .on = on };
	storing->ops_count++;
	if (index == UINT_MAX)
		return runs_copy(&storing->chosen, &op->uids);
	err = table_having_flag(
	    NULL, storing->mailbox->table, &storing->chosen, index, !on, &op->uids);
	if (err == RP_OK && op->uids.count == 0)
		storing->ops_count--; /* it is so already */
	return err;
}

static enum rp_err add_system_ops(struct storing *storing)
{
	const struct mail_store *store = storing->store;
	enum rp_err err = RP_OK;

	for (unsigned flag = 0; flag < CHANGE_FLAG_KEYWORD && err == RP_OK; flag++) {
		bool named = (store->flags & (1u << flag)) != 0;
		bool on = named && store->mode != MAIL_STORE_REMOVE;

		if (named || store->mode == MAIL_STORE_REPLACE)
			err = add_op(storing, flag, flag, (struct bytes){ 0 }, on);
	}
	return err;
}

/* The same keyword twice in one command is one. */
static bool is_named_before(const struct mail_store *store, size_t keyword)
{
	for (size_t i = 0; i < keyword; i++)
		if (bytes_eq_fold(store->keywords[i], store->keywords[keyword]))
			return true;
	return false;
}

static enum rp_err add_keyword_ops(struct storing *storing)
{
	const struct mail_store *store = storing->store;
	struct table *table = storing->mailbox->table;
	struct table_naming naming;
	enum rp_err err = RP_OK;

	table_naming_begin(&naming, table);
	for (size_t i = 0; i < store->keywords_count && err == RP_OK; i++) {
		uint16_t keyword = table_keyword(table, store->keywords[i], false);

		if (is_named_before(store, i))
			continue;
		table_naming_add(&naming, store->keywords[i]);
		err = add_op(storing,
		    keyword == UINT16_MAX ? UINT_MAX : CHANGE_FLAG_KEYWORD + (unsigned)keyword,
		    CHANGE_FLAG_KEYWORD, store->keywords[i], store->mode != MAIL_STORE_REMOVE);
	}
	if (err == RP_OK && store->mode != MAIL_STORE_REMOVE && !table_naming_fits(&naming))
		return RP_ERR_LIMIT;
	return err;
}

/* REPLACE: keywords that the mailbox has and the command does not name go away. */
static enum rp_err add_other_keyword_ops(struct storing *storing)
{
	const struct mail_store *store = storing->store;
	struct table *table = storing->mailbox->table;
	enum rp_err err = RP_OK;

	for (unsigned k = 0; k < table_keywords_count(table) && err == RP_OK; k++) {
		struct bytes name = table_keyword_name(table, k);
		bool named = false;

		for (size_t i = 0; i < store->keywords_count && !named; i++)
			named = bytes_eq_fold(store->keywords[i], name);
		if (named)
			continue;
		/* The table's own copy may move when keywords are made. */
		name = arena_copy(&storing->mailbox->volume->store->arena, name);
		err = name.p == NULL ? RP_ERR_NOMEM :
				       add_op(storing, CHANGE_FLAG_KEYWORD + k,
					   CHANGE_FLAG_KEYWORD, name, false);
	}
	return err;
}

/* What somebody else has changed as well, unknown to who asks, is not his change alone. */
static enum rp_err leave_unknown(struct storing *storing)
{
	struct runs unknown = RUNS_EMPTY;
	enum rp_err err = RP_OK;

	if (storing->store->known_modseq == 0 || storing->changed.count == 0)
		return RP_OK;
	err = table_having_modseq_above(NULL, storing->mailbox->table, &storing->changed,
	    storing->store->known_modseq, &unknown);
	if (err == RP_OK)
		err = remove_runs(&storing->changed, &unknown);
	runs_fini(&unknown);
	return err;
}

static enum rp_err make_ops(struct storing *storing)
{
	const struct mail_store *store = storing->store;
	size_t wanted = CHANGE_FLAG_KEYWORD + store->keywords_count +
			table_keywords_count(storing->mailbox->table);
	enum rp_err err;

	drop_ops(storing);
	if (wanted > storing->ops_max) {
		struct store_op *ops = realloc(storing->ops, wanted * sizeof(*ops));

		if (ops == NULL)
			return RP_ERR_NOMEM;
		storing->ops = ops;
		storing->ops_max = wanted;
	}
	err = choose(storing);
	if (err == RP_OK && storing->chosen.count > 0) {
		err = add_system_ops(storing);
		if (err == RP_OK)
			err = add_keyword_ops(storing);
		if (err == RP_OK && store->mode == MAIL_STORE_REPLACE)
			err = add_other_keyword_ops(storing);
	}
	for (size_t i = 0; i < storing->ops_count && err == RP_OK; i++)
		err = add_runs(&storing->changed, &storing->ops[i].uids);
	return err == RP_OK ? leave_unknown(storing) : err;
}

/* A change is written twice and more, and nothing may have happened in between: then what was found for the last time holds. Names
 * of other keywords do not (breath.c empties the arena). */
static enum rp_err have_ops(struct storing *storing)
{
	uint64_t generation = storing->mailbox->volume->generation;
	enum rp_err err;

	if (storing->generation != 0 && storing->generation == generation)
		return RP_OK;
	storing->generation = 0;
	err = make_ops(storing);
	if (err == RP_OK && storing->store->mode != MAIL_STORE_REPLACE)
		storing->generation = generation;
	return err;
}

static void count_op(const struct store_op *op, struct change_counters *counters)
{
	uint32_t n = (uint32_t)runs_total(&op->uids);

	if (op->flag < CHANGE_FLAG_KEYWORD && (1u << op->flag) == MAIL_SEEN)
		counters->unseen_count = op->on ? counters->unseen_count - n :
						  counters->unseen_count + n;
	if (op->flag < CHANGE_FLAG_KEYWORD && (1u << op->flag) == MAIL_DELETED)
		counters->deleted_count = op->on ? counters->deleted_count + n :
						   counters->deleted_count - n;
}

static enum rp_err store_write(struct breath *breath, void *arg)
{
	struct storing *storing = arg;
	struct mailbox *mailbox = storing->mailbox;
	struct change_counters counters;
	enum rp_err err = have_ops(storing);

	if (err != RP_OK || storing->ops_count == 0)
		return err;
	counters = mailbox_counters(mailbox);
	for (size_t i = 0; i < storing->ops_count; i++) {
		const struct store_op *op = &storing->ops[i];
		size_t at = 0;

		count_op(op, &counters);
		BREATH_PUT(breath, change_put_flag(&breath->writer, mailbox->mailboxid, op->flag,
				       op->name, op->on, &op->uids, &at));
	}
	BREATH_PUT(
	    breath, change_put_counters(&breath->writer, mailbox->mailboxid, &counters));
	return RP_OK;
}

/* What an EXPUNGE is waiting for; each message takes it once. */
static bool only_deletes(const struct mail_store *store)
{
	return store->mode == MAIL_STORE_ADD && store->flags == MAIL_DELETED && store->keywords_count == 0;
}

enum rp_err mailbox_store(struct task *task, struct mailbox *mailbox, const struct runs *uids,
    const struct mail_store *store, struct runs *changed, struct runs *modified)
{
	struct storing storing = { .mailbox = mailbox, .uids = uids, .store = store };
	struct breath_plan plan = { .type = CHANGE_STORE,
		.prepare = store_prepare,
		.write = store_write,
		.arg = &storing,
		.room = only_deletes(store) ? BREATH_ROOM_NONE : BREATH_ROOM_SOME };
	enum rp_err err = RP_OK;

	if (store->keywords_count > MAILBOX_KEYWORDS_MAX)
		return RP_ERR_LIMIT;
	for (size_t i = 0; i < store->keywords_count; i++)
		if (store->keywords[i].n == 0 || store->keywords[i].n > MAILBOX_KEYWORD_BYTES_MAX)
			return RP_ERR_LIMIT;
	err = mailbox_run(task, mailbox, &plan);
	if (err == RP_OK && changed != NULL)
		err = mailbox_give_runs(changed, &storing.changed);
	if (err == RP_OK && modified != NULL)
		err = mailbox_give_runs(modified, &storing.modified);
	drop_ops(&storing);
	free(storing.ops);
	return err;
}

/* Of these few UIDs: how many runs would change, and which are there. */
static enum rp_err look(
    struct task *task, struct storing *storing, uint64_t *runs_count, struct runs *there)
{
	struct mailbox *mailbox = storing->mailbox;
	enum rp_err err = store_prepare(task, storing);

	if (err != RP_OK)
		return err;
	arena_reset(&mailbox->volume->store->arena);
	err = make_ops(storing);
	for (size_t i = 0; err == RP_OK && i < storing->ops_count; i++)
		*runs_count += storing->ops[i].uids.count;
	if (err == RP_OK)
		err = table_having(NULL, mailbox->table, storing->uids, there);
	return err;
}

static enum rp_err look_at_all(struct task *task, struct storing *storing, const struct runs *uids,
    uint64_t *runs_count, struct runs *there)
{
	struct mailbox *mailbox = storing->mailbox;
	enum rp_err err = RP_OK;

	for (size_t i = 0; err == RP_OK && i < uids->count;) {
		struct runs some = {.run = uids->run + i, .count_max = CUT_UIDS};
		uint64_t room = CUT_UIDS;
		struct run piece;

		/* As many whole runs as are few UIDs; or a long one, in pieces. */
		while (i < uids->count && uids->run[i].last - uids->run[i].first < room) {
			room -= uids->run[i].last - uids->run[i].first + 1;
			some.count++;
			i++;
		}
		storing->uids = &some;
		if (some.count > 0) {
			err = look(task, storing, runs_count, there);
			if (err == RP_OK)
				err = task_pause(task);
			continue;
		}
		some.run = &piece;
		some.count = 1;
		for (uint64_t first = uids->run[i].first;
		     err == RP_OK && first <= num_min(uids->run[i].last, table_last_uid(mailbox->table));
		     first += CUT_UIDS) {
			piece.first = (uint32_t)first;
			piece.last = (uint32_t)num_min(first + CUT_UIDS - 1, uids->run[i].last);
			err = look(task, storing, runs_count, there);
			if (err == RP_OK)
				err = task_pause(task);
		}
		i++;
	}
	return err;
}

enum rp_err mailbox_store_cut(struct task *task, struct mailbox *mailbox, const struct runs *uids,
    const struct mail_store *store, struct runs *there, uint32_t *part)
{
	const struct store_settings *settings = &mailbox->volume->store->settings;
	struct storing storing = {.mailbox = mailbox, .store = store};
	uint64_t runs_count = 0;
	enum rp_err err;

	*part = settings->transfer_messages_max != 0 ? (uint32_t)settings->transfer_messages_max
	                                             : CUT_MESSAGES;
	if (runs_total(uids) <= *part)
		return RP_OK;
	if (uids->count > *part / 2) /* nobody names so many but by the messages that he sees */
		return runs_copy(uids, there);
	err = look_at_all(task, &storing, uids, &runs_count, there);
	if (err != RP_OK || runs_count <= *part / 2)
		runs_fini(there);
	drop_ops(&storing);
	free(storing.ops);
	return err;
}
