#include "core/server/conn.h"

#include <stdlib.h>

#include "core/server/admission.h"
#include "core/server/conn_input.h"
#include "io/base/clock.h"
#include "io/base/num.h"
#include "tls/tls_conn.h"
#include "tls/tls_ctx.h"

enum {
	CONN_GO_FIRST_MS = 20,    /* how long the peer has to close first: ending our output costs a kernel worker */
	CONN_LINGER_MS = 1000,    /* how long a closed connection's input is still thrown away */
};

static void on_recv(void *arg, enum rp_err err, struct bytes in);
static void on_sent(void *arg, enum rp_err err);
static void on_timer(struct timer *timer);

/* ---- birth and death ---- */

enum rp_err conn_open(struct shard *shard, struct net *net, const struct config_listen *listen,
    const struct conn_driver *driver, void *protocol_state, struct conn **out)
{
	struct conn *conn = NULL;

	if (shard->conns_count < shard->config->connections_max)
		conn = calloc(1, sizeof(*conn));
	if (conn == NULL) {
		net_close(net, NULL, NULL);
		return RP_ERR_LIMIT;
	}
	conn->driver = driver;
	conn->protocol_state = protocol_state;
	conn->listen = listen;
	conn->peer = *net_peer(net);
	conn->proxy_awaited = listen->proxy_protocol;
	conn->in_bytes_max = CONN_IN_BYTES_GUEST;
	conn->out_bytes_high = CONN_OUT_BYTES_HIGH_GUEST;
	rope_init(&conn->out);
	rope_init(&conn->wire);
	task_queue_init(&conn->input_queue);
	task_queue_init(&conn->drained_queue);
	timer_init(&conn->timer, on_timer);
	conn_attach(conn, shard, net);
	conn->accepted_ns = loop_now_ns(shard->loop);
	conn->hello_from_ns = conn->accepted_ns;
	conn->heard_ns = conn->accepted_ns;
	conn->progress_ns = conn->accepted_ns;
	stat_add(&shard->stats.connections_total, 1);
	*(struct conn **)protocol_state = conn;
	*out = conn;
	return RP_OK;
}

void conn_attach(struct conn *conn, struct shard *shard, struct net *net)
{
	conn->shard = shard;
	conn->net = net;
	conn->moving = false;
	list_init(&conn->gated);
	list_init(&conn->waiting);
	list_push_back(&shard->conns, &conn->link);
	shard->conns_count++;
	stat_add(&shard->stats.connections, 1);
}

/* It is in nobody's line any more. */
static void leave_lines(struct conn *conn)
{
	list_del(&conn->gated);
	list_del(&conn->waiting);
	timer_clear(&conn->timer);
}

static void leave_shard(struct conn *conn)
{
	RP_ASSERT(!timer_is_set(&conn->timer));
	list_del(&conn->link);
	conn->shard->conns_count--;
	stat_sub(&conn->shard->stats.connections, 1);
}

void conn_detach(struct conn *conn)
{
	leave_lines(conn);
	leave_shard(conn);
}

static void on_closed(void *arg)
{
	struct conn *conn = arg;

	leave_shard(conn);
	conn->driver->fini(conn);
	tls_conn_close(conn->tls);
	rope_fini(&conn->out);
	rope_fini(&conn->wire);
	conn_input_fini(conn);
	free(conn);
}

/* The last step, when neither task nor protocol needs it any more. */
static void bury(struct conn *conn)
{
	struct net *net = conn->net;

	RP_ASSERT(conn->task == NULL);
	conn->state = CONN_CLOSING;
	conn_uncount(conn);
	leave_lines(conn);
	conn->net = NULL;
	net_close(net, on_closed, conn);
}

void conn_lost(struct conn *conn)
{
	RP_ASSERT(conn->net == NULL && conn->task == NULL);
	conn_uncount(conn);
	leave_lines(conn);
	on_closed(conn);
}

void conn_uncount(struct conn *conn)
{
	admission_forget(conn);
	if (conn->counted)
		admission_leave(conn->shard, &conn->peer);
	conn->counted = false;
}

void conn_drop(struct conn *conn, const char *reason)
{
	char peer[48];

	if (conn->state == CONN_CLOSING)
		return;
	if (!conn->dropped) {
		conn->dropped = true;
		LOG(conn->shard->log, LOG_DEBUG, "conn.drop", LOG_BYTES("src_ip", conn_peer_text(conn, peer)),
			LOG_STR("reason", reason));
	}
	conn->in_ended = true;
	if (conn->task != NULL) {
		task_cancel(conn->task);
		return;
	}
	bury(conn);
}

