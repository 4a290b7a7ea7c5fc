#include "tests/sim/client.h"

#include <stdlib.h>
#include <string.h>

#include "index/checkpoint.h"
#include "index/compact.h"
#include "index/dbox/dbox.h"
#include "index/mailbox_state.h"
#include "index/merge.h"
#include "index/purge.h"
#include "index/view.h"
#include "index/volume_state.h"
#include "tests/sim/undeleter.h"

enum {
	CLIENTS_PER_USER = 2,
	CLIENTS_SPARE = 16, /* numbers for those who come first */
	RETRY_NS = 5 * 1000 * 1000,
	SLEEP_NS_MAX = 1500 * 1000 * 1000,
	DESTROY_USER = MACHINE_USERS - 1, /* only he may be deleted */
};

struct client {
	struct shard *shard;
	struct machine *machine;
	struct ledger *ledger;
	struct task *task;
	struct volume *volume;
	struct view *view; /* of the selected mailbox; NULL: none */
	uint64_t random;
	unsigned number;
	unsigned ops;
};

static uint32_t draw(struct client *client, uint32_t n)
{
	return model_random(&client->random) % n;
}

static bool is_models(enum rp_err err)
{
	return err == RP_OK || err == RP_ERR_NOTFOUND || err == RP_ERR_EXISTS ||
	       err == RP_ERR_CANNOT || err == RP_ERR_HASCHILDREN;
}

bool client_judge(struct machine *machine, struct actor *actor, enum rp_err err)
{
	machine_look(machine, actor->ledger); /* it may have ended in the step that made it */
	machine_acted(machine, actor);
	if (actor->made > 0) {
		/* It has happened: then no error may say that it has not. */
		if (err != RP_OK && err != RP_ERR_UNKNOWN && err != RP_ERR_CANCELED &&
		    actor->made >= actor->ops_count)
			assert_panic("it is done, and the answer is %s", err_name(err));
		return err == RP_OK;
	}
	if (err == RP_ERR_CANCELED || err == RP_ERR_BUSY)
		return false;
	if (!is_models(err))
		return machine_is_well(machine, err);
	if (!actor->destroys && !ledger_allows(actor->ledger, actor->since, &actor->op[0], err))
		assert_panic("operation %d on %u (%llu), %u (%llu): %s", actor->op[0].kind,
		    actor->op[0].a, (unsigned long long)actor->op[0].a_id, actor->op[0].b,
		    (unsigned long long)actor->op[0].b_id, err_name(err));
	machine->tally->rejected += err != RP_OK;
	return true;
}

static bool changes_names(enum model_op_kind kind)
{
	return kind == MODEL_CREATE || kind == MODEL_DELETE || kind == MODEL_RENAME ||
	       kind == MODEL_SUBSCRIBE;
}

static void run_op(struct task *task, struct client *client, struct actor *actor)
{
	struct machine *machine = client->machine;
	struct model_op *op = &actor->op[0];
	enum rp_err err;

	machine_act(machine, actor, task);
	err = model_run(task, client->volume, op);
	machine_look(machine, actor->ledger);
	machine_tell(machine, "client %u.%u: op %d of %u, %u, UIDs %u-%u, %u bytes: %s%s",
	    client->number, client->ops - 1, op->kind, op->a, op->b, op->first, op->last, op->bytes,
	    err_name(err), actor->made > 0 ? "" : " (no change)");
	if (client_judge(machine, actor, err))
		ledger_answer(client->ledger, volume_position(client->volume), actor->made > 0);
}

