/* op.h -- the words that profiles consist of: each is one thing that a client does.
 */
#ifndef RP_BENCH_LOAD_OP_H
#define RP_BENCH_LOAD_OP_H

#include "io/base/bytes.h"
#include "io/base/err.h"

struct client;
struct task;

/* What a server may offer; a word that needs what it does not is left out. */
enum op_capability {
	OP_CAN_CONDSTORE = 1,
	OP_CAN_SORT = 2,
	OP_CAN_THREAD = 4,
	OP_CAN_QRESYNC = 8,
	OP_CAN_ESEARCH = 16,
	OP_CAN_LITERAL_PLUS = 32,
	OP_CAN_UIDPLUS = 64,
	OP_CAN_IDLE = 128,
	OP_CAN_MOVE = 256,
};

/* Do it. The client's fault says what went wrong, and any error ends the client. */
typedef enum rp_err op_fn(struct task *task, struct client *client, uint64_t number);

enum op_trait {
	OP_CONNECTS = 1, /* needs no connection, has one afterwards */
	OP_PLAIN = 2,    /* needs a connection, not a login */
	OP_SELECTED = 4, /* needs a selected mailbox */
	OP_NUMBER = 8,   /* a number may stand behind it */
	OP_LMTP = 16,
	OP_UNTIMED = 32, /* it waits for nothing of the server: no latency, no operation */
};

struct op_def {
	const char *name;
	op_fn *run;
	unsigned traits;
	unsigned needs; /* enum op_capability */
	const char *about;
};

/* NULL: there is no such word. */
const struct op_def *op_find(struct bytes name);

extern const struct op_def op_table[];
extern const size_t op_table_count;

/* The capabilities in "IMAP4rev1 IDLE ...". */
unsigned op_capabilities(struct bytes words);
/* The name of the first one of these bits. */
const char *op_capability_name(unsigned bits);

#endif
