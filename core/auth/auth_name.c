#include "core/auth/auth_name.h"

static bool is_allowed(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
	       c == '-' || c == '+' || c == '=' || c == '@';
}

enum rp_err auth_name_fold(struct bytes in, uint8_t room[AUTH_NAME_BYTES_MAX], struct bytes *out)
{
	if (in.n == 0 || in.n > AUTH_NAME_BYTES_MAX)
		return RP_ERR_SYNTAX;
	for (size_t i = 0; i < in.n; i++) {
		uint8_t c = bytes_lower(in.p[i]);

		if (!is_allowed(c))
			return RP_ERR_SYNTAX;
		room[i] = c;
	}
	size_t at = bytes_find(bytes_of(room, in.n), 0, '@');

	if (at == 0 || at == in.n - 1 || bytes_find(bytes_of(room, in.n), at + 1, '@') < in.n)
		return RP_ERR_SYNTAX;
	*out = bytes_of(room, in.n);
	return RP_OK;
}

struct bytes auth_name_domain(struct bytes name)
{
	size_t at = bytes_find(name, 0, '@');

	return at < name.n ? bytes_from(name, at + 1) : (struct bytes){0};
}

size_t auth_name_candidates(struct bytes name, bool domain_is_ours,
    uint8_t room[AUTH_NAME_BYTES_MAX], struct auth_name_candidate out[AUTH_NAME_CANDIDATES])
{
	size_t at = bytes_find(name, 0, '@');
	struct bytes local = bytes_slice(name, 0, at);
	size_t plus = bytes_find(local, 0, '+');
	size_t n = 0;

	RP_ASSERT(name.n <= AUTH_NAME_BYTES_MAX);
	out[n++] = (struct auth_name_candidate){name, false};
	if (at < name.n && domain_is_ours)
		out[n++] = (struct auth_name_candidate){local, false};
	if (plus == 0 || plus == local.n)
		return n;
	memcpy(room, local.p, plus);
	memcpy(room + plus, name.p + at, name.n - at);
	out[n++] = (struct auth_name_candidate){bytes_of(room, plus + name.n - at), true};
	if (at < name.n && domain_is_ours)
		out[n++] = (struct auth_name_candidate){bytes_of(room, plus), true};
	return n;
}
