/* text.h -- text that grows in an arena, and IMAP's ways to write a string in it.
 *
 * ENVELOPE and BODYSTRUCTURE are rendered once, when a message arrives, and are sent ever after as
 * they are. So what is written here is right for every session: a string is quoted where that is
 * plain ASCII, else a literal, and a NUL inside goes out as 0x80 (a literal may not hold one).
 *
 * Running out of room is remembered, not reported by each call: look at `full` once, at the end.
 */
#ifndef RP_CORE_MAIL_TEXT_H
#define RP_CORE_MAIL_TEXT_H

#include "io/base/arena.h"
#include "io/base/bytes.h"

struct text {
	struct arena *arena;
	uint8_t *p; /* n bytes; good as long as the arena, but moves while it grows */
	size_t n;
	size_t room;
	bool full; /* something did not fit; from then on nothing is added */
};

void text_init(struct text *text, struct arena *arena);

/* What was written so far; good till the next write. */
static inline struct bytes text_bytes(const struct text *text)
{
	return (struct bytes){text->p, text->n};
}

/* Forget what was written, keep the room. */
static inline void text_clear(struct text *text)
{
	text->n = 0;
}

/* Make room for n more bytes. False: there is none. */
RP_MUST_USE bool text_reserve(struct text *text, size_t n);

void text_put(struct text *text, struct bytes b);
void text_put_byte(struct text *text, uint8_t c);
void text_put_str(struct text *text, const char *literal);
void text_put_number(struct text *text, uint64_t n);

/* IMAP string: "quoted" or {n}CRLF literal. */
void text_put_string(struct text *text, struct bytes b);

/* IMAP nstring: NIL when b.p is NULL. An empty string that is there is "". */
void text_put_nstring(struct text *text, struct bytes b);

#endif