static void change(struct task *task, struct client *client)
{
	struct machine *machine = client->machine;
	struct ledger *ledger = client->ledger;
	struct actor actor = {.ledger = ledger, .ops_count = 1};
	struct model_op *op = &actor.op[0];
	bool evil = machine->has_evil && draw(client, 6) == 0;
	bool naming;

	*op = model_draw(&ledger_newest(ledger)->model, &client->random);
	if (op->kind == MODEL_APPEND && evil) {
		op->seed |= MODEL_SEED_EVIL;
		machine->tally->evil_mails += op->count;
	}
	naming = changes_names(op->kind);
	if (!ledger_wait_room(task, ledger, &machine->life.stop) ||
	    !ledger_lock_shared(task, ledger, &ledger->changing))
		return;
	if (naming ? !ledger_lock_alone(task, ledger, &ledger->naming) : false) {
		ledger->changing.shared--;
		return;
	}
	model_tame(&ledger_newest(ledger)->model, op);
	run_op(task, client, &actor);
	if (naming)
		ledger->naming.alone = false;
	ledger->changing.shared--;
}

/* ---- looking ---- */

static void unselect(struct client *client)
{
	if (client->view != NULL)
		view_close(client->view);
	client->view = NULL;
}

static void select_one(struct task *task, struct client *client)
{
	struct mailbox *mailbox;
	const char *name = model_name(draw(client, MODEL_NAMES));
	enum rp_err err;

	unselect(client);
	err = mailbox_open(task, client->volume, bytes_of_str(name), &mailbox);
	if (err != RP_OK)
		return (void)(err == RP_ERR_NOTFOUND || machine_is_well(client->machine, err));
	err = view_open(task, mailbox, NULL, &client->view);
	if (err != RP_OK)
		client->view = NULL;
	(void)(err == RP_ERR_NOTFOUND || machine_is_well(client->machine, err));
	mailbox_close(mailbox);
}

struct seen {
	struct model_message message[MODEL_MESSAGES_MAX];
	size_t count;
};

static struct model_mailbox *model_of(struct ledger_state *state, uint64_t mailboxid)
{
	for (unsigned i = 0; i < MODEL_NAMES; i++)
		if (state->model.mailbox[i].there && state->model.mailbox[i].mailboxid == mailboxid)
			return &state->model.mailbox[i];
	return NULL;
}

static void compare_view(struct client *client, const struct seen *seen, uint64_t mailboxid)
{
	struct model_mailbox *model = model_of(ledger_newest(client->ledger), mailboxid);

	MODEL_CHECK(model != NULL);
	MODEL_EQ(seen->count, model->count);
	for (size_t i = 0; i < seen->count; i++) {
		MODEL_EQ(seen->message[i].uid, model->message[i].uid);
		MODEL_EQ(seen->message[i].flags, model->message[i].flags);
		model_check_modseq(
		    &model->message[i], seen->message[i].modseq, model->highestmodseq);
		MODEL_EQ(seen->message[i].bytes, model->message[i].bytes);
	}
	client->machine->tally->views_compared++;
}

/* Take the news, then walk all that the session knows: FETCH 1:* (FLAGS MODSEQ). */
static void look(struct task *task, struct client *client)
{
	static struct seen seen_by[MACHINE_SHARDS_MAX * MACHINE_USERS * CLIENTS_PER_USER];
	struct seen *seen = &seen_by[client->number % (sizeof(seen_by) / sizeof(seen_by[0]))];
	struct mailbox *mailbox = view_mailbox(client->view);
	uint64_t lsn = client->volume->catalog.lsn;
	struct view_cursor cursor;
	enum rp_err err;

	if (mailbox_is_gone(mailbox)) {
		unselect(client);
		return;
	}
	view_take_expunged(client->view, 0);
	view_take_exists(client->view);
	seen->count = 0;
	view_cursor_init(&cursor, client->view, NULL);
	while ((err = view_cursor_next(task, &cursor)) == RP_OK) {
		MODEL_CHECK(seen->count < MODEL_MESSAGES_MAX);
		MODEL_EQ(cursor.seqno, seen->count + 1);
		seen->message[seen->count++] = (struct model_message){.uid = cursor.message.uid,
		    .flags = cursor.message.flags,
		    .modseq = cursor.message.modseq,
		    .bytes = cursor.message.rfc822_size_bytes};
	}
	if (err != RP_ERR_END)
		return (void)machine_is_well(client->machine, err);
	if (client->volume->catalog.lsn == lsn)
		compare_view(client, seen, mailbox->mailboxid);
	ledger_answer(client->ledger, volume_position(client->volume), false);
}

