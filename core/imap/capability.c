#include "core/imap/capability.h"

#define FOR_ALL "IMAP4rev1 LITERAL+ SASL-IR ENABLE ID IDLE"

#define FOR_USERS                                                                                  \
	" NAMESPACE CHILDREN UIDPLUS UNSELECT MOVE SPECIAL-USE CREATE-SPECIAL-USE ESEARCH"         \
	" LIST-EXTENDED LIST-STATUS STATUS=SIZE CONDSTORE APPENDLIMIT="

void capability_write(struct resp *resp, const struct capability_facts *facts)
{
	resp_lit(resp, FOR_ALL);
	if (facts->logged_in) {
		resp_lit(resp, FOR_USERS);
		resp_u64(resp, facts->appendlimit_bytes);
		return;
	}
	if (!facts->tls_on && facts->tls_available)
		resp_lit(resp, " STARTTLS");
	if (facts->tls_on || facts->plaintext_allowed)
		resp_lit(resp, " AUTH=PLAIN");
	else
		resp_lit(resp, " LOGINDISABLED");
}
