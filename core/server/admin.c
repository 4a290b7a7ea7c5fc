#include "core/server/admin.h"

#include <jansson.h>
#include <stdlib.h>
#include <xxhash.h>

#include "core/cli/exit_code.h"
#include "core/server/admin_core.h"
#include "core/server/admin_deliver.h"
#include "core/server/admin_stats.h"
#include "core/server/admin_undelete.h"
#include "core/server/calls.h"
#include "core/server/conn.h"
#include "io/base/clock.h"

enum {
	ADMIN_LINE_BYTES_MAX = 64 * 1024,
};

struct admin {
	struct shard *shard;
	struct net_listener *listener;
};

/* One connection. */
struct admin_conn {
	struct conn *conn; /* first: conn_open() puts it here */
	struct shard *shard;
	struct admin_deliver *deliver; /* NULL: none yet */
};

/* ---- answers ---- */

void admin_say(struct conn *conn, json_t *answer)
{
	char *text = answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL;

	json_decref(answer);
	if (text != NULL) {
		rope_put_str(&conn->out, text);
		rope_put(&conn->out, BYTES_LIT("\n"));
	}
	free(text);
}

void admin_say_code(struct conn *conn, int code, const char *error)
{
	admin_say(conn, error != NULL ? json_pack("{s:i, s:s}", "code", code, "error", error) : json_pack("{s:i}", "code", code));
}

void admin_say_err(struct conn *conn, enum rp_err err, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s", what, err_name(err));
	admin_say(conn, json_pack("{s:i, s:s, s:s}", "code", exit_code_of(err), "error", text, "reason", err_name(err)));
}

/* ---- requests ---- */

struct bytes admin_text_of(const json_t *request, const char *name)
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

enum rp_err admin_lookup(struct task *task, struct shard *shard, struct bytes user, struct userid *userid)
{
	struct call_auth_out out = { 0 };
	enum rp_err err = ask_auth(task, shard, AUTH_WIRE_LOOKUP, user, &out);

	if (err == RP_OK)
		memcpy(userid->b, out.answer.userid.p, sizeof(userid->b));
	return err;
}

static enum rp_err tell_gone(struct task *task, struct shard *shard, const struct call_user_gone_in *gone)
{
	enum rp_err err = RP_OK;

	for (unsigned i = 0; i < shard->count && err == RP_OK; i++)
		err = shard_call(task, i, CALL_USER_GONE, gone, NULL);
	return err;
}

/* End the sessions of a name that is nobody's any more, or somebody else's. */
static enum rp_err end_sessions(struct task *task, struct shard *shard, struct bytes name)
{
	struct call_user_gone_in gone = { .name = name };
	enum rp_err err = admin_lookup(task, shard, name, &gone.userid);

	gone.again = err == RP_OK;
	return err == RP_OK || err == RP_ERR_NOTFOUND ? tell_gone(task, shard, &gone) : err;
}

static void do_users_changed(struct task *task, struct admin_conn *admin, const json_t *request)
{
	struct shard *shard = admin->shard;
	struct bytes name = admin_text_of(request, "user");
	struct call_auth_out out = { 0 };
	enum rp_err err = ask_auth(task, shard, AUTH_WIRE_RELOAD, bytes_of("", 0), &out);

	for (unsigned i = 0; i < shard->count && err == RP_OK; i++)
		err = shard_call(task, i, CALL_AUTH_CHANGED, NULL, NULL);
	if (err == RP_OK && name.n > 0)
		err = end_sessions(task, shard, name);
	if (err == RP_OK)
		admin_say_code(admin->conn, 0, NULL);
	else
		admin_say_err(admin->conn, err, "the auth process has not read the users anew");
}

static void do_lookup(struct task *task, struct admin_conn *admin, const json_t *request)
{
	struct userid userid;
	char text[USERID_TEXT_BYTES + 1];
	enum rp_err err = admin_lookup(task, admin->shard, admin_text_of(request, "user"), &userid);

	if (err != RP_OK) {
		admin_say_err(admin->conn, err, "user");
		return;
	}
	userid_format(&userid, text);
	admin_say(admin->conn, json_pack("{s:s, s:i}", "userid", text, "code", 0));
}

/* He is to be deleted with his mail: his sessions end, then it goes. Who logs in meanwhile (the name is still in the passwd-file:
 * it goes last, so that what was cut short can be asked for again) finds nothing that could be opened. */
static void do_purge(struct task *task, struct admin_conn *admin, const json_t *request)
{
	struct shard *shard = admin->shard;
	struct call_user_gone_in gone = { .name = admin_text_of(request, "user") };
	char text[USERID_TEXT_BYTES + 1] = "";
	struct userid userid;
	enum rp_err err = RP_OK;

	if (!userid_parse(admin_text_of(request, "userid"), &userid)) {
		admin_say_code(admin->conn, EXIT_CODE_USAGE, "purge: not a user's id");
		return;
	}
	userid_format(&userid, text);
	if (gone.name.n > 0)
		err = tell_gone(task, shard, &gone);
	if (err == RP_OK)
		err = shard_call(task, userid_shard(&userid, shard->count), CALL_PURGE, &userid, NULL);
	LOG(shard->log, err == RP_OK ? LOG_INFO : LOG_WARN, "user.purge", LOG_BYTES("user", gone.name), LOG_STR("userid", text),
		LOG_STR("result", err_name(err)));
	if (err == RP_OK)
		admin_say_code(admin->conn, 0, NULL);
	else
		admin_say_err(admin->conn, err, "the mail is not all removed");
}

