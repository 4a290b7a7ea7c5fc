/* lmtp.h -- LMTP (RFC 2033): the way in for mail. One session's protocol, without a socket.
 *
 *   GREETED --LHLO--> READY --MAIL--> MAIL --RCPT--> RCPT --DATA, BDAT LAST--> READY
 *                       ^               |              |
 *                       '----- RSET ----+--------------'
 *
 * A message is taken in once, at the client's pace, parsed on the way, and delivered to all its recipients at once; each has an
 * answer of his own, 250 only when it is durable.
 */
#ifndef RP_CORE_LMTP_LMTP_H
#define RP_CORE_LMTP_LMTP_H

#include "core/lmtp/deliver.h"
#include "io/rope.h"

enum {
	LMTP_RCPT_MAX = 100,        /* recipients of one message; an MTA sends the rest in another */
	LMTP_LINE_BYTES_MAX = 2048, /* one command line, without its CRLF */
	LMTP_BAD_MAX = 10,          /* bad commands, then 421; what a client could not know when it pipelined is none */
};

struct lmtp;

/* What the session needs of whoever has the connection; arg is his. */
struct lmtp_io {
	/* The input that is there; good until the next call of any of these. */
	struct bytes (*input)(void *arg);
	void (*take)(void *arg, size_t n);
	/* Suspend until there is more than `had`. RP_ERR_END: no more comes. RP_ERR_CANCELED. */
	enum rp_err (*wait)(struct task *task, void *arg, size_t had);
	/* Where answers go; flush: send them, suspend while too much is unsent. */
	struct rope *(*output)(void *arg);
	enum rp_err (*flush)(struct task *task, void *arg);
	/* Who is this? RP_ERR_NOTFOUND: nobody here. RP_ERR_UNAVAILABLE: cannot tell now. *cut: without its "+detail" only. */
	enum rp_err (*lookup)(struct task *task, void *arg, struct bytes address, struct userid *userid, bool *cut);
	/* Deliver to all at once: result[i] for in[i]. Each is durable when RP_OK. */
	void (*deliver)(struct task *task, void *arg, const struct deliver_in *in, size_t count, enum rp_err *result);
	/* May so many bytes more of a message on its way in be written to DATA? */
	bool (*has_room)(struct task *task, void *arg, uint64_t bytes);
	/* One message was (or was not) delivered to somebody: for the log. */
	void (*tell)(void *arg, struct bytes from, struct bytes to, uint64_t bytes, enum rp_err result);
};

struct lmtp_settings {
	const char *host; /* in the greeting */
	uint64_t size_bytes_max;
	bool return_path; /* put a Return-Path: line before each message */
};

/* NULL: no memory. settings, io: borrowed for its life. */
struct lmtp *lmtp_open(const struct lmtp_settings *settings, const struct lmtp_io *io, void *arg);
void lmtp_close(struct lmtp *lmtp);

/* Has a message begun to come in, and not ended? */
bool lmtp_is_taking(const struct lmtp *lmtp);

/* Put the greeting into a rope. */
void lmtp_greet(struct lmtp *lmtp, struct rope *out);

/* Work off the input that is there. RP_OK: more is needed. RP_ERR_END: the session is over, send what there is and close. Other:
 * the client has gone. */
RP_MUST_USE enum rp_err lmtp_run(struct task *task, struct lmtp *lmtp);

#endif
