/* What shards and the auth process read from each other: whatever is accepted says the same written
 * again. */
#include "core/auth/auth_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t room[AUTH_WIRE_REQUEST_BYTES_MAX];
	struct auth_wire_request request;
	struct auth_wire_answer answer;
	struct bytes in = bytes_of(p, n);

	if (auth_wire_get_request(in, &request) == RP_OK)
		RP_ASSERT(bytes_eq(bytes_of(room, auth_wire_put_request(&request, room)), in));
	if (auth_wire_get_answer(in, &answer) == RP_OK)
		RP_ASSERT(bytes_eq(bytes_of(room, auth_wire_put_answer(&answer, room)), in));
	return 0;
}
