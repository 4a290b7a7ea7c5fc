/* lex.h -- a cursor over the arguments of a command, and the words of the grammar under it.
 *
 * All bytes of the command are there (frame.h saw to that), literals inline as they came:
 * {n}\r\n and n bytes. So each function has two ends: it took what it is named after and the cursor
 * stands behind it, or RP_ERR_SYNTAX and the cursor is where it was. RP_ERR_LIMIT: over a bound, or
 * the arena has no room.
 *
 * What is handed out borrows from the command, or, where quoting had to be undone, from the arena.
 */
#ifndef RP_CORE_IMAP_LEX_H
#define RP_CORE_IMAP_LEX_H

#include "io/base/arena.h"
#include "io/base/bytes.h"
#include "io/base/err.h"

/* Lists in lists: no command needs more than a few; memory and time must not follow the nesting. */
#define LEX_DEPTH_MAX_GUEST 32
#define LEX_DEPTH_MAX_USER  64

struct lex {
	struct bytes in;
	size_t at;
	unsigned depth;     /* lists open */
	unsigned depth_max; /* LEX_DEPTH_MAX_USER, if the caller does not set it */
};

/* A cursor at the start of `in`, the arguments without the CRLF that ends the command. */
struct lex lex_of(struct bytes in);

/* The byte under the cursor; -1: the end. */
static inline int lex_peek(const struct lex *lex)
{
	return lex->at < lex->in.n ? lex->in.p[lex->at] : -1;
}

/* Take this byte if it is the next. */
static inline bool lex_char(struct lex *lex, char c)
{
	if (lex_peek(lex) != (uint8_t)c)
		return false;
	lex->at++;
	return true;
}

/* Nothing is left but spaces, which some clients leave at the end of a line. */
bool lex_end(const struct lex *lex);

/* Exactly one space. */
RP_MUST_USE enum rp_err lex_sp(struct lex *lex);

/* 1*ATOM-CHAR */
RP_MUST_USE enum rp_err lex_atom(struct lex *lex, struct bytes *out);

/* Take the next word if it is `word` in any case, and nothing of an atom follows it directly. */
bool lex_word(struct lex *lex, const char *word);

/* 1*(ALPHA / DIGIT / "." / "-" / "_"): the names of FETCH items and the like, which end before "[".
 */
RP_MUST_USE enum rp_err lex_name(struct lex *lex, struct bytes *out);

/* quoted / literal; no NUL in it. */
RP_MUST_USE enum rp_err lex_string(struct lex *lex, struct arena *arena, struct bytes *out);

/* 1*ASTRING-CHAR / string */
RP_MUST_USE enum rp_err lex_astring(struct lex *lex, struct arena *arena, struct bytes *out);

/* string / NIL; NIL: out->p is NULL, which it is for no string. */
RP_MUST_USE enum rp_err lex_nstring(struct lex *lex, struct arena *arena, struct bytes *out);

/* list-mailbox: 1*(ATOM-CHAR / "%" / "*" / "]") / string */
RP_MUST_USE enum rp_err lex_list_mailbox(struct lex *lex, struct arena *arena, struct bytes *out);

/* number: 0 .. 2^32-1. nz-number: 1 .. 2^32-1, no zero in front. number64: 0 .. 2^63-1. */
RP_MUST_USE enum rp_err lex_number(struct lex *lex, uint32_t *out);
RP_MUST_USE enum rp_err lex_nz_number(struct lex *lex, uint32_t *out);
RP_MUST_USE enum rp_err lex_number64(struct lex *lex, uint64_t *out);

/* "(". RP_ERR_LIMIT: too deep. */
RP_MUST_USE enum rp_err lex_open(struct lex *lex);

/* ")" if it is the next byte and a list is open. */
bool lex_close(struct lex *lex);

/* Between the items of a list: ")" -> *more is false, and the list is closed; SP -> it is true. */
RP_MUST_USE enum rp_err lex_more(struct lex *lex, bool *more);

struct lex_mark {
	uint64_t bytes;
	bool waits;  /* {n} */
	bool binary; /* ~{n} */
};

/* The mark of a literal whose bytes are not here but come later: all that is left of the input,
 * with or without its CRLF. For commands whose last argument is mail. */
RP_MUST_USE enum rp_err lex_literal_mark(struct lex *lex, struct lex_mark *out);

/* Character classes, for those who look at bytes themselves. */
bool lex_is_atom_char(uint8_t c);    /* ATOM-CHAR */
bool lex_is_astring_char(uint8_t c); /* ATOM-CHAR / "]" */

#endif
