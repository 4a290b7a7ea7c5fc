/* mirror.h -- what a server has told of one mailbox, and whether what it tells next can be true.
 *
 * One client's, kept across its connections. Each function takes in one thing that was told; false: it cannot be true,
 * and mirror->fault says why.
 */
#ifndef RP_BENCH_LOAD_MIRROR_H
#define RP_BENCH_LOAD_MIRROR_H

#include "bench/load/response.h"

enum {
	MIRROR_FAULT_BYTES = 192,
	MIRROR_MESSAGES_MAX = 50 * 1000 * 1000,
};

#define MIRROR_NUMBER_NONE UINT32_MAX

struct mirror_message {
	uint64_t modseq;      /* 0: not told */
	uint32_t uid;         /* 0: not told */
	uint32_t number;      /* of content; MIRROR_NUMBER_NONE: not known */
	uint8_t flags;        /* without RESPONSE_RECENT */
	bool flags_known;
};

struct mirror {
	bool sole;     /* nobody but this client changes flags or expunges */
	bool selected; /* told things count for this mailbox */
	uint32_t uidvalidity; /* 0: never selected */
	uint32_t uidnext;
	uint64_t highestmodseq;
	uint32_t exists;
	uint32_t exists_before; /* selecting: how many were known */
	bool selecting;
	struct mirror_message *message; /* by seqno - 1 */
	uint32_t room;
	char fault[MIRROR_FAULT_BYTES];
};

void mirror_fini(struct mirror *mirror);

/* SELECT has been sent; it has been answered OK. */
void mirror_select_begin(struct mirror *mirror);
RP_MUST_USE bool mirror_select_end(struct mirror *mirror);

/* Another mailbox, none, or no connection any more: what is known stays known. */
void mirror_leave(struct mirror *mirror);

RP_MUST_USE bool mirror_exists(struct mirror *mirror, uint32_t exists);
RP_MUST_USE bool mirror_expunge(struct mirror *mirror, uint32_t seqno);
RP_MUST_USE bool mirror_fetch(struct mirror *mirror, const struct response_fetch *fetch);

/* A response code: UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ; others are passed over. */
RP_MUST_USE bool mirror_code(struct mirror *mirror, const struct response *response);

/* This client changes flags of a message: so must they be from now on. */
void mirror_set_flags(struct mirror *mirror, uint32_t seqno, uint8_t add, uint8_t remove);

/* Which content the message is; false: it was another. */
RP_MUST_USE bool mirror_set_number(struct mirror *mirror, uint32_t seqno, uint32_t number);

/* The message, or NULL: beyond what exists. */
struct mirror_message *mirror_at(const struct mirror *mirror, uint32_t seqno);

/* The seqno of a UID, by halving: UIDs that were not told are taken for greater. 0: not known. */
uint32_t mirror_seqno_of(const struct mirror *mirror, uint32_t uid);

/* How many have all of `set` and none of `clear`; UINT32_MAX: flags of some are not known. */
uint32_t mirror_count(const struct mirror *mirror, uint8_t set, uint8_t clear);

#endif
