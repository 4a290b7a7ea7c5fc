/* mail_sink.h -- where the command line puts mail: into a running server, or into DATA when none runs.
 *
 * Many messages are under way at once, so that they share the log's writes; each is told of, in order, when it is durable.
 */
#ifndef RP_CORE_CLI_MAIL_SINK_H
#define RP_CORE_CLI_MAIL_SINK_H

#include "core/server/config.h"
#include "index/mailbox.h"

enum {
	MAIL_SINK_KEYWORDS_MAX = 64,
	MAIL_SINK_UNDER_WAY_MAX = 512, /* messages; their bytes are in the server's hands, or the store's, which bound them */
};

/* One message; all borrowed. */
struct mail_item {
	const char *mailbox; /* UTF-8; "": INBOX */
	struct bytes message;
	uint32_t flags; /* enum mail_flag */
	const char *keyword[MAIL_SINK_KEYWORDS_MAX];
	size_t keywords_count;
	struct mail_date internaldate;
	bool create; /* the mailbox, if it is not there */
};

struct mail_sink;

/* Tells of each message that was put, in that order: RP_OK: it is durable. */
typedef void mail_sink_done_fn(void *arg, enum rp_err err);

/* Put one message; may tell of earlier ones, and of this. RP_OK: it was told of or will be. RP_ERR_UNAVAILABLE: the server has
 * gone; of this message and those not told of nobody knows. */
RP_MUST_USE enum rp_err mail_sink_put(struct mail_sink *sink, const struct mail_item *item);

/* Wait until all have been told of. RP_ERR_UNAVAILABLE as above. */
RP_MUST_USE enum rp_err mail_sink_finish(struct mail_sink *sink);

/* Find out where mail goes, and call fn with a sink for this user; arg is also done's. Returns fn's exit code, or another with a
 * line on standard error. */
typedef int mail_sink_fn(struct mail_sink *sink, void *arg);
int mail_sink_run(
    const struct config *config, const char *user, mail_sink_fn *fn, mail_sink_done_fn *done, void *arg);

#endif
