#include "core/server/shard.h"

#include <stdlib.h>

#include "core/lmtp/spool.h"
#include "core/server/accept.h"
#include "core/server/address_table.h"
#include "core/server/admin.h"
#include "core/server/auth_link.h"
#include "core/server/calls.h"
#include "core/server/conn.h"
#include "core/server/drive.h"
#include "core/server/lmtp_drive.h"
#include "core/server/order.h"
#include "core/server/reload.h"
#include "core/server/shard_thread.h"
#include "core/server/user_table.h"
#include "core/session/message_reader.h"
#include "io/base/clock.h"
#include "io/base/num.h"
#include "io/file.h"
#include "io/timer.h"
#include "tls/tls_conn.h"
#include "tls/tls_ctx.h"

enum {
	SHARD_DRAIN_MS = 10000, /* how long connections have to take their last answers at the end */
	SHARD_DRAIN_LOOK_MS = 20,
	SHARD_RECOVER_WAIT_MS = 5000, /* before somebody who is left is tried again; twice as long each time */
	SHARD_RECOVER_WAIT_MAX_MS = 300000,
	SHARD_ANSWERS_MAX = 4,
	SHARD_NETWORK_PART = 10, /* strangers of one network take one part in so many of a shard's connections at most */
	SHARD_RETRY_TASK_MS = 50, /* no task was free: of those that end, not all are connections' */
	/* Of the commit log, registered with the ring: what is not settled yet while 4 MiB a second come in. Beyond, the
	   kernel looks pages up. It is resident for good, so not all of the log's memory. */
	SHARD_PINNED_BYTES = 4 * 1024 * 1024,
};

/* A shard and its thread's own things. */
struct shard_thread {
	struct shard shard;
	const struct shard_thread_settings *settings;
	struct config config; /* its numbers and switches are this shard's own; what it points to is shared, read-only */
	struct net *boss; /* the main thread */
	struct order answer[SHARD_ANSWERS_MAX];
	unsigned answers_from;
	unsigned answers_to;
	uint64_t epoch;        /* of ORDER_OPEN */
	uint64_t recover_kind; /* which step is under way */
	unsigned tasks_count;  /* of those below that are under way; none may be when the store is closed */
	struct timer drain;
	struct claim *claim; /* of DATA; one shard's */
	uint64_t drain_until_ns;
	struct arena arena; /* for reasons */
};

static struct shard_thread *thread_of(struct shard *shard)
{
	return RP_CONTAINER_OF(shard, struct shard_thread, shard);
}

/* ---- connections ---- */

void shard_task_ended(struct shard *shard)
{
	if (!list_empty(&shard->waiting))
		timer_set(shard->loop, &shard->look, 0);
}

void shard_task_awaited(struct shard *shard)
{
	if (!timer_is_set(&shard->look))
		timer_set(shard->loop, &shard->look, SHARD_RETRY_TASK_MS * CLOCK_NS_PER_MS);
}

/* In their order, as long as tasks are to be had. Who has nothing to do any more, or cannot now, leaves the line. */
void shard_look(struct timer *timer)
{
	struct shard *shard = RP_CONTAINER_OF(timer, struct shard, look);

	while (!list_empty(&shard->waiting)) {
		struct conn *conn = RP_CONTAINER_OF(shard->waiting.next, struct conn, waiting);

		conn_run(conn);
		if (list_linked(&conn->waiting))
			return;
	}
}

void shard_log_changed(void *arg)
{
	struct shard *shard = arg;
	struct list ready;

	list_init(&ready);
	list_splice_back(&ready, &shard->gated);
	while (!list_empty(&ready)) {
		struct conn *conn = RP_CONTAINER_OF(ready.next, struct conn, gated);

		list_del(&conn->gated);
		if (shard->store != NULL && store_failed(shard->store))
			conn_log_failed(conn);
		else
			conn_pump(conn);
	}
	if (shard->store != NULL && store_failed(shard->store) && !shard->log_failed) {
		shard->log_failed = true;
		LOG(shard->log, LOG_ERROR, "commit.failed");
		shard_answer(shard, ORDER_FAILED, 0, "the commit log cannot be written");
	}
}

