#include "core/cli/cli_text.h"

#include <string.h>

const char *cli_text_of(enum rp_err err)
{
	static const char *const texts[RP_ERR_COUNT] = {
		[RP_OK] = "done",
		[RP_ERR_CANCELED] = "interrupted",
		[RP_ERR_END] = "the server has gone",
		[RP_ERR_SYNTAX] = "a name or a flag in it is malformed",
		[RP_ERR_LIMIT] = "over a limit; `ringpost config explain` lists them",
		[RP_ERR_TOOBIG] = "larger than limits { appendlimit } allows",
		[RP_ERR_NOTFOUND] = "there is no such file, user or mailbox",
		[RP_ERR_EXISTS] = "it is there already",
		[RP_ERR_CANNOT] = "not possible: perhaps a name that no mailbox can have",
		[RP_ERR_HASCHILDREN] = "there are mailboxes below it",
		[RP_ERR_DENIED] = "permission denied: be root, or the user that the server runs as",
		[RP_ERR_BUSY] = "in use by another program: try again when it has ended",
		[RP_ERR_QUOTA] = "the user's quota is used up",
		[RP_ERR_NOSPACE] = "the disk is full: make room, then try again",
		[RP_ERR_NOMEM] = "out of memory",
		[RP_ERR_EXPUNGED] = "the message is gone",
		[RP_ERR_IO] = "reading or writing failed: look at the kernel's log",
		[RP_ERR_CORRUPT] = "damaged: `ringpost check` says what, `ringpost repair` mends",
		[RP_ERR_UNAVAILABLE] = "the server, or a part of it, is away: try again, or look at its log",
		[RP_ERR_REFUSED] = "this server does not keep that user's mail",
		[RP_ERR_UNKNOWN] = "it may or may not have happened: the log could not be written",
	};

	return (unsigned)err < RP_ERR_COUNT ? texts[err] : err_name(err);
}

enum rp_err cli_text_err(const char *name)
{
	for (unsigned err = 0; name != NULL && err < RP_ERR_COUNT; err++)
		if (strcmp(name, err_name((enum rp_err)err)) == 0)
			return (enum rp_err)err;
	return RP_ERR_CANNOT;
}
