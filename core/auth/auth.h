/* auth.h -- a shard's side of the conversation with the auth process.
 *
 * This is what lies between a command that wants to know who somebody is and the socket to the auth
 * process: the table of requests under way, and the cache. It neither sends nor waits: auth_ask()
 *gives the message to send, auth_answer() takes one that came and says who waits for it. Its owner,
 *which has the ring, sends, receives, suspends and resumes:
 *
 *	auth_ask --> AUTH_ASK_KNOWN                    from the cache: go on at once
 *	         \-> AUTH_ASK_SEND --> send(message), suspend --> recv --> auth_answer --> resume
 *the waiter
 *	         \-> AUTH_ASK_FULL                     too many under way: say UNAVAILABLE
 *
 * A waiter that gives up calls auth_forget(). One that waits too long is found by auth_next_late().
 *When the socket ends, auth_next_lost() hands back every waiter. Time is the caller's. One thread.
 */
#ifndef RP_CORE_AUTH_AUTH_H
#define RP_CORE_AUTH_AUTH_H

#include "core/auth/auth_cache.h"
#include "core/auth/auth_wire.h"

enum {
	AUTH_REQUESTS_MAX =
	    256,            /* under way per shard: what the auth process would refuse anyway */
	AUTH_TIMEOUT_S = 5, /* of silence; then UNAVAILABLE, and not counted as a wrong password */
	AUTH_WAIT_S = 30,   /* and at most, while others are answered: many log in at once */
	AUTH_KEEP_S = 60,   /* default of the cache */
};

enum auth_ask_verdict {
	AUTH_ASK_KNOWN, /* *known is the answer */
	AUTH_ASK_SEND,  /* send `message`, wait for the answer with this id */
	AUTH_ASK_FULL,  /* RP_ERR_UNAVAILABLE */
};

/* One request under way. */
struct auth_request {
	struct list link; /* in auth.waiting or auth.free */
	uint64_t id;      /* 0: not in use */
	uint64_t asked_ns;
	uint64_t generation; /* of the user database when it was asked */
	bool keep;           /* a success goes into the cache */
	struct auth_cache_key key;
	void *waiter; /* the caller's */
};

struct auth {
	struct auth_cache cache;
	struct list waiting; /* struct auth_request, oldest first */
	struct list free;
	uint64_t next_id;
	uint64_t generation;
	uint64_t heard_ns; /* when the last answer came */
	struct auth_request request[AUTH_REQUESTS_MAX];
};

/* key: random, two of them, for the cache. keep_ns: how long a success is good. */
void auth_init(struct auth *auth, const struct hash_key key[2], uint64_t keep_ns);

/* Nobody waits any more (asserted). */
void auth_fini(struct auth *auth);

/* Ask. request->id is not looked at.
 *
 * waiter    comes back with the answer; not NULL
 * message   room for what is to be sent; *message_n says how long it is. It has a password in it:
 * wipe it when it is sent id        for auth_forget() known     with AUTH_ASK_KNOWN; its name is
 * good until the next call */
RP_MUST_USE enum auth_ask_verdict auth_ask(struct auth *auth,
    const struct auth_wire_request *request, uint64_t now_ns, void *waiter,
    uint8_t message[AUTH_WIRE_REQUEST_BYTES_MAX], size_t *message_n, uint64_t *id,
    struct auth_wire_answer *known);

/* A message has come. RP_OK: *waiter has his *answer (its name lies in the message).
 * RP_ERR_NOTFOUND: nobody waits for it any more. RP_ERR_SYNTAX: it is no answer. */
RP_MUST_USE enum rp_err auth_answer(struct auth *auth, struct bytes message, uint64_t now_ns,
    void **waiter, struct auth_wire_answer *answer);

/* The waiter has gone; its answer will be ignored. An id that is not under way does no harm. */
void auth_forget(struct auth *auth, uint64_t id);

/* Somebody who has waited for AUTH_TIMEOUT_S in which no answer came to anybody, or for AUTH_WAIT_S;
 * taken out of the table. NULL: nobody. Call until NULL. */
void *auth_next_late(struct auth *auth, uint64_t now_ns);

/* Anybody who waits, taken out of the table: the socket has ended. NULL: nobody. */
void *auth_next_lost(struct auth *auth);

/* The user database has changed: forget all successes, and keep none of what was asked before. */
void auth_changed(struct auth *auth);

#endif