/* ---- the main thread's orders ---- */

static void send_answers(struct shard_thread *thread);

static void on_answer_sent(void *arg, enum rp_err err)
{
	struct shard_thread *thread = arg;

	RP_ASSERT(err == RP_OK || err == RP_ERR_END || err == RP_ERR_CANCELED);
	thread->answers_from++;
	send_answers(thread);
}

static void send_answers(struct shard_thread *thread)
{
	if (thread->answers_from == thread->answers_to || net_send_armed(thread->boss))
		return;
	struct order *answer = &thread->answer[thread->answers_from % SHARD_ANSWERS_MAX];

	net_send(thread->boss, bytes_of(answer, sizeof(*answer)), on_answer_sent, thread);
}

void shard_answer(struct shard *shard, unsigned kind, uint64_t number, const char *reason)
{
	struct shard_thread *thread = thread_of(shard);

	RP_ASSERT(thread->answers_to - thread->answers_from < SHARD_ANSWERS_MAX);
	thread->answer[thread->answers_to++ % SHARD_ANSWERS_MAX] =
		(struct order){ .kind = kind, .number = number, .pointer = reason };
	send_answers(thread);
}

static void claim(struct task *task, void *arg)
{
	struct shard_thread *thread = arg;
	struct shard *shard = &thread->shard;
	const char *reason = "the store cannot be opened";
	uint64_t epoch = 0;

	task_set_name(task, "claim");
	if (store_claim(task, &thread->arena, shard->count, &thread->claim, &epoch, &reason) == RP_OK)
		shard_answer(shard, ORDER_CLAIMED, epoch, NULL);
	else if (!shard->stopping)
		shard_answer(shard, ORDER_FAILED, 0, reason);
	thread->tasks_count--;
}

/* Who is shut out because work on his mail ends the server is not worked on here either. And nobody is begun with when the server
 * stops: what is left in the logs stays there. */
static bool may_recover(void *arg, const struct userid *userid)
{
	struct shard *shard = arg;
	uint64_t now_s = loop_wall_ns(shard->loop) / CLOCK_NS_PER_S;

	return !shard->stopping && shared_poisoned_s(shard->shared, userid, now_s) == 0;
}

/* Less than a second is not nothing. */
static uint64_t keep_s(const struct config *config)
{
	return (config->keep_expunged_ms + 999) / 1000;
}

/* How long a clock must stand to be believed, in a build for tests, whose runs take no day; 0: as long as always. */
static uint64_t keep_trust_s(void)
{
	uint64_t seconds = 0;
#ifdef RP_TEST_HOOKS
	const char *text = getenv("RINGPOST_TEST_CLOCK_TRUST");

	if (text != NULL && !bytes_to_u64(bytes_of_str(text), 24 * 3600, &seconds))
		seconds = 0;
#endif
	return seconds;
}

static void open_store(struct task *task, void *arg)
{
	struct shard_thread *thread = arg;
	struct shard *shard = &thread->shard;
	const char *reason = "the store cannot be opened";
	const struct store_settings settings = {
		.shards_count = shard->count,
		.commit_file_bytes = shard->config->commit_file_bytes,
		.unsettled_bytes_max = shard->config->unsettled_bytes_max,
		.volumes_bytes_max = shard->config->volumes_bytes_max,
		.keep_expunged_s = keep_s(shard->config),
		.keep_trust_s = keep_trust_s(),
		.background_bytes_per_s = shard->config->background_bytes_per_s,
		.background_share = (unsigned)shard->config->background_share,
		.files_max = thread->settings->files_max,
		.mappings_max = thread->settings->mappings_max,
		.reader = &message_reader,
		.may_recover = may_recover,
		.changed = shard_log_changed,
		.arg = shard,
	};

	task_set_name(task, "open store");
	enum rp_err err = store_open(task, &settings, thread->epoch, &shard->store, &reason);

	if (err == RP_OK && shard->number == 0) {
		reason = "the spool folder cannot be made or emptied";
		err = spool_clean(task);
	}
	if (err == RP_OK) {
		shard->env.store = shard->store;
		shard_answer(shard, ORDER_READY, 0, NULL);
	} else if (!shard->stopping) {
		shard_answer(shard, ORDER_FAILED, 0, reason);
	}
	thread->tasks_count--;
}

