/* A path of MAIL or RCPT, and what stands behind it. */
#include "core/imap/utf8.h"
#include "core/lmtp/lmtp_param.h"
#include "core/lmtp/lmtp_path.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct lmtp_path path;
	struct lmtp_path again;
	struct bytes in = bytes_of(p, n);
	bool utf8;

	(void)!lmtp_param_mail(in, 1000, &utf8);
	(void)!lmtp_param_rcpt(in);
	if (lmtp_path_parse(&in, &path) != RP_OK)
		return 0;
	struct bytes detail = lmtp_path_detail(&path);

	RP_ASSERT(in.n < n && path.address_bytes <= sizeof(path.address) && path.local_bytes <= path.address_bytes);
	RP_ASSERT(utf8_valid(bytes_of(path.address, path.address_bytes)));
	RP_ASSERT(detail.n < path.local_bytes || path.local_bytes == 0);
	RP_ASSERT(bytes_find(path.written, 0, '\r') == path.written.n && bytes_find(path.written, 0, '\n') == path.written.n);
	(void)!lmtp_param_mail(in, 1000, &utf8);

	/* As it was written, between angle brackets, it is the same address again. */
	uint8_t copy[2 * LMTP_PATH_BYTES_MAX + 8];

	copy[0] = '<';
	memcpy(copy + 1, path.written.p, path.written.n);
	copy[path.written.n + 1] = '>';
	in = bytes_of(copy, path.written.n + 2);
	RP_ASSERT(lmtp_path_parse(&in, &again) == RP_OK && in.n == 0);
	RP_ASSERT(bytes_eq(bytes_of(again.address, again.address_bytes), bytes_of(path.address, path.address_bytes)));
	return 0;
}