static void do_repair(struct task *task, struct admin_conn *admin, const json_t *request, bool rebuild)
{
	struct shard *shard = admin->shard;
	struct call_repair_in in = { .rebuild = rebuild,
		.restored = rebuild && json_is_true(json_object_get(request, "restored")) };
	struct call_repair_out out = { .lines = NULL };
	enum rp_err err = admin_lookup(task, shard, admin_text_of(request, "user"), &in.userid);

	if (err == RP_OK)
		err = shard_call(task, userid_shard(&in.userid, shard->count), CALL_REPAIR, &in, &out);
	for (struct bytes rest = { (const uint8_t *)out.lines, out.lines_bytes }; rest.n > 0;) {
		size_t lf = bytes_find(rest, 0, '\n');

		admin_say(admin->conn, json_pack("{s:s%}", "line", (const char *)rest.p, lf));
		rest = bytes_from(rest, lf + 1);
	}
	free(out.lines);
	if (err == RP_OK && repair_found_damage(&out.report))
		err = RP_ERR_CORRUPT;
	if (err == RP_OK)
		admin_say_code(admin->conn, 0, NULL);
	else
		admin_say_err(admin->conn, err, rebuild ? "repair" : "check");
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
		admin_say(admin->conn, json_pack("{s:o, s:i}", "shards", shards, "code", 0));
	} else {
		json_decref(shards);
		admin_say_err(admin->conn, err, "stats");
	}
}

static enum rp_err do_deliver(struct task *task, struct admin_conn *admin, const json_t *request)
{
	if (admin->deliver == NULL)
		admin->deliver = admin_deliver_open(admin->conn);
	if (admin->deliver != NULL)
		return admin_deliver_take(task, admin->deliver, request);
	conn_drop(admin->conn, "no memory"); /* its mail could not be told from the next request */
	return RP_ERR_NOMEM;
}

/* Answers leave in the order of the requests. */
static enum rp_err answer_deliveries(struct task *task, struct admin_conn *admin)
{
	enum rp_err err = RP_OK;

	while (err == RP_OK && !admin_deliver_idle(admin->deliver))
		err = admin_deliver_push(task, admin->deliver);
	return err;
}

static enum rp_err do_request(struct task *task, struct admin_conn *admin, const json_t *request)
{
	struct bytes cmd = admin_text_of(request, "cmd");

	if (bytes_eq(cmd, BYTES_LIT("deliver")))
		return do_deliver(task, admin, request);
	enum rp_err err = answer_deliveries(task, admin);

	if (err != RP_OK)
		return err;
	if (bytes_eq(cmd, BYTES_LIT("stats")))
		do_stats(task, admin);
	else if (bytes_eq(cmd, BYTES_LIT("users_changed")))
		do_users_changed(task, admin, request);
	else if (bytes_eq(cmd, BYTES_LIT("purge")))
		do_purge(task, admin, request);
	else if (bytes_eq(cmd, BYTES_LIT("lookup")))
		do_lookup(task, admin, request);
	else if (bytes_eq(cmd, BYTES_LIT("undelete")))
		admin_undelete(task, admin->shard, admin->conn, request);
	else if (bytes_eq(cmd, BYTES_LIT("check")) || bytes_eq(cmd, BYTES_LIT("repair")))
		do_repair(task, admin, request, bytes_eq(cmd, BYTES_LIT("repair")));
	else
		admin_say_code(admin->conn, EXIT_CODE_USAGE, "unknown request");
	return RP_OK;
}

static enum rp_err say_bad(struct task *task, struct admin_conn *admin)
{
	enum rp_err err = answer_deliveries(task, admin);

	if (err == RP_OK)
		admin_say_code(admin->conn, EXIT_CODE_USAGE, "a request is one line with a JSON object");
	return err;
}

/* ---- the connection ---- */

/* One request that is there whole. *end: none is; or the server stops, and all is answered. */
static enum rp_err next_request(struct task *task, struct admin_conn *admin, bool *end)
{
	struct conn *conn = admin->conn;
	struct bytes in = conn_input(conn);
	size_t lf = bytes_find(in, 0, '\n');
	bool stopping = admin->shard->stopping;

	if (lf == in.n && in.n > ADMIN_LINE_BYTES_MAX)
		conn_drop(conn, "request too long");
	else if ((lf == in.n || stopping) && !admin_deliver_idle(admin->deliver))
		return admin_deliver_push(task, admin->deliver);
	else if (stopping)
		conn_end(conn);
	*end = lf == in.n || stopping;
	if (*end)
		return RP_OK;
	json_t *request = json_loadb((const char *)in.p, lf, 0, NULL);
	enum rp_err err = RP_OK;

	conn_take(conn, lf + 1);
	if (json_is_object(request))
		err = do_request(task, admin, request);
	else
		err = say_bad(task, admin);
	json_decref(request);
	return err == RP_OK ? conn_flush(task, conn, CONN_OUT_BYTES_HIGH) : err;
}

static void admin_run(struct task *task, struct conn *conn)
{
	struct admin_conn *admin = conn->protocol_state;
	enum rp_err err = RP_OK;
	bool end = false;

	conn->in_bytes_max = ADMIN_LINE_BYTES_MAX + 4096;
	while (err == RP_OK && !end && conn->state == CONN_OPEN)
		err = next_request(task, admin, &end);
	admin_deliver_abandon(task, admin->deliver);
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
	struct admin_conn *admin = conn->protocol_state;

	admin_deliver_close(admin->deliver);
	free(admin);
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
