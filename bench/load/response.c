#include "bench/load/response.h"

#include "io/base/num.h"

/* ---- where it ends ---- */

/* The literal that the line ends in: "{12}" or "~{12}". False: none. */
static bool ends_in_literal(struct bytes line, uint64_t *literal_bytes)
{
	size_t at;

	if (line.n < 3 || line.p[line.n - 1] != '}')
		return false;
	for (at = line.n - 1; at > 0 && line.p[at - 1] >= '0' && line.p[at - 1] <= '9'; at--)
		;
	if (at == 0 || line.p[at - 1] != '{')
		return false;
	if (!bytes_to_u64(bytes_slice(line, at, line.n - 1), UINT64_MAX, literal_bytes))
		*literal_bytes = UINT64_MAX;
	return at < line.n - 1;
}

enum rp_err response_frame_find(struct response_frame *frame, struct bytes in, size_t *end)
{
	while (in.n > frame->searched) {
		size_t lf = bytes_find(in, frame->searched, '\n');
		uint64_t literal_bytes;

		if (lf == in.n) {
			if (in.n > RESPONSE_BYTES_MAX)
				return RP_ERR_SYNTAX;
			frame->searched = in.n;
			return RP_ERR_END;
		}
		if (lf == 0 || in.p[lf - 1] != '\r')
			return RP_ERR_SYNTAX;
		if (!ends_in_literal(bytes_slice(in, 0, lf - 1), &literal_bytes)) {
			*end = lf + 1;
			return RP_OK;
		}
		if (literal_bytes > RESPONSE_BYTES_MAX)
			return RP_ERR_SYNTAX;
		frame->searched = lf + 1 + literal_bytes;
	}
	return RP_ERR_END;
}

/* ---- values ---- */

bool response_take(struct response_cursor *cursor, uint8_t c)
{
	if (cursor->at == cursor->in.n || cursor->in.p[cursor->at] != c)
		return false;
	cursor->at++;
	return true;
}

bool response_at_end(const struct response_cursor *cursor)
{
	return cursor->at == cursor->in.n;
}

bool response_number(struct response_cursor *cursor, uint64_t max, uint64_t *out)
{
	size_t from = cursor->at;
	size_t to = from;

	while (to < cursor->in.n && cursor->in.p[to] >= '0' && cursor->in.p[to] <= '9')
		to++;
	if (!bytes_to_u64(bytes_slice(cursor->in, from, to), max, out))
		return false;
	cursor->at = to;
	return true;
}

bool response_word(struct response_cursor *cursor, struct bytes *out)
{
	struct bytes in = cursor->in;
	size_t from = cursor->at;
	size_t to = from;
	bool inside = false;

	for (; to < in.n; to++) {
		uint8_t c = in.p[to];

		if (c == '[')
			inside = true;
		else if (c == ']')
			inside = false;
		else if (c < 0x20 || c == '{' || c == 0x7f)
			return false;
		else if (!inside && (c == ' ' || c == '(' || c == ')' || c == '"'))
			break;
	}
	*out = bytes_slice(in, from, to);
	cursor->at = to;
	return to > from && !inside;
}

static bool quoted(struct response_cursor *cursor, struct bytes *out)
{
	struct bytes in = cursor->in;
	size_t from = cursor->at + 1;

	for (size_t at = from; at < in.n && in.p[at] != '\r' && in.p[at] != '\n'; at++) {
		if (in.p[at] == '\\')
			at++;
		else if (in.p[at] == '"') {
			*out = bytes_slice(in, from, at);
			cursor->at = at + 1;
			return true;
		}
	}
	return false;
}

static bool literal(struct response_cursor *cursor, struct bytes *out)
{
	uint64_t n;

	(void)response_take(cursor, '~');
	if (!response_take(cursor, '{') || !response_number(cursor, RESPONSE_BYTES_MAX, &n) ||
	    !response_take(cursor, '}') || !response_take(cursor, '\r') ||
	    !response_take(cursor, '\n') || cursor->in.n - cursor->at < n)
		return false;
	*out = bytes_slice(cursor->in, cursor->at, cursor->at + n);
	cursor->at += n;
	return true;
}

bool response_nstring(struct response_cursor *cursor, struct bytes *out)
{
	struct bytes rest = bytes_from(cursor->in, cursor->at);

	if (rest.n == 0)
		return false;
	if (rest.p[0] == '"')
		return quoted(cursor, out);
	if (rest.p[0] == '{' || rest.p[0] == '~')
		return literal(cursor, out);
	if (!bytes_starts_with_fold(rest, BYTES_LIT("NIL")))
		return false;
	*out = (struct bytes){0};
	cursor->at += 3;
	return true;
}

bool response_value(struct response_cursor *cursor, struct bytes *out)
{
	size_t from = cursor->at;
	size_t depth = 0;
	struct bytes part;

	do {
		if (response_at_end(cursor))
			return false;
		uint8_t c = cursor->in.p[cursor->at];
		bool string = c == '"' || c == '{' || c == '~';

		if (c == '(') {
			depth++;
			cursor->at++;
		} else if (c == ')' && depth > 0) {
			depth--;
			cursor->at++;
		} else if (c == ' ' && depth > 0) {
			cursor->at++;
		} else if (!(string ? response_nstring(cursor, &part) : response_word(cursor, &part))) {
			return false;
		}
	} while (depth > 0);
	*out = bytes_slice(cursor->in, from, cursor->at);
	return true;
}

