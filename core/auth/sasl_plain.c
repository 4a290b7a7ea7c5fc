#include "core/auth/sasl_plain.h"

#include "core/auth/auth_wire.h"

static enum sasl_verdict bad(struct sasl *sasl, const char *reason)
{
	sasl->reason = reason;
	return SASL_BAD;
}

enum sasl_verdict sasl_plain_step(struct sasl *sasl, struct bytes response)
{
	size_t first = bytes_find(response, 0, '\0');
	size_t second = bytes_find(response, first + 1, '\0');

	if (second >= response.n || bytes_find(response, second + 1, '\0') < response.n)
		return bad(sasl, "PLAIN response needs two NULs");

	struct bytes authzid = bytes_slice(response, 0, first);
	struct bytes authcid = bytes_slice(response, first + 1, second);
	struct bytes password = bytes_from(response, second + 1);

	if (authcid.n == 0)
		return bad(sasl, "PLAIN response without a name");
	if (authzid.n > AUTH_WIRE_NAME_BYTES_MAX || authcid.n > AUTH_WIRE_NAME_BYTES_MAX)
		return bad(sasl, "Name too long");
	if (password.n > AUTH_WIRE_PASSWORD_BYTES_MAX)
		return bad(sasl, "Password too long");
	sasl->authzid = bytes_eq_fold(authzid, authcid) ? (struct bytes){0} : authzid;
	sasl->authcid = authcid;
	sasl->password = password;
	return SASL_DONE;
}
