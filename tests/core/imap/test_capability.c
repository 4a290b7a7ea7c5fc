#include <criterion/criterion.h>

#include "core/imap/capability.h"

static void offers(struct capability_facts facts, const char *want)
{
	struct rope rope;
	struct resp resp;

	rope_init(&rope);
	resp_init(&resp, &rope, false);
	capability_write(&resp, &facts);
	resp_flush(&resp);
	struct bytes got = rope_peek(&rope, 0);

	cr_assert(bytes_eq(got, bytes_of_str(want)), "%.*s", BYTES_FMT(got));
	rope_fini(&rope);
}

#define BEFORE "IMAP4rev1 LITERAL+ SASL-IR ENABLE ID IDLE"

Test(capability, before_login_nothing_that_would_send_a_password_in_the_clear)
{
	offers((struct capability_facts){ .tls_on = true, .tls_available = true },
	    BEFORE " AUTH=PLAIN");
	offers(
	    (struct capability_facts){ .tls_available = true }, BEFORE " STARTTLS LOGINDISABLED");
	offers((struct capability_facts){ 0 }, BEFORE " LOGINDISABLED");
	offers((struct capability_facts){ .plaintext_allowed = true }, BEFORE " AUTH=PLAIN");
	offers((struct capability_facts){ .plaintext_allowed = true, .tls_available = true },
	    BEFORE " STARTTLS AUTH=PLAIN");
}

Test(capability, after_login_the_rest)
{
	offers(
	    (struct capability_facts){
	        .logged_in = true, .tls_available = true, .appendlimit_bytes = 67108864 },
	    BEFORE " NAMESPACE CHILDREN UIDPLUS UNSELECT MOVE SPECIAL-USE CREATE-SPECIAL-USE ESEARCH LIST-EXTENDED "
	           "LIST-STATUS"
	           " STATUS=SIZE CONDSTORE APPENDLIMIT=67108864");
}
