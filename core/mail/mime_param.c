#include "core/mail/mime_param.h"

#include <assert.h>

enum { PARAMS_FIRST = 4 };

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind blanks and (nested (comments)). */
static struct bytes skip_blanks(struct bytes b)
{
	size_t depth = 0;
	size_t i = 0;

	for (; i < b.n; i++) {
		uint8_t c = b.p[i];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0 && i + 1 < b.n)
			i++;
		else if (depth == 0 && !is_space(c))
			break;
	}
	return bytes_from(b, i);
}

/* Characters of a type or a parameter's name. Looser than RFC 2045's token. */
static size_t token_bytes(struct bytes b)
{
	size_t n = 0;

	while (n < b.n && !is_space(b.p[n]) && memchr("()<>,;:\"/=", b.p[n], 10) == NULL &&
	       b.p[n] != 0)
		n++;
	return n;
}

static struct bytes take_token(struct bytes *rest)
{
	size_t n = token_bytes(*rest);
	struct bytes token = bytes_slice(*rest, 0, n);

	*rest = bytes_from(*rest, n);
	return token;
}

struct bytes mime_token(struct bytes value)
{
	value = skip_blanks(value);
	return take_token(&value);
}

/* rest begins behind the opening quote; goes behind the closing one, or to the end. */
static void take_quoted(struct bytes *rest, struct text *out)
{
	struct bytes b = *rest;
	size_t i = 0;

	for (; i < b.n && b.p[i] != '"'; i++) {
		if (b.p[i] == '\\' && i + 1 < b.n)
			i++;
		if (b.p[i] != '\r' && b.p[i] != '\n')
			text_put_byte(out, b.p[i]);
	}
	*rest = bytes_from(b, i < b.n ? i + 1 : b.n);
}

/* A value without quotes reaches to the semicolon, as file names with blanks are met; what stands
 * in parentheses behind a blank is a comment. */
static void take_plain(struct bytes *rest, struct text *out)
{
	struct bytes b = *rest;

	for (;;) {
		size_t n = 0;

		while (n < b.n && b.p[n] != ';' && !is_space(b.p[n]))
			n++;
		text_put(out, bytes_slice(b, 0, n));
		struct bytes behind = skip_blanks(bytes_from(b, n));

		if (behind.n == 0 || behind.p[0] == ';') {
			*rest = behind;
			return;
		}
		text_put_byte(out, ' ');
		b = behind;
	}
}

/* One parameter, and *rest behind it. False: nothing more. */
static bool take_param(struct bytes *rest, struct arena *arena, struct mime_param *param)
{
	struct text value;

	text_init(&value, arena);
	for (;;) {
		*rest = skip_blanks(*rest);
		if (rest->n == 0)
			return false;
		if (token_bytes(*rest) != 0)
			break;
		*rest = bytes_from(*rest, 1); /* a semicolon, or what does not belong here */
	}
	param->name = take_token(rest);
	*rest = skip_blanks(*rest);
	if (rest->n != 0 && rest->p[0] == '=') {
		*rest = skip_blanks(bytes_from(*rest, 1));
		if (rest->n != 0 && rest->p[0] == '"') {
			*rest = bytes_from(*rest, 1);
			take_quoted(rest, &value);
		} else {
			take_plain(rest, &value);
		}
	}
	param->value = value.n == 0 ? BYTES_LIT("") : text_bytes(&value);
	return !value.full;
}

/* name*3* : base "name", section 3, extended. A plain name has no section and is not extended. */
struct section_name {
	struct bytes base;
	int section; /* -1: none */
	bool extended;
};

static struct section_name split_name(struct bytes name)
{
	struct section_name out = {name, -1, false};
	uint64_t section;

	if (name.n > 1 && name.p[name.n - 1] == '*') {
		out.extended = true;
		name.n--;
		out.base = name;
	}
	size_t star = name.n;

	while (star > 0 && name.p[star - 1] != '*')
		star--;
	if (star > 1 && bytes_to_u64(bytes_from(name, star), MIME_SECTIONS_MAX - 1, &section)) {
		out.base = bytes_slice(name, 0, star - 1);
		out.section = (int)section;
	}
	return out;
}

/* attribute-char of RFC 2231: all else is percent-encoded in an extended value. */
static bool is_attribute_char(uint8_t c)
{
	return c > ' ' && c < 0x7f && memchr("*'%()<>@,;:\\\"/[]?=", c, 18) == NULL;
}

