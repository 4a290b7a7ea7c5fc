#include "core/imap/mailbox_name.h"

#include "core/imap/utf8.h"

enum {
	INBOX_BYTES = 5,
	SURROGATE_HIGH = 0xd800, /* .. 0xdbff, then 0xdc00 .. 0xdfff: 10 bits each above 0x10000 */
	SURROGATE_LOW = 0xdc00,
	SURROGATES_END = 0xe000,
	UTF7_GROWTH_MAX =
	    6, /* UTF-8 to UTF-7: "&AOk-" for two bytes; "&AAE-" for one at worst, and some */
};

/* Modified BASE64 has ',' where BASE64 has '/'. */
static const char utf7_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int utf7_value(uint8_t c)
{
	const char *at = c == '\0' ? NULL : strchr(utf7_digits, c);

	return at != NULL ? (int)(at - utf7_digits) : -1;
}

/* May stand for itself in modified UTF-7; '&' does so as "&-". */
static bool is_direct(uint32_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

bool mailbox_name_under_inbox(struct bytes name)
{
	return bytes_starts_with_fold(name, BYTES_LIT("INBOX")) &&
	       (name.n == INBOX_BYTES || name.p[INBOX_BYTES] == MAILBOX_NAME_DELIMITER);
}

/* One run of UTF-16 code units, joined to characters. */
struct utf16 {
	uint32_t high; /* a high surrogate that waits for its low one; 0: none */
};

/* Take one unit. False: ill-formed. *n bytes were added at p. */
static bool take_unit(struct utf16 *utf16, uint32_t unit, uint8_t *p, size_t *n)
{
	uint32_t c = unit;

	if (utf16->high != 0) {
		if (unit < SURROGATE_LOW || unit >= SURROGATES_END)
			return false;
		c = 0x10000 + ((utf16->high - SURROGATE_HIGH) << 10) + (unit - SURROGATE_LOW);
		utf16->high = 0;
	} else if (unit >= SURROGATE_LOW && unit < SURROGATES_END) {
		return false;
	} else if (unit >= SURROGATE_HIGH && unit < SURROGATE_LOW) {
		utf16->high = unit;
		return true;
	}
	if (is_direct(c))
		return false; /* it had to stand for itself: one name has one form only */
	*n += utf8_put(p + *n, c);
	return true;
}

/* The digits between "&" and "-", not empty, to UTF-8. False: ill-formed. */
static bool decode_shifted(struct bytes digits, uint8_t *p, size_t *n)
{
	struct utf16 utf16 = { 0 };
	uint32_t bits = 0;
	unsigned bits_count = 0;

	for (size_t i = 0; i < digits.n; i++) {
		int value = utf7_value(digits.p[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		bits_count += 6;
		if (bits_count < 16)
			continue;
		bits_count -= 16;
		if (!take_unit(&utf16, bits >> bits_count & 0xffff, p, n))
			return false;
		bits &= (1u << bits_count) - 1;
	}
	/* What is left over is filling: less than a digit, and zero. */
	return utf16.high == 0 && bits_count < 6 && bits == 0;
}

/* Eight digits are three units, and a unit is three bytes of UTF-8 at most. */
static size_t decoded_bytes_max(size_t wire_bytes)
{
	return wire_bytes + wire_bytes / 8 + UTF8_BYTES_MAX;
}

/* p has room for decoded_bytes_max() bytes. */
static bool decode_utf7(struct bytes wire, uint8_t *p, size_t *n)
{
	size_t after_shift = SIZE_MAX;

	for (size_t at = 0; at < wire.n; at++) {
		if (!is_direct(wire.p[at]))
			return false;
		if (wire.p[at] != '&') {
			p[(*n)++] = wire.p[at];
			continue;
		}
		size_t end = bytes_find(wire, at, '-');

		if (end == wire.n)
			return false;
		if (end == at + 1) {
			p[(*n)++] = '&';
		} else {
			/* Two shifts in a row would be one. */
			if (at == after_shift ||
			    !decode_shifted(bytes_slice(wire, at + 1, end), p, n))
				return false;
			after_shift = end + 1;
		}
		at = end;
	}
	return true;
}

enum rp_err mailbox_name_to_utf8(
    struct bytes wire, struct arena *arena, bool utf8, struct bytes *out)
{
	size_t n = 0;

	if (utf8) {
		if (!utf8_valid(wire))
			return RP_ERR_CANNOT;
		*out = wire;
		return RP_OK;
	}
	uint8_t *p = arena_alloc(arena, decoded_bytes_max(wire.n));

	if (p == NULL)
		return RP_ERR_LIMIT;
	if (!decode_utf7(wire, p, &n))
		return RP_ERR_CANNOT;
	*out = bytes_of(p, n);
	return RP_OK;
}

/* C0, DEL and C1; the line and paragraph separators, which are line ends by another name. */
static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029;
}

enum rp_err mailbox_name_check(struct bytes name)
{
	size_t level = 0; /* where the current one starts */
	unsigned depth = 1;

	if (name.n == 0 || name.n > MAILBOX_NAME_BYTES_MAX)
		return RP_ERR_CANNOT;
	if (mailbox_name_under_inbox(name) && !bytes_starts_with(name, BYTES_LIT("INBOX")))
		return RP_ERR_CANNOT;
	for (size_t at = 0; at < name.n;) {
		uint32_t c = utf8_next(name, &at);

		if (c == UTF8_BAD || is_control(c))
			return RP_ERR_CANNOT;
		if (c != MAILBOX_NAME_DELIMITER) {
			if (at - level > MAILBOX_NAME_LEVEL_BYTES_MAX)
				return RP_ERR_CANNOT;
			continue;
		}
		if (at - 1 == level || ++depth > MAILBOX_NAME_DEPTH_MAX)
			return RP_ERR_CANNOT;
		level = at;
	}
	return level == name.n ? RP_ERR_CANNOT : RP_OK;
}

enum rp_err mailbox_name_decode(
    struct bytes wire, struct arena *arena, bool utf8, struct bytes *out)
{
	struct bytes name;
	/* No name is longer on the wire than its characters all shifted one by one. */
	enum rp_err err = wire.n > UTF7_GROWTH_MAX * MAILBOX_NAME_BYTES_MAX
	                      ? RP_ERR_CANNOT
	                      : mailbox_name_to_utf8(wire, arena, utf8, &name);

	if (err != RP_OK)
		return err;
	if (name.n > 1 && name.p[name.n - 1] == MAILBOX_NAME_DELIMITER)
		name.n--;
	if (mailbox_name_under_inbox(name) && !bytes_starts_with(name, BYTES_LIT("INBOX"))) {
		uint8_t *p = arena_alloc(arena, name.n);

		if (p == NULL)
			return RP_ERR_LIMIT;
		memcpy(p, name.p, name.n);
		memcpy(p, "INBOX", INBOX_BYTES);
		name.p = p;
	}
	err = mailbox_name_check(name);
	if (err == RP_OK)
		*out = name;
	return err;
}

enum rp_err mailbox_name_parse(struct lex *lex, struct arena *arena, bool utf8, struct bytes *out)
{
	struct lex ahead = *lex;
	struct bytes wire;
	enum rp_err err = lex_astring(&ahead, arena, &wire);

	if (err == RP_OK)
		err = mailbox_name_decode(wire, arena, utf8, out);
	if (err == RP_OK)
		*lex = ahead;
	return err;
}

/* The other way: bits that are not a whole digit yet. */
struct shift {
	bool open; /* an "&" has been written, its "-" not yet */
	uint32_t bits;
	unsigned bits_count;
};

static size_t shift_unit(struct shift *shift, uint32_t unit, uint8_t *p)
{
	size_t n = 0;

	if (!shift->open)
		p[n++] = '&';
	shift->open = true;
	shift->bits = shift->bits << 16 | unit;
	shift->bits_count += 16;
	while (shift->bits_count >= 6) {
		shift->bits_count -= 6;
		p[n++] = (uint8_t)utf7_digits[shift->bits >> shift->bits_count & 63];
	}
	shift->bits &= (1u << shift->bits_count) - 1;
	return n;
}

static size_t shift_end(struct shift *shift, uint8_t *p)
{
	size_t n = 0;

	if (!shift->open)
		return 0;
	if (shift->bits_count > 0)
		p[n++] = (uint8_t)utf7_digits[shift->bits << (6 - shift->bits_count) & 63];
	p[n++] = '-';
	*shift = (struct shift){ 0 };
	return n;
}

static size_t put_utf7(struct shift *shift, uint32_t c, uint8_t *p)
{
	size_t n = 0;

	if (is_direct(c)) {
		n = shift_end(shift, p);
		p[n++] = (uint8_t)c;
		if (c == '&')
			p[n++] = '-';
		return n;
	}
	if (c < 0x10000)
		return shift_unit(shift, c, p);
	c -= 0x10000;
	n = shift_unit(shift, SURROGATE_HIGH + (c >> 10), p);
	return n + shift_unit(shift, SURROGATE_LOW + (c & 0x3ff), p + n);
}

enum rp_err mailbox_name_to_utf7(struct bytes name, struct arena *arena, struct bytes *out)
{
	struct shift shift = { 0 };
	size_t n = 0;
	uint8_t *p = arena_alloc(arena, UTF7_GROWTH_MAX * name.n + 2);

	if (p == NULL)
		return RP_ERR_LIMIT;
	for (size_t at = 0; at < name.n;) {
		uint32_t c = utf8_next(name, &at);

		if (c == UTF8_BAD)
			return RP_ERR_CANNOT;
		n += put_utf7(&shift, c, p + n);
	}
	n += shift_end(&shift, p + n);
	*out = bytes_of(p, n);
	return RP_OK;
}

/* Does it need another form on the wire than it has? */
static bool is_plain(struct bytes name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (!is_direct(name.p[i]) || name.p[i] == '&')
			return false;
	}
	return true;
}

void mailbox_name_write(struct resp *resp, struct bytes name)
{
	uint8_t wire[UTF7_GROWTH_MAX * MAILBOX_NAME_BYTES_MAX + 2];
	struct shift shift = { 0 };
	size_t n = 0;

	RP_ASSERT(name.n <= MAILBOX_NAME_BYTES_MAX);
	if (resp->utf8 || is_plain(name)) {
		resp_astring(resp, name);
		return;
	}
	for (size_t at = 0; at < name.n;) {
		uint32_t c = utf8_next(name, &at);

		if (c == UTF8_BAD) {
			c = 0xfffd;
			at++;
		}
		n += put_utf7(&shift, c, wire + n);
	}
	n += shift_end(&shift, wire + n);
	resp_astring(resp, bytes_of(wire, n));
}
