#include "core/imap/resp.h"

#include "core/imap/lex.h"
#include "core/imap/utf8.h"

#define DIGIT_ROW(t) t "0" t "1" t "2" t "3" t "4" t "5" t "6" t "7" t "8" t "9"

const char resp_digit_pairs[200] = DIGIT_ROW("0") DIGIT_ROW("1") DIGIT_ROW("2") DIGIT_ROW("3")
    DIGIT_ROW("4") DIGIT_ROW("5") DIGIT_ROW("6") DIGIT_ROW("7") DIGIT_ROW("8") DIGIT_ROW("9");

static const char *const status_names[] = {
	[RESP_OK] = "OK ",
	[RESP_NO] = "NO ",
	[RESP_BAD] = "BAD ",
	[RESP_BYE] = "BYE ",
};

void resp_init(struct resp *resp, struct rope *rope, bool utf8)
{
	*resp = (struct resp){ .rope = rope, .utf8 = utf8 };
}

void resp_flush(struct resp *resp)
{
	if (resp->at != resp->start)
		rope_advance(resp->rope, (size_t)(resp->at - resp->start));
	resp->start = NULL;
	resp->at = NULL;
	resp->end = NULL;
}

void resp_stamp(struct resp *resp, uint64_t gate)
{
	if (gate <= resp->rope->gate)
		return;
	resp_flush(resp);
	rope_stamp(resp->rope, gate);
}

uint8_t *resp_reserve(struct resp *resp, size_t n)
{
	RP_ASSERT(n <= RESP_ROOM_BYTES_MAX);
	size_t room = n > RESP_ROOM_BYTES ? n : RESP_ROOM_BYTES;

	resp_flush(resp);
	uint8_t *p = rope_reserve(resp->rope, room);

	if (p == NULL)
		return NULL;
	resp->start = p;
	resp->at = p;
	resp->end = p + room;
	return p;
}

void resp_put(struct resp *resp, struct bytes b)
{
	if (b.n > RESP_ROOM_BYTES) {
		resp_flush(resp);
		rope_put(resp->rope, b);
		return;
	}
	uint8_t *p = resp_room(resp, b.n);

	if (p != NULL)
		resp_commit(resp, resp_at_bytes(p, b));
}

void resp_str(struct resp *resp, const char *text)
{
	resp_put(resp, bytes_of_str(text));
}

uint8_t *resp_at_u64(uint8_t *p, uint64_t v)
{
	enum { NINE_DIGITS = 1000000000 };
	uint32_t group[3];
	unsigned groups = 0;

	if (v <= UINT32_MAX)
		return resp_at_u32(p, (uint32_t)v);
	while (v > UINT32_MAX) {
		group[groups++] = (uint32_t)(v % NINE_DIGITS);
		v /= NINE_DIGITS;
	}
	p = resp_at_u32(p, (uint32_t)v);
	while (groups > 0) {
		uint32_t rest = group[--groups];

		for (unsigned digit = 9; digit-- > 0; rest /= 10)
			p[digit] = (uint8_t)('0' + rest % 10);
		p += 9;
	}
	return p;
}

void resp_u64(struct resp *resp, uint64_t v)
{
	uint8_t *p = resp_room(resp, RESP_U64_BYTES);

	if (p != NULL)
		resp_commit(resp, resp_at_u64(p, v));
}

void resp_borrow(struct resp *resp, struct bytes b, rope_release_fn *release, void *arg)
{
	resp_flush(resp);
	rope_borrow(resp->rope, b, release, arg);
}

/* How a string can be sent. */
enum form {
	FORM_ATOM,
	FORM_PLAIN,   /* quoted, nothing in it needs a backslash */
	FORM_ESCAPED, /* quoted */
	FORM_LITERAL,
};

static enum form form_of(const struct resp *resp, struct bytes b)
{
	enum form form = b.n == 0 ? FORM_PLAIN : FORM_ATOM;
	bool eight_bit = false;

	if (b.n > RESP_QUOTED_BYTES_MAX)
		return FORM_LITERAL;
	for (size_t i = 0; i < b.n; i++) {
		uint8_t c = b.p[i];

		if (c == '\0' || c == '\r' || c == '\n')
			return FORM_LITERAL;
		if (c == '"' || c == '\\')
			form = FORM_ESCAPED;
		else if (form == FORM_ATOM && !lex_is_atom_char(c))
			form = FORM_PLAIN;
		eight_bit |= c >= 0x80;
	}
	if (eight_bit && !(resp->utf8 && utf8_valid(b)))
		return FORM_LITERAL;
	return form;
}

