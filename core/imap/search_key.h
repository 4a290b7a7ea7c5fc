/* search_key.h -- search-key: what SEARCH is asked for, as a small program.
 *
 * The program is postfix: an operand pushes a set of messages, NOT turns the topmost one over, AND
 * and OR join the two topmost. What is left at the end is the answer. `NOT SEEN OR FROM x FLAGGED`:
 *
 *     SEEN  NOT  FROM x  FLAGGED  OR  AND
 *
 * Read without recursion; evaluated the same way, with a stack of stack_max sets.
 */
#ifndef RP_CORE_IMAP_SEARCH_KEY_H
#define RP_CORE_IMAP_SEARCH_KEY_H

#include "core/imap/seqset.h"

enum {
	SEARCH_KEYS_MAX = 1000,       /* each is a look at the mailbox */
	SEARCH_DEPTH_MAX = 100,       /* parentheses, NOT and OR in each other: sets held at once */
	SEARCH_TEXT_BYTES_MAX = 1024, /* of one key: the matcher's memory */
};

enum search_op_kind {
	/* operators */
	SEARCH_AND,
	SEARCH_OR,
	SEARCH_NOT,
	/* operands: no argument */
	SEARCH_ALL,
	/* flags: all messages that have, or have not, this bit of enum flag */
	SEARCH_FLAG,
	SEARCH_KEYWORD, /* text: its name */
	/* texts, in UTF-8 as far as the client kept its word */
	SEARCH_BCC,
	SEARCH_BODY,
	SEARCH_CC,
	SEARCH_FROM,
	SEARCH_HEADER, /* field: its name; text may be empty: the field is there at all */
	SEARCH_SUBJECT,
	SEARCH_TEXT,
	SEARCH_TO,
	/* days */
	SEARCH_BEFORE,
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_SENTBEFORE,
	SEARCH_SENTON,
	SEARCH_SENTSINCE,
	/* numbers */
	SEARCH_LARGER,  /* bytes */
	SEARCH_SMALLER, /* bytes */
	SEARCH_OLDER,   /* seconds, RFC 5032 */
	SEARCH_YOUNGER, /* seconds */
	SEARCH_MODSEQ,  /* that modseq or higher, RFC 7162 */
	/* sets */
	SEARCH_SEQNO,
	SEARCH_UID,
};

struct search_op {
	enum search_op_kind kind;
	unsigned
	    flag; /* SEARCH_FLAG: enum flag; \Recent, which nobody has, is SEARCH_ALL SEARCH_NOT */
	struct bytes text;  /* what to look for */
	struct bytes field; /* SEARCH_HEADER: the name of the field */
	int32_t day;        /* since 1970 */
	uint64_t number;
	struct seqset set;
};

struct search_program {
	const struct search_op *op; /* in the arena */
	size_t op_count;
	unsigned stack_max;
	bool has_modseq; /* a CONDSTORE enabling command; the answer carries MODSEQ */
	bool has_text;   /* bodies or headers may have to be read */
	bool has_seqno;  /* names messages by sequence number */
};

enum search_return {
	SEARCH_RETURN_MIN = 1 << 0,
	SEARCH_RETURN_MAX = 1 << 1,
	SEARCH_RETURN_ALL = 1 << 2,
	SEARCH_RETURN_COUNT = 1 << 3,
};

struct search_args {
	bool has_return;  /* answer with ESEARCH (RFC 4731) */
	unsigned returns; /* enum search_return; RETURN () means ALL */
	struct search_program program;
};

/* search-key *(SP search-key), to the end of the arguments.
 * RP_ERR_LIMIT: too many keys, too deep, a text too long. */
RP_MUST_USE enum rp_err search_key_parse(
    struct lex *lex, struct arena *arena, struct search_program *out);

/* [RETURN (...) SP] [CHARSET SP astring SP] search-key *(SP search-key): all arguments of SEARCH.
 * RP_ERR_CANNOT: a charset other than UTF-8 and US-ASCII: NO [BADCHARSET (UTF-8 US-ASCII)]. */
RP_MUST_USE enum rp_err search_args_parse(
    struct lex *lex, struct arena *arena, struct search_args *out);

#endif
