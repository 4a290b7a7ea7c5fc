#include "core/server/admin.h"

#include <jansson.h>
#include <stdlib.h>
#include <xxhash.h>

#include "core/cli/exit_code.h"
#include "core/imap/mailbox_name.h"
#include "core/server/admin_stats.h"
#include "core/server/calls.h"
#include "core/server/conn.h"
#include "core/session/intake.h"
#include "io/base/clock.h"

enum {
	ADMIN_LINE_BYTES_MAX = 64 * 1024,
	ADMIN_KEYWORDS_MAX = 128,
	ADMIN_ARENA_BYTES_MAX = 1024 * 1024,
};

struct admin {
	struct shard *shard;
	struct net_listener *listener;
};

/* One connection. */
struct admin_conn {
	struct conn *conn; /* first: conn_open() puts it here */
	struct shard *shard;
};

/* ---- answers ---- */

static void say(struct admin_conn *admin, json_t *answer)
{
	/* NULL: no memory, or a text that is no UTF-8. */
	char *text = answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL;

	json_decref(answer);
	if (text != NULL) {
		rope_put_str(&admin->conn->out, text);
		rope_put(&admin->conn->out, BYTES_LIT("\n"));
	}
	free(text);
}

static void say_code(struct admin_conn *admin, int code, const char *error)
{
	say(admin, error != NULL ? json_pack("{s:i, s:s}", "code", code, "error", error) : json_pack("{s:i}", "code", code));
}

static void say_err(struct admin_conn *admin, enum rp_err err, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", what, err_name(err));
	say_code(admin, exit_code_of(err), text);
}

/* ---- requests ---- */

static struct bytes text_of(const json_t *request, const char *name)
{
	const json_t *value = json_object_get(request, name);

	return json_is_string(value) ? bytes_of(json_string_value(value), json_string_length(value)) : bytes_of(NULL, 0);
}

static enum rp_err ask_auth(struct task *task, struct shard *shard, enum auth_wire_kind kind, struct bytes name,
    struct call_auth_out *out)
{
	struct auth_wire_request request = { .kind = kind, .name = name, .service = BYTES_LIT("control") };

	if (name.n > AUTH_WIRE_NAME_BYTES_MAX)
		return RP_ERR_NOTFOUND;
	enum rp_err err = shard_call(task, (unsigned)(XXH3_64bits(name.p, name.n) % shard->count), CALL_AUTH, &request, out);

	if (err != RP_OK)
		return err;
	switch (out->answer.result) {
	case AUTH_WIRE_OK:
		return RP_OK;
	case AUTH_WIRE_UNAVAILABLE:
		return RP_ERR_UNAVAILABLE;
	default:
		return RP_ERR_NOTFOUND;
	}
}

static enum rp_err lookup(struct task *task, struct admin_conn *admin, const json_t *request, struct userid *userid)
{
	struct call_auth_out out = { 0 };
	enum rp_err err = ask_auth(task, admin->shard, AUTH_WIRE_LOOKUP, text_of(request, "user"), &out);

	if (err == RP_OK)
		memcpy(userid->b, out.answer.userid.p, sizeof(userid->b));
	return err;
}

static void do_users_changed(struct task *task, struct admin_conn *admin)
{
	struct shard *shard = admin->shard;
	struct call_auth_out out = { 0 };
	enum rp_err err = ask_auth(task, shard, AUTH_WIRE_RELOAD, bytes_of("", 0), &out);

	for (unsigned i = 0; i < shard->count && err == RP_OK; i++)
		err = shard_call(task, i, CALL_AUTH_CHANGED, NULL, NULL);
	if (err == RP_OK)
		say_code(admin, 0, NULL);
	else
		say_err(admin, err, "the auth process has not read the users anew");
}

static void do_lookup(struct task *task, struct admin_conn *admin, const json_t *request)
{
	struct userid userid;
	char text[USERID_TEXT_BYTES + 1];
	enum rp_err err = lookup(task, admin, request, &userid);

	if (err != RP_OK) {
		say_err(admin, err, "user");
		return;
	}
	userid_format(&userid, text);
	say(admin, json_pack("{s:s, s:i}", "userid", text, "code", 0));
}

/* The mail that follows the request's line. It is read to its end whatever happens, or the next request could not be found. */
static enum rp_err read_mail(struct task *task, struct admin_conn *admin, uint64_t bytes, struct intake *intake,
    enum rp_err *failed)
{
	while (bytes > 0) {
		struct bytes in = conn_input(admin->conn);
		enum rp_err err;

		if (in.n == 0) {
			err = conn_wait_input(task, admin->conn, 0);
			if (err != RP_OK)
				return err;
			continue;
		}
		if (in.n > bytes)
			in.n = (size_t)bytes;
		if (*failed == RP_OK)
			*failed = intake_write(task, intake, in);
		conn_take(admin->conn, in.n);
		bytes -= in.n;
	}
	return RP_OK;
}

