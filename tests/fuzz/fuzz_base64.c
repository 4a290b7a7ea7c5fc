/* What is decoded has one form only. */
#include "core/imap/base64.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint8_t plain[BASE64_DECODED_BYTES(4096)];
	uint8_t coded[4096];
	size_t plain_n;

	if (n > sizeof(coded) ||
	    base64_decode(bytes_of(p, n), plain, sizeof(plain), &plain_n) != RP_OK)
		return 0;
	size_t coded_n = base64_encode(bytes_of(plain, plain_n), coded);

	RP_ASSERT(bytes_eq(bytes_of(coded, coded_n), bytes_of(p, n)));
	return 0;
}