/* Until all is in its place: somebody whose files cannot be written is tried again and again, and holds nobody else up.
 * RP_ERR_CANCELED: the shard stops. */
static enum rp_err recover_all(struct task *task, struct shard *shard)
{
	uint64_t wait_ms = SHARD_RECOVER_WAIT_MS;
	enum rp_err err;

	while ((err = store_recover(task, shard->store)) == RP_ERR_UNAVAILABLE) {
		struct store_stats stats;

		if (shard->stopping)
			return RP_ERR_CANCELED;
		store_stats(shard->store, &stats);
		LOG(shard->log, LOG_WARN, "store.recovery_waits", LOG_U64("users", stats.users_unrecovered),
			LOG_U64("seconds", wait_ms / 1000));
		for (uint64_t waited_ms = 0; waited_ms < wait_ms; waited_ms += SHARD_DRAIN_LOOK_MS) {
			err = task_sleep(task, SHARD_DRAIN_LOOK_MS * CLOCK_NS_PER_MS);
			if (err != RP_OK || shard->stopping)
				return RP_ERR_CANCELED;
		}
		wait_ms = num_min(2 * wait_ms, SHARD_RECOVER_WAIT_MAX_MS);
	}
	return err;
}

/* Recovery in the background: each step on all shards before the next one. */
static void recover(struct task *task, void *arg)
{
	struct shard_thread *thread = arg;
	struct shard *shard = &thread->shard;
	uint64_t kind = thread->recover_kind;
	enum rp_err err = RP_OK;

	task_set_name(task, "recover");
	if (kind == ORDER_RECOVER)
		err = recover_all(task, shard);
	else if (kind == ORDER_VOID)
		err = store_recover_void(task, shard->store);
	else
		err = store_recovered(task, shard->store);
	if (err == RP_ERR_CANCELED)
		RP_ASSERT(shard->stopping);
	else if (err != RP_OK)
		shard_answer(shard, ORDER_FAILED, 0, "what an earlier run left in the commit logs cannot be put in its place");
	else if (kind != ORDER_REUSE)
		shard_answer(shard, kind == ORDER_RECOVER ? ORDER_RECOVERED : ORDER_VOIDED, 0, NULL);
	thread->tasks_count--;
}

/* Start one of the above. */
static enum rp_err start(struct shard_thread *thread, task_fn *fn)
{
	if (thread->shard.stopping)
		return RP_OK; /* nobody waits for it any more */
	enum rp_err err = task_start(thread->shard.loop, fn, thread, NULL);

	thread->tasks_count += err == RP_OK;
	return err;
}

static void close_store(struct task *task, void *arg)
{
	struct shard_thread *thread = arg;
	struct shard *shard = &thread->shard;
	struct store *store = shard->store;

	task_set_name(task, "close store");
	if (shard->calls_count > 0) {
		timer_set(shard->loop, &thread->drain, 0); /* one came in since that was looked at */
		return;
	}
	shard->store = NULL;
	shard->env.store = NULL;
	if (store != NULL && store_close(task, store) != RP_OK)
		LOG(shard->log, LOG_ERROR, "store.close_failed");
	auth_link_close(shard->auth);
	shard->auth = NULL;
	shard_answer(shard, ORDER_STOPPED, 0, NULL);
}

static void on_drain(struct timer *timer)
{
	struct shard_thread *thread = RP_CONTAINER_OF(timer, struct shard_thread, drain);
	struct shard *shard = &thread->shard;
	bool over = loop_now_ns(shard->loop) >= thread->drain_until_ns;

	if (over)
		LIST_FOR_EACH_SAFE (l, &shard->conns)
			conn_drop(RP_CONTAINER_OF(l, struct conn, link), "stopping");
	if (!list_empty(&shard->conns) || thread->tasks_count > 0 || shard->calls_count > 0 || shard->moving_count > 0) {
		timer_set(shard->loop, timer, SHARD_DRAIN_LOOK_MS * CLOCK_NS_PER_MS);
		return;
	}
	if (task_start(shard->loop, close_store, thread, NULL) != RP_OK)
		timer_set(shard->loop, timer, SHARD_DRAIN_LOOK_MS * CLOCK_NS_PER_MS);
}

