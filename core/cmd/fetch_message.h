/* fetch_message.h -- one message of a FETCH: "* n FETCH (item item ...)".
 *
 * Each item is got ready before its first byte is written, so an item that fails (a damaged body) is left out whole, the others are
 * served, and the command says NO at its end. Only a body that fails a second time, in the middle of its literal, ends the connection.
 */
#ifndef RP_CORE_CMD_FETCH_MESSAGE_H
#define RP_CORE_CMD_FETCH_MESSAGE_H

#include "core/cmd/cmd.h"
#include "core/imap/fetch_att.h"
#include "core/mail/mime.h"
#include "core/session/message_cache.h"
#include "index/dbox/dbox.h"
#include "index/view.h"

enum {
	FETCH_PIECE_BYTES = 64 * 1024, /* of a body in memory at a time: one checksum block */
	/* A parsed tree and a header block twice, for one message: bounds what a hostile mail costs. */
	FETCH_ARENA_BYTES_MAX = MIME_TREE_BYTES_MAX + 4 * MIME_HEADER_BYTES_MAX,
};

struct fetch_message {
	struct cmd *cmd;
	const struct view_cursor *cursor; /* the message */
	struct arena *arena;              /* for this message */
	uint8_t *piece;                   /* FETCH_PIECE_BYTES, the command's; NULL at first */
	bool started;                     /* "* n FETCH (" is written */
	bool broken;                      /* in the middle of a literal: nothing more can be said */
	bool cache_good;                  /* cache borrows from index: until the next call with the task */
	struct message_cache cache;
	struct dbox_body *body; /* open */
	uint64_t unflushed_bytes; /* of literals, since the output was looked at */
	bool has_mime;
	struct mime mime;
};

/* Write one item. On an error nothing of it was written, unless broken is set. */
RP_MUST_USE enum rp_err fetch_message_item(
    struct task *task, struct fetch_message *message, const struct fetch_att *att);

/* Close the line, if one was begun, and the body. */
void fetch_message_end(struct fetch_message *message);

/* The writer behind "* n FETCH (" or a space. */
struct resp *fetch_message_begin_item(struct fetch_message *message);

#endif
