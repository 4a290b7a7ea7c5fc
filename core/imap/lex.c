#include "core/imap/lex.h"

enum char_class {
	CHAR_ATOM = 1,
	CHAR_ASTRING = 2,
	CHAR_PATTERN = 4,
	CHAR_NAME = 8,
};

#define ATOM_CHAR (CHAR_ATOM | CHAR_ASTRING | CHAR_PATTERN)

/* What is not named is in no class: CTL, 8-bit, SP ( ) { " \ */
static const uint8_t char_classes[256] = {
	['!'] = ATOM_CHAR,
	['#'] = ATOM_CHAR,
	['$'] = ATOM_CHAR,
	['%'] = CHAR_PATTERN,
	['&'] = ATOM_CHAR,
	['\''] = ATOM_CHAR,
	['*'] = CHAR_PATTERN,
	['+'] = ATOM_CHAR,
	[','] = ATOM_CHAR,
	['-'] = ATOM_CHAR | CHAR_NAME,
	['.'] = ATOM_CHAR | CHAR_NAME,
	['/'] = ATOM_CHAR,
	['0' ... '9'] = ATOM_CHAR | CHAR_NAME,
	[':' ... '@'] = ATOM_CHAR,
	['A' ... 'Z'] = ATOM_CHAR | CHAR_NAME,
	['['] = ATOM_CHAR,
	[']'] = CHAR_ASTRING | CHAR_PATTERN,
	['^'] = ATOM_CHAR,
	['_'] = ATOM_CHAR | CHAR_NAME,
	['`'] = ATOM_CHAR,
	['a' ... 'z'] = ATOM_CHAR | CHAR_NAME,
	['|'] = ATOM_CHAR,
	['}'] = ATOM_CHAR,
	['~'] = ATOM_CHAR,
};

bool lex_is_atom_char(uint8_t c)
{
	return char_classes[c] & CHAR_ATOM;
}

bool lex_is_astring_char(uint8_t c)
{
	return char_classes[c] & CHAR_ASTRING;
}

struct lex lex_of(struct bytes in)
{
	return (struct lex){ .in = in, .depth_max = LEX_DEPTH_MAX_USER };
}

bool lex_end(const struct lex *lex)
{
	size_t at = lex->at;

	while (at < lex->in.n && lex->in.p[at] == ' ')
		at++;
	return at == lex->in.n;
}

enum rp_err lex_sp(struct lex *lex)
{
	return lex_char(lex, ' ') ? RP_OK : RP_ERR_SYNTAX;
}

/* One or more bytes of a class. */
static enum rp_err take_class(struct lex *lex, enum char_class class, struct bytes *out)
{
	size_t at = lex->at;

	while (at < lex->in.n && (char_classes[lex->in.p[at]] & class) != 0)
		at++;
	if (at == lex->at)
		return RP_ERR_SYNTAX;
	*out = bytes_slice(lex->in, lex->at, at);
	lex->at = at;
	return RP_OK;
}

enum rp_err lex_atom(struct lex *lex, struct bytes *out)
{
	return take_class(lex, CHAR_ATOM, out);
}

enum rp_err lex_name(struct lex *lex, struct bytes *out)
{
	return take_class(lex, CHAR_NAME, out);
}

bool lex_word(struct lex *lex, const char *word)
{
	struct bytes want = bytes_of_str(word);
	struct bytes rest = bytes_from(lex->in, lex->at);

	if (!bytes_starts_with_fold(rest, want))
		return false;
	if (rest.n > want.n && lex_is_atom_char(rest.p[want.n]))
		return false;
	lex->at += want.n;
	return true;
}

/* The bytes between the quotes, with the backslashes taken out. */
static enum rp_err unquote(struct bytes raw, size_t escapes, struct arena *arena, struct bytes *out)
{
	if (escapes == 0) {
		*out = raw;
		return RP_OK;
	}
	uint8_t *p = arena_alloc(arena, raw.n - escapes);

	if (p == NULL)
		return RP_ERR_LIMIT;
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] == '\\')
			i++;
		p[n++] = raw.p[i];
	}
	*out = bytes_of(p, n);
	return RP_OK;
}

/* quoted: 8-bit bytes are taken as they are; who needs UTF-8 checks it. */
static enum rp_err take_quoted(struct lex *lex, struct arena *arena, struct bytes *out)
{
	size_t start = lex->at + 1;
	size_t escapes = 0;

	for (size_t at = start; at < lex->in.n; at++) {
		uint8_t c = lex->in.p[at];

		if (c == '"') {
			struct bytes raw = bytes_slice(lex->in, start, at);
			enum rp_err err = unquote(raw, escapes, arena, out);

			if (err == RP_OK)
				lex->at = at + 1;
			return err;
		}
		if (c == '\0' || c == '\r' || c == '\n')
			return RP_ERR_SYNTAX;
		if (c != '\\')
			continue;
		at++;
		escapes++;
		if (at == lex->in.n || (lex->in.p[at] != '"' && lex->in.p[at] != '\\'))
			return RP_ERR_SYNTAX;
	}
	return RP_ERR_SYNTAX;
}

