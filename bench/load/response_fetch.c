/* One FETCH response. */
#include "bench/load/response.h"

static bool parse_section(
    struct response_cursor *cursor, struct bytes word, struct response_fetch *out)
{
	struct response_cursor inside = {.in = word, .at = bytes_find(word, 0, '[') + 1};
	size_t close = bytes_find(word, inside.at, ']');
	struct response_section *section = &out->section[out->sections_count];

	if (out->sections_count == RESPONSE_SECTIONS_MAX || close == word.n)
		return false;
	out->sections_count++;
	*section = (struct response_section){.name = bytes_slice(word, inside.at, close)};
	inside.at = close + 1;
	if (response_take(&inside, '<')) {
		section->partial = true;
		if (!response_number(&inside, UINT32_MAX, &section->origin) ||
		    !response_take(&inside, '>'))
			return false;
	}
	return response_at_end(&inside) && response_nstring(cursor, &section->data);
}

static bool parse_modseq(struct response_cursor *cursor, struct response_fetch *out)
{
	if (out->has_modseq)
		return false;
	out->has_modseq = true;
	return response_take(cursor, '(') && response_number(cursor, INT64_MAX, &out->modseq) &&
	       response_take(cursor, ')') && out->modseq > 0;
}

static bool parse_list(struct response_cursor *cursor, struct bytes *out)
{
	return out->p == NULL && response_value(cursor, out) && out->p[0] == '(';
}

static bool parse_item(struct response_cursor *cursor, struct bytes word, struct response_fetch *out)
{
	uint64_t number;

	if (bytes_eq_fold(word, BYTES_LIT("FLAGS"))) {
		if (out->has_flags)
			return false;
		out->has_flags = true;
		return response_flags(cursor, &out->flags);
	}
	if (bytes_eq_fold(word, BYTES_LIT("UID"))) {
		if (out->has_uid || !response_number(cursor, UINT32_MAX, &number) || number == 0)
			return false;
		out->has_uid = true;
		out->uid = (uint32_t)number;
		return true;
	}
	if (bytes_eq_fold(word, BYTES_LIT("MODSEQ")))
		return parse_modseq(cursor, out);
	if (bytes_eq_fold(word, BYTES_LIT("RFC822.SIZE"))) {
		if (out->has_size)
			return false;
		out->has_size = true;
		return response_number(cursor, UINT64_MAX, &out->size_bytes);
	}
	if (bytes_eq_fold(word, BYTES_LIT("INTERNALDATE")))
		return out->internaldate.p == NULL && response_nstring(cursor, &out->internaldate) &&
		       out->internaldate.p != NULL;
	if (bytes_eq_fold(word, BYTES_LIT("ENVELOPE")))
		return parse_list(cursor, &out->envelope);
	if (bytes_eq_fold(word, BYTES_LIT("BODYSTRUCTURE")) || bytes_eq_fold(word, BYTES_LIT("BODY")))
		return parse_list(cursor, &out->bodystructure);
	if (bytes_starts_with_fold(word, BYTES_LIT("BODY[")))
		return parse_section(cursor, word, out);
	return false;
}

bool response_fetch_parse(const struct response *response, struct response_fetch *out)
{
	struct response_cursor cursor = {.in = response->rest};
	struct bytes word;
	bool first = true;

	*out = (struct response_fetch){.seqno = response->number};
	if (!response->has_number || response->number == 0 || !response_take(&cursor, '('))
		return false;
	for (; !response_take(&cursor, ')'); first = false) {
		if ((!first && !response_take(&cursor, ' ')) || !response_word(&cursor, &word) ||
		    !response_take(&cursor, ' ') || !parse_item(&cursor, word, out))
			return false;
	}
	return response_at_end(&cursor) && !first;
}

/* The mailbox part of the first address of "((name adl mailbox host) ...)". */
static bool first_mailbox(struct bytes list, struct bytes *mailbox)
{
	struct response_cursor cursor = {.in = list};
	struct bytes part;

	*mailbox = (struct bytes){0};
	if (list.n == 0 || list.p[0] != '(')
		return true;
	if (!response_take(&cursor, '(') || !response_take(&cursor, '('))
		return false;
	for (unsigned i = 0; i < 2; i++)
		if (!response_nstring(&cursor, &part) || !response_take(&cursor, ' '))
			return false;
	return response_nstring(&cursor, mailbox);
}

bool response_envelope(struct bytes envelope, struct bytes *subject, struct bytes *from_mailbox)
{
	enum { DATE, SUBJECT, FROM, FIELDS = 10 };
	struct response_cursor cursor = {.in = envelope};
	struct bytes value;

	if (!response_take(&cursor, '('))
		return false;
	for (unsigned i = 0; i < FIELDS; i++) {
		bool list = i >= FROM && i <= FROM + 5;

		if (i > 0 && !response_take(&cursor, ' '))
			return false;
		if (list && !response_at_end(&cursor) && envelope.p[cursor.at] == '(') {
			if (!response_value(&cursor, &value))
				return false;
		} else if (!response_nstring(&cursor, &value) || (list && value.p != NULL)) {
			return false;
		}
		if (i == SUBJECT)
			*subject = value;
		if (i == FROM && !first_mailbox(value, from_mailbox))
			return false;
	}
	return response_take(&cursor, ')') && response_at_end(&cursor);
}