static void look_at_history(struct task *task, struct client *client)
{
	struct mailbox *mailbox;
	const char *name = model_name(draw(client, MODEL_NAMES));
	uint64_t since;
	enum rp_err err = mailbox_open(task, client->volume, bytes_of_str(name), &mailbox);

	if (err != RP_OK)
		return (void)(err == RP_ERR_NOTFOUND || machine_is_well(client->machine, err));
	since = draw(client, (uint32_t)client->volume->catalog.lsn + 1);
	if (!mailbox_is_gone(mailbox))
		ledger_compare_history(client->ledger, mailbox, since);
	mailbox_close(mailbox);
}

/* The body of some message of the view, expunged or not: its own, or an error that a fault explains. */
static void read_body(struct task *task, struct client *client)
{
	struct mailbox *mailbox = view_mailbox(client->view);
	uint32_t exists = view_exists(client->view);
	uint32_t uid = exists > 0 ? view_uid_of(client->view, 1 + draw(client, exists)) : 0;
	const struct model_mailbox *model =
	    model_of(ledger_newest(client->ledger), mailbox->mailboxid);
	const struct model_message *message = NULL;
	uint8_t *text;
	uint8_t *expected;
	struct dbox_body *body;
	size_t got = 0;
	uint32_t seed;
	uint32_t bytes;
	enum rp_err err;

	for (size_t i = 0; model != NULL && i < model->count; i++)
		if (model->message[i].uid == uid)
			message = &model->message[i];
	if (message == NULL)
		return;
	seed = message->seed;
	bytes = message->bytes;
	err = mailbox_body_open(task, mailbox, uid, &body);
	if (err != RP_OK)
		return (void)(err == RP_ERR_EXPUNGED || err == RP_ERR_NOTFOUND ||
		              machine_is_well(client->machine, err));
	text = malloc(bytes + 1);
	expected = malloc(bytes + 1);
	MODEL_CHECK(text != NULL && expected != NULL);
	err = dbox_body_read(task, body, 0, text, bytes + 1, &got);
	dbox_body_close(body);
	if (err == RP_OK) {
		MODEL_EQ(got, bytes);
		model_body(seed, expected, bytes);
		MODEL_CHECK(memcmp(text, expected, bytes) == 0);
	} else {
		(void)machine_is_well(client->machine, err);
	}
	free(text);
	free(expected);
}

/* ---- a deleted user's files ---- */

static bool is_mail(struct bytes name)
{
	static const char *const kinds[] = {
	    ".dbox", ".catalog", ".index", ".cache", ".checkpoint"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct bytes end = bytes_of_str(kinds[i]);

		if (name.n > end.n && bytes_eq(bytes_from(name, name.n - end.n), end))
			return true;
	}
	return false;
}

/* What makes his mail gone has been said; now its files go, and none is left. */
static void purge(struct task *task, struct client *client)
{
	struct machine *machine = client->machine;
	char dir[USERID_PATH_BYTES];
	struct dir_entry *names;
	struct arena arena;
	size_t count = 0;
	enum rp_err err = purge_user(task, client->shard->store, &client->ledger->userid);

	if (err == RP_ERR_BUSY || !machine_is_well(machine, err))
		return;
	userid_path(&client->ledger->userid, dir);
	arena_init(&arena, 1024 * 1024);
	err = dir_list(task, FILE_ROOT_DATA, dir, &arena, &names, &count);
	for (size_t i = 0; err == RP_OK && i < count; i++)
		MODEL_CHECK(!is_mail(names[i].name));
	if (err != RP_ERR_NOTFOUND)
		(void)machine_is_well(machine, err);
	arena_fini(&arena);
	machine->tally->users_purged++;
}

