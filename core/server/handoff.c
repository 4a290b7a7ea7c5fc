#include "core/server/handoff.h"

#include "core/cmd/registry.h"
#include "core/server/auth_link.h"
#include "core/server/user_table.h"
#include "io/base/clock.h"
#include "tls/tls_conn.h"

/* Sessions of a deleted user were ended here since this login was asked about: it may be one that the old passwd-file let in, and
 * that could not be found then (its answer was under way, or the connection). */
static enum rp_err look_again(struct task *task, struct drive *drive)
{
	const struct session *session = &drive->session;
	struct shard *shard = drive->conn->shard;
	enum rp_err err;

	if (shard->users_gone_ns < drive->asked_ns)
		return RP_OK;
	err = auth_link_still(task, shard, session->name, &session->userid);
	drive->user_gone |= err == RP_ERR_NOTFOUND;
	return err;
}

/* The last step, on the home shard: who it is is known; may he come in, and is his mail there? */
static enum rp_err enter(struct task *task, struct drive *drive)
{
	struct conn *conn = drive->conn;
	struct shard *shard = conn->shard;
	struct session *session = &drive->session;
	uint64_t now_s = loop_wall_ns(shard->loop) / CLOCK_NS_PER_S;
	char peer[48];
	struct resp resp;
	enum rp_err err = look_again(task, drive);

	if (err == RP_OK && shared_poisoned_s(shard->shared, &session->userid, now_s) > 0) {
		LOG(shard->log, LOG_WARN, "user.shut_out", LOG_BYTES("user", session->name));
		err = RP_ERR_UNAVAILABLE;
	}
	if (err == RP_OK)
		err = user_table_join(shard->users, &session->userid, &conn->peer,
			shard->config->connections_per_user_address_max);
	if (err == RP_OK) {
		drive->user_counted = true;
		shared_note_task(task, &session->userid);
		err = session_enter(task, session, &shard->env);
	}
	if (err == RP_ERR_CANCELED || conn->state != CONN_OPEN)
		return RP_ERR_CANCELED; /* what was counted and opened goes with the connection */
	if (drive->user_gone)
		err = RP_ERR_NOTFOUND;
	if (err == RP_OK) {
		stat_add(&shard->stats.logins, 1);
		conn->in_bytes_max = CONN_IN_BYTES_USER;
		conn->out_bytes_high = CONN_OUT_BYTES_HIGH;
		frame_init(&drive->frame, true);
		conn_tick_soon(conn, CLOCK_NS_PER_S);
	} else if (drive->user_counted) {
		user_table_leave(shard->users, &session->userid, &conn->peer);
		drive->user_counted = false;
	}
	LOG(shard->log, err == RP_OK ? LOG_INFO : LOG_WARN, err == RP_OK ? "login.ok" : "login.fail",
		LOG_BYTES("user", session->name), LOG_BYTES("src_ip", conn_peer_text(conn, peer)),
		LOG_STR("tls", conn->tls != NULL ? tls_conn_facts(conn->tls).protocol : "none"),
		LOG_STR("result", err_name(err)));
	if (drive->user_gone) {
		drive_say_user_gone(drive);
		return RP_ERR_CANCELED;
	}
	resp_init(&resp, &conn->out, false);
	registry_entered(session, &resp, err);
	resp_flush(&resp);
	return RP_OK;
}

/* The connection's task on its new shard: enter, then go on as ever. */
static void run_entering(struct task *task, struct conn *conn)
{
	struct drive *drive = drive_of(conn);

	conn->driver = &drive_imap;
	if (enter(task, drive) == RP_OK)
		conn->driver->run(task, conn);
}

static void entering_greet(struct conn *conn)
{
	(void)conn; /* it was greeted long ago */
}

static uint64_t entering_tick(struct conn *conn, uint64_t now_ns)
{
	return drive_imap.tick(conn, now_ns);
}

static void entering_stop(struct conn *conn)
{
	drive_imap.stop(conn);
}

static void entering_user_gone(struct conn *conn, struct bytes name, const struct userid *userid)
{
	drive_imap.user_gone(conn, name, userid);
}

static void entering_fini(struct conn *conn)
{
	drive_imap.fini(conn);
}

/* The driver of a connection that has just arrived. */
static const struct conn_driver drive_entering = {
	.name = "imap entering",
	.run = run_entering,
	.greet = entering_greet,
	.tick = entering_tick,
	.stop = entering_stop,
	.user_gone = entering_user_gone,
	.fini = entering_fini,
};

/* On the shard that it came from. */
static void on_arrived(void *world, uint64_t arg)
{
	struct shard *shard = world;

	(void)arg;
	shard->moving_count--;
}

/* On the home shard, outside any task. */
static void on_moved(void *world, struct net *net, void *arg)
{
	struct shard *shard = world;
	struct conn *conn = arg;

	stat_add(&shard->stats.handoffs, 1);
	shard_post(shard->loop, conn->shard->number, on_arrived, 0);
	if (shard->stopping && net != NULL) {
		/* Its store may be closed, and nobody may look any more whether it has gone: not taken in at all. */
		net_close(net, NULL, NULL);
		net = NULL;
	} else if (net == NULL) {
		LOG(shard->log, LOG_ERROR, "handoff.fail", LOG_STR("reason", "no descriptor is free"));
	}
	conn_attach(conn, shard, net);
	if (net == NULL) {
		conn_lost(conn);
		return;
	}
	conn->driver = &drive_entering;
	conn->news = true; /* there is something to do, whatever was received */
	conn_tick_soon(conn, CLOCK_NS_PER_S);
	conn_run(conn);
}

enum rp_err handoff_enter(struct task *task, struct drive *drive)
{
	struct conn *conn = drive->conn;
	struct shard *shard = conn->shard;
	unsigned home = userid_shard(&drive->session.userid, shard->count);

	RP_ASSERT(conn->state == CONN_OPEN); /* who was told BYE gets no further */
	conn_uncount(conn); /* it has logged in: no stranger any more */
	if (home == shard->number)
		return enter(task, drive);
	enum rp_err err = conn_quiesce(task, conn);

	if (err != RP_OK)
		return err;
	struct net *net = conn->net;

	conn_detach(conn);
	conn->task = NULL;
	conn->net = NULL;
	shard->moving_count++;
	net_move(net, home, on_moved, conn);
	return RP_OK;
}
