/* lmtp_param.h -- what stands behind the path of MAIL and RCPT (RFC 5321, section 4.1.1.11).
 *
 * SIZE (RFC 1870), BODY (RFC 6152) and SMTPUTF8 (RFC 6531) are offered. AUTH and those of delivery status notifications are not,
 * but say nothing that would be done otherwise, so they are passed over.
 */
#ifndef RP_CORE_LMTP_LMTP_PARAM_H
#define RP_CORE_LMTP_LMTP_PARAM_H

#include "io/base/bytes.h"

/* All of MAIL's. *utf8: SMTPUTF8 is among them. NULL: fine; else the reply. */
RP_MUST_USE const char *lmtp_param_mail(struct bytes args, uint64_t size_bytes_max, bool *utf8);

/* All of RCPT's, likewise. */
RP_MUST_USE const char *lmtp_param_rcpt(struct bytes args);

#endif
