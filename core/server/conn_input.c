#include "core/server/conn_input.h"

#include <stdlib.h>

#include "core/server/proxy.h"
#include "io/base/num.h"
#include "tls/tls_conn.h"

enum {
	CONN_IN_ROOM_UNIT = 1024,
	CONN_IN_ROOM_SPARE = 4, /* one part in so many of what is there already: a long command is not copied too often */
};

/* A buffer that was too small, and that the connection's task may still be looking at. */
struct conn_old_input {
	struct conn_old_input *next;
	size_t room;
	uint8_t *p;
};

static void drop_buffer(uint8_t *p, size_t room)
{
	if (p != NULL)
		bytes_wipe(p, room); /* perhaps a password */
	free(p);
}

void conn_input_unlend(struct conn *conn)
{
	conn->in_lent = false;
	while (conn->in_old != NULL) {
		struct conn_old_input *old = conn->in_old;

		conn->in_old = old->next;
		drop_buffer(old->p, old->room);
		free(old);
	}
}

struct bytes conn_input(struct conn *conn)
{
	conn->in_lent = conn->task != NULL;
	return conn->in == NULL ? bytes_of(NULL, 0) : bytes_of(conn->in + conn->in_from, conn->in_to - conn->in_from);
}

/* The buffer has been outgrown. lent: the task may hold a part of it, till it takes. */
static bool drop_input(struct conn *conn, bool lent)
{
	struct conn_old_input *old = NULL;

	if (!lent) {
		drop_buffer(conn->in, conn->in_room);
		return true;
	}
	old = malloc(sizeof(*old));
	if (old == NULL)
		return false;
	*old = (struct conn_old_input){ conn->in_old, conn->in_room, conn->in };
	conn->in_old = old;
	return true;
}

static bool input_reserve(struct conn *conn, size_t n)
{
	size_t used = conn->in_to - conn->in_from;
	bool lent = conn->in_lent && used > 0;

	if (conn->in_room - conn->in_to >= n)
		return true;
	if (conn->in_from > 0 && !lent) {
		memmove(conn->in, conn->in + conn->in_from, used);
		conn->in_from = 0;
		conn->in_to = used;
	}
	if (conn->in_room - conn->in_to >= n)
		return true;
	size_t room = num_round_up(used + n + used / CONN_IN_ROOM_SPARE, CONN_IN_ROOM_UNIT);
	uint8_t *in = malloc(room);

	if (in == NULL)
		return false;
	if (used > 0)
		memcpy(in, conn->in + conn->in_from, used);
	if (!drop_input(conn, lent)) {
		free(in);
		return false;
	}
	conn->in = in;
	conn->in_from = 0;
	conn->in_to = used;
	conn->in_room = room;
	return true;
}

bool conn_input_put(struct conn *conn, struct bytes b)
{
	if (b.n == 0)
		return true;
	if (!input_reserve(conn, b.n))
		return false;
	memcpy(conn->in + conn->in_to, b.p, b.n);
	conn->in_to += b.n;
	return true;
}

void conn_take(struct conn *conn, size_t n)
{
	RP_ASSERT(n <= conn->in_to - conn->in_from);
	if (n == 0)
		return;
	bytes_wipe(conn->in + conn->in_from, n);
	conn->in_from += n;
	conn_input_unlend(conn);
	if (conn->in_from == conn->in_to) {
		/* An idle connection has no buffer. */
		free(conn->in);
		conn->in = NULL;
		conn->in_from = conn->in_to = conn->in_room = 0;
	}
	conn_input_arm(conn);
}

enum rp_err conn_wait_input(struct task *task, struct conn *conn, size_t had)
{
	conn_input_unlend(conn);
	while (conn->in_to - conn->in_from <= had) {
		if (conn->dropped)
			return RP_ERR_CANCELED;
		if (conn->in_ended)
			return RP_ERR_END;
		conn->in_bytes_max = num_max(conn->in_bytes_max, had + 1);
		conn_input_arm(conn);
		conn_pump(conn);
		enum rp_err err = task_queue_wait(task, &conn->input_queue);

		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

void conn_input_fini(struct conn *conn)
{
	conn_input_unlend(conn);
	drop_buffer(conn->in, conn->in_room);
}

/* ---- what the kernel brings ---- */

/* The handshake has just been done: count it, and speak first if the protocol does. */
static void tls_opened(struct conn *conn)
{
	struct tls_conn_facts facts = tls_conn_facts(conn->tls);

	stat_add(&conn->shard->stats.tls_handshakes, 1);
	if (facts.resumed)
		stat_add(&conn->shard->stats.tls_resumed, 1);
	if (!conn->greeted) {
		conn->greeted = true;
		conn->driver->greet(conn);
	}
}

/* False: the connection is being dropped. */
static bool take_ciphertext(struct conn *conn, struct bytes in)
{
	enum tls_conn_verdict verdict;
	bool was_open = tls_conn_is_open(conn->tls);
	char peer[48];

	do {
		size_t n = 0;

		verdict = tls_conn_read(conn->tls, &in, conn->shard->read_scratch, TLS_CONN_RECORD_BYTES, &n, &conn->wire);
		bool put = conn_input_put(conn, bytes_of(conn->shard->read_scratch, n));

		if (conn->out_bytes_high == CONN_OUT_BYTES_HIGH_GUEST)
			bytes_wipe(conn->shard->read_scratch, n); /* perhaps a password */
		if (!put)
			return false;
		if (!was_open && tls_conn_is_open(conn->tls)) {
			was_open = true;
			tls_opened(conn);
		}
	} while (verdict == TLS_CONN_FULL);
	if (verdict == TLS_CONN_CLOSED) {
		conn->in_ended = true;
	} else if (verdict == TLS_CONN_FAILED) {
		stat_add(&conn->shard->stats.tls_failed, 1);
		LOG(conn->shard->log, LOG_INFO, "tls.fail", LOG_BYTES("src_ip", conn_peer_text(conn, peer)),
			LOG_STR("reason", tls_conn_reason(conn->tls)));
		/* The alert goes out, then the connection ends; what was still to be sealed is lost. */
		conn->out_dead = true;
		conn_end(conn);
		if (conn->task != NULL)
			task_cancel(conn->task);
	}
	return true;
}

bool conn_input_came(struct conn *conn, struct bytes in)
{
	if (!conn->proxy_awaited)
		return conn->tls != NULL ? take_ciphertext(conn, in) : conn_input_put(conn, in);
	if (!conn_input_put(conn, in))
		return false;

	struct bytes all = conn_input(conn);
	size_t used = 0;
	enum rp_err err = proxy_parse(all, &conn->peer, &used);

	if (err == RP_ERR_END)
		return true; /* not all of it is here */
	if (err != RP_OK)
		return false;
	conn->proxy_awaited = false;
	/* What is behind the header is the client's own: ciphertext, or its first command. */
	size_t rest_n = all.n - used;
	uint8_t *rest = malloc(rest_n + 1);

	if (rest == NULL)
		return false;
	memcpy(rest, all.p + used, rest_n);
	conn_take(conn, all.n);
	conn_begin(conn);
	bool taken = conn->tls != NULL ? take_ciphertext(conn, bytes_of(rest, rest_n))
				       : conn_input_put(conn, bytes_of(rest, rest_n));

	bytes_wipe(rest, rest_n); /* perhaps a password */
	free(rest);
	return taken;
}
