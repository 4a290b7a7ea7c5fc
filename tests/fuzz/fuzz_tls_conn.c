/* Bytes of a stranger before and instead of a handshake, cut in many ways. The first byte says how.
 */
#include <stdlib.h>

#include "io/rope.h"
#include "tls/tls_conn.h"
#include "tls/tls_ctx.h"
#include "tls/tls_selfsign.h"
#include "tls/tls_ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct tls_ctx *make_ctx(void)
{
	static struct tls_selfsign made;
	static struct tls_ticket_keys keys;
	char text[TLS_CTX_TEXT_BYTES];
	struct tls_ctx *ctx;

	if (tls_selfsign_make(1700000000, 365, &made) != RP_OK ||
	    tls_ticket_rotate(&keys, 1) != RP_OK)
		abort();
	struct tls_ctx_cert cert = {"selfsign", made.cert_pem, made.key_pem};

	if (tls_ctx_open(&cert, 1, 1700000000, &ctx, text) != RP_OK)
		abort();
	tls_ctx_set_ticket_keys(ctx, &keys);
	return ctx;
}

static void feed(struct tls_conn *conn, struct bytes in, size_t cut, struct rope *send)
{
	uint8_t out[512];
	enum tls_conn_verdict verdict = TLS_CONN_MORE;

	while (in.n > 0 && verdict != TLS_CONN_FAILED && verdict != TLS_CONN_CLOSED) {
		struct bytes piece = bytes_slice(in, 0, in.n < cut ? in.n : cut);
		size_t before = piece.n, out_n;

		verdict = tls_conn_read(conn, &piece, out, sizeof(out), &out_n, send);
		RP_ASSERT(out_n <= sizeof(out) && piece.n <= before);
		RP_ASSERT(out_n == 0 || tls_conn_is_open(conn));
		in = bytes_from(in, before - piece.n);
		RP_ASSERT((verdict == TLS_CONN_FAILED) == (tls_conn_reason(conn)[0] != '\0'));
		if (verdict == TLS_CONN_FAILED || verdict == TLS_CONN_CLOSED)
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct tls_ctx *ctx;
	struct rope send;

	if (ctx == NULL)
		ctx = make_ctx();
	if (n == 0)
		return 0;
	struct tls_conn *conn = tls_conn_open(ctx);

	if (conn == NULL)
		return 0;
	rope_init(&send);
	feed(conn, bytes_of(p + 1, n - 1), p[0] == 0 ? n : p[0], &send);
	tls_conn_shutdown(conn, &send);
	rope_fini(&send);
	tls_conn_close(conn);
	return 0;
}
