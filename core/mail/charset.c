#include "core/mail/charset.h"

#include <errno.h>
#include <stdlib.h>

#define NO_ICONV ((iconv_t)-1)

enum {
	REPLACEMENT = 0xfffd,
	BYTE_ORDER_MARK = 0xfeff,
};

/* No character at all: a byte order mark. */
#define NOTHING UINT32_MAX

/* What iconv calls them; the Windows forms contain the plain ones. */
static const char *const iconv_names[CHARSET_COUNT] = {
    [CHARSET_UTF8] = "UTF-8",
    [CHARSET_UTF16] = "UTF-16",
    [CHARSET_UTF16BE] = "UTF-16BE",
    [CHARSET_UTF16LE] = "UTF-16LE",
    [CHARSET_ISO_8859_2] = "ISO-8859-2",
    [CHARSET_ISO_8859_3] = "ISO-8859-3",
    [CHARSET_ISO_8859_4] = "ISO-8859-4",
    [CHARSET_ISO_8859_5] = "ISO-8859-5",
    [CHARSET_ISO_8859_6] = "ISO-8859-6",
    [CHARSET_ISO_8859_7] = "ISO-8859-7",
    [CHARSET_ISO_8859_8] = "ISO-8859-8",
    [CHARSET_ISO_8859_9] = "ISO-8859-9",
    [CHARSET_ISO_8859_10] = "ISO-8859-10",
    [CHARSET_ISO_8859_13] = "ISO-8859-13",
    [CHARSET_ISO_8859_14] = "ISO-8859-14",
    [CHARSET_ISO_8859_15] = "ISO-8859-15",
    [CHARSET_ISO_8859_16] = "ISO-8859-16",
    [CHARSET_WINDOWS_874] = "CP874",
    [CHARSET_WINDOWS_1250] = "CP1250",
    [CHARSET_WINDOWS_1251] = "CP1251",
    [CHARSET_WINDOWS_1252] = "CP1252",
    [CHARSET_WINDOWS_1253] = "CP1253",
    [CHARSET_WINDOWS_1254] = "CP1254",
    [CHARSET_WINDOWS_1255] = "CP1255",
    [CHARSET_WINDOWS_1256] = "CP1256",
    [CHARSET_WINDOWS_1257] = "CP1257",
    [CHARSET_WINDOWS_1258] = "CP1258",
    [CHARSET_KOI8_R] = "KOI8-R",
    [CHARSET_KOI8_U] = "KOI8-U",
    [CHARSET_MACINTOSH] = "MACINTOSH",
    [CHARSET_IBM437] = "IBM437",
    [CHARSET_IBM850] = "IBM850",
    [CHARSET_IBM852] = "IBM852",
    [CHARSET_IBM866] = "IBM866",
    [CHARSET_GB18030] = "GB18030",
    [CHARSET_BIG5] = "CP950",
    [CHARSET_EUC_KR] = "CP949",
    [CHARSET_SHIFT_JIS] = "CP932",
    [CHARSET_EUC_JP] = "EUC-JP-MS",
    [CHARSET_ISO_2022_JP] = "ISO-2022-JP-2",
    [CHARSET_ISO_2022_KR] = "ISO-2022-KR",
    [CHARSET_UTF7] = "UTF-7",
};

struct charset_alias {
	const char *name;
	enum charset charset;
};