/* ---- the session ---- */

/* False: he cannot be, or need not be, served any more. */
static bool open_volume(struct task *task, struct client *client)
{
	struct machine *machine = client->machine;
	enum rp_err err = RP_ERR_BUSY;

	while (!machine->life.stop) {
		err = volume_open(
		    task, client->shard->store, &client->ledger->userid, &client->volume);
		if (err == RP_OK)
			break;
		client->volume = NULL;
		if (err == RP_ERR_NOTFOUND) {
			MODEL_CHECK(ledger_newest(client->ledger)->destroyed);
			purge(task, client);
			return false;
		}
		if (err == RP_ERR_CANCELED)
			return false;
		(void)machine_is_well(machine, err);
		if (task_sleep(task, RETRY_NS) != RP_OK)
			return false;
	}
	return client->volume != NULL && task_yield(task) == RP_OK;
}

/* Once in each life, before it is changed by a session. */
static void compare(struct task *task, struct client *client)
{
	struct ledger *ledger = client->ledger;

	if (ledger->checked || client->machine->life.reads_fail)
		return;
	if (!ledger_lock_alone(task, ledger, &ledger->changing))
		return;
	task_shield(task);
	if (!ledger->checked && !client->volume->catalog.destroyed) {
		ledger_compare(task, ledger, client->volume);
		ledger->checked = true;
	}
	task_unshield(task);
	ledger->changing.alone = false;
}

static void destroy(struct task *task, struct client *client)
{
	struct machine *machine = client->machine;
	struct ledger *ledger = client->ledger;
	struct actor actor = {.ledger = ledger, .destroys = true};
	enum rp_err err;

	if (ledger != &machine->ledger[DESTROY_USER] || (machine->plan.off & PLAN_NO_DESTROY) != 0)
		return;
	if (!ledger_wait_room(task, ledger, &machine->life.stop) ||
	    !ledger_lock_alone(task, ledger, &ledger->changing))
		return;
	if (!client->volume->catalog.destroyed) {
		machine_act(machine, &actor, task);
		err = volume_destroy(task, client->volume);
		machine_tell(machine, "client %u.%u: deletes the user: %s", client->number,
		    client->ops - 1, err_name(err));
		if (client_judge(machine, &actor, err))
			ledger_answer(ledger, volume_position(client->volume), true);
	}
	ledger->changing.alone = false;
	if (client->volume->catalog.destroyed)
		purge(task, client);
}

static void checkpoint(struct task *task, struct client *client)
{
	enum rp_err err = checkpoint_now(task, client->volume);

	client->machine->tally->checkpoints++;
	if (err != RP_ERR_BUSY)
		(void)machine_is_well(client->machine, err);
}

static void merge(struct task *task, struct client *client)
{
	struct machine *machine = client->machine;
	uint64_t before = client->shard->store->merges_done;
	enum rp_err err = merge_now(task, client->volume);

	machine_tell(
	    machine, "client %u.%u: merges: %s", client->number, client->ops - 1, err_name(err));
	if (err != RP_ERR_BUSY)
		(void)machine_is_well(machine, err);
	machine->tally->merges += client->shard->store->merges_done - before;
}

static void compact(struct task *task, struct client *client)
{
	struct machine *machine = client->machine;
	enum rp_err err;

	client->ledger->compacting = true;
	err = compact_now(task, client->volume);

	machine_tell(
	    machine, "client %u.%u: compacts: %s", client->number, client->ops - 1, err_name(err));
	if (err != RP_ERR_BUSY)
		(void)machine_is_well(machine, err);
}

static void wait_durable(struct task *task, struct client *client)
{
	(void)machine_is_well(client->machine,
	    store_wait_durable(task, client->shard->store, volume_position(client->volume)));
}

static void idle(struct task *task, struct client *client, uint64_t ns)
{
	if (client->view != NULL)
		view_rest(client->view); /* rest() wakes it */
	(void)!task_sleep(task, ns);
}