/* No new connections; who is there hears BYE as soon as his command has ended. */
static void stop(struct shard_thread *thread)
{
	struct shard *shard = &thread->shard;

	if (shard->stopping)
		return;
	shard->stopping = true;
	file_wait_no_more(shard->loop);
	accept_stop(shard);
	admin_close(shard);
	LIST_FOR_EACH_SAFE (l, &shard->conns) {
		struct conn *conn = RP_CONTAINER_OF(l, struct conn, link);

		conn->driver->stop(conn);
	}
	thread->drain_until_ns = loop_now_ns(shard->loop) + SHARD_DRAIN_MS * CLOCK_NS_PER_MS;
	timer_set(shard->loop, &thread->drain, 0);
}

static void set_tls(struct shard *shard, struct tls_ctx *tls_ctx)
{
	tls_ctx_close(shard->tls_ctx);
	shard->tls_ctx = tls_ctx;
	shard->env.tls_available = tls_ctx != NULL;
}

static void set_env(struct shard *shard)
{
	shard->env.appendlimit_bytes = shard->config->appendlimit_bytes;
	shard->env.search_cpu_ms = shard->config->search_cpu_ms;
	shard->env.plaintext_login = shard->config->plaintext_login;
}

/* A tenth of one shard's connections, and no fewer than one address may have. */
static uint64_t network_max(const struct shard *shard)
{
	return num_max(shard->config->connections_max / SHARD_NETWORK_PART, shard->config->connections_per_address_max);
}

static void reload(struct shard_thread *thread, struct order_reload *order)
{
	struct shard *shard = &thread->shard;

	set_tls(shard, order->tls);
	reload_take(&thread->config, &order->config);
	set_env(shard);
	if (shard->store != NULL)
		store_set_keep(shard->store, keep_s(shard->config));
	address_table_set_max(shard->addresses, shard->config->connections_per_address_max, network_max(shard));
	if (shard->auth != NULL)
		auth_link_changed(shard->auth); /* what the auth process says may be another thing now */
	free(order);
}

static void carry_out(struct shard_thread *thread, const struct order *order)
{
	struct shard *shard = &thread->shard;
	enum rp_err err = RP_OK;

	switch (order->kind) {
	case ORDER_CLAIM:
		err = start(thread, claim);
		break;
	case ORDER_OPEN:
		thread->epoch = order->number;
		err = start(thread, open_store);
		break;
	case ORDER_LISTEN:
		err = accept_start(shard, thread->settings->config->listen, thread->settings->listen_fds);
		if (err == RP_OK && shard->number == 0)
			err = admin_open(shard, thread->settings->control_fd);
		if (err == RP_OK)
			shard_answer(shard, ORDER_LISTENING, 0, NULL);
		break;
	case ORDER_RECOVER:
	case ORDER_VOID:
	case ORDER_REUSE:
		thread->recover_kind = order->kind;
		err = start(thread, recover);
		break;
	case ORDER_AUTH:
		if (shard->auth != NULL)
			auth_link_renew(shard->auth, (int)order->number);
		break;
	case ORDER_RELOAD:
		reload(thread, (struct order_reload *)(uintptr_t)order->pointer);
		break;
	case ORDER_STOP:
		stop(thread);
		break;
	default:
		assert_panic("the main thread orders %llu, which is no order", (unsigned long long)order->kind);
	}
	if (err != RP_OK)
		shard_answer(shard, ORDER_FAILED, 0, "a shard has no memory or descriptors to start with");
}