/* Flags, dates, keywords and the folder of a delivery. */
static enum rp_err fill_delivery(struct task *task, const json_t *request, struct arena *arena, struct deliver_in *in)
{
	const json_t *keywords = json_object_get(request, "keywords");
	const json_t *seconds = json_object_get(request, "internaldate");
	struct bytes mailbox = text_of(request, "mailbox");
	size_t count = json_array_size(keywords);
	struct bytes *words = arena_calloc(arena, ADMIN_KEYWORDS_MAX, sizeof(*words));
	enum rp_err err = RP_OK;

	if (count > ADMIN_KEYWORDS_MAX || words == NULL)
		return RP_ERR_LIMIT;
	for (size_t i = 0; i < count; i++) {
		const json_t *word = json_array_get(keywords, i);

		if (!json_is_string(word))
			return RP_ERR_SYNTAX;
		words[i] = arena_copy(arena, bytes_of(json_string_value(word), json_string_length(word)));
		if (words[i].p == NULL)
			return RP_ERR_LIMIT;
	}
	if (mailbox.n > 0)
		err = mailbox_name_decode(mailbox, arena, true, &in->mailbox);
	in->create = json_is_true(json_object_get(request, "create"));
	in->flags = (uint32_t)json_integer_value(json_object_get(request, "flags")) &
		    (MAIL_ANSWERED | MAIL_FLAGGED | MAIL_DELETED | MAIL_SEEN | MAIL_DRAFT);
	in->keywords = words;
	in->keywords_count = count;
	in->internaldate.seconds = json_is_integer(seconds)
	    ? json_integer_value(seconds)
	    : (int64_t)(loop_wall_ns(task_loop(task)) / CLOCK_NS_PER_S);
	in->internaldate.zone_min = (int16_t)json_integer_value(json_object_get(request, "zone"));
	return err;
}

static enum rp_err do_deliver(struct task *task, struct admin_conn *admin, const json_t *request)
{
	struct shard *shard = admin->shard;
	uint64_t bytes = (uint64_t)json_integer_value(json_object_get(request, "bytes"));
	struct deliver_in in = { .create = false };
	struct deliver_out out = { 0 };
	struct append append = { 0 };
	struct intake intake = { 0 };
	struct spool spool;
	struct arena arena;
	enum rp_err err;
	enum rp_err gone;

	arena_init(&arena, ADMIN_ARENA_BYTES_MAX);
	spool_init(&spool);
	err = lookup(task, admin, request, &in.userid);
	if (err == RP_OK)
		err = fill_delivery(task, request, &arena, &in);
	if (err == RP_OK)
		err = intake_begin(&intake, shard->config->appendlimit_bytes, spool_sink, &spool);
	gone = read_mail(task, admin, bytes, &intake, &err);
	if (err == RP_OK && gone == RP_OK)
		err = intake_finish(task, &intake, in.internaldate, &append);
	if (err == RP_OK && gone == RP_OK)
		err = spool_finish(task, &spool);
	if (err == RP_OK && gone == RP_OK) {
		in.spool = &spool;
		in.cache_entry = append.cache_entry;
		in.sent = append.sent;
		err = shard_call(task, userid_shard(&in.userid, shard->count), CALL_DELIVER, &in, &out);
		if (err == RP_OK && userid_shard(&in.userid, shard->count) == shard->number)
			err = calls_hold_answer(task, shard);
	}
	intake_end(&intake);
	spool_fini(task, &spool);
	arena_fini(&arena);
	if (gone != RP_OK)
		return gone;
	if (err == RP_OK)
		say(admin, json_pack("{s:I, s:I, s:i}", "uid", (json_int_t)out.uid, "uidvalidity",
				       (json_int_t)out.uidvalidity, "code", 0));
	else
		say_err(admin, err, err == RP_ERR_NOTFOUND ? "no such user" : "not delivered");
	return RP_OK;
}

static void do_repair(struct task *task, struct admin_conn *admin, const json_t *request, bool rebuild)
{
	struct shard *shard = admin->shard;
	struct call_repair_in in = { .rebuild = rebuild };
	struct call_repair_out out = { .lines = NULL };
	enum rp_err err = lookup(task, admin, request, &in.userid);

	if (err == RP_OK)
		err = shard_call(task, userid_shard(&in.userid, shard->count), CALL_REPAIR, &in, &out);
	for (struct bytes rest = { (const uint8_t *)out.lines, out.lines_bytes }; rest.n > 0;) {
		size_t lf = bytes_find(rest, 0, '\n');

		say(admin, json_pack("{s:s%}", "line", (const char *)rest.p, lf));
		rest = bytes_from(rest, lf + 1);
	}
	free(out.lines);
	if (err == RP_OK && repair_found_damage(&out.report))
		err = RP_ERR_CORRUPT;
	if (err == RP_OK)
		say_code(admin, 0, NULL);
	else
		say_err(admin, err, rebuild ? "repair" : "check");
}