bool response_range(struct response_cursor *cursor, uint32_t *first, uint32_t *last)
{
	uint64_t a, b;

	(void)response_take(cursor, ',');
	if (!response_number(cursor, UINT32_MAX, &a))
		return false;
	b = a;
	if (response_take(cursor, ':') && !response_number(cursor, UINT32_MAX, &b))
		return false;
	*first = (uint32_t)num_min(a, b);
	*last = (uint32_t)num_max(a, b);
	return true;
}

bool response_flags(struct response_cursor *cursor, uint8_t *flags)
{
	static const struct {
		const char *name;
		uint8_t flag;
	} system[] = {{"\\Seen", RESPONSE_SEEN}, {"\\Answered", RESPONSE_ANSWERED},
	    {"\\Flagged", RESPONSE_FLAGGED}, {"\\Deleted", RESPONSE_DELETED},
	    {"\\Draft", RESPONSE_DRAFT}, {"\\Recent", RESPONSE_RECENT}};
	struct bytes word;
	bool first = true;

	*flags = 0;
	if (!response_take(cursor, '('))
		return false;
	for (; !response_take(cursor, ')'); first = false) {
		uint8_t flag = RESPONSE_KEYWORD;

		if ((!first && !response_take(cursor, ' ')) || !response_word(cursor, &word))
			return false;
		for (size_t i = 0; word.p[0] == '\\' && i < sizeof(system) / sizeof(system[0]); i++)
			if (bytes_eq_fold(word, bytes_of_str(system[i].name)))
				flag = system[i].flag;
		*flags |= flag;
	}
	return true;
}

/* ---- one response ---- */

static enum response_status status_of(struct bytes word)
{
	static const struct {
		const char *name;
		enum response_status status;
	} known[] = {{"OK", RESPONSE_OK}, {"NO", RESPONSE_NO}, {"BAD", RESPONSE_BAD},
	    {"BYE", RESPONSE_BYE}, {"PREAUTH", RESPONSE_PREAUTH}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (bytes_eq_fold(word, bytes_of_str(known[i].name)))
			return known[i].status;
	return RESPONSE_NONE;
}

/* [CODE argument] text. The code ends at the bracket; no code that we know of holds one. */
static bool parse_text(struct bytes rest, struct response *out)
{
	out->text = rest;
	if (rest.n == 0 || rest.p[0] != '[')
		return true;
	size_t end = bytes_find(rest, 0, ']');

	if (end == rest.n || end == 1)
		return false;
	out->code = bytes_slice(rest, 1, end);
	out->text = bytes_from(rest, end + 1 < rest.n && rest.p[end + 1] == ' ' ? end + 2 : end + 1);
	return true;
}

static bool parse_untagged(struct response_cursor *cursor, struct response *out)
{
	uint64_t number;

	out->kind = RESPONSE_UNTAGGED;
	if (!response_at_end(cursor) && cursor->in.p[cursor->at] >= '0' && cursor->in.p[cursor->at] <= '9') {
		if (!response_number(cursor, UINT32_MAX, &number) || !response_take(cursor, ' '))
			return false;
		out->has_number = true;
		out->number = (uint32_t)number;
	}
	if (!response_word(cursor, &out->name))
		return false;
	out->status = out->has_number ? RESPONSE_NONE : status_of(out->name);
	if (response_take(cursor, ' '))
		out->rest = bytes_from(cursor->in, cursor->at);
	else if (!response_at_end(cursor))
		return false;
	return out->status == RESPONSE_NONE || parse_text(out->rest, out);
}

bool response_parse(struct bytes whole, struct response *out)
{
	struct response_cursor cursor = {.in = bytes_slice(whole, 0, whole.n - 2)};
	struct bytes word;

	RP_ASSERT(whole.n >= 2);
	*out = (struct response){0};
	if (response_take(&cursor, '+')) {
		out->kind = RESPONSE_CONTINUATION;
		(void)response_take(&cursor, ' ');
		return parse_text(bytes_from(cursor.in, cursor.at), out);
	}
	if (response_take(&cursor, '*'))
		return response_take(&cursor, ' ') && parse_untagged(&cursor, out);
	out->kind = RESPONSE_TAGGED;
	if (!response_word(&cursor, &out->tag) || !response_take(&cursor, ' ') ||
	    !response_word(&cursor, &word))
		return false;
	out->status = status_of(word);
	(void)response_take(&cursor, ' ');
	return (out->status == RESPONSE_OK || out->status == RESPONSE_NO ||
	           out->status == RESPONSE_BAD) &&
	       parse_text(bytes_from(cursor.in, cursor.at), out);
}

bool response_code_is(const struct response *response, struct bytes name, struct bytes *argument)
{
	struct bytes code = response->code;

	if (!bytes_starts_with_fold(code, name) || (code.n > name.n && code.p[name.n] != ' '))
		return false;
	*argument = code.n > name.n ? bytes_from(code, name.n + 1) : (struct bytes){0};
	return true;
}
