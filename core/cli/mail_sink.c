#include "core/cli/mail_sink.h"

#include <stdio.h>

#include "core/cli/control.h"
#include "core/cli/exit_code.h"
#include "core/cli/offline.h"
#include "core/imap/mailbox_name.h"
#include "core/lmtp/deliver.h"
#include "core/session/intake.h"

struct mail_sink {
	const struct config *config;
	const char *user;
	mail_sink_fn *fn;
	void *arg;
	struct control *control; /* a running server; else: */
	struct task *task;
	struct store *store;
	struct userid userid;
};

static enum rp_err put_by_control(struct mail_sink *sink, const struct mail_item *item)
{
	json_t *keywords = json_array();
	json_t *answer;

	for (size_t i = 0; i < item->keywords_count; i++)
		json_array_append_new(keywords, json_string(item->keyword[i]));
	json_t *request = json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:i, s:i, s:o}", "cmd", "deliver", "user", sink->user,
		"mailbox", item->mailbox, "create", (int)item->create, "bytes", (json_int_t)item->message.n, "internaldate",
		(json_int_t)item->internaldate.seconds, "zone", (int)item->internaldate.zone_min, "flags",
		(int)item->flags, "keywords", keywords);

	if (request == NULL)
		return RP_ERR_SYNTAX; /* a name that is no UTF-8 */
	enum rp_err err = control_ask(sink->control, request, item->message, NULL, NULL, &answer);

	if (err != RP_OK)
		return err == RP_ERR_END ? RP_ERR_UNAVAILABLE : err;
	int code = (int)json_integer_value(json_object_get(answer, "code"));

	json_decref(answer);
	switch (code) {
	case EXIT_CODE_OK:
		return RP_OK;
	case EXIT_CODE_NO_USER:
		return RP_ERR_NOTFOUND;
	case EXIT_CODE_TRY_AGAIN:
		return RP_ERR_BUSY;
	case EXIT_CODE_UNAVAILABLE:
		return RP_ERR_UNAVAILABLE;
	default:
		return RP_ERR_CANNOT;
	}
}

static enum rp_err put_offline(struct mail_sink *sink, const struct mail_item *item)
{
	struct bytes words[MAIL_SINK_KEYWORDS_MAX];
	struct deliver_in in = {
		.userid = sink->userid,
		.create = item->create,
		.internaldate = item->internaldate,
		.flags = item->flags,
		.keywords = words,
		.keywords_count = item->keywords_count,
	};
	struct deliver_out out;
	struct append append = { 0 };
	struct intake intake = { 0 };
	struct spool spool;
	struct arena arena;
	struct task *task = sink->task;

	arena_init(&arena, 64 * 1024);
	spool_init(&spool);
	for (size_t i = 0; i < item->keywords_count; i++)
		words[i] = bytes_of_str(item->keyword[i]);
	enum rp_err err = RP_OK;

	if (item->mailbox[0] != '\0')
		err = mailbox_name_decode(bytes_of_str(item->mailbox), &arena, true, &in.mailbox);
	if (err == RP_OK)
		err = intake_begin(&intake, sink->config->appendlimit_bytes, spool_sink, &spool);
	if (err == RP_OK)
		err = intake_write(task, &intake, item->message);
	if (err == RP_OK)
		err = intake_finish(task, &intake, in.internaldate, &append);
	if (err == RP_OK)
		err = spool_finish(task, &spool);
	if (err == RP_OK) {
		in.spool = &spool;
		in.cache_entry = append.cache_entry;
		in.sent = append.sent;
		err = deliver_run(task, sink->store, &in, &out);
	}
	if (err == RP_OK)
		err = store_wait_durable(task, sink->store, store_position(sink->store));
	intake_end(&intake);
	spool_fini(task, &spool);
	arena_fini(&arena);
	return err;
}

enum rp_err mail_sink_put(struct mail_sink *sink, const struct mail_item *item)
{
	return sink->control != NULL ? put_by_control(sink, item) : put_offline(sink, item);
}

static int run_offline(struct task *task, struct store *store, void *arg)
{
	struct mail_sink *sink = arg;

	sink->task = task;
	sink->store = store;
	return sink->fn(sink, sink->arg);
}

int mail_sink_run(const struct config *config, const char *user, mail_sink_fn *fn, void *arg)
{
	struct mail_sink sink = { .config = config, .user = user, .fn = fn, .arg = arg };
	enum rp_err err = control_open(config, &sink.control);

	if (err == RP_OK) {
		int code = fn(&sink, arg);

		control_close(sink.control);
		return code;
	}
	if (err != RP_ERR_NOTFOUND) {
		fprintf(stderr, "ringpost: the control socket of the running server: %s\n", err_name(err));
		return exit_code_of(err);
	}
	err = offline_user(config, user, &sink.userid);
	if (err != RP_OK) {
		if (err == RP_ERR_NOTFOUND)
			fprintf(stderr, "ringpost: there is no user %s in %s\n", user, config->passwd);
		return exit_code_of(err);
	}
	return offline_run(config, run_offline, &sink);
}
