#include "tests/support/mail/mail_check.h"

#include <stdio.h>

#include "core/mail/text.h"

static const char *check_fields(const struct mime_fields *fields)
{
	if (fields == NULL || fields->type.n == 0 || fields->subtype.n == 0 ||
	    fields->encoding.n == 0)
		return "a field that is never empty is";
	for (size_t i = 0; i < fields->params.count; i++)
		if (fields->params.param[i].value.p == NULL || fields->params.param[i].name.n == 0)
			return "a parameter without name or value";
	return NULL;
}

static const char *check_children(const struct mime *mime, int32_t index)
{
	const struct mime_part *part = &mime->part[index];
	uint64_t at = part->body_offset;
	int32_t count = 0;

	if ((part->kind == MIME_LEAF) != (part->child == MIME_NONE))
		return "a leaf with a child, or a container without";
	for (int32_t i = part->child; i != MIME_NONE; i = mime->part[i].next, count++) {
		const struct mime_part *child = &mime->part[i];

		if (i <= index || i >= mime->count || count > mime->count)
			return "a link that leads nowhere";
		if (child->parent != index || child->depth != part->depth + 1)
			return "a child that does not know its parent";
		if (child->header_offset < at || child->end > part->end)
			return "a child outside its parent, or over its brother";
		if (child->lines > part->lines)
			return "a child with more lines than its parent";
		at = child->end;
	}
	if (part->kind == MIME_MESSAGE && count != 1)
		return "a message part holds one message";
	return NULL;
}

const char *mail_check_tree(const struct mime *mime)
{
	const char *wrong = NULL;

	if (mime->count < 1 || mime->count > MIME_PARTS_MAX)
		return "too many parts";
	if (mime->part[0].header_offset != 0 || mime->part[0].end != mime->bytes)
		return "the message is not the whole of it";
	for (int32_t i = 0; i < mime->count && wrong == NULL; i++) {
		const struct mime_part *part = &mime->part[i];

		if (part->header_offset > part->body_offset || part->body_offset > part->end)
			return "offsets out of order";
		if (part->depth > MIME_DEPTH_MAX)
			return "too deep";
		if (part->lines > part->end - part->body_offset)
			return "more lines than bytes";
		wrong = check_fields(part->fields);
		if (wrong == NULL)
			wrong = check_children(mime, i);
	}
	return wrong;
}

/* ---- the strict grammar ---- */

struct reader {
	const uint8_t *p;
	const uint8_t *end;
	const char *wrong;
};

static bool fail(struct reader *r, const char *wrong)
{
	if (r->wrong == NULL)
		r->wrong = wrong;
	r->p = r->end;
	return false;
}

static bool peek(const struct reader *r, char c)
{
	return r->p < r->end && *r->p == (uint8_t)c;
}

static bool eat(struct reader *r, char c)
{
	if (!peek(r, c))
		return fail(r, "an expected character is missing");
	r->p++;
	return true;
}

static bool eat_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return false;
	r->p += n;
	return true;
}

static uint64_t number(struct reader *r)
{
	uint64_t n = 0;
	size_t digits = 0;

	for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++, digits++)
		n = n * 10 + (uint64_t)(*r->p - '0');
	if (digits == 0 || digits > 19)
		fail(r, "not a number");
	return n;
}

/* string; what it is goes to out (quoted: as written). */
static bool string(struct reader *r, struct bytes *out)
{
	if (peek(r, '{')) {
		r->p++;
		uint64_t n = number(r);

		if (!eat_word(r, "}\r\n") || n > (uint64_t)(r->end - r->p))
			return fail(r, "a literal without its bytes");
		if (memchr(r->p, 0, n) != NULL)
			return fail(r, "a NUL in a literal");
		*out = bytes_of(r->p, n);
		r->p += n;
		return true;
	}
	if (!eat(r, '"'))
		return false;
	const uint8_t *from = r->p;

	while (r->p < r->end && *r->p != '"') {
		if (*r->p == 0 || *r->p == '\r' || *r->p == '\n' || *r->p >= 0x80)
			return fail(r, "a byte that may not stand in quotes");
		if (*r->p == '\\') {
			r->p++;
			if (!peek(r, '"') && !peek(r, '\\'))
				return fail(r, "an escape of nothing");
		}
		r->p++;
	}
	*out = bytes_of(from, (size_t)(r->p - from));
	return eat(r, '"');
}

static bool nstring(struct reader *r)
{
	struct bytes out;

	return eat_word(r, "NIL") || string(r, &out);
}

static bool address(struct reader *r)
{
	return eat(r, '(') && nstring(r) && eat(r, ' ') && nstring(r) && eat(r, ' ') &&
	       nstring(r) && eat(r, ' ') && nstring(r) && eat(r, ')');
}

static bool address_list(struct reader *r)
{
	if (eat_word(r, "NIL"))
		return true;
	if (!eat(r, '(') || !address(r))
		return false;
	while (peek(r, '('))
		if (!address(r))
			return false;
	return eat(r, ')');
}

