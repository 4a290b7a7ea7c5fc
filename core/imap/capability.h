/* capability.h -- what the server offers, in which state. Nothing is named that would not work now.
 */
#ifndef RP_CORE_IMAP_CAPABILITY_H
#define RP_CORE_IMAP_CAPABILITY_H

#include "core/imap/resp.h"

struct capability_facts {
	bool logged_in;
	bool tls_on;            /* this connection is encrypted */
	bool tls_available;     /* STARTTLS would work */
	bool plaintext_allowed; /* passwords may be sent here without TLS */
	uint64_t appendlimit_bytes;
};

/* "IMAP4rev1 LITERAL+ ...": without "CAPABILITY " in front, for the untagged response and for the
 * code. */
void capability_write(struct resp *resp, const struct capability_facts *facts);

#endif
