#include "core/server/conn_input.h"

#include <stdlib.h>

#include "io/base/num.h"

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
