#include "core/session/flags_text.h"

#include <assert.h>

#include "core/imap/flag.h"

static_assert((int)MAIL_ANSWERED == FLAG_ANSWERED && (int)MAIL_FLAGGED == FLAG_FLAGGED &&
		  (int)MAIL_DELETED == FLAG_DELETED && (int)MAIL_SEEN == FLAG_SEEN &&
		  (int)MAIL_DRAFT == FLAG_DRAFT,
    "index and the language have the same bits");

enum {
	/* "* n FETCH (UID u FLAGS (" + system flags + ") MODSEQ (m))" CRLF */
	LINE_BYTES_MAX = 64 + 2 * RESP_U32_BYTES + RESP_U64_BYTES + FLAG_AT_BYTES,
};

static void put_keywords(struct resp *resp, const struct view_cursor *cursor, bool started)
{
	const struct mailbox *mailbox = view_mailbox(cursor->view);

	for (unsigned w = 0; w < cursor->keyword_words; w++) {
		uint64_t word = cursor->keywords[w];

		while (word != 0) {
			unsigned index = w * 64 + (unsigned)__builtin_ctzll(word);

			word &= word - 1;
			resp_sep(resp, &started);
			resp_put(resp, mailbox_keyword(mailbox, index));
		}
	}
}

static bool has_keywords(const struct view_cursor *cursor)
{
	for (unsigned w = 0; w < cursor->keyword_words; w++)
		if (cursor->keywords[w] != 0)
			return true;
	return false;
}

void flags_text_message(struct resp *resp, const struct view_cursor *cursor)
{
	uint8_t *p = resp_room(resp, FLAG_AT_BYTES + 1);

	if (p == NULL)
		return;
	*p++ = '(';
	resp_commit(resp, flag_at(p, cursor->message.flags));
	if (RP_UNLIKELY(has_keywords(cursor)))
		put_keywords(resp, cursor, cursor->message.flags != 0);
	resp_byte(resp, ')');
}

void flags_text_fetch(
    struct resp *resp, const struct view_cursor *cursor, bool with_uid, bool with_modseq)
{
	uint8_t *p = resp_room(resp, LINE_BYTES_MAX);

	if (p == NULL)
		return;
	p = resp_at_lit(p, "* ");
	p = resp_at_u32(p, cursor->seqno);
	p = resp_at_lit(p, " FETCH (");
	if (with_uid) {
		p = resp_at_lit(p, "UID ");
		p = resp_at_u32(p, cursor->message.uid);
		*p++ = ' ';
	}
	p = resp_at_lit(p, "FLAGS (");
	p = flag_at(p, cursor->message.flags);
	if (RP_UNLIKELY(has_keywords(cursor))) {
		resp_commit(resp, p);
		put_keywords(resp, cursor, cursor->message.flags != 0);
		p = resp_room(resp, LINE_BYTES_MAX);
		if (p == NULL)
			return;
	}
	*p++ = ')';
	if (with_modseq) {
		p = resp_at_lit(p, " MODSEQ (");
		p = resp_at_u64(p, cursor->message.modseq);
		*p++ = ')';
	}
	resp_commit(resp, resp_at_lit(p, ")\r\n"));
}

static void put_all(struct resp *resp, const struct mailbox *mailbox)
{
	flag_write(resp, FLAG_ALL, NULL, 0);
	for (unsigned i = 0; i < mailbox_keywords_count(mailbox); i++) {
		resp_byte(resp, ' ');
		resp_put(resp, mailbox_keyword(mailbox, i));
	}
}

void flags_text_mailbox(struct resp *resp, const struct mailbox *mailbox, bool read_only)
{
	resp_lit(resp, "* FLAGS (");
	put_all(resp, mailbox);
	resp_lit(resp, ")\r\n* OK [PERMANENTFLAGS (");
	if (!read_only) {
		put_all(resp, mailbox);
		if (mailbox_has_room_for_keyword(mailbox))
			resp_lit(resp, " \\*");
	}
	resp_str(resp, read_only ? ")] No permanent flags permitted.\r\n" : ")] Flags permitted.\r\n");
}
