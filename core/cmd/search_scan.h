/* search_scan.h -- does one message contain the texts of a SEARCH? What no bitmap can tell.
 *
 * All texts of a program are looked for in one pass over a message: first those in header fields, which the cache mostly has, and only
 * if these do not decide, those in its bodies. A text is decoded in pieces of a few KiB, each looked through for every key that is
 * still open, with a pause behind each of them: neither a long message nor many keys hold others up, and memory does not grow.
 */
#ifndef RP_CORE_CMD_SEARCH_SCAN_H
#define RP_CORE_CMD_SEARCH_SCAN_H

#include "core/cmd/search_budget.h"
#include "core/imap/search_key.h"
#include "core/mail/mime.h"
#include "core/mail/needle.h"
#include "core/session/message_cache.h"

struct search_field;
struct search_text;

enum {
	SEARCH_SCAN_PIECE_BYTES = 64 * 1024,
	/* A tree, a cache entry: bounds one hostile mail. */
	SEARCH_SCAN_ARENA_BYTES_MAX = MIME_TREE_BYTES_MAX + 2 * MESSAGE_CACHE_BYTES_MAX,
	/* One field, which may be a header block alone, unfolded. */
	SEARCH_SCAN_SCRATCH_BYTES_MAX = 4 * MIME_HEADER_BYTES_MAX,
};

enum search_known {
	SEARCH_UNKNOWN,
	SEARCH_KNOWN_NO,
	SEARCH_KNOWN_YES,
};

struct search_scan {
	struct cmd *cmd;
	const struct search_program *program;
	enum search_known *known;  /* by op; of ops that are no texts it means nothing */
	struct needle *needle;     /* by op */
	struct needle_scan *place; /* by op */
	uint32_t *asked;           /* the ops that the text under way is asked for, asked_count of them */
	size_t asked_count;
	struct search_budget *budget;
	struct search_text *text;
	struct search_field *field;
	uint8_t *piece;
	uint8_t *block; /* a header block; NULL: none was needed yet */
	struct arena arena;   /* emptied for each message */
	struct arena scratch; /* for one header field */
};

/* Is it one of the keys that this file is for? In a header field alone? */
bool search_scan_is_text(enum search_op_kind kind);
bool search_scan_is_header(enum search_op_kind kind);

/* All memory is the command's arena's, or given back by search_scan_end(), which may be called after any outcome. */
RP_MUST_USE enum rp_err search_scan_begin(struct search_scan *scan, struct cmd *cmd,
    const struct search_program *program, struct search_budget *budget);
void search_scan_end(struct search_scan *scan);

/* Another message: nothing is known. */
void search_scan_reset(struct search_scan *scan);

/* Find out about all header keys; about all other texts. A message that cannot be read contains nothing; errors are those of the
 * command: no memory, no CPU left, cancelled. */
RP_MUST_USE enum rp_err search_scan_headers(
    struct task *task, struct search_scan *scan, uint32_t uid);
RP_MUST_USE enum rp_err search_scan_bodies(
    struct task *task, struct search_scan *scan, uint32_t uid);

#endif
