/* seqset.h -- sequence-set: "1:3,5,9:*".
 *
 * Parsed before anybody knows what "*" stands for; resolved to runs when the mailbox's greatest
 * seqno or UID is known.
 */
#ifndef RP_CORE_IMAP_SEQSET_H
#define RP_CORE_IMAP_SEQSET_H

#include "core/imap/lex.h"
#include "core/imap/resp.h"
#include "io/base/runs.h"

enum {
	/* After merging. More than the longest line can hold (about 11,800): a set is bounded by the line alone, as clients
	 * write long ones (CLIENTS C-10), and this says what that costs. */
	SEQSET_RUNS_MAX = 16384,
};

struct seqset {
	const struct run *run; /* ascending, disjoint, not touching; in the arena */
	size_t count;
	bool star;          /* there is a "*" in it: [star_from, *], or [*, star_from] */
	uint32_t star_from; /* the least of the numbers joined with "*"; UINT32_MAX: only alone */
	bool saved;         /* it is "$": the result of an earlier SEARCH (RFC 5182) */
};

/* dollar: "$" may stand for a set. RP_ERR_LIMIT: too many runs, or no room in the arena. */
RP_MUST_USE enum rp_err seqset_parse(
    struct lex *lex, struct arena *arena, bool dollar, struct seqset *out);

/* Into an empty *out, the caller's to runs_fini(). max: what "*" is; 0: the mailbox is empty, and
 * "*" nothing. Numbers over max stay in, for the caller to cut with what there is. RP_ERR_NOMEM.
 * Not for a saved set. */
RP_MUST_USE enum rp_err seqset_resolve(const struct seqset *set, uint32_t max, struct runs *out);

/* uid-set: "1:3,5". Nothing for an empty set, which has no syntax. */
void seqset_write(struct resp *resp, const struct runs *runs);

#endif