static void put_percent(struct text *text, struct bytes b)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < b.n; i++) {
		if (is_attribute_char(b.p[i])) {
			text_put_byte(text, b.p[i]);
			continue;
		}
		text_put_byte(text, '%');
		text_put_byte(text, (uint8_t)hex[b.p[i] >> 4]);
		text_put_byte(text, (uint8_t)hex[b.p[i] & 15]);
	}
}

/* Join the sections 0, 1, 2 ... of the name that `first` (its section 0) has, up to the first gap.
 */
static bool join_sections(struct arena *arena, const struct mime_params *raw,
    const struct section_name *names, size_t first, struct mime_param *out)
{
	bool extended = names[first].extended;
	struct text name;
	struct text value;
	uint8_t at[MIME_SECTIONS_MAX];

	memset(at, UINT8_MAX, sizeof(at));
	for (size_t i = raw->count; i-- > 0;) /* downwards: the first of equal ones stays */
		if (names[i].section >= 0 && bytes_eq_fold(names[i].base, names[first].base))
			at[names[i].section] = (uint8_t)i;

	text_init(&name, arena);
	text_init(&value, arena);
	text_put(&name, names[first].base);
	if (extended)
		text_put_byte(&name, '*');
	text_put(&value, raw->param[first].value);
	for (size_t s = 1; s < MIME_SECTIONS_MAX && at[s] != UINT8_MAX; s++) {
		if (extended && !names[at[s]].extended)
			put_percent(&value, raw->param[at[s]].value);
		else
			text_put(&value, raw->param[at[s]].value);
	}
	out->name = text_bytes(&name);
	out->value = value.n == 0 ? BYTES_LIT("") : text_bytes(&value);
	return !name.full && !value.full;
}

static bool copy_param(struct arena *arena, const struct mime_param *raw, struct mime_param *out)
{
	out->name = arena_copy(arena, raw->name);
	out->value = raw->value;
	return out->name.p != NULL;
}

/* Has an earlier parameter begun the same joined name? */
static bool is_again(const struct section_name *names, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (names[k].section == 0 && bytes_eq_fold(names[k].base, names[i].base))
			return true;
	return false;
}

static bool join_params(struct arena *arena, const struct mime_params *raw, struct mime_params *out)
{
	struct section_name names[MIME_PARAMS_MAX];
	size_t count = 0;

	static_assert(MIME_PARAMS_MAX < UINT8_MAX, "an index must fit beside the mark for none");
	for (size_t i = 0; i < raw->count; i++)
		names[i] = split_name(raw->param[i].name);
	for (size_t i = 0; i < raw->count; i++) {
		struct mime_param *param = &out->param[count];

		if (names[i].section < 0) {
			if (!copy_param(arena, &raw->param[i], param))
				return false;
			count++;
		} else if (names[i].section == 0 && !is_again(names, i)) {
			if (!join_sections(arena, raw, names, i, param))
				return false;
			count++;
		} /* sections beyond the first are in its value; those without a first say nothing
		   */
	}
	out->count = count;
	return true;
}

static bool parse_params(struct arena *arena, struct bytes rest, struct mime_params *out)
{
	struct mime_params raw = {NULL, 0};
	struct mime_param param;
	size_t room = 0;

	while (raw.count < MIME_PARAMS_MAX && take_param(&rest, arena, &param)) {
		if (raw.count == room) {
			const size_t size = sizeof(param);
			struct mime_param *grown = arena_grow(
			    arena, raw.param, room * size, (room * 2 + PARAMS_FIRST) * size);

			if (grown == NULL)
				return false;
			raw.param = grown;
			room = room * 2 + PARAMS_FIRST;
		}
		raw.param[raw.count++] = param;
	}
	if (raw.count == 0)
		return true;
	out->param = arena_calloc(arena, raw.count, sizeof(out->param[0]));
	return out->param != NULL && join_params(arena, &raw, out);
}

bool mime_value_parse(struct arena *arena, struct bytes value, struct mime_value *out)
{
	struct mime_value parsed = {0};
	struct bytes rest = skip_blanks(value);

	parsed.type = arena_copy(arena, take_token(&rest));
	rest = skip_blanks(rest);
	if (rest.n != 0 && rest.p[0] == '/') {
		rest = skip_blanks(bytes_from(rest, 1));
		parsed.subtype = arena_copy(arena, take_token(&rest));
		if (parsed.subtype.p == NULL)
			return false;
	}
	if (parsed.type.p == NULL || !parse_params(arena, rest, &parsed.params))
		return false;
	*out = parsed;
	return true;
}

struct bytes mime_params_find(const struct mime_params *params, struct bytes name)
{
	for (size_t i = 0; i < params->count; i++)
		if (bytes_eq_fold(params->param[i].name, name))
			return params->param[i].value;
	return (struct bytes){NULL, 0};
}
