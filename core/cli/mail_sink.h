/* mail_sink.h -- where the command line puts mail: into a running server, or into DATA when none runs. */
#ifndef RP_CORE_CLI_MAIL_SINK_H
#define RP_CORE_CLI_MAIL_SINK_H

#include "core/server/config.h"
#include "index/mailbox.h"

enum { MAIL_SINK_KEYWORDS_MAX = 64 };

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

/* Put one message; durable on RP_OK. */
RP_MUST_USE enum rp_err mail_sink_put(struct mail_sink *sink, const struct mail_item *item);

/* Find out where mail goes, and call fn with a sink for this user. Returns fn's exit code, or another with a line on standard
 * error. */
typedef int mail_sink_fn(struct mail_sink *sink, void *arg);
int mail_sink_run(const struct config *config, const char *user, mail_sink_fn *fn, void *arg);

#endif