static bool envelope(struct reader *r)
{
	if (!eat(r, '(') || !nstring(r) || !eat(r, ' ') || !nstring(r))
		return false;
	for (int i = 0; i < 6; i++)
		if (!eat(r, ' ') || !address_list(r))
			return false;
	return eat(r, ' ') && nstring(r) && eat(r, ' ') && nstring(r) && eat(r, ')');
}

static bool params(struct reader *r)
{
	struct bytes out;

	if (eat_word(r, "NIL"))
		return true;
	if (!eat(r, '('))
		return false;
	for (;;) {
		if (!string(r, &out) || !eat(r, ' ') || !string(r, &out))
			return false;
		if (peek(r, ')'))
			return eat(r, ')');
		if (!eat(r, ' '))
			return false;
	}
}

/* [dsp SP lang SP loc], all given. */
static bool extension(struct reader *r)
{
	struct bytes out;

	if (!eat_word(r, "NIL") &&
	    !(eat(r, '(') && string(r, &out) && eat(r, ' ') && params(r) && eat(r, ')')))
		return false;
	if (!eat(r, ' '))
		return false;
	if (peek(r, '(')) {
		do
			r->p++;
		while (string(r, &out) && peek(r, ' '));
		if (!eat(r, ')'))
			return false;
	} else if (!nstring(r)) {
		return false;
	}
	return eat(r, ' ') && nstring(r);
}

static bool body(struct reader *r, bool extended, int depth);

static bool multipart(struct reader *r, bool extended, int depth)
{
	struct bytes subtype;

	while (peek(r, '('))
		if (!body(r, extended, depth + 1))
			return false;
	if (!eat(r, ' ') || !string(r, &subtype))
		return false;
	if (extended && !(eat(r, ' ') && params(r) && eat(r, ' ') && extension(r)))
		return false;
	return eat(r, ')');
}

static bool body(struct reader *r, bool extended, int depth)
{
	struct bytes type;
	struct bytes subtype;
	struct bytes encoding;

	if (depth > MIME_DEPTH_MAX)
		return fail(r, "too deep");
	if (!eat(r, '('))
		return false;
	if (peek(r, '('))
		return multipart(r, extended, depth);
	if (!string(r, &type) || !eat(r, ' ') || !string(r, &subtype) || !eat(r, ' ') ||
	    !params(r) || !eat(r, ' ') || !nstring(r) || !eat(r, ' ') || !nstring(r) ||
	    !eat(r, ' ') || !string(r, &encoding) || !eat(r, ' '))
		return false;
	number(r);
	if (bytes_eq_fold(type, BYTES_LIT("message")) &&
	    (bytes_eq_fold(subtype, BYTES_LIT("rfc822")) ||
	        bytes_eq_fold(subtype, BYTES_LIT("global")))) {
		if (!eat(r, ' ') || !envelope(r) || !eat(r, ' ') || !body(r, extended, depth + 1) ||
		    !eat(r, ' '))
			return false;
		number(r);
	} else if (bytes_eq_fold(type, BYTES_LIT("text"))) {
		if (!eat(r, ' '))
			return false;
		number(r);
	}
	if (extended && !(eat(r, ' ') && nstring(r) && eat(r, ' ') && extension(r)))
		return false;
	return eat(r, ')');
}

static const char *verdict(struct reader *r)
{
	if (r->wrong == NULL && r->p != r->end)
		return "something stands behind it";
	return r->wrong;
}

const char *mail_check_envelope(struct bytes text)
{
	struct reader r = {text.p, text.p + text.n, NULL};

	if (!envelope(&r) && r.wrong == NULL)
		return "not an envelope";
	return verdict(&r);
}

const char *mail_check_body(struct bytes text, bool extended)
{
	struct reader r = {text.p, text.p + text.n, NULL};

	if (!body(&r, extended, 1) && r.wrong == NULL)
		return "not a body";
	return verdict(&r);
}

/* ---- outline ---- */

struct bytes mail_check_outline(struct arena *arena, const struct mime *mime)
{
	struct text out;
	int32_t index = 0;

	text_init(&out, arena);
	while (index != MIME_NONE) {
		const struct mime_part *part = &mime->part[index];

		text_put(&out, part->fields->type);
		text_put_byte(&out, '/');
		text_put(&out, part->fields->subtype);
		if (part->child != MIME_NONE) {
			text_put_byte(&out, '(');
			index = part->child;
			continue;
		}
		while (index != MIME_NONE && mime->part[index].next == MIME_NONE) {
			index = mime->part[index].parent;
			if (index != MIME_NONE)
				text_put_byte(&out, ')');
		}
		if (index == MIME_NONE)
			break;
		text_put_byte(&out, ',');
		index = mime->part[index].next;
	}
	for (size_t i = 0; i < out.n; i++)
		out.p[i] = bytes_lower(out.p[i]);
	return text_bytes(&out);
}
