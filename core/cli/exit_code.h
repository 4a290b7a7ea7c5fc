/* exit_code.h -- the exit codes of every subcommand; the README lists them. */
#ifndef RP_CORE_CLI_EXIT_CODE_H
#define RP_CORE_CLI_EXIT_CODE_H

#include "io/base/err.h"

enum {
	EXIT_CODE_OK = 0,
	EXIT_CODE_FAILED = 1,       /* it could not be done; the line on standard error says why */
	EXIT_CODE_DAMAGE = 2,       /* check: damage was found; repair: not all could be restored */
	EXIT_CODE_USAGE = 64,       /* the command line is wrong */
	EXIT_CODE_NO_USER = 67,     /* there is no such user */
	EXIT_CODE_UNAVAILABLE = 69, /* the server, or a part of it, is away */
	EXIT_CODE_EXISTS = 73,      /* it is there already */
	EXIT_CODE_TRY_AGAIN = 75,   /* not now: disk full, busy, over quota */
	EXIT_CODE_CONFIG = 78,      /* the config cannot be used */
	EXIT_CODE_INTERRUPTED = 130, /* by SIGINT or SIGTERM, in order: it says how far it came */
};

static inline int exit_code_of(enum rp_err err)
{
	switch (err) {
	case RP_OK:
		return EXIT_CODE_OK;
	case RP_ERR_NOTFOUND:
		return EXIT_CODE_NO_USER;
	case RP_ERR_EXISTS:
		return EXIT_CODE_EXISTS;
	case RP_ERR_UNAVAILABLE:
		return EXIT_CODE_UNAVAILABLE;
	case RP_ERR_NOSPACE:
	case RP_ERR_QUOTA:
	case RP_ERR_BUSY:
	case RP_ERR_UNKNOWN:
		return EXIT_CODE_TRY_AGAIN;
	case RP_ERR_CORRUPT:
		return EXIT_CODE_DAMAGE;
	default:
		return EXIT_CODE_FAILED;
	}
}

#endif
