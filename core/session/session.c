#include "core/session/session.h"

#include "core/session/selected.h"

void session_init(struct session *session, const struct session_env *env)
{
	memset(session, 0, sizeof(*session));
	session->env = env;
	session->state = SESSION_NOT_AUTHENTICATED;
	arena_init(&session->arena, SESSION_ARENA_BYTES_MAX);
}

void session_fini(struct session *session)
{
	selected_close(session);
	volume_close(session->volume);
	session->volume = NULL;
	arena_fini(&session->arena);
	session->selected_room = NULL;
	session->name = bytes_of(NULL, 0);
}

enum rp_err session_enter(
    struct task *task, struct session *session, const struct session_env *env)
{
	struct volume *volume;
	enum rp_err err;

	RP_ASSERT(session->state == SESSION_NOT_AUTHENTICATED && session->volume == NULL);
	err = volume_open(task, env->store, &session->userid, &volume);
	if (err != RP_OK)
		return err;
	session->env = env;
	session->volume = volume;
	session->state = SESSION_AUTHENTICATED;
	session->bad_commands = 0;
	return RP_OK;
}

void session_count_bad(struct session *session)
{
	unsigned max = session->state == SESSION_NOT_AUTHENTICATED ? SESSION_BAD_COMMANDS_MAX_GUEST
								   : SESSION_BAD_COMMANDS_MAX_USER;

	session->bad_commands++;
	if (session->bad_commands < max || session->wish == SESSION_WISH_CLOSE)
		return;
	session->wish = SESSION_WISH_CLOSE;
	session->bye = "Too many bad commands";
}

uint64_t session_position(const struct session *session)
{
	return session->volume != NULL ? volume_position(session->volume) : 0;
}
