/* fetch_att.h -- what FETCH is asked for: fetch-att, its macros, its modifiers. */
#ifndef RP_CORE_IMAP_FETCH_ATT_H
#define RP_CORE_IMAP_FETCH_ATT_H

#include "core/imap/section.h"

enum {
	FETCH_ATTS_MAX = 100, /* in a command: each is a look into each message */
};

enum fetch_att_kind {
	FETCH_BODY,         /* BODY without section: the structure, not extensible */
	FETCH_BODY_SECTION, /* BODY[...], BODY.PEEK[...] */
	FETCH_BODYSTRUCTURE,
	FETCH_ENVELOPE,
	FETCH_FLAGS,
	FETCH_INTERNALDATE,
	FETCH_MODSEQ,
	FETCH_RFC822,
	FETCH_RFC822_HEADER,
	FETCH_RFC822_SIZE,
	FETCH_RFC822_TEXT,
	FETCH_UID,
	FETCH_KIND_COUNT,
};

struct fetch_att {
	enum fetch_att_kind kind;
	bool peek;              /* BODY.PEEK: does not set \Seen */
	struct section section; /* of FETCH_BODY_SECTION */
};

struct fetch_atts {
	const struct fetch_att *att; /* att_count, in the order asked; in the arena */
	size_t att_count;
	unsigned kinds; /* a bit, 1 << kind, for each kind that is among them */
	bool sets_seen; /* one of them marks the message as read */
};

/* "ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")". What has no section and
 * is asked for twice comes once. RP_ERR_LIMIT: too many. */
RP_MUST_USE enum rp_err fetch_atts_parse(
    struct lex *lex, struct arena *arena, struct fetch_atts *out);

struct fetch_modifiers {
	bool has_changedsince;
	uint64_t changedsince; /* 0 is taken: clients mean everything */
	bool vanished;         /* RFC 7162: only for UID FETCH with CHANGEDSINCE */
};

/* [SP "(" fetch-modifier *(SP fetch-modifier) ")"], to the end of the arguments. */
RP_MUST_USE enum rp_err fetch_modifiers_parse(struct lex *lex, struct fetch_modifiers *out);

/* The item's name as FETCH answers it: "RFC822.SIZE", "BODY[TEXT]<0>". */
void fetch_att_write(struct resp *resp, const struct fetch_att *att);

#endif
