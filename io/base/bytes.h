/* bytes.h -- a span of bytes that somebody else owns.
 *
 * struct bytes always borrows. How long it is good is said where it is handed out. There are no C
 * strings from the wire: NUL is a byte like others.
 */
#ifndef RP_IO_BASE_BYTES_H
#define RP_IO_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "io/base/assert.h"

struct bytes {
	const uint8_t *p;
	size_t n;
};

/* A string literal or an array, without its closing NUL. */
#define BYTES_LIT(text) ((struct bytes){ (const uint8_t *)("" text), sizeof(text) - 1 })

/* printf("%.*s", BYTES_FMT(b)); for logs and tests only, where a NUL may end it early. */
#define BYTES_FMT(b) (int)(b).n, (const char *)(b).p

static inline struct bytes bytes_of(const void *p, size_t n)
{
	return (struct bytes){ p, n };
}

static inline struct bytes bytes_of_str(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

/* [from, to) of b. Both are checked: a slice is never larger than what it is cut from. */
static inline struct bytes bytes_slice(struct bytes b, size_t from, size_t to)
{
	RP_ASSERT(from <= to && to <= b.n);
	/* The empty span may be NULL, to which C lets nobody add even 0. */
	return (struct bytes){ from == 0 ? b.p : b.p + from, to - from };
}

/* All from `from` on. */
static inline struct bytes bytes_from(struct bytes b, size_t from)
{
	return bytes_slice(b, from, b.n);
}

static inline bool bytes_eq(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Memory order, the shorter one first where one is the other's beginning. As memcmp: <0, 0, >0. */
int bytes_cmp(struct bytes a, struct bytes b);

/* Equal but for the case of A-Z. Other bytes compare as they are. */
bool bytes_eq_fold(struct bytes a, struct bytes b);

/* Order by the case-blind ASCII form; as memcmp. */
int bytes_cmp_fold(struct bytes a, struct bytes b);

bool bytes_starts_with(struct bytes b, struct bytes prefix);
bool bytes_starts_with_fold(struct bytes b, struct bytes prefix);

/* Offset of the first `c` in b at or after `from`, or b.n. */
size_t bytes_find(struct bytes b, size_t from, uint8_t c);

/* Offset of the first `needle`, or b.n. Linear time. An empty needle is found at 0. */
size_t bytes_find_bytes(struct bytes b, struct bytes needle);

/* A decimal number that is all of b, without sign, at least one digit. False: not that, or > max. */
bool bytes_to_u64(struct bytes b, uint64_t max, uint64_t *out);

/* Overwrite a secret in a way that the compiler may not leave out. */
void bytes_wipe(void *p, size_t n);

/* Equal, in time that depends on the lengths alone. For secrets and tokens. */
bool bytes_eq_secret(struct bytes a, struct bytes b);

static inline uint8_t bytes_lower(uint8_t c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

#endif
