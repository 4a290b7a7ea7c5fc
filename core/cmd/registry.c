#include "core/cmd/registry.h"

#include "core/cmd/cmd_capability.h"
#include "core/cmd/commands.h"
#include "core/imap/resp_code.h"
#include "core/session/selected.h"
#include "core/session/sync.h"

/* Sorted by name: registry_find() halves, and test_registry.c checks the order. */
static const struct cmd_def registry[] = {
	/* name           allowed                traits                    function */
	{ "APPEND",       IN_AUTH | IN_SELECTED, TAKES_STREAM,             cmd_append, cmd_append_stream_next },
	{ "AUTHENTICATE", IN_NOT_AUTH,           NO_NEWS,                  cmd_authenticate },
	{ "CAPABILITY",   IN_ANY,                0,                        cmd_capability },
	{ "CHECK",        IN_SELECTED,           0,                        cmd_check },
	{ "CLOSE",        IN_SELECTED,           0,                        cmd_close },
	{ "COPY",         IN_SELECTED,           ALSO_UID,                 cmd_copy },
	{ "CREATE",       IN_AUTH | IN_SELECTED, 0,                        cmd_create },
	{ "DELETE",       IN_AUTH | IN_SELECTED, 0,                        cmd_delete },
	{ "ENABLE",       IN_AUTH | IN_SELECTED, 0,                        cmd_enable },
	{ "EXAMINE",      IN_AUTH | IN_SELECTED, 0,                        cmd_examine },
	{ "EXPUNGE",      IN_SELECTED,           ALSO_UID,                 cmd_expunge },
	{ "FETCH",        IN_SELECTED,           ALSO_UID | HOLDS_EXPUNGE, cmd_fetch },
	{ "ID",           IN_ANY,                0,                        cmd_id },
	{ "IDLE",         IN_AUTH | IN_SELECTED, 0,                        cmd_idle },
	{ "LIST",         IN_AUTH | IN_SELECTED, 0,                        cmd_list },
	{ "LOGIN",        IN_NOT_AUTH,           NO_NEWS,                  cmd_login },
	{ "LOGOUT",       IN_ANY,                NO_NEWS,                  cmd_logout },
	{ "LSUB",         IN_AUTH | IN_SELECTED, 0,                        cmd_lsub },
	{ "MOVE",         IN_SELECTED,           ALSO_UID,                 cmd_move },
	{ "NAMESPACE",    IN_AUTH | IN_SELECTED, 0,                        cmd_namespace },
	{ "NOOP",         IN_ANY,                0,                        cmd_noop },
	{ "RENAME",       IN_AUTH | IN_SELECTED, 0,                        cmd_rename },
	{ "SEARCH",       IN_SELECTED,           ALSO_UID | HOLDS_EXPUNGE, cmd_search },
	{ "SELECT",       IN_AUTH | IN_SELECTED, 0,                        cmd_select },
	{ "STARTTLS",     IN_NOT_AUTH,           NO_NEWS,                  cmd_starttls },
	{ "STATUS",       IN_AUTH | IN_SELECTED, 0,                        cmd_status },
	{ "STORE",        IN_SELECTED,           ALSO_UID | HOLDS_EXPUNGE, cmd_store },
	{ "SUBSCRIBE",    IN_AUTH | IN_SELECTED, 0,                        cmd_subscribe },
	{ "UNSELECT",     IN_SELECTED,           0,                        cmd_unselect },
	{ "UNSUBSCRIBE",  IN_AUTH | IN_SELECTED, 0,                        cmd_unsubscribe },
#ifdef RP_TEST_HOOKS
	{ "XCRASH",       IN_AUTH | IN_SELECTED, 0,                        cmd_crash },
	{ "XFAIL",        IN_AUTH | IN_SELECTED, NO_NEWS,                  cmd_fail },
	{ "XSANDBOX",     IN_AUTH | IN_SELECTED, 0,                        cmd_sandbox },
#endif
};

enum { REGISTRY_COUNT = sizeof(registry) / sizeof(registry[0]) };

const struct cmd_def *registry_at(size_t index)
{
	return index < REGISTRY_COUNT ? &registry[index] : NULL;
}