static void do_one(struct task *task, struct client *client)
{
	uint32_t what = draw(client, 100);
	uint64_t sleep_ns = draw(client, SLEEP_NS_MAX);

	if (!machine_wants(client->machine, client->number, client->ops++))
		(void)!task_yield(task);
	else if (what < 64)
		change(task, client);
	else if (what < 70)
		select_one(task, client);
	else if (what < 80 && client->view != NULL)
		look(task, client);
	else if (what < 86 && client->view != NULL)
		read_body(task, client);
	else if (what < 89)
		look_at_history(task, client);
	else if (what < 92)
		checkpoint(task, client);
	else if (what < 93)
		merge(task, client);
	else if (what < 94)
		compact(task, client);
	else if (what < 95)
		wait_durable(task, client);
	else if (what < 97)
		idle(task, client, sleep_ns);
	else if (what < 98)
		undeleter_run(
		    task, client->machine, client->ledger, client->volume, &client->random);
	else if (what == 99)
		destroy(task, client);
}

/* Between two commands the mailbox that he has selected may give its memory up. */
static void rest(struct task *task, struct client *client)
{
	enum rp_err err = RP_OK;

	if (client->view != NULL)
		view_rest(client->view);
	(void)!task_yield(task);
	if (client->view == NULL)
		return;
	client->machine->tally->rests_slept += view_mailbox(client->view)->table == NULL;
	err = view_wake(task, client->view);
	if (!machine_is_well(client->machine, err) || view_is_overrun(client->view))
		unselect(client);
}

static void start_one(struct shard *shard, struct ledger *ledger);

/* From now on he may be cancelled. */
static unsigned note_session(struct machine *machine, struct task *task)
{
	unsigned i = 0;

	while (i < MACHINE_ACTORS_MAX && machine->session[i] != NULL)
		i++;
	MODEL_CHECK(i < MACHINE_ACTORS_MAX);
	machine->session[i] = task;
	return i;
}

static void session_task(struct task *task, void *arg)
{
	struct client *client = arg;
	struct machine *machine = client->machine;
	struct shard *shard = client->shard;
	unsigned noted = note_session(machine, task);

	task_set_name(task, "session");
	while (!machine->life.stop && !task_canceled(task) &&
	       client->ops < PLAN_OPS_PER_CLIENT - 1 && open_volume(task, client)) {
		compare(task, client);
		for (unsigned i = draw(client, 40);
		     i > 0 && !machine->life.stop && !task_canceled(task) &&
		     client->ops < PLAN_OPS_PER_CLIENT - 1 && !client->volume->catalog.destroyed;
		     i--) {
			do_one(task, client);
			rest(task, client);
		}
		unselect(client);
		volume_close(client->volume);
		client->volume = NULL;
	}
	if (client->volume != NULL)
		volume_close(client->volume);
	machine->session[noted] = NULL;
	/* Who was cancelled comes again. */
	if (task_canceled(task) && !machine->life.stop &&
	    machine->life.clients_count + CLIENTS_SPARE < PLAN_CLIENTS_PER_LIFE)
		start_one(shard, client->ledger);
	shard->clients--;
	free(client);
}

static void start_one(struct shard *shard, struct ledger *ledger)
{
	struct machine *machine = shard->machine;
	struct client *client = calloc(1, sizeof(*client));

	MODEL_CHECK(client != NULL && machine->life.clients_count < PLAN_CLIENTS_PER_LIFE);
	client->shard = shard;
	client->machine = machine;
	client->ledger = ledger;
	client->number = machine->life.clients_count++;
	client->random =
	    machine->plan.seed * 1000003 + machine->life.number * 1009 + client->number;
	MODEL_EQ(task_start(shard->loop, session_task, client, &client->task), RP_OK);
	shard->clients++;
}

void client_start(struct shard *shard, struct ledger *ledger)
{
	for (unsigned i = 0; i < CLIENTS_PER_USER; i++)
		start_one(shard, ledger);
}
