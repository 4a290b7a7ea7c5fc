#include "core/server/lmtp_drive.h"

#include <stdlib.h>
#include <xxhash.h>

#include "core/lmtp/lmtp.h"
#include "core/server/calls.h"
#include "io/base/clock.h"

struct lmtp_drive {
	struct conn *conn; /* first: conn_open() puts it here */
	struct shard *shard;
	struct lmtp *lmtp;
	struct lmtp_settings settings;
};

static struct conn *conn_of(void *arg)
{
	struct lmtp_drive *drive = arg;

	return drive->conn;
}

static struct bytes io_input(void *arg)
{
	return conn_input(conn_of(arg));
}

static void io_take(void *arg, size_t n)
{
	conn_take(conn_of(arg), n);
}

static enum rp_err io_wait(struct task *task, void *arg, size_t had)
{
	return conn_wait_input(task, conn_of(arg), had);
}

static struct rope *io_output(void *arg)
{
	return &conn_of(arg)->out;
}

static enum rp_err io_flush(struct task *task, void *arg)
{
	struct lmtp_drive *drive = arg;

	/* The server stops: no further command, but a message that has begun may end. */
	if (drive->shard->stopping && !lmtp_is_taking(drive->lmtp))
		return RP_ERR_END;
	return conn_flush(task, drive->conn, CONN_OUT_BYTES_HIGH);
}

static enum rp_err io_lookup(struct task *task, void *arg, struct bytes address, struct userid *userid, bool *cut)
{
	struct lmtp_drive *drive = arg;
	struct auth_wire_request request = {
		.kind = AUTH_WIRE_LOOKUP,
		.name = address,
		.service = BYTES_LIT("lmtp"),
	};
	struct call_auth_out out = { 0 };

	if (address.n > AUTH_WIRE_NAME_BYTES_MAX)
		return RP_ERR_NOTFOUND;
	enum rp_err err = shard_call(task, (unsigned)(XXH3_64bits(address.p, address.n) % drive->shard->count), CALL_AUTH,
		&request, &out);

	if (err != RP_OK)
		return err == RP_ERR_CANCELED ? err : RP_ERR_UNAVAILABLE;
	if (out.answer.result == AUTH_WIRE_UNAVAILABLE)
		return RP_ERR_UNAVAILABLE;
	if (out.answer.result != AUTH_WIRE_OK)
		return RP_ERR_NOTFOUND;
	memcpy(userid->b, out.answer.userid.p, sizeof(userid->b));
	*cut = (out.answer.flags & AUTH_WIRE_WITHOUT_DETAIL) != 0;
	return RP_OK;
}

static void io_deliver(struct task *task, void *arg, const struct deliver_in *in, size_t count, enum rp_err *result)
{
	struct lmtp_drive *drive = arg;
	struct shard *shard = drive->shard;
	struct shard_pending pending[LMTP_RCPT_MAX];
	struct deliver_out out[LMTP_RCPT_MAX];

	RP_ASSERT(count <= LMTP_RCPT_MAX);
	for (size_t i = 0; i < count; i++)
		shard_start(task, &pending[i], userid_shard(&in[i].userid, shard->count), CALL_DELIVER, &in[i], &out[i]);
	for (size_t i = 0; i < count; i++)
		result[i] = shard_join(task, &pending[i]);
}

static bool io_has_room(struct task *task, void *arg, uint64_t bytes)
{
	struct lmtp_drive *drive = arg;

	return spool_has_room(task, drive->shard->store, bytes);
}

static void io_tell(void *arg, struct bytes from, struct bytes to, uint64_t bytes, enum rp_err result)
{
	struct lmtp_drive *drive = arg;

	LOG(drive->shard->log, result == RP_OK ? LOG_INFO : LOG_WARN, result == RP_OK ? "lmtp.delivered" : "lmtp.failed",
		LOG_BYTES("from", from), LOG_BYTES("to", to), LOG_U64("bytes", bytes),
		LOG_STR("result", err_name(result)));
}

static const struct lmtp_io lmtp_io = {
	.input = io_input,
	.take = io_take,
	.wait = io_wait,
	.output = io_output,
	.flush = io_flush,
	.lookup = io_lookup,
	.deliver = io_deliver,
	.has_room = io_has_room,
	.tell = io_tell,
};

struct lmtp_drive *lmtp_drive_new(struct shard *shard)
{
	struct lmtp_drive *drive = calloc(1, sizeof(*drive));

	if (drive == NULL)
		return NULL;
	drive->shard = shard;
	drive->settings = (struct lmtp_settings){
		.host = shard->config->hostname,
		.size_bytes_max = shard->config->appendlimit_bytes,
		.return_path = shard->config->lmtp_return_path,
	};
	drive->lmtp = lmtp_open(&drive->settings, &lmtp_io, drive);
	if (drive->lmtp == NULL) {
		free(drive);
		return NULL;
	}
	return drive;
}

void lmtp_drive_free(struct lmtp_drive *drive)
{
	lmtp_close(drive->lmtp);
	free(drive);
}

static void say_stopping(struct conn *conn)
{
	rope_put(&conn->out, BYTES_LIT("421 4.3.2 The server is stopping\r\n"));
	conn_end(conn);
}

static void lmtp_run_conn(struct task *task, struct conn *conn)
{
	struct lmtp_drive *drive = conn->protocol_state;

	conn->in_bytes_max = CONN_IN_BYTES_USER;
	conn->out_bytes_high = CONN_OUT_BYTES_HIGH;
	enum rp_err err = lmtp_run(task, drive->lmtp);

	if (conn->state != CONN_OPEN)
		return;
	if (drive->shard->stopping && (err == RP_OK || err == RP_ERR_END))
		say_stopping(conn);
	else if (err != RP_OK)
		conn_end(conn);
}

static void lmtp_greet_conn(struct conn *conn)
{
	struct lmtp_drive *drive = conn->protocol_state;

	lmtp_greet(drive->lmtp, &conn->out);
}

static void lmtp_stop(struct conn *conn)
{
	if (conn->task == NULL) /* else what is under way is answered first, if it ends in time */
		say_stopping(conn);
}

static void lmtp_refuse(struct conn *conn)
{
	rope_put(&conn->out, BYTES_LIT("421 4.7.0 Too many connections from your address\r\n"));
	conn_end(conn);
}

static uint64_t lmtp_tick(struct conn *conn, uint64_t now_ns)
{
	uint64_t idle_ns = conn->shard->config->lmtp_idle_ms * CLOCK_NS_PER_MS;

	if (conn->state != CONN_OPEN)
		return CLOCK_NS_PER_S;
	if (now_ns - conn->heard_ns < idle_ns)
		return idle_ns - (now_ns - conn->heard_ns) + CLOCK_NS_PER_MS;
	if (conn->task != NULL) {
		conn_drop(conn, "idle");
		return CLOCK_NS_PER_S;
	}
	rope_put(&conn->out, BYTES_LIT("421 4.4.2 Nothing was said for too long\r\n"));
	conn_end(conn);
	return CLOCK_NS_PER_S;
}

static void lmtp_fini(struct conn *conn)
{
	lmtp_drive_free(conn->protocol_state);
}

const struct conn_driver drive_lmtp = {
	.name = "lmtp",
	.run = lmtp_run_conn,
	.greet = lmtp_greet_conn,
	.tick = lmtp_tick,
	.stop = lmtp_stop,
	.refuse = lmtp_refuse,
	.fini = lmtp_fini,
};
