/* list_pattern.h -- LIST and LSUB: their patterns, and the options of extended LIST (RFC 5258). */
#ifndef RP_CORE_IMAP_LIST_PATTERN_H
#define RP_CORE_IMAP_LIST_PATTERN_H

#include "core/imap/lex.h"

enum {
	LIST_PATTERN_BYTES_MAX = 1024, /* with its reference: work is pattern times name */
	LIST_PATTERNS_MAX = 100,       /* in a command */
};

struct list_matcher;

/* A pattern over names as mailbox_name.h has them: UTF-8, '/' between levels. */
struct list_pattern {
	struct bytes text; /* runs of wildcards are one wildcard */
	const struct list_matcher *matcher; /* what was made of it; in the arena. NULL: nothing */
	bool nothing;      /* ill-formed on the wire: matches no name */
};

enum list_select {
	LIST_SELECT_SUBSCRIBED = 1 << 0,
	LIST_SELECT_REMOTE = 1 << 1,
	LIST_SELECT_RECURSIVEMATCH = 1 << 2,
	LIST_SELECT_SPECIAL_USE = 1 << 3,
};

enum list_return {
	LIST_RETURN_SUBSCRIBED = 1 << 0,
	LIST_RETURN_CHILDREN = 1 << 1,
	LIST_RETURN_SPECIAL_USE = 1 << 2,
	LIST_RETURN_STATUS = 1 << 3,
};

struct list_args {
	unsigned selects;    /* enum list_select */
	unsigned returns;    /* enum list_return */
	unsigned statuses;   /* enum status_att, with LIST_RETURN_STATUS */
	bool extended;       /* it has options or a list of patterns: RFC 5258's rules hold */
	bool delimiter_only; /* LIST x "": answer with the delimiter, (\Noselect) "/" "" */
	struct list_pattern *pattern; /* in the arena */
	size_t pattern_count;
};

/* All arguments of LIST. utf8: names are UTF-8, not modified UTF-7. RP_ERR_LIMIT: too many
 * patterns, too long. */
RP_MUST_USE enum rp_err list_args_parse(
    struct lex *lex, struct arena *arena, bool utf8, struct list_args *out);

/* All arguments of LSUB: mailbox SP list-mailbox. */
RP_MUST_USE enum rp_err list_args_parse_lsub(
    struct lex *lex, struct arena *arena, bool utf8, struct list_args *out);

/* Does the pattern match all of the name? "*" stands for anything, "%" for anything without a '/'.
 * INBOX as first level matches in any case. A step for each byte of the name and 64 of the pattern, whatever they are. */
bool list_pattern_match(const struct list_pattern *pattern, struct bytes name);

/* Does one of them? */
bool list_args_match(const struct list_args *args, struct bytes name);

#endif
