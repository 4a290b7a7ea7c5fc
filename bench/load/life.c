/* The life of one client: begin, wait at the gate, act as its schedule says, end. */
#include "bench/load/op.h"
#include "bench/load/op_mail.h"
#include "bench/load/worker.h"
#include "io/base/clock.h"

enum { BEGINNING_MAX = 4 }; /* clients of a thread that begin at once: first logins are hashed, and that is not to be measured */

static const struct profile_word *word_of(const struct client *client, unsigned index)
{
	return &client->worker->run->profile->word[index];
}

/* What this server cannot do is left out, and named in the result. */
static bool left_out(struct client *client, unsigned index)
{
	unsigned needs = word_of(client, index)->op->needs;

	if ((needs & ~client->can) == 0)
		return false;
	atomic_fetch_or(&client->worker->run->left_out, UINT64_C(1) << index);
	return true;
}

static enum rp_err check_state(struct client *client, const struct op_def *op)
{
	bool open = client->state != CLIENT_OUT;

	if ((op->traits & OP_CONNECTS) != 0)
		return open ? client_fault(client, "it is connected already") : RP_OK;
	if (!open)
		return client_fault(client, "it is not connected");
	if ((op->traits & OP_SELECTED) != 0 && client->state != CLIENT_SELECTED)
		return client_fault(client, "no mailbox is selected");
	if ((op->traits & (OP_PLAIN | OP_LMTP)) == 0 && client->state < CLIENT_LOGGED_IN)
		return client_fault(client, "it is not logged in");
	return RP_OK;
}

/* One word. client->from_ns: what its latency counts from; afterwards, its end. */
static enum rp_err do_word(struct task *task, struct client *client, unsigned index, bool measured)
{
	const struct profile_word *word = word_of(client, index);
	struct bench_run *run = client->worker->run;

	client->word = index;
	enum rp_err err = check_state(client, word->op);

	if (err == RP_OK)
		err = word->op->run(task, client, word->number);
	if (err != RP_OK)
		return err;
	uint64_t now_ns = clock_monotonic_ns();

	if (measured && (word->op->traits & OP_UNTIMED) == 0)
		worker_note(&client->worker->word[index], now_ns - client->from_ns);
	if (atomic_load(&run->start_ns) != 0 && now_ns >= run->from_ns && now_ns < run->to_ns &&
	    (word->op->traits & OP_UNTIMED) == 0)
		client->worker->done_count++;
	client->from_ns = now_ns;
	return RP_OK;
}

