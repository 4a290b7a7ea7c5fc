/* A whole LMTP session of any bytes: the same answers and the same mail however the network cuts it, and not one 250 more than
 * there are deliveries. The first byte says how it is cut. */
#include "tests/fuzz/fuzz.h"
#include "tests/support/lmtp/lmtp_play.h"

static size_t count(const char *out, const char *code)
{
	size_t n = 0;

	for (const char *at = out; (at = strstr(at, code)) != NULL; at++)
		n++;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct lmtp_play whole = { .size_max = 10000 };
	struct lmtp_play cut = { .size_max = 10000 };

	if (n < 2)
		return 0;
	whole.in = cut.in = bytes_of(p + 1, n - 1);
	whole.return_path = cut.return_path = p[0] & 1;
	if (p[0] & 2)
		cut.cut = 1 + p[0] / 4;
	else
		cut.first = 1 + (size_t)p[0] * (n - 1) / 256;
	lmtp_play(&whole);
	lmtp_play(&cut);
	RP_ASSERT(whole.out_n == cut.out_n && memcmp(whole.out, cut.out, whole.out_n) == 0);
	RP_ASSERT(whole.stored_n == cut.stored_n && memcmp(whole.stored, cut.stored, whole.stored_n) == 0);
	RP_ASSERT(count(whole.out, "\r\n250 2.0.0 Delivered") == whole.deliveries);
	RP_ASSERT(whole.out_n >= 2 && memcmp(whole.out + whole.out_n - 2, "\r\n", 2) == 0);
	lmtp_play_free(&whole);
	lmtp_play_free(&cut);
	return 0;
}
