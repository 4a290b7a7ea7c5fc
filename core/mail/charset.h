/* charset.h -- the charsets of mail, to UTF-8.
 *
 * A fixed table: a name that a mail gives is looked up here and goes nowhere else. All converters
 * are opened by charset_init, before the sandbox closes, as iconv loads a module for most of them;
 * later ones find the modules there. What is ill-formed becomes U+FFFD; output is at most 4 times
 * the input.
 */
#ifndef RP_CORE_MAIL_CHARSET_H
#define RP_CORE_MAIL_CHARSET_H

#include <iconv.h>

#include "io/base/bytes.h"
#include "io/base/err.h"

enum charset {
	CHARSET_UTF8, /* and US-ASCII: 8-bit in it is UTF-8 as often as not */
	CHARSET_UTF16,
	CHARSET_UTF16BE,
	CHARSET_UTF16LE,
	/* one byte, one character; the first 128 are ASCII */
	CHARSET_ISO_8859_2,
	CHARSET_SINGLE_FIRST = CHARSET_ISO_8859_2,
	CHARSET_ISO_8859_3,
	CHARSET_ISO_8859_4,
	CHARSET_ISO_8859_5,
	CHARSET_ISO_8859_6,
	CHARSET_ISO_8859_7,
	CHARSET_ISO_8859_8,
	CHARSET_ISO_8859_9,
	CHARSET_ISO_8859_10,
	CHARSET_ISO_8859_13,
	CHARSET_ISO_8859_14,
	CHARSET_ISO_8859_15,
	CHARSET_ISO_8859_16,
	CHARSET_WINDOWS_874,
	CHARSET_WINDOWS_1250,
	CHARSET_WINDOWS_1251,
	CHARSET_WINDOWS_1252, /* and ISO-8859-1, which it contains */
	CHARSET_WINDOWS_1253,
	CHARSET_WINDOWS_1254,
	CHARSET_WINDOWS_1255,
	CHARSET_WINDOWS_1256,
	CHARSET_WINDOWS_1257,
	CHARSET_WINDOWS_1258,
	CHARSET_KOI8_R,
	CHARSET_KOI8_U,
	CHARSET_MACINTOSH,
	CHARSET_IBM437,
	CHARSET_IBM850,
	CHARSET_IBM852,
	CHARSET_IBM866,
	CHARSET_SINGLE_END,
	/* several bytes, no state between characters: ASCII stands for itself */
	CHARSET_GB18030 = CHARSET_SINGLE_END,
	CHARSET_ICONV_FIRST = CHARSET_GB18030,
	CHARSET_BIG5,
	CHARSET_EUC_KR,
	CHARSET_SHIFT_JIS,
	CHARSET_EUC_JP,
	/* shift states: each conversion needs a converter of its own */
	CHARSET_ISO_2022_JP,
	CHARSET_STATE_FIRST = CHARSET_ISO_2022_JP,
	CHARSET_ISO_2022_KR,
	CHARSET_UTF7,
	CHARSET_COUNT,
	CHARSET_UNKNOWN = CHARSET_COUNT, /* converted as if it were UTF-8 */
};

enum {
	CHARSET_TAIL_MAX = 8, /* bytes of a character or escape cut by the end of a chunk */
};

/* Room that charset_feed and charset_finish need for n bytes of input. */
#define CHARSET_OUT_BYTES(n) (4 * ((n) + CHARSET_TAIL_MAX))

/* One per shard; about 25 KiB besides what iconv takes. */
struct charset_set {
	uint16_t single[CHARSET_SINGLE_END - CHARSET_SINGLE_FIRST][128]; /* of 0x80 to 0xff */
	iconv_t iconv[CHARSET_COUNT - CHARSET_ICONV_FIRST];
};

/* A conversion under way. */
struct charset_conv {
	const struct charset_set *set;
	enum charset charset;
	iconv_t own; /* of a charset with shift states; (iconv_t)-1: none */
	uint8_t tail[CHARSET_TAIL_MAX];
	uint8_t tail_n;
	bool started; /* UTF-16: a byte order mark can no longer come */
};

/* RP_ERR_UNAVAILABLE: this machine lacks a converter of the table; *name is which. */
RP_MUST_USE enum rp_err charset_init(struct charset_set *set, const char **name);
void charset_fini(struct charset_set *set);

/* By any name that mail uses, whatever its case. CHARSET_UNKNOWN: not in the table. */
enum charset charset_find(struct bytes name);

/* For `NO [BADCHARSET (...)]` and tests: a name of each charset; static. */
const char *charset_name(enum charset charset);

/* set must outlive the conversion. */
void charset_begin(struct charset_conv *conv, const struct charset_set *set, enum charset charset);

/* Convert; out has room for CHARSET_OUT_BYTES(in.n). Returns how many bytes came out: whole
 * characters, well-formed. */
RP_MUST_USE size_t charset_feed(struct charset_conv *conv, struct bytes in, uint8_t *out);

/* The end: a character that was cut is U+FFFD; room for CHARSET_OUT_BYTES(0). What the conversion
 * held is given back; it may be given back without asking for the rest (out == NULL). */
size_t charset_finish(struct charset_conv *conv, uint8_t *out);

#endif
