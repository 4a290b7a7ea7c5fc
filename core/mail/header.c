#include "core/mail/header.h"

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool is_space(uint8_t c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

/* Offset behind the LF of the line that starts at `at`. */
static size_t line_end(struct bytes b, size_t at)
{
	size_t lf = bytes_find(b, at, '\n');

	return lf == b.n ? b.n : lf + 1;
}

static bool is_empty_line(struct bytes line)
{
	return (line.n == 1 && line.p[0] == '\n') ||
	       (line.n == 2 && line.p[0] == '\r' && line.p[1] == '\n');
}

/* ftext = %d33-57 / %d59-126; 8-bit is let through. Blanks may stand before the colon (obsolete).
 */
static size_t name_bytes(struct bytes line, size_t *colon)
{
	size_t n = 0;

	while (n < line.n && line.p[n] > ' ' && line.p[n] != ':' && line.p[n] != 0x7f)
		n++;
	*colon = n;
	while (*colon < line.n && is_blank(line.p[*colon]))
		(*colon)++;
	if (*colon == line.n || line.p[*colon] != ':')
		return 0;
	return n;
}

bool header_next(struct bytes *rest, struct header_field *field)
{
	struct bytes b = *rest;

	if (b.n == 0)
		return false;
	size_t end = line_end(b, 0);

	if (is_empty_line(bytes_slice(b, 0, end)))
		return false;
	while (end < b.n && is_blank(b.p[end]))
		end = line_end(b, end);

	size_t colon;
	size_t value_end = end;

	field->whole = bytes_slice(b, 0, end);
	field->name = bytes_slice(b, 0, name_bytes(field->whole, &colon));
	if (value_end > 0 && b.p[value_end - 1] == '\n')
		value_end--;
	if (value_end > 0 && b.p[value_end - 1] == '\r')
		value_end--;
	size_t value_from = field->name.n != 0 ? colon + 1 : 0;

	field->value = bytes_slice(b, value_from, value_end);
	*rest = bytes_from(b, end);
	return true;
}

bool header_is(const struct header_field *field, struct bytes name)
{
	return bytes_eq_fold(field->name, name);
}

struct bytes header_find(struct bytes block, struct bytes name)
{
	struct header_field field;

	while (header_next(&block, &field))
		if (header_is(&field, name))
			return field.value;
	return (struct bytes){NULL, 0};
}

void header_unfold(struct text *text, struct bytes value)
{
	while (value.n != 0 && is_space(value.p[0]))
		value = bytes_from(value, 1);
	while (value.n != 0 && is_space(value.p[value.n - 1]))
		value.n--;
	if (!text_reserve(text, value.n))
		return;
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] != '\r' && value.p[i] != '\n')
			text->p[text->n++] = value.p[i];
}

struct bytes header_unfolded(struct arena *arena, struct bytes value)
{
	struct text text;

	text_init(&text, arena);
	if (!text_reserve(&text, value.n + 1))
		return (struct bytes){NULL, 0};
	header_unfold(&text, value);
	return text_bytes(&text);
}
