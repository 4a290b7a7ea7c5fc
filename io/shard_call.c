/* Each pair of shards has an outbox: messages gather in it during a turn and travel as one chain,
 * whose head the ring carries over. One chain of a pair is under way at a time, so they arrive in
 * order also when the kernel was short of memory and one has to be sent again. */
#include "io/shard_call.h"

#include <pthread.h>
#include <stdlib.h>

#include "io/loop_core.h"
#include "io/task_core.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SHARD_CALL_TSAN 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define SHARD_CALL_TSAN 1
#endif
#ifdef SHARD_CALL_TSAN
#include <sanitizer/tsan_interface.h>
#endif

enum {
	SHARD_CALL_RETRY_NS =
	    1000 * 1000, /* the kernel had no memory for a message, or we for a task */
	SHARD_LEAVE_POLL_NS = 1000 * 1000,
};

struct outbox {
	struct op op;
	struct shard_port *port;
	struct shard_message *first; /* laid down since the last chain left */
	struct shard_message *last;
	unsigned to;
};

/* Calls that found all tasks busy, and the tasks that serve them. Two: for rows that wait, and for the others. */
struct lane {
	struct shard_port *port;
	struct shard_message *waiting; /* oldest first */
	struct shard_message **waiting_end;
	unsigned serving_count;
};

enum {
	LANES = 2,
	LANE_CALLS_MAX = LOOP_CALLS_MAX / LANES,
};

/* One loop's part in the group. */
struct shard_port {
	struct shard_group *group;
	struct loop *loop;
	struct timer retry;
	struct lane lane[LANES];
	struct outbox *outbox; /* one for each shard */
};

struct shard_group {
	struct shard_group_settings settings;
	pthread_mutex_t lock; /* of joining; everything else is read-only then */
	pthread_cond_t joined;
	unsigned joined_count;
	unsigned left_count; /* atomic */
	struct shard_port *port;
};

/* What the ring orders: all that one shard did before it sent a chain comes before what the other
 * does with it. */
static void tell_sent(struct shard_message *first)
{
#ifdef SHARD_CALL_TSAN
	__tsan_release(first);
#else
	(void)first;
#endif
}

static void tell_arrived(struct shard_message *first)
{
#ifdef SHARD_CALL_TSAN
	__tsan_acquire(first);
#else
	(void)first;
#endif
}

struct loop *shard_call_loop(const struct loop *loop, unsigned shard)
{
	RP_ASSERT(loop->port != NULL);
	RP_ASSERT(shard < loop->port->group->settings.shards_count);
	struct loop *to = loop->port->group->port[shard].loop;

	RP_ASSERT(to != NULL); /* it joined before anything is sent */
	return to;
}

void shard_call_send(struct loop *loop, unsigned shard, struct shard_message *message)
{
	RP_ASSERT(loop->port != NULL);
	RP_ASSERT(shard < loop->port->group->settings.shards_count);
	struct outbox *outbox = &loop->port->outbox[shard];

	message->next = NULL;
	if (outbox->first == NULL)
		outbox->first = message;
	else
		outbox->last->next = message;
	outbox->last = message;
	loop->unflushed = true;
}

static void chain_sent(struct op *op)
{
	struct outbox *outbox = op->owner;

	if (op->result < 0) {
		timer_set(op->loop, &outbox->port->retry, SHARD_CALL_RETRY_NS);
		return; /* message.first stays: it goes first */
	}
	op->message.first = NULL;
	op->loop->unflushed |= outbox->first != NULL;
}

static void flush_outbox(struct loop *loop, struct outbox *outbox)
{
	struct op *op = &outbox->op;

	if (op->in_flight || (op->message.first == NULL && outbox->first == NULL))
		return;
	if (op->message.first == NULL) {
		op->message.first = outbox->first;
		outbox->first = NULL;
		outbox->last = NULL;
	}
	if (outbox->to == loop->shard) {
		struct shard_message *first = op->message.first;

		op->message.first = NULL;
		shard_call_arrived(loop, first);
		return;
	}
	op->message.to = shard_call_loop(loop, outbox->to);
	tell_sent(op->message.first);
	op_submit(loop, op);
}

/* Messages to this shard itself may lay down others: once around, the rest with the next turn. */
void shard_call_flush(struct loop *loop)
{
	struct shard_port *port = loop->port;

	if (port == NULL || !loop->unflushed)
		return;
	loop->unflushed = false;
	for (unsigned i = 0; i < port->group->settings.shards_count; i++)
		flush_outbox(loop, &port->outbox[i]);
}

void shard_call_arrived(struct loop *loop, struct shard_message *first)
{
	tell_arrived(first);
	for (struct shard_message *message = first, *next; message != NULL; message = next) {
		next = message->next;
		message->arrive(loop, message);
	}
}

