#include "core/server/admin_undelete.h"

#include <stdlib.h>

#include "core/cli/exit_code.h"
#include "core/imap/mailbox_name.h"
#include "core/server/calls.h"

static const char *reason_of(enum rp_err err)
{
	return err == RP_ERR_IO        ? "the disk does not give its body: try again"
	       : err == RP_ERR_CORRUPT ? "its body is damaged"
	                               : "its body is not there any more";
}

static json_t *lost_json(const struct bring_back_line *line)
{
	const struct undelete_message *message = &line->message;

	return json_pack("{s:s%, s:I, s:I, s:I, s:s}", "mailbox", (const char *)message->mailbox.p,
	    message->mailbox.n, "uid", (json_int_t)message->uid, "file", (json_int_t)message->file,
	    "offset", (json_int_t)message->offset, "lost", reason_of(line->lost));
}

json_t *admin_undelete_json(const struct bring_back_line *line)
{
	const struct undelete_message *message = &line->message;

	if (line->lost != RP_OK)
		return lost_json(line);
	return json_pack("{s:s%, s:b, s:I, s:I, s:I, s:I, s:s%, s:s%}", "mailbox",
	    (const char *)message->mailbox.p, message->mailbox.n, "deleted",
	    (int)message->mailbox_gone, "expunged", (json_int_t)message->expunged_s, "internaldate",
	    (json_int_t)message->internaldate.seconds, "uid", (json_int_t)message->uid, "size",
	    (json_int_t)message->rfc822_size_bytes, "from",
	    line->from.n > 0 ? (const char *)line->from.p : "", line->from.n, "subject",
	    line->subject.n > 0 ? (const char *)line->subject.p : "", line->subject.n);
}

void admin_undelete(
    struct task *task, struct shard *shard, struct conn *conn, const json_t *request)
{
	json_int_t since = json_integer_value(json_object_get(request, "since"));
	struct bring_back_in in = {
	    .mailbox = admin_text_of(request, "mailbox"),
	    .to = admin_text_of(request, "to"),
	    .since_s = since > 0 ? (uint64_t)since : 0,
	    .lists = json_is_true(json_object_get(request, "list")),
	};
	struct call_undelete_out out = {.lines = NULL};

	if ((in.to.n > 0 && mailbox_name_check(in.to) != RP_OK) ||
	    (in.mailbox.n > 0 && mailbox_name_check(in.mailbox) != RP_OK)) {
		admin_say_code(conn, EXIT_CODE_USAGE, "undelete: that cannot be a mailbox's name");
		return;
	}
	enum rp_err err = admin_lookup(task, shard, admin_text_of(request, "user"), &in.userid);

	if (err == RP_OK)
		err = shard_call(
		    task, userid_shard(&in.userid, shard->count), CALL_UNDELETE, &in, &out);
	for (struct bytes rest = {(const uint8_t *)out.lines, out.lines_bytes}; rest.n > 0;) {
		size_t lf = bytes_find(rest, 0, '\n');

		admin_say(conn, json_loadb((const char *)rest.p, lf, 0, NULL));
		rest = bytes_from(rest, lf + 1);
	}
	free(out.lines);
	if (err != RP_OK && out.done.back == 0)
		admin_say_err(conn, err, "undelete");
	else
		admin_say(
		    conn, json_pack("{s:I, s:I, s:I, s:I, s:s, s:i}", "found",
		              (json_int_t)out.done.found, "back", (json_int_t)out.done.back, "lost",
		              (json_int_t)out.done.lost, "untold", (json_int_t)out.untold, "reason",
		              err_name(err), "code", exit_code_of(err)));
}