/* Sorted, lower-case: charset_find halves. charset_init asserts the order. */
static const struct charset_alias aliases[] = {
    {"ansi_x3.4-1968", CHARSET_UTF8},
    {"ascii", CHARSET_UTF8},
    {"big5", CHARSET_BIG5},
    {"big5-hkscs", CHARSET_BIG5},
    {"cn-gb", CHARSET_GB18030},
    {"cp1250", CHARSET_WINDOWS_1250},
    {"cp1251", CHARSET_WINDOWS_1251},
    {"cp1252", CHARSET_WINDOWS_1252},
    {"cp1253", CHARSET_WINDOWS_1253},
    {"cp1254", CHARSET_WINDOWS_1254},
    {"cp1255", CHARSET_WINDOWS_1255},
    {"cp1256", CHARSET_WINDOWS_1256},
    {"cp1257", CHARSET_WINDOWS_1257},
    {"cp1258", CHARSET_WINDOWS_1258},
    {"cp437", CHARSET_IBM437},
    {"cp850", CHARSET_IBM850},
    {"cp852", CHARSET_IBM852},
    {"cp866", CHARSET_IBM866},
    {"cp874", CHARSET_WINDOWS_874},
    {"cp932", CHARSET_SHIFT_JIS},
    {"cp936", CHARSET_GB18030},
    {"cp949", CHARSET_EUC_KR},
    {"cp950", CHARSET_BIG5},
    {"default", CHARSET_UTF8},
    {"euc-cn", CHARSET_GB18030},
    {"euc-jp", CHARSET_EUC_JP},
    {"euc-jp-ms", CHARSET_EUC_JP},
    {"euc-kr", CHARSET_EUC_KR},
    {"gb18030", CHARSET_GB18030},
    {"gb2312", CHARSET_GB18030},
    {"gb_2312-80", CHARSET_GB18030},
    {"gbk", CHARSET_GB18030},
    {"ibm437", CHARSET_IBM437},
    {"ibm850", CHARSET_IBM850},
    {"ibm852", CHARSET_IBM852},
    {"ibm866", CHARSET_IBM866},
    {"iso-2022-jp", CHARSET_ISO_2022_JP},
    {"iso-2022-jp-2", CHARSET_ISO_2022_JP},
    {"iso-2022-kr", CHARSET_ISO_2022_KR},
    {"iso-8859-1", CHARSET_WINDOWS_1252},
    {"iso-8859-10", CHARSET_ISO_8859_10},
    {"iso-8859-11", CHARSET_WINDOWS_874},
    {"iso-8859-13", CHARSET_ISO_8859_13},
    {"iso-8859-14", CHARSET_ISO_8859_14},
    {"iso-8859-15", CHARSET_ISO_8859_15},
    {"iso-8859-16", CHARSET_ISO_8859_16},
    {"iso-8859-2", CHARSET_ISO_8859_2},
    {"iso-8859-3", CHARSET_ISO_8859_3},
    {"iso-8859-4", CHARSET_ISO_8859_4},
    {"iso-8859-5", CHARSET_ISO_8859_5},
    {"iso-8859-6", CHARSET_ISO_8859_6},
    {"iso-8859-7", CHARSET_ISO_8859_7},
    {"iso-8859-8", CHARSET_ISO_8859_8},
    {"iso-8859-8-i", CHARSET_ISO_8859_8},
    {"iso-8859-9", CHARSET_ISO_8859_9},
    {"iso-ir-100", CHARSET_WINDOWS_1252},
    {"iso8859-1", CHARSET_WINDOWS_1252},
    {"iso8859-15", CHARSET_ISO_8859_15},
    {"iso8859-2", CHARSET_ISO_8859_2},
    {"iso_8859-1", CHARSET_WINDOWS_1252},
    {"koi8-r", CHARSET_KOI8_R},
    {"koi8-u", CHARSET_KOI8_U},
    {"ks_c_5601-1987", CHARSET_EUC_KR},
    {"ks_c_5601-1989", CHARSET_EUC_KR},
    {"ksc5601", CHARSET_EUC_KR},
    {"latin1", CHARSET_WINDOWS_1252},
    {"latin2", CHARSET_ISO_8859_2},
    {"mac", CHARSET_MACINTOSH},
    {"macintosh", CHARSET_MACINTOSH},
    {"ms_kanji", CHARSET_SHIFT_JIS},
    {"shift-jis", CHARSET_SHIFT_JIS},
    {"shift_jis", CHARSET_SHIFT_JIS},
    {"sjis", CHARSET_SHIFT_JIS},
    {"tis-620", CHARSET_WINDOWS_874},
    {"unicode-1-1-utf-7", CHARSET_UTF7},
    {"unicode-1-1-utf-8", CHARSET_UTF8},
    {"us-ascii", CHARSET_UTF8},
    {"utf-16", CHARSET_UTF16},
    {"utf-16be", CHARSET_UTF16BE},
    {"utf-16le", CHARSET_UTF16LE},
    {"utf-7", CHARSET_UTF7},
    {"utf-8", CHARSET_UTF8},
    {"utf8", CHARSET_UTF8},
    {"windows-1250", CHARSET_WINDOWS_1250},
    {"windows-1251", CHARSET_WINDOWS_1251},
    {"windows-1252", CHARSET_WINDOWS_1252},
    {"windows-1253", CHARSET_WINDOWS_1253},
    {"windows-1254", CHARSET_WINDOWS_1254},
    {"windows-1255", CHARSET_WINDOWS_1255},
    {"windows-1256", CHARSET_WINDOWS_1256},
    {"windows-1257", CHARSET_WINDOWS_1257},
    {"windows-1258", CHARSET_WINDOWS_1258},
    {"windows-31j", CHARSET_SHIFT_JIS},
    {"windows-874", CHARSET_WINDOWS_874},
    {"windows-949", CHARSET_EUC_KR},
    {"x-gbk", CHARSET_GB18030},
    {"x-sjis", CHARSET_SHIFT_JIS},
    {"x-windows-949", CHARSET_EUC_KR},
};