static void on_order(void *arg, enum rp_err err, struct bytes in)
{
	struct shard_thread *thread = arg;
	struct order order;

	if (err != RP_OK || in.n != sizeof(order)) {
		/* The main thread lets go of its end when all shards have closed their stores. */
		store_unclaim(thread->claim);
		thread->claim = NULL;
		loop_stop(thread->shard.loop);
		return;
	}
	memcpy(&order, in.p, sizeof(order));
	carry_out(thread, &order);
	net_recv(thread->boss, on_order, thread);
}

/* ---- the thread ---- */

static enum rp_err set_up(struct shard_thread *thread)
{
	struct shard *shard = &thread->shard;
	const struct shard_thread_settings *settings = thread->settings;
	struct hash_key key;

	shard->seal_scratch = malloc(TLS_CONN_RECORD_BYTES);
	shard->read_scratch = malloc(TLS_CONN_RECORD_BYTES);
	loop_random(shard->loop, &key, sizeof(key));
	shard->addresses = address_table_open(key, shard->config->connections_per_address_max, network_max(shard));
	loop_random(shard->loop, &key, sizeof(key));
	shard->users = user_table_open(key);
	if (shard->seal_scratch == NULL || shard->read_scratch == NULL || shard->addresses == NULL ||
	    shard->users == NULL)
		return RP_ERR_NOMEM;
	enum rp_err err =
		auth_link_open(shard, settings->auth_fd, shard->config->auth_cache_ms, &shard->auth);

	if (err == RP_OK)
		err = net_adopt(shard->loop, settings->boss_fd, &thread->boss);
	return err;
}

static void tear_down(struct shard_thread *thread)
{
	struct shard *shard = &thread->shard;

	timer_clear(&shard->look);
	address_table_close(shard->addresses);
	user_table_close(shard->users);
	tls_ctx_close(shard->tls_ctx);
	free(shard->acceptors);
	free(shard->seal_scratch);
	free(shard->read_scratch);
	arena_fini(&thread->arena);
}

void *shard_thread_run(void *arg)
{
	const struct shard_thread_settings *settings = arg;
	struct shard_thread *thread = calloc(1, sizeof(*thread));
	struct loop_settings loop_settings = {
		.shard = settings->number,
		.root_fd = { [FILE_ROOT_DATA] = settings->data_fd, [FILE_ROOT_COMMIT] = settings->commit_fd },
		.log = settings->log,
		.pinned_bytes = SHARD_PINNED_BYTES,
		.restricted = true,
	};
	const char *reason = "out of memory";

	RP_ASSERT(thread != NULL);
	struct shard *shard = &thread->shard;

	thread->settings = settings;
	shard->number = settings->number;
	shard->count = settings->count;
	thread->config = *settings->config;
	shard->config = &thread->config;
	shard->shared = settings->shared;
	shard->group = settings->group;
	shard->log = settings->log;
	list_init(&shard->conns);
	list_init(&shard->gated);
	list_init(&shard->waiting);
	timer_init(&shard->look, shard_look);
	timer_init(&thread->drain, on_drain);
	arena_init(&thread->arena, 64 * 1024);
	shard->env = (struct session_env){
		.server_name = "ringpost",
		.version = settings->version,
		.charsets = settings->charsets,
		.shards_count = settings->count,
		.authenticate = auth_link_authenticate,
	};
	set_env(shard);
	if (loop_open(&loop_settings, &shard->loop, &reason) != RP_OK)
		settings->cannot_start(settings, reason);
	shared_watch_thread(shard->number);
	loop_note_owner(shard->loop, shard->shared->shard[shard->number].user);
	loop_set_world(shard->loop, shard);
	shard_group_join(shard->group, shard->loop);
	shard_group_wait(shard->group);
	set_tls(shard, settings->tls_ctx);
	if (set_up(thread) != RP_OK)
		settings->cannot_start(settings, "a shard has no memory or descriptors to start with");
	net_recv(thread->boss, on_order, thread);
	loop_run(shard->loop);
	shard_group_leave(shard->group, shard->loop);
	net_close(thread->boss, NULL, NULL);
	tear_down(thread);
	loop_close(shard->loop);
	free(thread);
	return NULL;
}
