/* LOGIN and AUTHENTICATE (RFC 3501, section 6.2; RFC 4959, SASL-IR).
 *
 * Who it is is asked of the auth process, on the shard that accepted the connection. If it is known, the connection goes to
 * the user's home shard, and that one answers the tag (registry_entered).
 *
 * A password is overwritten where it lies as soon as it is not needed any more: in the command's bytes and in decoded copies.
 */
#include "core/auth/sasl.h"
#include "core/cmd/commands.h"
#include "core/imap/base64.h"
#include "core/imap/lex.h"

static void wipe(struct bytes secret)
{
	if (secret.n > 0)
		bytes_wipe((void *)(uintptr_t)secret.p, secret.n);
}

static bool is_private(const struct session *session)
{
	return session->tls || (session->env->plaintext_login && session->loopback);
}

static enum cmd_result refuse_plaintext(struct cmd *cmd)
{
	return cmd_no_code(
	    cmd, BYTES_LIT("PRIVACYREQUIRED"), "Log in over TLS only: passwords are not sent in the clear");
}

/* The same text for every failure: nobody learns which names there are. Only who has shown his own password is told that it
 * does not open the mail he asks for (RFC 5530), and that alike whether there is such mail or not. */
static enum cmd_result refuse(struct cmd *cmd, enum rp_err err)
{
	switch (err) {
	case RP_ERR_DENIED:
		return cmd_no_code(cmd, BYTES_LIT("AUTHENTICATIONFAILED"), "Wrong name or password");
	case RP_ERR_CANNOT:
		return cmd_no_code(cmd, BYTES_LIT("AUTHORIZATIONFAILED"), "Not allowed to act for that user");
	case RP_ERR_LIMIT:
		return cmd_no_code(cmd, BYTES_LIT("LIMIT"), "Too many attempts, try again later");
	default:
		return cmd_no(cmd, err);
	}
}

static enum cmd_result enter(struct task *task, struct cmd *cmd, struct bytes authzid,
    struct bytes name, struct bytes password)
{
	struct session *session = cmd->session;
	struct userid userid;
	struct bytes canonical;
	enum rp_err err;

	err = session->env->authenticate(
	    task, session, authzid, name, password, &userid, &canonical);
	wipe(password);
	if (err != RP_OK)
		return refuse(cmd, err);
	RP_ASSERT(cmd->tag.n <= sizeof(session->enter_tag_bytes));
	session->userid = userid;
	session->name = canonical;
	memcpy(session->enter_tag_bytes, cmd->tag.p, cmd->tag.n);
	session->enter_tag = bytes_of(session->enter_tag_bytes, cmd->tag.n);
	session->wish = SESSION_WISH_ENTER;
	return CMD_LATER;
}

static enum cmd_result login(struct task *task, struct cmd *cmd)
{
	struct lex lex = lex_of(cmd->args);
	struct bytes name;
	struct bytes password;

	if (!is_private(cmd->session))
		return refuse_plaintext(cmd);
	if (cmd->tag.n > SESSION_TAG_BYTES_MAX)
		return cmd_bad(cmd, "Tag too long");
	if (lex_astring(&lex, cmd->arena, &name) != RP_OK || lex_sp(&lex) != RP_OK ||
	    lex_astring(&lex, cmd->arena, &password) != RP_OK || !lex_end(&lex))
		return cmd_bad(cmd, "LOGIN takes a name and a password");
	return enter(task, cmd, bytes_of(NULL, 0), name, password);
}

enum cmd_result cmd_login(struct task *task, struct cmd *cmd)
{
	enum cmd_result result = login(task, cmd);

	wipe(cmd->args); /* quoted, the password is there as it was escaped */
	return result;
}

/* Take a response in, decoded in memory of its own. Not before it is there: who is asked and says nothing
 * holds no more than his line. */
static enum rp_err step(struct cmd *cmd, struct sasl *sasl, struct bytes text, bool initial, enum sasl_verdict *verdict)
{
	wipe(bytes_of(sasl->room, sasl->room_bytes));
	sasl->room = arena_alloc(cmd->arena, text.n);
	sasl->room_bytes = sasl->room != NULL ? text.n : 0;
	if (sasl->room == NULL)
		return RP_ERR_NOMEM;
	*verdict = initial ? sasl_step_initial(sasl, text) : sasl_step(sasl, text);
	wipe(text);
	return RP_OK;
}

/* Send what the mechanism has to say, and take its answer in. */
static enum rp_err converse(struct task *task, struct cmd *cmd, struct sasl *sasl, enum sasl_verdict *verdict)
{
	while (*verdict == SASL_CHALLENGE) {
		uint8_t text[BASE64_ENCODED_BYTES(256)];
		struct bytes line;
		enum rp_err err;

		RP_ASSERT(sasl->challenge.n <= 256); /* static texts of our own */
		resp_continuation(cmd_resp(cmd), bytes_of(text, base64_encode(sasl->challenge, text)));
		err = cmd->io->read_line(task, cmd, &line);
		if (err == RP_OK)
			err = step(cmd, sasl, line, false, verdict);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

static enum cmd_result authenticate(
    struct task *task, struct cmd *cmd, struct sasl *sasl, struct bytes initial)
{
	enum sasl_verdict verdict = SASL_CHALLENGE;
	enum rp_err err = RP_OK;

	if (initial.n > 0)
		err = step(cmd, sasl, initial, true, &verdict);
	if (err == RP_OK)
		err = converse(task, cmd, sasl, &verdict);
	if (err == RP_ERR_LIMIT) {
		/* Its rest is no command, and not worth reading to its end. */
		cmd->session->wish = SESSION_WISH_CLOSE;
		cmd->session->bye = "Too much";
		return cmd_bad(cmd, "Response too long");
	}
	if (err == RP_ERR_END || err == RP_ERR_CANCELED)
		return CMD_GONE;
	if (err != RP_OK)
		return cmd_no(cmd, err);
	if (verdict == SASL_BAD)
		return cmd_bad(cmd, sasl->reason);
	return enter(task, cmd, sasl->authzid, sasl->authcid, sasl->password);
}

enum cmd_result cmd_authenticate(struct task *task, struct cmd *cmd)
{
	struct lex lex = lex_of(cmd->args);
	const struct sasl_mech *mech;
	struct bytes name;
	struct bytes initial = { 0 };
	struct sasl sasl = { 0 };
	enum cmd_result result;

	if (cmd->tag.n > SESSION_TAG_BYTES_MAX)
		return cmd_bad(cmd, "Tag too long");
	if (lex_atom(&lex, &name) != RP_OK)
		return cmd_bad(cmd, "AUTHENTICATE takes a mechanism");
	if (lex_sp(&lex) == RP_OK) {
		initial = bytes_from(lex.in, lex.at);
		if (bytes_find(initial, 0, ' ') != initial.n || bytes_find(initial, 0, '\r') != initial.n)
			return cmd_bad(cmd, "AUTHENTICATE takes a mechanism and an initial response");
	} else if (!lex_end(&lex)) {
		return cmd_bad(cmd, "AUTHENTICATE takes a mechanism");
	}
	if (!is_private(cmd->session)) {
		wipe(initial);
		return refuse_plaintext(cmd);
	}
	mech = sasl_find(name);
	if (mech == NULL)
		return cmd_no_code(cmd, BYTES_LIT("CANNOT"), "No such mechanism");
	if (sasl_start(&sasl, mech) != SASL_CHALLENGE)
		return cmd_bad(cmd, sasl.reason);
	result = authenticate(task, cmd, &sasl, initial);
	wipe(bytes_of(sasl.room, sasl.room_bytes));
	return result;
}
