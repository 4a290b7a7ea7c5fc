/* thin_core.h -- what thin.c, which notes, and thin_write.c share. */
#ifndef RP_INDEX_THIN_CORE_H
#define RP_INDEX_THIN_CORE_H

#include "index/thin.h"

enum {
	THIN_CORE_PAGE_UIDS = 256,
	THIN_CORE_FLAG_BODY =
	    UINT32_MAX - 1, /* its place changes like a flag does: the last one counts */
};

/* UIDs that were expunged, the newest of them with this LSN. */
struct expunged {
	uint64_t lsn;
	uint32_t first;
	uint32_t last;
};

struct keyword {
	uint8_t n;
	uint8_t text[MAILBOX_KEYWORD_BYTES_MAX];
};

struct thin_mailbox {
	uint64_t mailboxid;
	struct expunged *by_uid; /* thin_ready(): by UID, disjoint */
	struct expunged *by_lsn; /* the same, by LSN and UID */
	size_t count;
	size_t max;
	size_t told; /* of by_lsn */
	struct keyword *keyword;
	size_t keywords_count;
};

/* When each of these messages had this flag changed last; 0: never. */
struct flag_page {
	struct hash_link link;
	uint64_t mailboxid;
	uint32_t flag; /* CHANGE_FLAG_KEYWORD + k: the mailbox's keyword k */
	uint32_t page; /* UID / THIN_CORE_PAGE_UIDS */
	uint64_t lsn[THIN_CORE_PAGE_UIDS];
};

RP_MUST_USE enum rp_err thin_core_let_in(struct task *task);

/* NULL: nothing was noted of it but perhaps rows. */
struct thin_mailbox *thin_core_mailbox(const struct thin *thin, uint64_t mailboxid);

/* UINT32_MAX: nothing is known of it; `make`: nothing can be. */
uint32_t thin_core_flag(struct thin_mailbox *mailbox, const struct change_item *item, bool make);

/* NULL: there is none, and none can be made. */
struct flag_page *thin_core_page(
    struct thin *thin, uint64_t mailboxid, uint32_t flag, uint32_t uid, bool make);

#endif