static enum rp_err do_steps(
    struct task *task, struct client *client, const struct profile_steps *steps, bool measured)
{
	for (unsigned i = 0; i < steps->count; i++) {
		if (left_out(client, steps->word[i]))
			continue;
		enum rp_err err = do_word(task, client, steps->word[i], measured);

		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

/* An act by its weight, of those that have a word which the server can do. NULL: none has. */
static const struct profile_act *choose(struct client *client)
{
	const struct profile_group *group = client->group;
	unsigned weight[PROFILE_ACTS_MAX] = {0};
	uint64_t sum = 0;

	for (unsigned i = 0; i < group->acts_count; i++) {
		const struct profile_act *act = &group->act[i];

		for (unsigned k = 0; k < act->steps.count; k++)
			if (!left_out(client, act->steps.word[k]))
				weight[i] = act->weight;
		sum += weight[i];
	}
	if (sum == 0)
		return NULL;
	uint64_t draw = dice_below(&client->dice, sum);

	for (unsigned i = 0;; draw -= weight[i++])
		if (draw < weight[i])
			return &group->act[i];
}

/* One act; `at_ns` is what it was to begin at. */
static enum rp_err do_act(struct task *task, struct client *client, uint64_t at_ns)
{
	struct bench_run *run = client->worker->run;
	const struct profile_group *group = client->group;
	bool measured = at_ns >= run->from_ns && at_ns < run->to_ns;
	const struct profile_act *act = choose(client);

	if (act == NULL)
		return RP_ERR_END;
	client->from_ns = at_ns;
	enum rp_err err = group->each ? do_steps(task, client, &group->begin, measured) : RP_OK;

	if (err == RP_OK)
		err = do_steps(task, client, &act->steps, measured);
	if (err == RP_OK && group->each)
		err = do_steps(task, client, &group->end, measured);
	if (group->each && client->state != CLIENT_OUT)
		client_close(task, client);
	if (err == RP_OK && measured)
		worker_note(&client->worker->act[group->act_first + (unsigned)(act - group->act)],
		    client->from_ns - at_ns);
	return err;
}

static enum rp_err sleep_until(struct task *task, uint64_t at_ns)
{
	uint64_t now_ns = loop_now_ns(task_loop(task));

	return at_ns > now_ns ? task_sleep(task, at_ns - now_ns) : RP_OK;
}

static enum rp_err act_open(struct task *task, struct client *client)
{
	struct worker *worker = client->worker;
	struct bench_run *run = worker->run;
	unsigned group = (unsigned)(client->group - run->profile->group);
	struct schedule schedule;
	uint64_t at_ns;
	enum rp_err err = RP_OK;

	schedule_init(&schedule, dice_of(run->profile->seed ^ 1, group + 1, client->number),
	    client->group->pace, client->group->rate);
	while (err == RP_OK && (at_ns = run->start_ns + schedule_next(&schedule)) < run->to_ns) {
		bool idle = at_ns > loop_now_ns(task_loop(task));

		err = sleep_until(task, at_ns);
		uint64_t now_ns = clock_monotonic_ns();

		if (err != RP_OK)
			break;
		if (now_ns > run->to_ns + RUN_LATE_S * CLOCK_NS_PER_S) {
			worker->behind_count++;
			continue;
		}
		if (idle && at_ns >= run->from_ns)
			hist_add(worker->start_lag, now_ns > at_ns ? now_ns - at_ns : 0);
		err = do_act(task, client, at_ns);
	}
	return err;
}

static enum rp_err act_closed(struct task *task, struct client *client)
{
	struct bench_run *run = client->worker->run;
	uint64_t now_ns = clock_monotonic_ns();
	enum rp_err err = RP_OK;

	for (; err == RP_OK && now_ns < run->to_ns; now_ns = clock_monotonic_ns()) {
		err = do_act(task, client, now_ns);
		if (err == RP_OK)
			err = task_pause(task);
	}
	return err;
}

static enum rp_err act_all(struct task *task, struct client *client)
{
	struct bench_run *run = client->worker->run;
	enum rp_err err = sleep_until(task, run->start_ns);

	if (err == RP_OK && client->group->acts_count > 0)
		err = client->group->closed ? act_closed(task, client) : act_open(task, client);
	/* Who has nothing to do, or nothing that the server can, is there all the same. */
	if (err == RP_OK || err == RP_ERR_END)
		err = sleep_until(task, run->to_ns);
	return err;
}

/* Connect and have the mail there, a bounded number at once. */
static enum rp_err begin(struct task *task, struct client *client)
{
	struct worker *worker = client->worker;
	const struct profile_group *group = client->group;
	enum rp_err err = RP_OK;

	while (worker->beginning >= BEGINNING_MAX && err == RP_OK)
		err = task_queue_wait(task, &worker->turn);
	if (err != RP_OK)
		return err;
	worker->beginning++;
	if (!group->lmtp)
		err = op_mail_prepare(task, client);
	client->from_ns = clock_monotonic_ns();
	if (err == RP_OK && !group->each)
		err = do_steps(task, client, &group->begin, false);
	worker->beginning--;
	task_queue_wake(&worker->turn);
	return err;
}

void client_live(struct task *task, void *arg)
{
	struct client *client = arg;
	struct worker *worker = client->worker;
	struct bench_run *run = worker->run;
	enum rp_err err = begin(task, client);

	atomic_fetch_add(&run->begun, 1);
	while (err == RP_OK && atomic_load(&run->start_ns) == 0)
		err = task_queue_wait(task, &worker->gate);
	if (err == RP_OK)
		err = act_all(task, client);
	if (err == RP_OK && client->state != CLIENT_OUT)
		err = do_steps(task, client, &client->group->end, false);
	if (err != RP_OK && err != RP_ERR_CANCELED)
		run_void(run, "%s %u: %s", client->group->name, client->number, err_name(err));
	client_close(task, client);
	client->task = NULL;
	worker->alive--;
}
