/* AUTHENTICATE's response of any bytes: what comes out lies in the room and keeps the bounds. */
#include "core/auth/auth_wire.h"
#include "core/auth/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_part(const struct sasl *sasl, struct bytes part, size_t max)
{
	RP_ASSERT(part.n <= max && bytes_find(part, 0, '\0') == part.n);
	RP_ASSERT(part.n == 0 ||
	          (part.p >= sasl->room && part.p + part.n <= sasl->room + sasl->room_bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t room[SASL_LINE_BYTES_MAX / 4 * 3];
	size_t count;
	const struct sasl_mech *mechs = sasl_all(&count);

	for (size_t i = 0; i < count; i++) {
		struct sasl sasl;

		(void)sasl_start(&sasl, &mechs[i]);
		sasl.room = room;
		sasl.room_bytes = sizeof(room);
		enum sasl_verdict verdict = sasl_step_initial(&sasl, bytes_of(p, n));

		RP_ASSERT(verdict == SASL_DONE || sasl.reason != NULL);
		if (verdict != SASL_DONE)
			continue;
		RP_ASSERT(sasl.authcid.n > 0);
		check_part(&sasl, sasl.authcid, AUTH_WIRE_NAME_BYTES_MAX);
		check_part(&sasl, sasl.authzid, AUTH_WIRE_NAME_BYTES_MAX);
		check_part(&sasl, sasl.password, AUTH_WIRE_PASSWORD_BYTES_MAX);
	}
	return 0;
}