static void put_quoted(struct resp *resp, struct bytes b, bool escaped)
{
	uint8_t *p = resp_room(resp, 2 * b.n + 2);

	if (p == NULL)
		return;
	*p++ = '"';
	if (!escaped)
		p = resp_at_bytes(p, b);
	for (size_t i = 0; escaped && i < b.n; i++) {
		if (b.p[i] == '"' || b.p[i] == '\\')
			*p++ = '\\';
		*p++ = b.p[i];
	}
	*p++ = '"';
	resp_commit(resp, p);
}

void resp_string(struct resp *resp, struct bytes b)
{
	enum form form = form_of(resp, b);

	if (form == FORM_LITERAL)
		resp_literal(resp, b);
	else
		put_quoted(resp, b, form == FORM_ESCAPED);
}

void resp_nstring(struct resp *resp, struct bytes b)
{
	if (b.p == NULL)
		resp_lit(resp, "NIL");
	else
		resp_string(resp, b);
}

void resp_astring(struct resp *resp, struct bytes b)
{
	/* NIL would be read as nothing where an nstring may stand, and by careless clients
	 * anywhere. */
	if (form_of(resp, b) == FORM_ATOM && !bytes_eq_fold(b, BYTES_LIT("NIL")))
		resp_put(resp, b);
	else
		resp_string(resp, b);
}

static void put_mark(struct resp *resp, uint64_t n, bool binary)
{
	uint8_t *p = resp_room(resp, RESP_U64_BYTES + 5);

	if (p == NULL)
		return;
	if (binary)
		*p++ = '~';
	*p++ = '{';
	p = resp_at_u64(p, n);
	resp_commit(resp, resp_at_lit(p, "}\r\n"));
}

void resp_literal_mark(struct resp *resp, uint64_t n)
{
	put_mark(resp, n, false);
}

void resp_literal8_mark(struct resp *resp, uint64_t n)
{
	put_mark(resp, n, true);
}

void resp_literal(struct resp *resp, struct bytes b)
{
	put_mark(resp, b.n, false);
	while (b.n > 0) {
		size_t nul = bytes_find(b, 0, '\0');

		resp_put(resp, bytes_slice(b, 0, nul));
		if (nul < b.n)
			resp_byte(resp, (char)0x80);
		b = bytes_from(b, nul < b.n ? nul + 1 : nul);
	}
}

void resp_status_begin(struct resp *resp, struct bytes tag, enum resp_status status)
{
	if (tag.n > 0)
		resp_put(resp, tag);
	else
		resp_byte(resp, '*');
	resp_byte(resp, ' ');
	resp_str(resp, status_names[status]);
}

void resp_status_end(struct resp *resp, const char *text)
{
	RP_ASSERT(text[0] != '\0');
	resp_str(resp, text);
	resp_lit(resp, "\r\n");
}

void resp_status_put(struct resp *resp, struct bytes tag, enum resp_status status,
    struct bytes code, struct bytes text)
{
	RP_ASSERT(text.n > 0);
	resp_status_begin(resp, tag, status);
	if (code.n > 0) {
		resp_byte(resp, '[');
		resp_put(resp, code);
		resp_lit(resp, "] ");
	}
	resp_put(resp, text);
	resp_lit(resp, "\r\n");
}

void resp_status(struct resp *resp, struct bytes tag, enum resp_status status, const char *code,
    const char *text)
{
	resp_status_put(
	    resp, tag, status, bytes_of_str(code != NULL ? code : ""), bytes_of_str(text));
}

void resp_continuation(struct resp *resp, struct bytes b)
{
	resp_lit(resp, "+ ");
	resp_put(resp, b);
	resp_lit(resp, "\r\n");
}

void resp_number_data(struct resp *resp, uint32_t number, const char *name)
{
	resp_lit(resp, "* ");
	resp_u64(resp, number);
	resp_byte(resp, ' ');
	resp_str(resp, name);
	resp_lit(resp, "\r\n");
}
