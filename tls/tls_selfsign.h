/* tls_selfsign.h -- a certificate for trying ringpost on one machine.
 *
 * A new P-256 key and a certificate that it signs itself, for `localhost`, 127.0.0.1 and ::1. The
 * certificate may also stand in a client's file of trusted authorities.
 */
#ifndef RP_TLS_TLS_SELFSIGN_H
#define RP_TLS_TLS_SELFSIGN_H

#include "io/base/bytes.h"
#include "io/base/err.h"

enum {
	TLS_SELFSIGN_PEM_BYTES = 2048,
	TLS_SELFSIGN_DAYS_MAX = 3650, /* what is made to try things should not stay for ever */
};

struct tls_selfsign {
	struct bytes cert_pem; /* lies in cert_room */
	struct bytes key_pem;  /* lies in key_room: a secret, for bytes_wipe() after use */
	uint8_t cert_room[TLS_SELFSIGN_PEM_BYTES];
	uint8_t key_room[TLS_SELFSIGN_PEM_BYTES];
};

/* Valid from a day before now_s (clocks differ) for `days`, 1 to TLS_SELFSIGN_DAYS_MAX.
 * RP_ERR_NOMEM or RP_ERR_IO: not made, *out is not to be used. *out must not be moved afterwards.
 */
RP_MUST_USE enum rp_err tls_selfsign_make(uint64_t now_s, unsigned days, struct tls_selfsign *out);

#endif
