/* auth_wire.h -- what shards and the auth process say to each other.
 *
 * One datagram (SOCK_SEQPACKET) is one message: a fixed little-endian head, then its texts, exactly
 * as long as the head says. Both sides are ours, yet each checks what it gets: the auth process
 * keeps the secrets, and the server is the one that strangers talk to. Reading and writing are
 * pure.
 */
#ifndef RP_CORE_AUTH_AUTH_WIRE_H
#define RP_CORE_AUTH_AUTH_WIRE_H

#include "io/base/bytes.h"
#include "io/base/err.h"

enum {
	AUTH_WIRE_NAME_BYTES_MAX = 255,          /* name and authzid, as the client sent them */
	AUTH_WIRE_PASSWORD_BYTES_MAX = 8 * 1024, /* THREATS: a token may have 8 KiB */
	AUTH_WIRE_SERVICE_BYTES_MAX = 16,
	AUTH_WIRE_REQUEST_HEAD_BYTES = 40,
	AUTH_WIRE_ANSWER_HEAD_BYTES = 40,
	AUTH_WIRE_REQUEST_BYTES_MAX = AUTH_WIRE_REQUEST_HEAD_BYTES + 2 * AUTH_WIRE_NAME_BYTES_MAX +
	                              AUTH_WIRE_PASSWORD_BYTES_MAX + AUTH_WIRE_SERVICE_BYTES_MAX,
	AUTH_WIRE_ANSWER_BYTES_MAX = AUTH_WIRE_ANSWER_HEAD_BYTES + AUTH_WIRE_NAME_BYTES_MAX,
};

struct auth_wire_userid {
	uint8_t p[16]; /* the opaque id; all zero: none */
};

enum auth_wire_kind {
	AUTH_WIRE_VERIFY =
	    1, /* are these name's credentials right, and whose mail may they open? */
	AUTH_WIRE_LOOKUP = 2, /* who is this? (LMTP: no password) */
	AUTH_WIRE_RELOAD =
	    3, /* read the user database again if it has changed; answered when done */
};

struct auth_wire_request {
	uint64_t id; /* comes back in the answer */
	enum auth_wire_kind kind;
	uint8_t peer[16];      /* the client's address, IPv4 as ::ffff:a.b.c.d; for the log */
	struct bytes name;     /* who says that he is it */
	struct bytes authzid;  /* whose mail he wants; .n == 0: his own */
	struct bytes password; /* without NUL; only with VERIFY */
	struct bytes service;  /* "imap", "lmtp" */
};

enum auth_wire_result {
	AUTH_WIRE_OK = 1,
	AUTH_WIRE_WRONG = 2,       /* unknown user or wrong password: which, is never told */
	AUTH_WIRE_MAY_NOT = 3,     /* the password is right, but that mail is not for him */
	AUTH_WIRE_NOBODY = 4,      /* LOOKUP: there is no such user */
	AUTH_WIRE_UNAVAILABLE = 5, /* no answer now; says nothing about the password */
};

enum auth_wire_flag {
	AUTH_WIRE_WITHOUT_DETAIL = 1, /* found after "+detail" was cut off */
	AUTH_WIRE_MASTER = 2,         /* somebody else logged in as this user */
	AUTH_WIRE_FLAGS = AUTH_WIRE_WITHOUT_DETAIL | AUTH_WIRE_MASTER,
};

struct auth_wire_answer {
	uint64_t id;
	enum auth_wire_result result;
	uint32_t flags;
	struct auth_wire_userid userid; /* with OK to VERIFY and LOOKUP */
	struct bytes name;              /* the user's name in the database, with the userid */
};

/* Write a message to room; returns its length. The caller keeps the bounds above (asserted). */
size_t auth_wire_put_request(
    const struct auth_wire_request *request, uint8_t room[AUTH_WIRE_REQUEST_BYTES_MAX]);
size_t auth_wire_put_answer(
    const struct auth_wire_answer *answer, uint8_t room[AUTH_WIRE_ANSWER_BYTES_MAX]);

/* Read a message. The texts in *out lie in `message`. RP_ERR_SYNTAX: it is none, *out untouched. */
RP_MUST_USE enum rp_err auth_wire_get_request(struct bytes message, struct auth_wire_request *out);
RP_MUST_USE enum rp_err auth_wire_get_answer(struct bytes message, struct auth_wire_answer *out);

#endif
