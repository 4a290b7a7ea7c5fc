#include "core/cli/mail_sink.h"

#include <stdio.h>

#include "core/cli/cli_text.h"
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
	mail_sink_done_fn *done;
	void *arg;
	size_t under_way; /* put and not told of */
	struct control *control; /* a running server; else: */
	struct task *task;
	struct store *store;
	struct userid userid;
	size_t first; /* position[first] is the oldest one's */
	uint64_t position[MAIL_SINK_UNDER_WAY_MAX];
};

/* ---- a running server ---- */

static enum rp_err tell_of_one(struct mail_sink *sink)
{
	json_t *answer;

	if (control_next(sink->control, &answer) != RP_OK)
		return RP_ERR_UNAVAILABLE;
	enum rp_err err = RP_OK;

	if (json_integer_value(json_object_get(answer, "code")) != EXIT_CODE_OK)
		err = cli_text_err(json_string_value(json_object_get(answer, "reason")));
	json_decref(answer);
	sink->under_way--;
	sink->done(sink->arg, err);
	return RP_OK;
}

static enum rp_err put_by_control(struct mail_sink *sink, const struct mail_item *item)
{
	json_t *keywords = json_array();

	for (size_t i = 0; i < item->keywords_count; i++)
		json_array_append_new(keywords, json_string(item->keyword[i]));
	json_t *request = json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:i, s:i, s:o}", "cmd", "deliver", "user", sink->user,
		"mailbox", item->mailbox, "create", (int)item->create, "bytes", (json_int_t)item->message.n, "internaldate",
		(json_int_t)item->internaldate.seconds, "zone", (int)item->internaldate.zone_min, "flags",
		(int)item->flags, "keywords", keywords);
	enum rp_err err = RP_OK;

	while (err == RP_OK && sink->under_way > 0 &&
		(request == NULL || sink->under_way == MAIL_SINK_UNDER_WAY_MAX || control_has_line(sink->control)))
		err = tell_of_one(sink);
	if (request == NULL && err == RP_OK) {
		sink->done(sink->arg, RP_ERR_SYNTAX); /* a name that is no UTF-8 */
		return RP_OK;
	}
	if (err != RP_OK) {
		json_decref(request);
		return err;
	}
	if (control_send(sink->control, request, item->message) != RP_OK)
		return RP_ERR_UNAVAILABLE;
	sink->under_way++;
	return RP_OK;
}

static enum rp_err finish_by_control(struct mail_sink *sink)
{
	enum rp_err err = RP_OK;

	while (err == RP_OK && sink->under_way > 0)
		err = tell_of_one(sink);
	return err;
}

/* ---- the store itself ---- */

/* Tell of what is durable; wait until no more than `left` are under way. */
static void tell_offline(struct mail_sink *sink, size_t left)
{
	while (sink->under_way > 0) {
		uint64_t position = sink->position[sink->first];
		enum rp_err err = RP_OK;

		if (sink->under_way > left)
			err = store_wait_durable(sink->task, sink->store, position);
		else if (store_durable(sink->store) < position)
			break;
		sink->first = (sink->first + 1) % MAIL_SINK_UNDER_WAY_MAX;
		sink->under_way--;
		sink->done(sink->arg, err);
	}
}

static enum rp_err apply_offline(struct mail_sink *sink, const struct mail_item *item)
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
	spool_asks(&spool, spool_has_room, sink->store);
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
		err = intake_finish(task, &intake, &append);
	if (err == RP_OK)
		err = spool_finish(task, &spool);
	if (err == RP_OK) {
		in.spool = &spool;
		in.cache_entry = append.cache_entry;
		in.sent = append.sent;
		err = deliver_run(task, sink->store, &in, &out);
	}
	intake_end(&intake);
	spool_fini(task, &spool);
	arena_fini(&arena);
	return err;
}

static enum rp_err put_offline(struct mail_sink *sink, const struct mail_item *item)
{
	enum rp_err err = apply_offline(sink, item);

	if (err != RP_OK) {
		tell_offline(sink, 0);
		sink->done(sink->arg, err);
		return RP_OK;
	}
	tell_offline(sink, MAIL_SINK_UNDER_WAY_MAX - 1);
	sink->position[(sink->first + sink->under_way) % MAIL_SINK_UNDER_WAY_MAX] = store_position(sink->store);
	sink->under_way++;
	return RP_OK;
}

enum rp_err mail_sink_put(struct mail_sink *sink, const struct mail_item *item)
{
	return sink->control != NULL ? put_by_control(sink, item) : put_offline(sink, item);
}

enum rp_err mail_sink_finish(struct mail_sink *sink)
{
	if (sink->control != NULL)
		return finish_by_control(sink);
	tell_offline(sink, 0);
	return RP_OK;
}

static int run_offline(struct task *task, struct store *store, void *arg)
{
	struct mail_sink *sink = arg;

	sink->task = task;
	sink->store = store;
	return sink->fn(sink, sink->arg);
}

/* Is there such a user? Asked before anything is sent, so that the answer is one line. */
static int look_up(struct mail_sink *sink)
{
	json_t *answer;
	json_t *request = json_pack("{s:s, s:s}", "cmd", "lookup", "user", sink->user);
	enum rp_err err = request != NULL ? control_ask(sink->control, request, bytes_of(NULL, 0), NULL, NULL, &answer)
					  : RP_ERR_NOTFOUND;

	if (err == RP_OK) {
		if (json_integer_value(json_object_get(answer, "code")) != EXIT_CODE_OK)
			err = cli_text_err(json_string_value(json_object_get(answer, "reason")));
		json_decref(answer);
	}
	if (err == RP_ERR_NOTFOUND)
		fprintf(stderr, "ringpost: there is no user %s\n", sink->user);
	else if (err != RP_OK)
		fprintf(stderr, "ringpost: %s: %s\n", sink->user, cli_text_of(err));
	return exit_code_of(err == RP_ERR_END ? RP_ERR_UNAVAILABLE : err);
}

int mail_sink_run(
    const struct config *config, const char *user, mail_sink_fn *fn, mail_sink_done_fn *done, void *arg)
{
	struct mail_sink sink = { .config = config, .user = user, .fn = fn, .done = done, .arg = arg };
	enum rp_err err = control_open(config, &sink.control);

	if (err == RP_OK) {
		int code = look_up(&sink);

		if (code == EXIT_CODE_OK)
			code = fn(&sink, arg);
		control_close(sink.control);
		return code;
	}
	if (err != RP_ERR_NOTFOUND) {
		fprintf(stderr, "ringpost: the control socket of the running server: %s\n", cli_text_of(err));
		return exit_code_of(err);
	}
	int code = offline_user(config, user, &sink.userid);

	return code == EXIT_CODE_OK ? offline_run(config, run_offline, &sink) : code;
}
