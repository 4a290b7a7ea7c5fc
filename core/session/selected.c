#include "core/session/selected.h"

static void wake(struct watch *watch)
{
	struct selected *selected = RP_CONTAINER_OF(watch, struct selected, watch);

	if (selected->session->wake != NULL)
		selected->session->wake(selected->session);
}

enum rp_err selected_open(
    struct task *task, struct session *session, struct bytes name, bool read_only)
{
	struct selected *selected = session->selected_room;
	struct mailbox *mailbox;
	enum rp_err err;

	RP_ASSERT(session->state == SESSION_AUTHENTICATED && session->selected == NULL);
	if (selected == NULL)
		selected = arena_calloc(&session->arena, 1, sizeof(*selected));
	if (selected == NULL)
		return RP_ERR_NOMEM;
	session->selected_room = selected;

	err = mailbox_open(task, session->volume, name, &mailbox);
	if (err != RP_OK)
		return err;
	watch_init(&selected->watch, wake);
	err = view_open(task, mailbox, &selected->watch, &selected->view);
	mailbox_close(mailbox); /* the view holds it */
	if (err != RP_OK)
		return err;
	selected->session = session;
	selected->mailbox = mailbox;
	selected->read_only = read_only;
	session->selected = selected;
	session->state = SESSION_SELECTED;
	return RP_OK;
}

enum rp_err selected_wake(struct task *task, struct session *session)
{
	return session->selected != NULL ? view_wake(task, session->selected->view) : RP_OK;
}

void selected_rest(struct session *session)
{
	if (session->selected != NULL)
		view_rest(session->selected->view);
}

void selected_close(struct session *session)
{
	struct selected *selected = session->selected;

	if (selected == NULL)
		return;
	session->selected = NULL;
	if (session->state == SESSION_SELECTED)
		session->state = SESSION_AUTHENTICATED;
	view_close(selected->view);
	selected->view = NULL;
	selected->mailbox = NULL;
}
