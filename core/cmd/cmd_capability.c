/* CAPABILITY (RFC 3501, section 6.1.1), ENABLE (RFC 5161), ID (RFC 2971). */
#include "core/cmd/cmd_capability.h"

#include "core/cmd/commands.h"
#include "core/cmd/condstore.h"
#include "core/imap/capability.h"
#include "core/imap/id_params.h"
#include "core/imap/lex.h"

static void write_capabilities(const struct session *session, struct resp *resp)
{
	struct capability_facts facts = {
		.logged_in = session->state != SESSION_NOT_AUTHENTICATED,
		.tls_on = session->tls,
		.tls_available = session->env->tls_available,
		.plaintext_allowed = session->env->plaintext_login && session->loopback,
		.appendlimit_bytes = session->env->appendlimit_bytes,
	};

	capability_write(resp, &facts);
}

void cmd_capability_code(const struct session *session, struct resp *resp)
{
	resp_lit(resp, "[CAPABILITY ");
	write_capabilities(session, resp);
	resp_lit(resp, "] ");
}

enum cmd_result cmd_capability(struct task *task, struct cmd *cmd)
{
	struct resp *resp;

	(void)task;
	if (cmd->args.n != 0)
		return cmd_bad(cmd, "CAPABILITY takes no arguments");
	resp = cmd_resp(cmd);
	resp_lit(resp, "* CAPABILITY ");
	write_capabilities(cmd->session, resp);
	resp_lit(resp, "\r\n");
	return cmd_ok(cmd);
}

/* Names what took effect now; what is not known, or was on already, is passed over in silence. */
enum cmd_result cmd_enable(struct task *task, struct cmd *cmd)
{
	struct lex lex = lex_of(cmd->args);
	bool condstore = false;
	struct resp *resp;

	(void)task;
	do {
		struct bytes name;

		if (lex_atom(&lex, &name) != RP_OK)
			return cmd_bad(cmd, "ENABLE takes names of capabilities");
		condstore |= bytes_eq_fold(name, BYTES_LIT("CONDSTORE"));
	} while (lex_sp(&lex) == RP_OK);
	if (!lex_end(&lex))
		return cmd_bad(cmd, "ENABLE takes names of capabilities");

	resp = cmd_resp(cmd);
	resp_lit(resp, "* ENABLED");
	if (condstore && !condstore_is_on(cmd->session))
		resp_lit(resp, " CONDSTORE");
	resp_lit(resp, "\r\n");
	if (condstore)
		condstore_enable(cmd);
	return cmd_ok(cmd);
}

enum cmd_result cmd_id(struct task *task, struct cmd *cmd)
{
	const struct session_env *env = cmd->session->env;
	const struct id_param own[] = {
		{ BYTES_LIT("name"), bytes_of_str(env->server_name) },
		{ BYTES_LIT("version"), bytes_of_str(env->version) },
	};
	struct lex lex = lex_of(cmd->args);
	struct id_params theirs;
	struct resp *resp;
	enum rp_err err;

	err = id_params_parse(&lex, cmd->arena, &theirs);
	if (err == RP_OK && !lex_end(&lex))
		err = RP_ERR_SYNTAX;
	if (err == RP_ERR_SYNTAX)
		return cmd_bad(cmd, "ID takes NIL or up to 30 pairs of strings");
	if (err != RP_OK)
		return cmd_no(cmd, err);
	LOG(loop_log(task_loop(task)), LOG_INFO, "client.id", LOG_BYTES("user", cmd->session->name),
	    LOG_BYTES("id", cmd->args));
	resp = cmd_resp(cmd);
	resp_lit(resp, "* ID ");
	id_params_write(resp, &(struct id_params){ own, env->version != NULL ? 2 : 1 });
	resp_lit(resp, "\r\n");
	return cmd_ok(cmd);
}