void conn_end(struct conn *conn)
{
	if (conn->state != CONN_OPEN)
		return;
	if (conn->tls != NULL && !tls_conn_is_open(conn->tls))
		conn->out_dead = true; /* in the midst of a handshake: what is to be said is never sealed */
	conn->state = CONN_ENDING;
	conn->in_ended = true;
	task_queue_wake_all(&conn->input_queue);
	conn_pump(conn);
}

struct bytes conn_peer_text(const struct conn *conn, char text[48])
{
	net_address_format(&conn->peer, text, 48);
	return bytes_of_str(text);
}

/* ---- input ---- */

void conn_input_arm(struct conn *conn)
{
	bool full = conn->in_to - conn->in_from >= conn->in_bytes_max || conn->out.bytes > CONN_OUT_BYTES_MAX;

	if (conn->in_ended && conn->state != CONN_LINGERING)
		return;
	if (conn->moving || conn->net == NULL || net_recv_armed(conn->net))
		return;
	if (full && conn->state == CONN_OPEN)
		return;
	net_recv(conn->net, on_recv, conn);
}

static void on_recv(void *arg, enum rp_err err, struct bytes in)
{
	struct conn *conn = arg;

	if (conn->state == CONN_CLOSING)
		return;
	if (conn->state == CONN_LINGERING) {
		if (err != RP_OK || in.n == 0)
			conn_drop(conn, "closed");
		else
			conn_input_arm(conn);
		return;
	}
	/* Being handed over: that waits for this; bytes that were already taken come with RP_OK. */
	if (conn->moving)
		task_queue_wake_all(&conn->input_queue);
	if (err == RP_ERR_CANCELED)
		return;
	if (err != RP_OK) {
		conn_drop(conn, err_name(err));
		return;
	}
	conn->heard_ns = loop_now_ns(conn->shard->loop);
	if (in.n == 0)
		conn->in_ended = true;
	else if (conn->state == CONN_OPEN && !conn_input_came(conn, in)) {
		conn_drop(conn, "input");
		return;
	}
	conn_input_arm(conn);
	if (conn->task != NULL)
		task_queue_wake_all(&conn->input_queue);
	else
		conn_run(conn);
	conn_pump(conn);
}

/* ---- the task ---- */

static void run_task(struct task *task, void *arg)
{
	struct conn *conn = arg;
	struct shard *shard = conn->shard;

	task_set_name(task, conn->driver->name);
	if (!conn->dropped)
		conn->driver->run(task, conn);
	if (conn->moving) {
		/* The driver has handed it over: it is not ours any more. */
		shard_task_ended(shard);
		return;
	}
	conn->task = NULL;
	conn_input_unlend(conn);
	if (conn->dropped) {
		bury(conn);
	} else {
		if (conn->in_ended && conn->state == CONN_OPEN)
			conn_end(conn);
		conn_input_arm(conn);
		conn_pump(conn);
	}
	shard_task_ended(shard);
}

/* Is there something to do that can be done? Whatever makes it so later calls conn_run(). */
static bool can_run(struct conn *conn)
{
	bool something = conn->in_to > conn->in_from || conn->in_ended || conn->news;

	if (conn->task != NULL || conn->state != CONN_OPEN || conn->moving || !something)
		return false;
	if (conn->proxy_awaited || (conn->tls != NULL && !tls_conn_is_open(conn->tls))) {
		if (conn->in_ended)
			conn_end(conn);
		return false;
	}
	/* Whoever does not listen is not worked for, until he has taken what there is. */
	return conn->out.bytes <= conn->out_bytes_high;
}

void conn_run(struct conn *conn)
{
	struct shard *shard = conn->shard;
	bool first = list_empty(&shard->waiting) || shard->waiting.next == &conn->waiting;

	if (!can_run(conn)) {
		list_del(&conn->waiting);
		return;
	}
	if (first && task_start(shard->loop, run_task, conn, &conn->task) == RP_OK) {
		list_del(&conn->waiting);
		return;
	}
	conn->task = NULL;
	if (!list_linked(&conn->waiting))
		list_push_back(&shard->waiting, &conn->waiting);
	shard_task_awaited(shard);
}

/* ---- output ---- */

static uint64_t durable_of(const struct conn *conn)
{
	return conn->shard->store != NULL ? store_durable(conn->shard->store) : 0;
}