const struct cmd_def *registry_find(struct bytes name, bool uid)
{
	size_t low = 0;
	size_t high = REGISTRY_COUNT;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct cmd_def *def = &registry[middle];
		int order = bytes_cmp(name, bytes_of_str(def->name));

		if (order == 0) {
			if (uid ? (def->traits & (ALSO_UID | ONLY_UID)) == 0 : (def->traits & ONLY_UID) != 0)
				return NULL;
			return def;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static const char *why_not_allowed(const struct cmd *cmd)
{
	if (cmd->session->state == SESSION_NOT_AUTHENTICATED)
		return "Please log in first";
	if (cmd->def->allowed == IN_NOT_AUTH)
		return "Already logged in";
	return "No mailbox is selected";
}

enum cmd_result registry_run(struct task *task, struct cmd *cmd)
{
	if (cmd->def == NULL)
		return cmd_bad(cmd, "Unknown command");
	if ((cmd->def->allowed & 1u << cmd->session->state) == 0)
		return cmd_bad(cmd, why_not_allowed(cmd));
	return cmd->def->fn(task, cmd);
}

static enum rp_err flush(struct task *task, void *arg)
{
	return cmd_flush(task, arg);
}

static enum rp_err tell_news(struct task *task, struct cmd *cmd)
{
	unsigned traits = cmd->def != NULL ? cmd->def->traits : 0;
	struct sync how = {
		.expunges = (traits & HOLDS_EXPUNGE) == 0 || cmd->uid,
		.uids = cmd->uid,
		.flush = flush,
		.flush_arg = cmd,
	};

	if ((traits & NO_NEWS) != 0)
		return RP_OK;
	return sync_news(task, cmd->session, cmd->resp, &how);
}

enum rp_err registry_answer(struct task *task, struct cmd *cmd, enum cmd_result result)
{
	static const enum resp_status statuses[] = {
		[CMD_OK] = RESP_OK,
		[CMD_NO] = RESP_NO,
		[CMD_BAD] = RESP_BAD,
	};
	struct session *session = cmd->session;
	struct resp *resp;
	enum rp_err err;

	RP_ASSERT(result == CMD_OK || result == CMD_NO || result == CMD_BAD);
	if (result == CMD_BAD)
		session_count_bad(session);
	else if (session->state == SESSION_NOT_AUTHENTICATED)
		session->bad_commands = 0;
	err = tell_news(task, cmd);
	if (err != RP_OK)
		return err;
	resp = cmd_resp(cmd);
	resp_status_begin(resp, cmd->tag, statuses[result]);
	if (cmd->code.n > 0) {
		resp_byte(resp, '[');
		resp_put(resp, cmd->code);
		resp_lit(resp, "] ");
	}
	resp_put(resp, cmd->text);
	resp_lit(resp, "\r\n");
	resp_flush(resp);
	return RP_OK;
}

enum rp_err registry_idle_news(struct task *task, struct session *session, struct resp *resp)
{
	struct sync how = { .expunges = true };
	enum rp_err err = sync_news(task, session, resp, &how);

	resp_flush(resp);
	return err;
}

void registry_idle_done(struct session *session, struct resp *resp, bool done)
{
	RP_ASSERT(session->idle_tag.n > 0);
	resp_stamp(resp, session_position(session));
	if (!done)
		session_count_bad(session);
	resp_status(resp, session->idle_tag, done ? RESP_OK : RESP_BAD, NULL,
	    done ? "IDLE completed" : "Expected DONE");
	resp_flush(resp);
	session->idle_tag = bytes_of(NULL, 0);
}

void registry_entered(struct session *session, struct resp *resp, enum rp_err err)
{
	RP_ASSERT(session->enter_tag.n > 0);
	session->wish = SESSION_WISH_NONE;
	if (err != RP_OK) {
		resp_code_write(resp, session->enter_tag, err);
	} else {
		resp_stamp(resp, session_position(session));
		resp_status_begin(resp, session->enter_tag, RESP_OK);
		cmd_capability_code(session, resp);
		resp_status_end(resp, "Logged in");
	}
	resp_flush(resp);
	session->enter_tag = bytes_of(NULL, 0);
}

void registry_greeting(struct session *session, struct resp *resp)
{
	resp_status_begin(resp, bytes_of(NULL, 0), RESP_OK);
	cmd_capability_code(session, resp);
	resp_str(resp, session->env->server_name);
	resp_status_end(resp, " ready.");
	resp_flush(resp);
}