static int compare_alias(const void *key, const void *row)
{
	return bytes_cmp_fold(
	    *(const struct bytes *)key, bytes_of_str(((const struct charset_alias *)row)->name));
}

enum charset charset_find(struct bytes name)
{
	const struct charset_alias *row = bsearch(&name, aliases,
	    sizeof(aliases) / sizeof(aliases[0]), sizeof(aliases[0]), compare_alias);

	return row != NULL ? row->charset : CHARSET_UNKNOWN;
}

const char *charset_name(enum charset charset)
{
	RP_ASSERT(charset < CHARSET_COUNT);
	return iconv_names[charset];
}

/* ---- UTF-8 ---- */

static size_t put_char(uint32_t c, uint8_t *out)
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/* What begins at p: its whole length as the first byte has it (0: cannot begin a character), and
 * how many of its bytes are there and right. Unicode's table 3-7, well-formed byte sequences. */
static size_t utf8_length(const uint8_t *p, size_t n, size_t *good)
{
	uint8_t c = p[0];
	size_t length = c < 0x80   ? 1
	                : c < 0xc2 ? 0
	                : c < 0xe0 ? 2
	                : c < 0xf0 ? 3
	                : c < 0xf5 ? 4
	                           : 0;
	uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	uint8_t high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;

	*good = 1;
	while (*good < length && *good < n && p[*good] >= low && p[*good] <= high) {
		low = 0x80;
		high = 0xbf;
		(*good)++;
	}
	return length;
}

/* ---- characters of a fixed form, one at a time ---- */

/* Take one character from p. Returns bytes used, 0 when it is cut; *c is it, or REPLACEMENT. */
typedef size_t (*take_fn)(struct charset_conv *conv, const uint8_t *p, size_t n, uint32_t *c);

static size_t take_utf8(struct charset_conv *conv, const uint8_t *p, size_t n, uint32_t *c)
{
	size_t good;
	size_t length = utf8_length(p, n, &good);

	(void)conv;
	if (good == length) {
		*c = p[0] & (length == 1 ? 0x7fu : 0x7fu >> length);
		for (size_t i = 1; i < length; i++)
			*c = *c << 6 | (p[i] & 0x3fu);
		return length;
	}
	if (length != 0 && good == n)
		return 0;
	*c = REPLACEMENT;
	return good;
}

static size_t take_utf16(struct charset_conv *conv, const uint8_t *p, size_t n, uint32_t *c)
{
	bool little = conv->charset == CHARSET_UTF16LE;

	if (n < 2)
		return 0;
	uint32_t unit = (uint32_t)(little ? p[1] << 8 | p[0] : p[0] << 8 | p[1]);

	/* A mark at the start says which order it is; without one it is as the name says, else
	 * big-endian (RFC 2781, section 4.3). */
	if (!conv->started && (unit == BYTE_ORDER_MARK || unit == 0xfffe)) {
		if (unit != BYTE_ORDER_MARK)
			conv->charset = little ? CHARSET_UTF16BE : CHARSET_UTF16LE;
		conv->started = true;
		*c = NOTHING;
		return 2;
	}
	conv->started = true;
	if (unit < 0xd800 || unit > 0xdfff) {
		*c = unit;
		return 2;
	}
	*c = REPLACEMENT;
	if (unit > 0xdbff)
		return 2;
	if (n < 4)
		return 0;
	uint32_t low = (uint32_t)(little ? p[3] << 8 | p[2] : p[2] << 8 | p[3]);

	if (low < 0xdc00 || low > 0xdfff)
		return 2;
	*c = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
	return 4;
}

static size_t take_single(struct charset_conv *conv, const uint8_t *p, size_t n, uint32_t *c)
{
	(void)n;
	*c = p[0] < 0x80 ? p[0]
	                 : conv->set->single[conv->charset - CHARSET_SINGLE_FIRST][p[0] - 0x80];
	return 1;
}

/* ---- iconv ---- */

static iconv_t iconv_of(const struct charset_conv *conv)
{
	if (conv->own != NO_ICONV)
		return conv->own;
	return conv->set->iconv[conv->charset - CHARSET_ICONV_FIRST];
}

