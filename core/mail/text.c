#include "core/mail/text.h"

#include "io/base/num.h"

enum { TEXT_ROOM_FIRST = 64 };

void text_init(struct text *text, struct arena *arena)
{
	*text = (struct text){.arena = arena};
}

bool text_reserve(struct text *text, size_t n)
{
	if (text->full)
		return false;
	if (n <= text->room - text->n)
		return true;

	size_t room = text->room == 0 ? TEXT_ROOM_FIRST : text->room * 2;

	if (room < text->n + n)
		room = text->n + n;
	uint8_t *p = arena_grow(text->arena, text->p, text->room, room);

	if (p == NULL) {
		text->full = true;
		return false;
	}
	text->p = p;
	text->room = room;
	return true;
}

void text_put(struct text *text, struct bytes b)
{
	if (b.n == 0 || !text_reserve(text, b.n))
		return;
	memcpy(text->p + text->n, b.p, b.n);
	text->n += b.n;
}

void text_put_byte(struct text *text, uint8_t c)
{
	if (text_reserve(text, 1))
		text->p[text->n++] = c;
}

void text_put_str(struct text *text, const char *literal)
{
	text_put(text, bytes_of_str(literal));
}

void text_put_number(struct text *text, uint64_t n)
{
	uint8_t digits[20];

	text_put(text, bytes_of(digits, num_to_dec(n, digits)));
}

static void put_literal(struct text *text, struct bytes b)
{
	text_put_byte(text, '{');
	text_put_number(text, b.n);
	text_put_str(text, "}\r\n");
	if (!text_reserve(text, b.n))
		return;
	for (size_t i = 0; i < b.n; i++)
		text->p[text->n + i] = b.p[i] == 0 ? 0x80 : b.p[i];
	text->n += b.n;
}

void text_put_string(struct text *text, struct bytes b)
{
	size_t escapes = 0;

	for (size_t i = 0; i < b.n; i++) {
		uint8_t c = b.p[i];

		if (c == 0 || c == '\r' || c == '\n' || c >= 0x80) {
			put_literal(text, b);
			return;
		}
		escapes += c == '"' || c == '\\';
	}
	if (!text_reserve(text, b.n + escapes + 2))
		return;
	uint8_t *at = text->p + text->n;

	*at++ = '"';
	for (size_t i = 0; i < b.n; i++) {
		if (b.p[i] == '"' || b.p[i] == '\\')
			*at++ = '\\';
		*at++ = b.p[i];
	}
	*at++ = '"';
	text->n = (size_t)(at - text->p);
}

void text_put_nstring(struct text *text, struct bytes b)
{
	if (b.p == NULL)
		text_put_str(text, "NIL");
	else
		text_put_string(text, b);
}
