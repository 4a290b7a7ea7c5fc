/* err.h -- every way in which the world can be wrong, in our own words.
 *
 * errno stops in io: above it there is only enum rp_err. A function that fails has changed nothing
 * (its outputs are untouched), except where its header says that the outcome is RP_ERR_UNKNOWN.
 */
#ifndef RP_IO_BASE_ERR_H
#define RP_IO_BASE_ERR_H

#include "io/base/assert.h"

enum rp_err {
	RP_OK = 0,
	RP_ERR_CANCELED,    /* this task was asked to stop, and what it waited for has let go */
	RP_ERR_END,         /* nothing more comes: end of input, end of a listing */
	RP_ERR_SYNTAX,      /* bytes that break a grammar */
	RP_ERR_LIMIT,       /* over one of our bounds */
	RP_ERR_TOOBIG,      /* a message over APPENDLIMIT, a literal over its bound */
	RP_ERR_NOTFOUND,    /* no such mailbox, user, file, message */
	RP_ERR_EXISTS,      /* the name is taken */
	RP_ERR_CANNOT,      /* can never work: a name that may not be, an operation not for this object */
	RP_ERR_HASCHILDREN, /* a mailbox with others below it */
	RP_ERR_DENIED,      /* may not */
	RP_ERR_BUSY,        /* in use by somebody else; trying again can help */
	RP_ERR_QUOTA,       /* over the user's quota */
	RP_ERR_NOSPACE,     /* the disk is full; nothing was changed */
	RP_ERR_NOMEM,       /* memory, within the bound of who asks */
	RP_ERR_EXPUNGED,    /* the message is gone, and its body with it */
	RP_ERR_IO,          /* the machine failed; nothing was changed */
	RP_ERR_CORRUPT,     /* bytes on disk that do not say what they must */
	RP_ERR_UNAVAILABLE, /* a part that is needed is away: auth process, another shard, a volume */
	RP_ERR_REFUSED,     /* this server is not the owner of the user's mail (any more) */
	RP_ERR_UNKNOWN,     /* it may or may not have happened: the caller must treat it as both */
	RP_ERR_COUNT
};

/* The name as logs and tests show it: "notfound". Static text; never NULL. */
const char *err_name(enum rp_err err);

/* What a failed system call means. Total: what is not listed is RP_ERR_IO. Takes the positive errno. */
enum rp_err err_of_errno(int number);

#endif
