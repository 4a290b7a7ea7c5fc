/* bring_back.h -- `ringpost undelete`: what a user can have back, for a person to look at, and having it back. On his home shard. */
#ifndef RP_CORE_SESSION_BRING_BACK_H
#define RP_CORE_SESSION_BRING_BACK_H

#include "index/undelete.h"

enum {
	BRING_BACK_HEADER_BYTES =
	    8 * 1024 /* of a message, that From: and Subject: are looked for in */
};

struct bring_back_in {
	struct userid userid;
	struct bytes mailbox; /* only what was in it; .n == 0: all */
	struct bytes to;      /* there; .n == 0: where each was */
	uint64_t since_s;
	bool lists; /* and changes nothing */
};

/* One that is offered; good during the call. */
struct bring_back_line {
	struct undelete_message message;
	struct bytes
	    from; /* unfolded, as it stands there, printable ASCII; empty: none, or the message cannot be read */
	struct bytes subject;
	enum rp_err lost; /* RP_OK: it is offered; else it does not come back: undelete_lost_fn */
};

struct bring_back_out {
	uint64_t found;
	uint64_t back;
	uint64_t lost; /* whose bodies cannot be had */
};

typedef void bring_back_fn(void *arg, const struct bring_back_line *line);

/* lists: fn (may be NULL) is called for each. Else they come back, and fn is called for each that does not; *out is told on an error too: what came back until then has. Errors as
 * undelete_begin(), undelete_all(). */
RP_MUST_USE enum rp_err bring_back_run(struct task *task, struct store *store,
    const struct bring_back_in *in, bring_back_fn *fn, void *arg, struct bring_back_out *out);

#endif
