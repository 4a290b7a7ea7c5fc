#include "io/op.h"

#include <stdlib.h>

#include "io/loop_core.h"

enum {
	/* What one listing may take before it reaches its caller's arena: 64 Ki names of usual
	   length. */
	OP_NAMES_BYTES_MAX = 4 * 1024 * 1024,
	OP_NAMES_BYTES_FIRST = 4096,
};

void op_submit(struct loop *loop, struct op *op)
{
	RP_ASSERT(!op->in_flight);
	RP_ASSERT(op->done != NULL);
	op->loop = loop;
	op->in_flight = true;
	op->cancel_asked = false;
	list_init(&op->link);
	loop->ops_count++;
	loop->kind->submit(loop, op);
}

void op_cancel(struct op *op)
{
	if (!op->in_flight || op->cancel_asked)
		return;
	op->cancel_asked = true;
	op->loop->kind->cancel(op->loop, op);
}

void op_recv_give(struct op *op)
{
	RP_ASSERT(op->kind == OP_RECV && !op->in_flight && op->result > 0);
	op->loop->kind->recv_give(op->loop, op);
}

void op_complete(struct op *op, int32_t result)
{
	RP_ASSERT(op->in_flight);
	RP_ASSERT(op->loop->ops_count > 0);
	list_del(&op->link);
	op->in_flight = false;
	op->result = result;
	op->loop->ops_count--;
	op->done(op);
}

enum rp_err op_names_add(struct op_names *names, const char *name, bool is_dir)
{
	size_t n = strlen(name) + 2;

	if (names->n + n > OP_NAMES_BYTES_MAX)
		return RP_ERR_LIMIT;
	if (names->n + n > names->room) {
		size_t room = names->room == 0 ? OP_NAMES_BYTES_FIRST : names->room * 2;
		uint8_t *p = realloc(names->p, room);

		if (p == NULL)
			return RP_ERR_NOMEM;
		names->p = p;
		names->room = room;
	}
	names->p[names->n] = is_dir;
	memcpy(names->p + names->n + 1, name, n - 1);
	names->n += n;
	names->count++;
	return RP_OK;
}

void op_names_fini(struct op_names *names)
{
	free(names->p);
	*names = (struct op_names){0};
}