/* Convert p[0, n); returns bytes used, which is less than n only when the rest is a cut character.
 */
static size_t run_iconv(iconv_t cd, const uint8_t *p, size_t n, uint8_t **out, size_t room)
{
	char *in = (char *)(uintptr_t)p;
	size_t left = n;

	while (left != 0) {
		char *to = (char *)*out;
		size_t to_room = room;
		size_t before = left;
		size_t result = iconv(cd, &in, &left, &to, &to_room);

		room = to_room;
		*out = (uint8_t *)to;
		if (result != (size_t)-1)
			continue;
		if (errno == EINVAL)
			break;
		if (room < 3 || (errno != EILSEQ && before == left))
			break; /* cannot be: the room is for the worst case */
		*out += put_char(REPLACEMENT, *out);
		room -= 3;
		in++;
		left--;
	}
	return n - left;
}

static size_t feed_iconv(struct charset_conv *conv, struct bytes in, uint8_t *out)
{
	iconv_t cd = iconv_of(conv);
	uint8_t *to = out;
	uint8_t *end = out + CHARSET_OUT_BYTES(in.n);
	uint8_t joined[2 * CHARSET_TAIL_MAX];

	while (conv->tail_n != 0 && in.n != 0) {
		size_t more = in.n < CHARSET_TAIL_MAX ? in.n : CHARSET_TAIL_MAX;
		size_t n = conv->tail_n + more;

		memcpy(joined, conv->tail, conv->tail_n);
		memcpy(joined + conv->tail_n, in.p, more);
		size_t used = run_iconv(cd, joined, n, &to, (size_t)(end - to));

		if (used < conv->tail_n &&
		    n < sizeof(conv->tail)) { /* still cut, and nothing more comes */
			memmove(conv->tail, joined + used, n - used);
			conv->tail_n = (uint8_t)(n - used);
			return (size_t)(to - out);
		}
		if (used < conv->tail_n) { /* 8 bytes that are no character */
			to += put_char(REPLACEMENT, to);
			used = conv->tail_n;
		}
		in = bytes_from(in, used - conv->tail_n);
		conv->tail_n = 0;
	}
	size_t used = run_iconv(cd, in.p, in.n, &to, (size_t)(end - to));
	size_t left = in.n - used;

	if (left > sizeof(conv->tail)) {
		to += put_char(REPLACEMENT, to);
		left = 0;
	}
	memcpy(conv->tail, in.p + used, left);
	conv->tail_n = (uint8_t)left;
	return (size_t)(to - out);
}

/* ---- conversions ---- */

static void begin(struct charset_conv *conv, const struct charset_set *set, enum charset charset)
{
	*conv = (struct charset_conv){.set = set, .charset = charset, .own = NO_ICONV};
	if (charset == CHARSET_UNKNOWN)
		conv->charset = CHARSET_UTF8;
}

void charset_begin(struct charset_conv *conv, const struct charset_set *set, enum charset charset)
{
	begin(conv, set, charset);
	if (conv->charset < CHARSET_STATE_FIRST)
		return;
	conv->own = iconv_open("UTF-8", iconv_names[charset]);
	if (conv->own == NO_ICONV)
		conv->charset = CHARSET_UTF8; /* no memory: its ASCII at least */
}

static size_t feed_chars(struct charset_conv *conv, struct bytes in, uint8_t *out, take_fn take)
{
	uint8_t joined[2 * CHARSET_TAIL_MAX];
	size_t n = 0;
	uint32_t c;

	while (conv->tail_n != 0 && in.n != 0) { /* the end of a chunk cut a character */
		size_t more = in.n < CHARSET_TAIL_MAX ? in.n : CHARSET_TAIL_MAX;

		memcpy(joined, conv->tail, conv->tail_n);
		memcpy(joined + conv->tail_n, in.p, more);
		size_t used = take(conv, joined, conv->tail_n + more, &c);

		if (used == 0) { /* still cut; 4 bytes would have been enough */
			memcpy(conv->tail + conv->tail_n, in.p, more);
			conv->tail_n = (uint8_t)(conv->tail_n + more);
			return n;
		}
		if (c != NOTHING)
			n += put_char(c, out + n);
		if (used < conv->tail_n) {
			memmove(conv->tail, conv->tail + used, conv->tail_n - used);
			conv->tail_n = (uint8_t)(conv->tail_n - used);
			continue;
		}
		in = bytes_from(in, used - conv->tail_n);
		conv->tail_n = 0;
	}
	while (in.n != 0) {
		size_t used = take(conv, in.p, in.n, &c);

		if (used == 0)
			break;
		in = bytes_from(in, used);
		if (c != NOTHING)
			n += put_char(c, out + n);
	}
	if (in.n != 0) {
		memcpy(conv->tail, in.p, in.n);
		conv->tail_n = (uint8_t)in.n;
	}
	return n;
}

