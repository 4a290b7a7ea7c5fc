/* flag.h -- flags: \Seen and its like as bits, keywords as names. */
#ifndef RP_CORE_IMAP_FLAG_H
#define RP_CORE_IMAP_FLAG_H

#include "core/imap/lex.h"
#include "core/imap/resp.h"

enum flag {
	FLAG_ANSWERED = 1 << 0,
	FLAG_FLAGGED = 1 << 1,
	FLAG_DELETED = 1 << 2,
	FLAG_SEEN = 1 << 3,
	FLAG_DRAFT = 1 << 4,
	FLAG_ALL = (1 << 5) - 1,
};

enum {
	FLAG_KEYWORD_BYTES_MAX = 64, /* each: it is kept by name in every mailbox that uses it */
	FLAG_KEYWORDS_MAX = 128,     /* different ones, in a command */
	FLAG_AT_BYTES = 48,          /* room that flag_at() needs */
};

struct flag_list {
	unsigned flags; /* enum flag */
	const struct bytes *keyword; /* borrow from the command; no two alike but for case */
	size_t keyword_count;
};

/* flag-list = "(" [flag *(SP flag)] ")". \Recent and system flags that nobody knows are dropped
 * (old stores have them, and to refuse the message helps nobody). RP_ERR_LIMIT: keywords too many
 * or too long. */
RP_MUST_USE enum rp_err flag_list_parse(
    struct lex *lex, struct arena *arena, struct flag_list *out);

/* flag-list / (flag *(SP flag)): as STORE has it, to the end of the arguments. */
RP_MUST_USE enum rp_err flag_store_parse(
    struct lex *lex, struct arena *arena, struct flag_list *out);

/* The bit of "\Seen"; 0: none of the five. */
unsigned flag_of_name(struct bytes name);

/* "\Answered \Seen" at p, FLAG_AT_BYTES of room, of which more may be overwritten than is returned.
 * Writes no bytes where flags is 0. */
uint8_t *flag_at(uint8_t *p, unsigned flags);

/* The same through the writer, then the keywords, with one space between all. */
void flag_write(
    struct resp *resp, unsigned flags, const struct bytes *keyword, size_t keyword_count);

#endif
