/* deliver.h -- one message to one user's mailbox, on his home shard (a row of the table of shard_calls).
 *
 * The message was taken in and parsed once, wherever it came from (LMTP, import, deliver); its bytes are lent for the call.
 */
#ifndef RP_CORE_LMTP_DELIVER_H
#define RP_CORE_LMTP_DELIVER_H

#include "core/lmtp/spool.h"
#include "index/mailbox.h"

struct deliver_in {
	struct userid userid;
	struct bytes mailbox;     /* UTF-8 name; .n == 0: INBOX. Not there: INBOX, unless create */
	bool create;              /* make the mailbox if it is not there (import) */
	const struct spool *spool; /* the message, CRLF lines; lent */
	struct bytes cache_entry; /* rendered (message_cache.h); .n == 0: at first use */
	struct mail_date internaldate;
	struct mail_date sent;
	uint32_t flags;
	const struct bytes *keywords;
	size_t keywords_count;
	struct bytes recipient; /* as the MTA says it: the same bytes for it again are stored once; .n == 0: as often as they come */
};

struct deliver_out {
	uint32_t uidvalidity;
	uint32_t uid; /* 0: it is known already, and was not stored again */
	bool again;
};

/* RP_OK: applied, or (out->again) it was before; the caller (shard_call's hold_answer) waits until it is durable. Errors as mailbox_append(). */
RP_MUST_USE enum rp_err deliver_run(
    struct task *task, struct store *store, const struct deliver_in *in, struct deliver_out *out);

#endif
