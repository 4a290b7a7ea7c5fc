#include "io/base/bytes.h"

int bytes_cmp(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (order != 0)
		return order;
	return (a.n > b.n) - (a.n < b.n);
}

bool bytes_eq_fold(struct bytes a, struct bytes b)
{
	return a.n == b.n && bytes_cmp_fold(a, b) == 0;
}

int bytes_cmp_fold(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;

	for (size_t i = 0; i < n; i++) {
		int order = bytes_lower(a.p[i]) - bytes_lower(b.p[i]);

		if (order != 0)
			return order;
	}
	return (a.n > b.n) - (a.n < b.n);
}

bool bytes_starts_with(struct bytes b, struct bytes prefix)
{
	return b.n >= prefix.n && bytes_eq(bytes_slice(b, 0, prefix.n), prefix);
}

bool bytes_starts_with_fold(struct bytes b, struct bytes prefix)
{
	return b.n >= prefix.n && bytes_eq_fold(bytes_slice(b, 0, prefix.n), prefix);
}

size_t bytes_find(struct bytes b, size_t from, uint8_t c)
{
	if (from >= b.n)
		return b.n;
	const uint8_t *at = memchr(b.p + from, c, b.n - from);

	return at != NULL ? (size_t)(at - b.p) : b.n;
}

size_t bytes_find_bytes(struct bytes b, struct bytes needle)
{
	if (needle.n == 0)
		return 0;
	if (b.n == 0)
		return b.n;
	const uint8_t *at = memmem(b.p, b.n, needle.p, needle.n);

	return at != NULL ? (size_t)(at - b.p) : b.n;
}

bool bytes_to_u64(struct bytes b, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (b.n == 0)
		return false;
	for (size_t i = 0; i < b.n; i++) {
		unsigned digit = (unsigned)b.p[i] - '0';

		if (digit > 9)
			return false;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value))
			return false;
	}
	if (value > max)
		return false;
	*out = value;
	return true;
}

void bytes_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

bool bytes_eq_secret(struct bytes a, struct bytes b)
{
	volatile uint8_t differs = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		differs = (uint8_t)(differs | (a.p[i] ^ b.p[i]));
	return differs == 0;
}
