/* calls.h -- what shards ask of each other: the one table of calls, and their flat arguments. */
#ifndef RP_CORE_SERVER_CALLS_H
#define RP_CORE_SERVER_CALLS_H

#include "core/auth/auth_wire.h"
#include "core/lmtp/deliver.h"
#include "core/server/shard.h"
#include "core/session/bring_back.h"
#include "index/repair/repair.h"
#include "io/net.h"

enum calls {
	CALL_ADDRESS_JOIN,  /* in: struct net_address */
	CALL_ADDRESS_DELAY, /* in: struct call_delay_in; out: uint64_t, ns */
	CALL_AUTH,          /* in: struct auth_wire_request, its texts lent; out: struct call_auth_out */
	CALL_AUTH_CHANGED,  /* the user database has changed: forget what is cached */
	CALL_DELIVER,       /* in: struct deliver_in, its message lent; out: struct deliver_out */
	CALL_DELIVER_BATCH, /* in: struct call_deliver_batch_in; out: struct call_deliver_batch_out[count] */
	CALL_REPAIR,        /* in: struct call_repair_in; out: struct call_repair_out */
	CALL_USER_GONE,     /* in: struct call_user_gone_in */
	CALL_PURGE,         /* in: struct userid: all of his mail is removed */
	CALL_UNDELETE,      /* in: struct bring_back_in, its texts lent; out: struct call_undelete_out */
	CALL_STATS,         /* out: struct shard_stats */
	CALLS_COUNT
};

struct call_delay_in {
	struct net_address address;
	bool failed;
};

struct call_auth_out {
	struct auth_wire_answer answer; /* .name points to name */
	uint8_t name[AUTH_WIRE_NAME_BYTES_MAX];
};

/* Messages for one user, put one after the other; durable together. */
struct call_deliver_batch_in {
	struct userid userid;
	const struct deliver_in *mail; /* lent */
	size_t count;
};

struct call_deliver_batch_out {
	struct deliver_out mail;
	enum rp_err err; /* not RP_OK when the call begins: this one is passed over */
};

/* Sessions of this name are to end. */
struct call_user_gone_in {
	struct bytes name;    /* lent */
	bool again;           /* but for those of userid: the name has been given away again */
	struct userid userid;
};

struct call_repair_in {
	struct userid userid;
	bool rebuild;
	bool restored; /* and it was put back from a backup */
};

struct call_repair_out {
	char *lines; /* malloc'ed, the caller's: what was found, a line each, as far as it fits; NULL: nothing */
	size_t lines_bytes;
	struct repair_report report;
};

struct call_undelete_out {
	char *lines; /* malloc'ed, the caller's: JSON, one for each that is offered, as far as it fits; NULL: nothing */
	size_t lines_bytes;
	uint64_t untold; /* so many did not fit */
	struct bring_back_out done;
};

extern const struct shard_call_row calls_table[CALLS_COUNT + 1];

/* shard_group_settings.hold_answer: wait until all that this shard has told is durable. */
enum rp_err calls_hold_answer(struct task *task, void *world);

#endif
