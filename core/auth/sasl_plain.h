/* sasl_plain.h -- the PLAIN mechanism (RFC 4616): name and password in one response. */
#ifndef RP_CORE_AUTH_SASL_PLAIN_H
#define RP_CORE_AUTH_SASL_PLAIN_H

#include "core/auth/sasl.h"

/* message = [authzid] NUL authcid NUL passwd. An authzid that says the same as authcid comes out
 * empty. */
enum sasl_verdict sasl_plain_step(struct sasl *sasl, struct bytes response);

#endif