/* Seal what may leave, up to a bound. False: the connection has failed. */
static bool seal(struct conn *conn)
{
	size_t n = 1;

	if (conn->tls == NULL || conn->out_dead || !tls_conn_is_open(conn->tls))
		return true;
	while (n > 0 && conn->wire.bytes < CONN_WIRE_BYTES_MAX)
		if (tls_conn_seal(conn->tls, &conn->out, durable_of(conn), conn->shard->seal_scratch,
			    &conn->wire, &n) != RP_OK)
			return false;
	return true;
}

/* All that could be sent is sent and the connection is to end: say so to the peer, by close_notify and then, unless he goes
 * first, by the end of output. True: close_notify is to be sent first. */
static bool finish(struct conn *conn)
{
	if (conn->tls != NULL)
		tls_conn_shutdown(conn->tls, &conn->wire);
	conn->state = CONN_LINGERING;
	if (conn->wire.bytes > 0)
		return true;
	if (conn->curt) {
		conn_drop(conn, "refused");
		return false;
	}
	conn->out_done = true;
	timer_set(conn->shard->loop, &conn->timer, CONN_GO_FIRST_MS * CLOCK_NS_PER_MS);
	conn_input_arm(conn);
	return false;
}

static void end_output(struct conn *conn)
{
	conn->out_ended = true;
	net_shutdown(conn->net);
	timer_set(conn->shard->loop, &conn->timer, CONN_LINGER_MS * CLOCK_NS_PER_MS);
}

/* Send the next piece, or do what comes when there is none. True: once more. */
static bool pump(struct conn *conn)
{
	uint64_t durable = durable_of(conn);

	if (conn->net == NULL || conn->dropped || conn->state == CONN_CLOSING || net_send_armed(conn->net))
		return false;
	if (conn->out.failed || conn->wire.failed || !seal(conn)) {
		conn_drop(conn, "output");
		return false;
	}
	struct bytes b = rope_peek(&conn->wire, UINT64_MAX);

	conn->sending_wire = b.n > 0;
	if (b.n == 0 && conn->tls == NULL)
		b = rope_peek(&conn->out, durable);
	if (b.n > 0) {
		conn->sending_bytes = b.n;
		net_send(conn->net, b, on_sent, conn);
		return false;
	}
	if (conn->out.bytes > 0 && !conn->out_dead) {
		bool gate = conn->tls == NULL || tls_conn_is_open(conn->tls);

		if (gate && !list_linked(&conn->gated))
			list_push_back(&conn->shard->gated, &conn->gated);
		return false;
	}
	return conn->task == NULL && (conn->state == CONN_ENDING || conn->state == CONN_LINGERING) && !conn->out_done &&
	       finish(conn);
}

void conn_pump(struct conn *conn)
{
	while (pump(conn))
		;
}

static void on_sent(void *arg, enum rp_err err)
{
	struct conn *conn = arg;

	if (conn->state == CONN_CLOSING)
		return;
	if (err != RP_OK) {
		conn_drop(conn, "reset");
		return;
	}
	rope_consume(conn->sending_wire ? &conn->wire : &conn->out, conn->sending_bytes);
	conn->sending_bytes = 0;
	conn->progress_ns = loop_now_ns(conn->shard->loop);
	if (conn->moving)
		task_queue_wake_all(&conn->input_queue);
	conn_pump(conn);
	if (!task_queue_empty(&conn->drained_queue)) {
		task_queue_wake_all(&conn->drained_queue);
	} else if (conn->task == NULL && conn->state == CONN_OPEN) {
		conn_input_arm(conn);
		conn_run(conn);
	}
}

enum rp_err conn_flush(struct task *task, struct conn *conn, size_t bytes_max)
{
	for (;;) {
		conn_pump(conn);
		if (conn->dropped || conn->out.failed)
			return RP_ERR_CANCELED;
		if (conn->out.bytes + conn->wire.bytes <= bytes_max)
			return task_canceled(task) ? RP_ERR_CANCELED : RP_OK;
		enum rp_err err = task_queue_wait(task, &conn->drained_queue);

		if (err != RP_OK)
			return err;
	}
}

void conn_log_failed(struct conn *conn)
{
	rope_cut(&conn->out, store_durable(conn->shard->store));
	conn->out.gate = 0; /* what follows reveals nothing */
	conn->driver->stop(conn);
	conn_end(conn);
}

/* ---- beginning, TLS, moving ---- */

/* Is it still to greet, or in the midst of a handshake? */
static bool in_hello(const struct conn *conn)
{
	return !conn->greeted || (conn->tls != NULL && !tls_conn_is_open(conn->tls));
}

