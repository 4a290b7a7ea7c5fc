/* mail_source.h -- mail in files: mbox, Maildir (with flags and folders), .eml, and folders of any of them.
 *
 *   an mbox file        its messages, into the mailbox asked for; "From " dates; Status and X-Status as flags
 *   a Maildir           cur and new; flags from the names; Maildir++ folders ".A.B" become A/B, decoded
 *   an .eml file        one message; so is any other file that begins with a header field
 *   a folder            all of it, in order of names; a folder below becomes a mailbox below
 */
#ifndef RP_CORE_CLI_MAIL_SOURCE_H
#define RP_CORE_CLI_MAIL_SOURCE_H

#include "core/cli/mail_sink.h"

/* Where a message was found. */
struct mail_place {
	const char *path;
	size_t number; /* in an mbox, from 1; 0: the file is the message */
};

/* What a walk meets. Other than RP_OK ends it. */
struct mail_source_calls {
	/* A message; all borrowed. item->mailbox is what lies below the mailbox asked for ("" itself). */
	enum rp_err (*found)(void *arg, const struct mail_item *item, const struct mail_place *place);
	/* A file or folder that cannot be read, and why; the rest can. */
	enum rp_err (*unreadable)(void *arg, const char *path, const char *why);
};

/* Tell of every message of path. Returns what ended it, else RP_OK. */
RP_MUST_USE enum rp_err mail_source_walk(const char *path, const struct mail_source_calls *calls, void *arg);

#endif
