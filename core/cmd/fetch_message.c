#include "core/cmd/fetch_message.h"

#include "core/cmd/fetch_body.h"
#include "core/imap/date.h"
#include "core/session/flags_text.h"
#include "core/session/selected.h"
#include "core/session/sync.h"

struct resp *fetch_message_begin_item(struct fetch_message *message)
{
	struct resp *resp = cmd_resp(message->cmd);

	if (message->started) {
		resp_byte(resp, ' ');
	} else {
		sync_keywords(message->cmd->session->selected, resp);
		resp_lit(resp, "* ");
		resp_u64(resp, message->cursor->seqno);
		resp_lit(resp, " FETCH (");
		message->started = true;
	}
	return resp;
}

static enum rp_err put_text(
    struct task *task, struct fetch_message *message, const struct fetch_att *att)
{
	enum rp_err err = fetch_body_cache(task, message);
	struct resp *resp;

	if (err != RP_OK)
		return err;
	resp = fetch_message_begin_item(message);
	fetch_att_write(resp, att);
	resp_byte(resp, ' ');
	if (att->kind == FETCH_ENVELOPE)
		resp_put(resp, message->cache.envelope);
	else if (att->kind == FETCH_BODY)
		resp_put(resp, message->cache.body);
	else
		resp_put(resp, message->cache.bodystructure);
	return RP_OK;
}

static void put_number(
    struct fetch_message *message, const char *name, uint64_t number, const char *behind)
{
	struct resp *resp = fetch_message_begin_item(message);

	resp_str(resp, name);
	resp_u64(resp, number);
	resp_str(resp, behind);
}

static void put_flags(struct fetch_message *message)
{
	struct resp *resp = fetch_message_begin_item(message);

	resp_lit(resp, "FLAGS ");
	flags_text_message(resp, message->cursor);
}

static void put_internaldate(struct fetch_message *message)
{
	struct mail_date date = message->cursor->message.internaldate;
	struct resp *resp = fetch_message_begin_item(message);
	uint8_t *p;

	resp_lit(resp, "INTERNALDATE ");
	p = resp_room(resp, DATE_TIME_BYTES);
	if (p != NULL)
		resp_commit(resp, date_time_at(p, (struct date_time){ date.seconds, date.zone_min }));
}

enum rp_err fetch_message_item(
    struct task *task, struct fetch_message *message, const struct fetch_att *att)
{
	const struct message *m = &message->cursor->message;

	switch (att->kind) {
	case FETCH_FLAGS:
		put_flags(message);
		return RP_OK;
	case FETCH_UID:
		put_number(message, "UID ", m->uid, "");
		return RP_OK;
	case FETCH_MODSEQ:
		put_number(message, "MODSEQ (", m->modseq, ")");
		return RP_OK;
	case FETCH_RFC822_SIZE:
		put_number(message, "RFC822.SIZE ", m->rfc822_size_bytes, "");
		return RP_OK;
	case FETCH_INTERNALDATE:
		put_internaldate(message);
		return RP_OK;
	case FETCH_ENVELOPE:
	case FETCH_BODY:
	case FETCH_BODYSTRUCTURE:
		return put_text(task, message, att);
	case FETCH_BODY_SECTION:
	case FETCH_RFC822:
	case FETCH_RFC822_HEADER:
	case FETCH_RFC822_TEXT:
		return fetch_body_item(task, message, att);
	case FETCH_KIND_COUNT:
		break;
	}
	RP_ASSERT(false);
	return RP_ERR_CANNOT;
}

void fetch_message_end(struct fetch_message *message)
{
	if (message->started && !message->broken)
		resp_lit(message->cmd->resp, ")\r\n");
	dbox_body_close(message->body);
	message->body = NULL;
}