/* How long that may still last: a handshake has its own time, and is part of the time for a login. */
static uint64_t hello_left_ns(const struct conn *conn)
{
	const struct config *config = conn->shard->config;
	uint64_t end_ns = num_min(conn->hello_from_ns + config->handshake_ms * CLOCK_NS_PER_MS,
		conn->accepted_ns + config->login_ms * CLOCK_NS_PER_MS);

	return end_ns - num_min(end_ns, loop_now_ns(conn->shard->loop));
}

void conn_begin(struct conn *conn)
{
	struct shard *shard = conn->shard;
	char peer[48];

	if (conn->proxy_awaited) {
		if (admission_trusted(shard, &conn->peer)) {
			conn_input_arm(conn);
			conn_tick_soon(conn, hello_left_ns(conn));
			return;
		}
		LOG(shard->log, LOG_WARN, "conn.refused", LOG_BYTES("src_ip", conn_peer_text(conn, peer)),
			LOG_STR("reason", "proxy_protocol, but not from trusted_networks"));
		conn_drop(conn, "untrusted proxy");
		return;
	}
	admission_begin(conn);
	if (conn->state != CONN_OPEN)
		return;
	if (conn->listen->protocol == CONFIG_IMAPS && conn->tls == NULL) {
		conn->tls = shard->tls_ctx != NULL ? tls_conn_open(shard->tls_ctx) : NULL;
		if (conn->tls == NULL) {
			conn_drop(conn, "no certificate");
			return;
		}
		conn_input_arm(conn);
	} else if (!conn->greeted) {
		conn->greeted = true;
		conn->driver->greet(conn);
		conn_input_arm(conn);
		conn_pump(conn);
	}
	conn_tick_soon(conn, hello_left_ns(conn));
}

bool conn_start_tls(struct conn *conn)
{
	RP_ASSERT(conn->tls == NULL && conn->wire.bytes == 0);
	RP_ASSERT(rope_first_gate(&conn->out) == 0 && conn->out.gate == 0); /* a stranger is told of no change */
	conn->tls = conn->shard->tls_ctx != NULL ? tls_conn_open(conn->shard->tls_ctx) : NULL;
	if (conn->tls == NULL)
		return false;
	conn->hello_from_ns = loop_now_ns(conn->shard->loop);
	conn_tick_soon(conn, hello_left_ns(conn));
	conn_take(conn, conn->in_to - conn->in_from);
	rope_append(&conn->wire, &conn->out);
	conn->sending_wire = true; /* if anything is on its way just now, it is the beginning of that */
	return true;
}

enum rp_err conn_quiesce(struct task *task, struct conn *conn)
{
	enum rp_err err = conn_flush(task, conn, 0);

	if (err != RP_OK)
		return err;
	conn->moving = true;
	while (net_recv_armed(conn->net) || net_send_armed(conn->net)) {
		net_recv_cancel(conn->net);
		if (task_queue_wait(task, &conn->input_queue) != RP_OK)
			break;
	}
	/* What came meanwhile may have been its end. */
	if (!task_canceled(task) && conn->state == CONN_OPEN)
		return RP_OK;
	conn->moving = false;
	return RP_ERR_CANCELED;
}

/* ---- time ---- */

void conn_tick_soon(struct conn *conn, uint64_t ns)
{
	if (conn->state == CONN_CLOSING)
		return;
	timer_set(conn->shard->loop, &conn->timer, ns);
}

static void on_timer(struct timer *timer)
{
	struct conn *conn = RP_CONTAINER_OF(timer, struct conn, timer);
	const struct config *config = conn->shard->config;
	uint64_t now_ns = loop_now_ns(conn->shard->loop);
	uint64_t stalled_ns = config->stalled_ms * CLOCK_NS_PER_MS;
	bool unsent = conn->out.bytes + conn->wire.bytes > 0;

	if (conn->out_ended) {
		conn_drop(conn, "linger");
		return;
	}
	if (conn->out_done) {
		end_output(conn);
		return;
	}
	if (in_hello(conn) && hello_left_ns(conn) == 0) {
		conn_drop(conn, "handshake timeout");
		return;
	}
	if (unsent && net_send_armed(conn->net) && now_ns - conn->progress_ns >= stalled_ns) {
		conn_drop(conn, "stalled");
		return;
	}
	uint64_t next_ns = conn->greeted ? conn->driver->tick(conn, now_ns) : stalled_ns;

	conn_tick_soon(conn, unsent ? num_min(next_ns, stalled_ns) : next_ns);
}