static void answer_arrived(struct loop *loop, struct shard_message *message)
{
	struct shard_pending *pending = RP_CONTAINER_OF(message, struct shard_pending, message);

	(void)loop;
	pending->ended = true;
	task_queue_wake_all(&pending->queue);
}

static enum rp_err run_row(struct task *task, const struct shard_pending *pending)
{
	struct loop *loop = task_loop(task);
	const struct shard_group_settings *settings = &loop->port->group->settings;
	const struct shard_call_row *row = &settings->calls[pending->call];

	task_set_name(task, row->name);
	enum rp_err err = row->fn(task, loop_world(loop), pending->in, pending->out);

	if (settings->hold_answer == NULL)
		return err;
	enum rp_err held = settings->hold_answer(task, loop_world(loop));

	return held != RP_OK ? held : err;
}

static struct shard_pending *next_waiting(struct lane *lane)
{
	struct shard_message *message = lane->waiting;

	if (message == NULL)
		return NULL;
	lane->waiting = message->next;
	if (lane->waiting == NULL)
		lane->waiting_end = &lane->waiting;
	return RP_CONTAINER_OF(message, struct shard_pending, message);
}

/* Serve calls as long as any wait. */
static void serve(struct task *task, void *arg)
{
	struct lane *lane = arg;
	struct shard_pending *pending;

	task->serves_call = true;
	while ((pending = next_waiting(lane)) != NULL) {
		pending->result = run_row(task, pending);
		pending->message.arrive = answer_arrived;
		shard_call_send(lane->port->loop, pending->from, &pending->message);
	}
	lane->serving_count--;
}

static void start_serving(struct lane *lane)
{
	struct shard_port *port = lane->port;

	if (lane->waiting == NULL || lane->serving_count >= LANE_CALLS_MAX)
		return;
	if (task_start_kept(port->loop, serve, lane, NULL) == RP_OK)
		lane->serving_count++;
	else if (lane->serving_count == 0)
		timer_set(port->loop, &port->retry, SHARD_CALL_RETRY_NS);
}

static void call_arrived(struct loop *loop, struct shard_message *message)
{
	struct shard_pending *pending = RP_CONTAINER_OF(message, struct shard_pending, message);
	struct lane *lane = &loop->port->lane[loop->port->group->settings.calls[pending->call].waits];

	message->next = NULL;
	*lane->waiting_end = message;
	lane->waiting_end = &message->next;
	start_serving(lane);
}

static void retry(struct timer *timer)
{
	struct shard_port *port = RP_CONTAINER_OF(timer, struct shard_port, retry);

	port->loop->unflushed = true;
	for (unsigned i = 0; i < LANES; i++)
		start_serving(&port->lane[i]);
}

void shard_start(struct task *task, struct shard_pending *pending, unsigned shard, unsigned call,
    const void *in, void *out)
{
	struct loop *loop = task_loop(task);

	*pending = (struct shard_pending){
	    .in = in, .out = out, .call = call, .from = loop->shard, .result = RP_ERR_CANCELED};
	task_queue_init(&pending->queue);
	pending->ended = task_interrupted(task);
	if (pending->ended)
		return;
	if (shard == loop->shard) {
		pending->result = run_row(task, pending);
		pending->ended = true;
		return;
	}
	RP_ASSERT(!task->serves_call); /* no circle, no deadlock */
	pending->message.arrive = call_arrived;
	shard_call_send(loop, shard, &pending->message);
}

enum rp_err shard_join(struct task *task, struct shard_pending *pending)
{
	task_shield(task);
	while (!pending->ended) {
		enum rp_err err = task_queue_wait(task, &pending->queue);

		RP_ASSERT(err == RP_OK);
	}
	task_unshield(task);
	return task_interrupted(task) ? RP_ERR_CANCELED : pending->result;
}

enum rp_err shard_call(struct task *task, unsigned shard, unsigned call, const void *in, void *out)
{
	struct shard_pending pending;

	shard_start(task, &pending, shard, call, in, out);
	return shard_join(task, &pending);
}

struct post {
	struct shard_message message;
	shard_post_fn *fn;
	uint64_t arg;
};

static void post_dropped(struct shard_message *message)
{
	free(RP_CONTAINER_OF(message, struct post, message));
}

static void post_arrived(struct loop *loop, struct shard_message *message)
{
	struct post *post = RP_CONTAINER_OF(message, struct post, message);
	struct post copy = *post;

	free(post);
	copy.fn(loop_world(loop), copy.arg);
}

/* There is no way to say that memory is short, and a lost post would hang what waits for it. */
void shard_post(struct loop *from, unsigned shard, shard_post_fn *fn, uint64_t arg)
{
	struct post *post = malloc(sizeof(*post));

	if (post == NULL)
		assert_panic("no memory for a message to shard %u", shard);
	*post = (struct post){.fn = fn, .arg = arg};
	post->message.arrive = post_arrived;
	post->message.drop = post_dropped;
	shard_call_send(from, shard, &post->message);
}