/* ["~"] "{" number64 ["+"] "}"; returns the offset behind it, 0: none. */
static size_t read_mark(const struct lex *lex, struct lex_mark *mark)
{
	size_t at = lex->at;
	bool binary = at < lex->in.n && lex->in.p[at] == '~';

	at += binary ? 1 : 0;
	if (at == lex->in.n || lex->in.p[at] != '{')
		return 0;
	size_t close = bytes_find(lex->in, at, '}');

	if (close == lex->in.n)
		return 0;
	bool waits = lex->in.p[close - 1] != '+';
	struct bytes number = bytes_slice(lex->in, at + 1, waits ? close : close - 1);
	uint64_t bytes;

	if (!bytes_to_u64(number, INT64_MAX, &bytes))
		return 0;
	*mark = (struct lex_mark){ bytes, waits, binary };
	return close + 1;
}

static enum rp_err take_literal(struct lex *lex, struct bytes *out)
{
	struct lex_mark mark;
	size_t at = read_mark(lex, &mark);

	if (at == 0 || mark.binary || lex->in.n - at < 2 || lex->in.p[at] != '\r' ||
	    lex->in.p[at + 1] != '\n')
		return RP_ERR_SYNTAX;
	at += 2;
	if (mark.bytes > lex->in.n - at)
		return RP_ERR_SYNTAX;
	struct bytes b = bytes_slice(lex->in, at, at + mark.bytes);

	if (bytes_find(b, 0, '\0') < b.n)
		return RP_ERR_SYNTAX;
	*out = b;
	lex->at = at + mark.bytes;
	return RP_OK;
}

enum rp_err lex_string(struct lex *lex, struct arena *arena, struct bytes *out)
{
	switch (lex_peek(lex)) {
	case '"':
		return take_quoted(lex, arena, out);
	case '{':
		return take_literal(lex, out);
	default:
		return RP_ERR_SYNTAX;
	}
}

enum rp_err lex_astring(struct lex *lex, struct arena *arena, struct bytes *out)
{
	int c = lex_peek(lex);

	if (c == '"' || c == '{')
		return lex_string(lex, arena, out);
	return take_class(lex, CHAR_ASTRING, out);
}

enum rp_err lex_nstring(struct lex *lex, struct arena *arena, struct bytes *out)
{
	if (!lex_word(lex, "NIL"))
		return lex_string(lex, arena, out);
	*out = (struct bytes){ NULL, 0 };
	return RP_OK;
}

enum rp_err lex_list_mailbox(struct lex *lex, struct arena *arena, struct bytes *out)
{
	int c = lex_peek(lex);

	if (c == '"' || c == '{')
		return lex_string(lex, arena, out);
	return take_class(lex, CHAR_PATTERN, out);
}

enum rp_err lex_number64(struct lex *lex, uint64_t *out)
{
	size_t at = lex->at;

	while (at < lex->in.n && lex->in.p[at] >= '0' && lex->in.p[at] <= '9')
		at++;
	if (!bytes_to_u64(bytes_slice(lex->in, lex->at, at), INT64_MAX, out))
		return RP_ERR_SYNTAX;
	lex->at = at;
	return RP_OK;
}

enum rp_err lex_number(struct lex *lex, uint32_t *out)
{
	struct lex ahead = *lex;
	uint64_t n;

	if (lex_number64(&ahead, &n) != RP_OK || n > UINT32_MAX)
		return RP_ERR_SYNTAX;
	*lex = ahead;
	*out = (uint32_t)n;
	return RP_OK;
}

enum rp_err lex_nz_number(struct lex *lex, uint32_t *out)
{
	return lex_peek(lex) == '0' ? RP_ERR_SYNTAX : lex_number(lex, out);
}

enum rp_err lex_open(struct lex *lex)
{
	if (lex_peek(lex) != '(')
		return RP_ERR_SYNTAX;
	if (lex->depth >= lex->depth_max)
		return RP_ERR_LIMIT;
	lex->at++;
	lex->depth++;
	return RP_OK;
}

bool lex_close(struct lex *lex)
{
	if (lex->depth == 0 || !lex_char(lex, ')'))
		return false;
	lex->depth--;
	return true;
}

enum rp_err lex_more(struct lex *lex, bool *more)
{
	if (lex_close(lex)) {
		*more = false;
		return RP_OK;
	}
	*more = true;
	return lex_sp(lex);
}

enum rp_err lex_literal_mark(struct lex *lex, struct lex_mark *out)
{
	struct lex_mark mark;
	size_t at = read_mark(lex, &mark);

	if (at == 0)
		return RP_ERR_SYNTAX;
	struct bytes rest = bytes_from(lex->in, at);

	if (rest.n != 0 && !bytes_eq(rest, BYTES_LIT("\r\n")))
		return RP_ERR_SYNTAX;
	*out = mark;
	lex->at = lex->in.n;
	return RP_OK;
}
