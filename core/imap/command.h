/* command.h -- a framed command: its tag, its name, its arguments. */
#ifndef RP_CORE_IMAP_COMMAND_H
#define RP_CORE_IMAP_COMMAND_H

#include "io/base/bytes.h"

enum {
	COMMAND_TAG_BYTES_MAX = 64,  /* it is kept and sent back; clients use four to ten */
	COMMAND_NAME_BYTES_MAX = 24, /* longer than any command */
};

enum command_verdict {
	COMMAND_OK,    /* all set */
	COMMAND_EMPTY, /* an empty line: skip it */
	COMMAND_NOTAG, /* no tag can be read: "* BAD" */
	COMMAND_BAD,   /* tag is set, but there is no name behind it: "tag BAD" */
};

struct command {
	struct bytes tag;                      /* borrows from the input */
	char name[COMMAND_NAME_BYTES_MAX + 1]; /* upper case, without "UID " */
	bool uid;                              /* it is UID FETCH, UID STORE, ... */
	struct bytes args; /* borrows from the input: behind the name's space, CRLF taken off; empty
	                    * if there is none */
};

/* `in` is what frame_find called WHOLE, or up to a literal, in.p[0, frame.end). */
RP_MUST_USE enum command_verdict command_parse(struct bytes in, struct command *out);

/* Only the tag, of a command that need not be whole; .n == 0: none can be read. */
struct bytes command_tag(struct bytes in);

#endif
