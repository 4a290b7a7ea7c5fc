#include "core/session/sync.h"

#include "core/session/flags_text.h"
#include "core/session/selected.h"

enum {
	EXPUNGES_A_BREATH = 1024,
	SYNC_LINES_PER_FLUSH = 32, /* short lines, as in FETCH */
};

/* One slice, and taken as told in the same breath: what is expunged afterwards is told afterwards. */
static void tell_some_expunges(struct selected *selected, struct resp *resp)
{
	const struct runs *expunged = view_expunged(selected->view);
	unsigned told = 0;
	uint32_t uid = 0;

	for (size_t i = expunged->count; i-- > 0 && told < EXPUNGES_A_BREATH;) {
		uid = expunged->run[i].last;
		for (;;) {
			uint32_t seqno = view_seqno_of(selected->view, uid);

			if (seqno != 0)
				resp_number_data(resp, seqno, "EXPUNGE");
			if (++told == EXPUNGES_A_BREATH || uid == expunged->run[i].first)
				break;
			uid--;
		}
	}
	view_take_expunged(selected->view, uid);
}

/* From the last to the first: so no EXPUNGE moves the number of one that follows. */
static enum rp_err tell_expunges(
    struct task *task, struct session *session, struct resp *resp, const struct sync *how)
{
	struct view *view = session->selected->view;
	enum rp_err err = RP_OK;

	while (view_expunged(view)->count > 0 && err == RP_OK) {
		resp_stamp(resp, session_position(session));
		tell_some_expunges(session->selected, resp);
		if (how->flush != NULL)
			err = how->flush(task, how->flush_arg);
	}
	return err;
}

static void tell_exists(struct selected *selected, struct resp *resp)
{
	uint32_t before = view_exists(selected->view);
	uint32_t now = view_take_exists(selected->view);

	if (now == before)
		return;
	resp_number_data(resp, now, "EXISTS");
	resp_number_data(resp, 0, "RECENT"); /* no message ever is \Recent here */
}

void sync_keywords(struct selected *selected, struct resp *resp)
{
	if (view_has_keywords_told(selected->view))
		return;
	flags_text_mailbox(resp, selected->mailbox, selected->read_only);
	view_take_keywords(selected->view);
}

static enum rp_err tell_flags(
    struct task *task, struct selected *selected, struct resp *resp, const struct sync *how)
{
	bool condstore = (selected->session->enabled & SESSION_CONDSTORE) != 0;
	struct view_cursor cursor;
	unsigned lines = 0;
	enum rp_err err;

	view_flags_cursor(&cursor, selected->view);
	while ((err = view_cursor_next(task, &cursor)) == RP_OK) {
		resp_stamp(resp, session_position(selected->session));
		sync_keywords(selected, resp); /* the step may have suspended: a new one must not slip in */
		flags_text_fetch(resp, &cursor, how->uids || condstore, condstore);
		if (how->flush != NULL && ++lines % SYNC_LINES_PER_FLUSH == 0)
			err = how->flush(task, how->flush_arg);
		if (err != RP_OK)
			return err;
	}
	if (err != RP_ERR_END)
		return err;
	view_take_flags(selected->view);
	return RP_OK;
}

enum rp_err sync_untold_flags(
    struct task *task, struct selected *selected, const struct runs *uids, struct runs *untold)
{
	struct view_cursor cursor;
	enum rp_err err;

	if (!view_has_news(selected->view))
		return RP_OK;
	view_flags_cursor(&cursor, selected->view);
	cursor.uids = uids;
	while ((err = view_cursor_next(task, &cursor)) == RP_OK) {
		err = runs_add(untold, cursor.message.uid, cursor.message.uid);
		if (err != RP_OK)
			return err;
	}
	return err == RP_ERR_END ? RP_OK : err;
}

/* RP_ERR_UNAVAILABLE: the view is, or has become, overrun; no number that would be told is right. */
static enum rp_err tell_news(
    struct task *task, struct session *session, struct resp *resp, const struct sync *how)
{
	struct selected *selected = session->selected;
	enum rp_err err = RP_OK;

	if (view_is_overrun(selected->view))
		return RP_ERR_UNAVAILABLE;
	resp_stamp(resp, session_position(session));
	sync_keywords(selected, resp);
	if (how->expunges)
		err = tell_expunges(task, session, resp, how);
	if (err == RP_OK && view_is_overrun(selected->view))
		err = RP_ERR_UNAVAILABLE;
	if (err != RP_OK)
		return err;
	tell_exists(selected, resp);
	return tell_flags(task, selected, resp, how);
}

enum rp_err sync_news(
    struct task *task, struct session *session, struct resp *resp, const struct sync *how)
{
	struct selected *selected = session->selected;
	enum rp_err err;

	if (selected == NULL || !view_has_news(selected->view))
		return RP_OK;
	err = tell_news(task, session, resp, how);
	if (!view_is_overrun(selected->view))
		return err;
	session->wish = SESSION_WISH_CLOSE;
	session->bye = "Too many changes were kept back: please select the mailbox again";
	return err == RP_ERR_UNAVAILABLE ? RP_OK : err;
}