static void do_stats(struct task *task, struct admin_conn *admin)
{
	struct shard *shard = admin->shard;
	json_t *shards = json_array();
	static const struct shard_stats none;
	enum rp_err err = RP_OK;

	for (unsigned i = 0; i < shard->count && err == RP_OK; i++) {
		struct shard_stats *stats = malloc(sizeof(*stats));

		if (stats == NULL) {
			err = RP_ERR_NOMEM;
			break;
		}
		*stats = none;
		err = shard_call(task, i, CALL_STATS, NULL, stats);
		if (err == RP_OK)
			json_array_append_new(shards, admin_stats_json(stats));
		free(stats);
	}
	if (err == RP_OK) {
		say(admin, json_pack("{s:o, s:i}", "shards", shards, "code", 0));
	} else {
		json_decref(shards);
		say_err(admin, err, "stats");
	}
}

static enum rp_err do_request(struct task *task, struct admin_conn *admin, const json_t *request)
{
	struct bytes cmd = text_of(request, "cmd");

	if (bytes_eq(cmd, BYTES_LIT("stats")))
		do_stats(task, admin);
	else if (bytes_eq(cmd, BYTES_LIT("users_changed")))
		do_users_changed(task, admin);
	else if (bytes_eq(cmd, BYTES_LIT("lookup")))
		do_lookup(task, admin, request);
	else if (bytes_eq(cmd, BYTES_LIT("check")) || bytes_eq(cmd, BYTES_LIT("repair")))
		do_repair(task, admin, request, bytes_eq(cmd, BYTES_LIT("repair")));
	else if (bytes_eq(cmd, BYTES_LIT("deliver")))
		return do_deliver(task, admin, request);
	else
		say_code(admin, EXIT_CODE_USAGE, "unknown request");
	return RP_OK;
}

/* ---- the connection ---- */

static void admin_run(struct task *task, struct conn *conn)
{
	struct admin_conn *admin = conn->protocol_state;
	enum rp_err err = RP_OK;

	conn->in_bytes_max = ADMIN_LINE_BYTES_MAX + 4096;
	while (err == RP_OK && conn->state == CONN_OPEN) {
		struct bytes in = conn_input(conn);
		size_t lf = bytes_find(in, 0, '\n');

		if (lf == in.n) {
			if (in.n > ADMIN_LINE_BYTES_MAX)
				conn_drop(conn, "request too long");
			return;
		}
		json_t *request = json_loadb((const char *)in.p, lf, 0, NULL);

		conn_take(conn, lf + 1);
		if (json_is_object(request))
			err = do_request(task, admin, request);
		else
			say_code(admin, EXIT_CODE_USAGE, "a request is one line with a JSON object");
		json_decref(request);
		if (err == RP_OK)
			err = conn_flush(task, conn, CONN_OUT_BYTES_HIGH);
	}
}

static void admin_greet(struct conn *conn)
{
	(void)conn; /* the client speaks first */
}

static void admin_stop(struct conn *conn)
{
	if (conn->task == NULL)
		conn_end(conn);
}

static uint64_t admin_tick(struct conn *conn, uint64_t now_ns)
{
	(void)conn;
	(void)now_ns;
	return 3600 * CLOCK_NS_PER_S;
}

static void admin_fini(struct conn *conn)
{
	free(conn->protocol_state);
}

static const struct conn_driver drive_admin = {
	.name = "control",
	.run = admin_run,
	.greet = admin_greet,
	.tick = admin_tick,
	.stop = admin_stop,
	.fini = admin_fini,
};

static void on_accept(void *arg, struct net *net)
{
	static const struct config_listen listen = { .protocol = CONFIG_LMTP };
	struct admin *admin = arg;
	struct admin_conn *state = calloc(1, sizeof(*state));
	struct conn *conn;

	if (state == NULL) {
		net_close(net, NULL, NULL);
		return;
	}
	state->shard = admin->shard;
	if (conn_open(admin->shard, net, &listen, &drive_admin, state, &conn) != RP_OK) {
		free(state);
		return;
	}
	conn_begin(conn);
}

enum rp_err admin_open(struct shard *shard, int fd)
{
	struct admin *admin = calloc(1, sizeof(*admin));

	if (admin == NULL)
		return RP_ERR_NOMEM;
	admin->shard = shard;
	enum rp_err err = net_listen(shard->loop, fd, on_accept, admin, &admin->listener);

	if (err != RP_OK) {
		free(admin);
		return err;
	}
	shard->admin = admin;
	return RP_OK;
}

void admin_close(struct shard *shard)
{
	if (shard->admin == NULL)
		return;
	net_listener_close(shard->admin->listener);
	free(shard->admin);
	shard->admin = NULL;
}
