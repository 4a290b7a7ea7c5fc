#include "io/base/userid.h"

#include <xxhash.h>

static const char hex[] = "0123456789abcdef";

uint16_t userid_slot(const struct userid *id)
{
	return (uint16_t)(XXH3_64bits(id->b, USERID_BYTES) & (USERID_SLOTS - 1));
}

void userid_format(const struct userid *id, char text[USERID_TEXT_BYTES + 1])
{
	for (size_t i = 0; i < USERID_BYTES; i++) {
		text[2 * i] = hex[id->b[i] >> 4];
		text[2 * i + 1] = hex[id->b[i] & 15];
	}
	text[USERID_TEXT_BYTES] = '\0';
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = bytes_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool userid_parse(struct bytes text, struct userid *id)
{
	struct userid read;

	if (text.n != USERID_TEXT_BYTES)
		return false;
	for (size_t i = 0; i < USERID_BYTES; i++) {
		int high = hex_value(text.p[2 * i]);
		int low = hex_value(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		read.b[i] = (uint8_t)(high << 4 | low);
	}
	*id = read;
	return true;
}

size_t userid_path(const struct userid *id, char path[USERID_PATH_BYTES])
{
	uint16_t slot = userid_slot(id);
	size_t n = 0;

	memcpy(path, "users/", 6);
	n = 6;
	for (int shift = 12; shift >= 0; shift -= 4)
		path[n++] = hex[(slot >> shift) & 15];
	path[n++] = '/';
	userid_format(id, path + n);
	return n + USERID_TEXT_BYTES;
}
