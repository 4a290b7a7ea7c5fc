#include "core/imap/resp_code.h"

static const struct resp_code codes[RP_ERR_COUNT] = {
	[RP_ERR_CANCELED] = { RESP_NO, "UNAVAILABLE", "The command was stopped" },
	[RP_ERR_END] = { RESP_NO, "SERVERBUG", "Internal error: unexpected end" },
	[RP_ERR_SYNTAX] = { RESP_BAD, NULL, "Syntax error" },
	[RP_ERR_LIMIT] = { RESP_NO, "LIMIT", "Over a limit of this server" },
	[RP_ERR_TOOBIG] = { RESP_NO, "TOOBIG", "Too big for this server" },
	[RP_ERR_NOTFOUND] = { RESP_NO, "NONEXISTENT", "No such mailbox" },
	[RP_ERR_EXISTS] = { RESP_NO, "ALREADYEXISTS", "Mailbox already exists" },
	[RP_ERR_CANNOT] = { RESP_NO, "CANNOT", "This can never work" },
	[RP_ERR_HASCHILDREN] = { RESP_NO, "HASCHILDREN", "Mailbox has others below it" },
	[RP_ERR_DENIED] = { RESP_NO, "UNAVAILABLE", "The server may not open its files" },
	[RP_ERR_BUSY] = { RESP_NO, "INUSE", "In use, try again" },
	[RP_ERR_QUOTA] = { RESP_NO, "OVERQUOTA", "OVERQUOTA: over the mail quota" },
	[RP_ERR_NOSPACE] = { RESP_NO, "UNAVAILABLE", "The server's disk is full" },
	[RP_ERR_NOMEM] = { RESP_NO, "LIMIT", "Needs more memory than a command may have" },
	[RP_ERR_EXPUNGED] = { RESP_NO, "EXPUNGEISSUED", "Some messages were expunged" },
	[RP_ERR_IO] = { RESP_NO, "UNAVAILABLE", "The server's storage failed" },
	[RP_ERR_CORRUPT] = { RESP_NO, "CORRUPTION", "Stored data are damaged" },
	[RP_ERR_UNAVAILABLE] = { RESP_NO, "UNAVAILABLE", "Temporarily unavailable, try again" },
	[RP_ERR_REFUSED] = { RESP_NO, "UNAVAILABLE", "This mail is served elsewhere now" },
	[RP_ERR_UNKNOWN] = { RESP_NO, "UNAVAILABLE", "It is not known whether this was done" },
};

const struct resp_code *resp_code_of(enum rp_err err)
{
	RP_ASSERT(err > RP_OK && err < RP_ERR_COUNT);
	RP_ASSERT(codes[err].text != NULL);
	return &codes[err];
}

void resp_code_write(struct resp *resp, struct bytes tag, enum rp_err err)
{
	const struct resp_code *row = resp_code_of(err);

	resp_status(resp, tag, row->status, row->code, row->text);
}
