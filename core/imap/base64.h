/* base64.h -- the base64 of SASL exchanges (RFC 4648, section 4): padded, no line breaks,
 * canonical. */
#ifndef RP_CORE_IMAP_BASE64_H
#define RP_CORE_IMAP_BASE64_H

#include "io/base/bytes.h"
#include "io/base/err.h"

/* Room that is enough for n bytes on the other side. */
#define BASE64_ENCODED_BYTES(n) (((n) + 2) / 3 * 4)
#define BASE64_DECODED_BYTES(n) ((n) / 4 * 3)

/* RP_ERR_SYNTAX: not base64. RP_ERR_LIMIT: it decodes to more than out_max bytes.
 * In place (out == in.p) is fine. On error what is in out is worthless. */
RP_MUST_USE enum rp_err base64_decode(struct bytes in, uint8_t *out, size_t out_max, size_t *out_n);

/* out has room for BASE64_ENCODED_BYTES(in.n); returns how many were written. */
size_t base64_encode(struct bytes in, uint8_t *out);

#endif