/* ASCII at the start, where it stands for itself: most mail is little else. */
static size_t copy_ascii(struct bytes in, uint8_t *out)
{
	size_t n = 0;
	uint64_t word;

	while (in.n - n >= sizeof(word)) {
		memcpy(&word, in.p + n, sizeof(word));
		if ((word & UINT64_C(0x8080808080808080)) != 0)
			break;
		memcpy(out + n, &word, sizeof(word));
		n += sizeof(word);
	}
	while (n < in.n && in.p[n] < 0x80) {
		out[n] = in.p[n];
		n++;
	}
	return n;
}

size_t charset_feed(struct charset_conv *conv, struct bytes in, uint8_t *out)
{
	bool wide = conv->charset >= CHARSET_UTF16 && conv->charset <= CHARSET_UTF16LE;
	size_t n = 0;

	if (!wide && conv->charset < CHARSET_STATE_FIRST && conv->tail_n == 0 && in.n != 0) {
		n = copy_ascii(in, out);
		in = bytes_from(in, n);
	}
	if (in.n == 0)
		return n;
	if (wide)
		return n + feed_chars(conv, in, out + n, take_utf16);
	if (conv->charset == CHARSET_UTF8)
		return n + feed_chars(conv, in, out + n, take_utf8);
	if (conv->charset < CHARSET_SINGLE_END)
		return n + feed_chars(conv, in, out + n, take_single);
	return n + feed_iconv(conv, in, out + n);
}

size_t charset_finish(struct charset_conv *conv, uint8_t *out)
{
	size_t n = 0;

	if (conv->tail_n != 0 && out != NULL)
		n = put_char(REPLACEMENT, out);
	conv->tail_n = 0;
	if (conv->own != NO_ICONV)
		iconv_close(conv->own);
	conv->own = NO_ICONV;
	return n;
}

/* ---- the table ---- */

/* What each of the upper 128 bytes is, asked of iconv one by one. */
static void fill_single(iconv_t cd, uint16_t single[128])
{
	for (unsigned i = 0; i < 128; i++) {
		char byte = (char)(0x80 + i);
		char *in = &byte;
		size_t in_n = 1;
		uint8_t out[8];
		char *to = (char *)out;
		size_t to_n = sizeof(out);

		iconv(cd, NULL, NULL, NULL, NULL);
		size_t result = iconv(cd, &in, &in_n, &to, &to_n);

		/* Some hold a letter back, for an accent may follow. */
		iconv(cd, NULL, NULL, &to, &to_n);
		single[i] = REPLACEMENT;
		if (result != (size_t)-1 && sizeof(out) - to_n == 2)
			single[i] = (uint16_t)(out[0] | out[1] << 8);
	}
}

static void assert_sorted(void)
{
	for (size_t i = 1; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		RP_ASSERT(strcmp(aliases[i - 1].name, aliases[i].name) < 0);
}

enum rp_err charset_init(struct charset_set *set, const char **name)
{
	assert_sorted();
	for (size_t i = 0; i < sizeof(set->iconv) / sizeof(set->iconv[0]); i++)
		set->iconv[i] = NO_ICONV;
	for (enum charset c = CHARSET_SINGLE_FIRST; c < CHARSET_COUNT; c++) {
		bool single = c < CHARSET_SINGLE_END;
		iconv_t cd = iconv_open(single ? "UTF-16LE" : "UTF-8", iconv_names[c]);

		if (cd == NO_ICONV) {
			*name = iconv_names[c];
			charset_fini(set);
			return RP_ERR_UNAVAILABLE;
		}
		if (single) {
			fill_single(cd, set->single[c - CHARSET_SINGLE_FIRST]);
			iconv_close(cd);
		} else {
			set->iconv[c - CHARSET_ICONV_FIRST] = cd;
		}
	}
	return RP_OK;
}

void charset_fini(struct charset_set *set)
{
	for (size_t i = 0; set != NULL && i < sizeof(set->iconv) / sizeof(set->iconv[0]); i++) {
		if (set->iconv[i] != NO_ICONV)
			iconv_close(set->iconv[i]);
		set->iconv[i] = NO_ICONV;
	}
}
