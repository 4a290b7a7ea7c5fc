#include <criterion/criterion.h>

#include "tls/tls_ticket.h"

static struct tls_ticket_keys keys;
static const struct bytes plain = {(const uint8_t *)"a session", 9};

static size_t seal(uint8_t *out, size_t room)
{
	size_t n = 0;

	return tls_ticket_seal(&keys, plain, out, room, &n) ? n : 0;
}

static bool opens(const uint8_t *sealed, size_t n)
{
	uint8_t out[256];
	size_t out_n = 0;

	return tls_ticket_unseal(&keys, bytes_of(sealed, n), out, sizeof(out), &out_n) &&
	       bytes_eq(bytes_of(out, out_n), plain);
}

Test(tls_ticket, a_key_opens_for_two_rotations_more_and_no_longer)
{
	uint8_t sealed[TLS_TICKET_KEYS + 1][256];
	size_t n = plain.n + tls_ticket_overhead();

	for (int i = 0; i <= TLS_TICKET_KEYS; i++) {
		cr_assert_eq(tls_ticket_rotate(&keys, 100), RP_OK);
		cr_assert_eq(seal(sealed[i], sizeof(sealed[i])), n);
		for (int k = 0; k <= i; k++)
			cr_assert_eq(opens(sealed[k], n), i - k < TLS_TICKET_KEYS);
	}
}

Test(tls_ticket, without_a_key_nothing_is_sealed_or_opened)
{
	uint8_t sealed[256] = {0};

	cr_assert_eq(seal(sealed, sizeof(sealed)), 0);
	cr_assert_not(opens(sealed, sizeof(sealed)));
	cr_assert(tls_ticket_due(&keys, 0));
}

Test(tls_ticket, room_is_respected_to_the_byte)
{
	uint8_t sealed[256];
	size_t n = plain.n + tls_ticket_overhead();

	cr_assert_eq(tls_ticket_rotate(&keys, 100), RP_OK);
	for (size_t room = 0; room < n; room++)
		cr_assert_eq(seal(sealed, room), 0);
	cr_assert_eq(seal(sealed, n), n);
}

Test(tls_ticket, every_flipped_bit_and_every_cut_is_found)
{
	uint8_t sealed[256];

	cr_assert_eq(tls_ticket_rotate(&keys, 100), RP_OK);
	size_t n = seal(sealed, sizeof(sealed));

	for (size_t bit = 0; bit < 8 * n; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert_not(opens(sealed, n));
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t cut = 0; cut < n; cut++)
		cr_assert_not(opens(sealed, cut));
	cr_assert(opens(sealed, n));
}

Test(tls_ticket, is_due_after_twelve_hours_and_when_the_clock_was_set_back)
{
	cr_assert_eq(tls_ticket_rotate(&keys, 1000), RP_OK);
	cr_assert_not(tls_ticket_due(&keys, 1000));
	cr_assert_not(tls_ticket_due(&keys, 1000 + TLS_TICKET_ROTATE_S - 1));
	cr_assert(tls_ticket_due(&keys, 1000 + TLS_TICKET_ROTATE_S));
	cr_assert(tls_ticket_due(&keys, 999));
}
