#include "core/imap/utf8.h"

/* By the first byte: how many follow, and the least character that needs so many. */
static unsigned following(uint8_t first, uint32_t *value, uint32_t *least)
{
	if (first >= 0xc2 && first <= 0xdf) {
		*value = first & 0x1f;
		*least = 0x80;
		return 1;
	}
	if ((first & 0xf0) == 0xe0) {
		*value = first & 0x0f;
		*least = 0x800;
		return 2;
	}
	if (first >= 0xf0 && first <= 0xf4) {
		*value = first & 0x07;
		*least = 0x10000;
		return 3;
	}
	return 0;
}

uint32_t utf8_next(struct bytes b, size_t *at)
{
	RP_ASSERT(*at < b.n);
	uint8_t first = b.p[*at];
	uint32_t c;
	uint32_t least;

	if (first < 0x80) {
		(*at)++;
		return first;
	}
	unsigned more = following(first, &c, &least);

	if (more == 0 || b.n - *at <= more)
		return UTF8_BAD;
	for (unsigned i = 1; i <= more; i++) {
		uint8_t next = b.p[*at + i];

		if ((next & 0xc0) != 0x80)
			return UTF8_BAD;
		c = c << 6 | (next & 0x3f);
	}
	if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return UTF8_BAD;
	*at += 1 + more;
	return c;
}

size_t utf8_put(uint8_t *p, uint32_t c)
{
	RP_ASSERT(c <= 0x10ffff && (c < 0xd800 || c > 0xdfff));
	if (c < 0x80) {
		p[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = (uint8_t)(0xc0 | c >> 6);
		p[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		p[0] = (uint8_t)(0xe0 | c >> 12);
		p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		p[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	p[0] = (uint8_t)(0xf0 | c >> 18);
	p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	p[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

bool utf8_valid(struct bytes b)
{
	size_t at = 0;

	while (at < b.n) {
		/* Most text is ASCII: eight bytes at a time. */
		uint64_t eight;

		if (b.n - at >= sizeof(eight)) {
			memcpy(&eight, b.p + at, sizeof(eight));
			if ((eight & UINT64_C(0x8080808080808080)) == 0) {
				at += sizeof(eight);
				continue;
			}
		}
		if (utf8_next(b, &at) == UTF8_BAD)
			return false;
	}
	return true;
}