static void free_ports(struct shard_group *group)
{
	for (unsigned i = 0; group->port != NULL && i < group->settings.shards_count; i++)
		free(group->port[i].outbox);
	free(group->port);
	free(group);
}

enum rp_err shard_group_open(const struct shard_group_settings *settings, struct shard_group **out)
{
	unsigned count = settings->shards_count;
	struct shard_group *group = calloc(1, sizeof(*group));

	RP_ASSERT(count > 0);
	if (group == NULL)
		return RP_ERR_NOMEM;
	group->settings = *settings;
	group->port = calloc(count, sizeof(*group->port));
	for (unsigned i = 0; group->port != NULL && i < count; i++) {
		struct shard_port *port = &group->port[i];

		port->group = group;
		for (unsigned l = 0; l < LANES; l++) {
			port->lane[l].port = port;
			port->lane[l].waiting_end = &port->lane[l].waiting;
		}
		timer_init(&port->retry, retry);
		port->outbox = calloc(count, sizeof(*port->outbox));
		if (port->outbox == NULL) {
			free_ports(group);
			return RP_ERR_NOMEM;
		}
		for (unsigned to = 0; to < count; to++) {
			struct outbox *outbox = &port->outbox[to];

			outbox->port = port;
			outbox->to = to;
			outbox->op =
			    (struct op){.kind = OP_MESSAGE, .done = chain_sent, .owner = outbox};
		}
	}
	if (group->port == NULL) {
		free_ports(group);
		return RP_ERR_NOMEM;
	}
	pthread_mutex_init(&group->lock, NULL);
	pthread_cond_init(&group->joined, NULL);
	*out = group;
	return RP_OK;
}

static void drop_chain(struct shard_message *first)
{
	for (struct shard_message *message = first, *next; message != NULL; message = next) {
		next = message->next;
		if (message->drop != NULL)
			message->drop(message);
	}
}

static void drop_outbox(struct outbox *outbox)
{
	drop_chain(outbox->op.message.first);
	drop_chain(outbox->first);
	outbox->op.message.first = NULL;
	outbox->op.in_flight = false;
	outbox->first = NULL;
}

void shard_call_forget(struct loop *loop)
{
	struct shard_port *port = loop->port;

	for (unsigned i = 0; port != NULL && i < port->group->settings.shards_count; i++)
		drop_outbox(&port->outbox[i]);
}

void shard_group_close(struct shard_group *group)
{
	if (group == NULL)
		return;
	for (unsigned i = 0; i < group->settings.shards_count; i++) {
		for (unsigned to = 0; to < group->settings.shards_count; to++) {
			RP_ASSERT(!group->port[i].outbox[to].op.in_flight);
			drop_outbox(&group->port[i].outbox[to]);
		}
	}
	pthread_cond_destroy(&group->joined);
	pthread_mutex_destroy(&group->lock);
	free_ports(group);
}

void shard_group_join(struct shard_group *group, struct loop *loop)
{
	RP_ASSERT(loop->shard < group->settings.shards_count);
	struct shard_port *port = &group->port[loop->shard];

	pthread_mutex_lock(&group->lock);
	RP_ASSERT(port->loop == NULL);
	port->loop = loop;
	loop->port = port;
	group->joined_count++;
	pthread_cond_broadcast(&group->joined);
	pthread_mutex_unlock(&group->lock);
}

void shard_group_wait(struct shard_group *group)
{
	pthread_mutex_lock(&group->lock);
	while (group->joined_count < group->settings.shards_count)
		pthread_cond_wait(&group->joined, &group->lock);
	pthread_mutex_unlock(&group->lock);
}

static bool has_to_send(const struct shard_port *port)
{
	for (unsigned i = 0; i < port->group->settings.shards_count; i++)
		if (port->outbox[i].op.in_flight || port->outbox[i].op.message.first != NULL ||
		    port->outbox[i].first != NULL)
			return true;
	return false;
}

static void leave_turn(struct loop *loop)
{
	shard_call_flush(loop);
	loop->kind->turn(loop, loop->now_ns + SHARD_LEAVE_POLL_NS);
	loop_fire_timers(loop);
}

void shard_group_leave(struct shard_group *group, struct loop *loop)
{
	unsigned count = group->settings.shards_count;

	while (has_to_send(loop->port))
		leave_turn(loop);
	__atomic_add_fetch(&group->left_count, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&group->left_count, __ATOMIC_ACQUIRE) < count)
		leave_turn(loop);
}

unsigned shard_group_count(const struct shard_group *group)
{
	return group->settings.shards_count;
}
