#include <criterion/criterion.h>
#include <stdio.h>

#include "core/auth/authd_wire.h"

static char text[AUTHD_WIRE_TEXT_BYTES_MAX];

Test(authd_wire, settings_come_back_as_they_were)
{
	struct bytes domains[] = {BYTES_LIT("x.org"), BYTES_LIT("a.example")};
	struct bytes masters[] = {BYTES_LIT("root")};
	struct authd_wire_settings sent = {
	    .passwd = "/etc/ringpost/passwd",
	    .threads = 3,
	    .queue = 7,
	    .domains = {domains, 2},
	    .masters = {masters, 1},
	    .uid = 65534,
	    .gid = UINT32_MAX - 1,
	    .log_level = LOG_WARN,
	    .log_format = LOG_JSON,
	};
	struct bytes message = authd_wire_put_settings(&sent);
	struct authd_wire_settings *got;

	cr_assert_eq(authd_wire_get_settings(message, &got, text), RP_OK, "%s", text);
	cr_assert_str_eq(got->passwd, sent.passwd);
	cr_assert_eq(got->threads, 3);
	cr_assert_eq(got->queue, 7);
	cr_assert_eq(got->uid, 65534);
	cr_assert_eq(got->gid, UINT32_MAX - 1);
	cr_assert_eq(got->log_level, LOG_WARN);
	cr_assert_eq(got->log_format, LOG_JSON);
	cr_assert(authd_wire_list_has(&got->domains, BYTES_LIT("x.org")));
	cr_assert(authd_wire_list_has(&got->domains, BYTES_LIT("A.Example")));
	cr_assert_not(authd_wire_list_has(&got->domains, BYTES_LIT("example")));
	cr_assert(authd_wire_list_has(&got->masters, BYTES_LIT("root")));
	cr_assert_eq(got->masters.count, 1);
	authd_wire_free_settings(got);
	authd_wire_free(message);
}

Test(authd_wire, settings_that_lack_or_overdo_something_are_refused)
{
	static const struct {
		const char *from, *to, *what;
	} cases[] = {
	    {"\"version\":1", "\"version\":2", "settings: version is missing or out of range"},
	    {"\"version\":1", "\"version\":0", "settings: version is not 1"},
	    {"\"threads\":1", "\"threads\":257", "settings: threads is missing or out of range"},
	    {"\"threads\":1", "\"threads\":-1", "settings: threads is missing or out of range"},
	    {"\"threads\":1", "\"threads\":\"1\"", "settings: threads is missing or out of range"},
	    {"\"queue\":1", "\"queue\":4097", "settings: queue is missing or out of range"},
	    {"\"uid\":0", "\"uid\":4294967295", "settings: uid is missing or out of range"},
	    {"\"domains\":[]", "\"domains\":{}", "settings: domains is no list, or too long"},
	    {"\"domains\":[]", "\"domains\":[1]", "settings: domains has an item that is no text"},
	    {"\"masters\":[]", "\"masters\":[\"\"]",
	        "settings: masters has an item that is no text"},
	    {"\"passwd\":\"/p\"", "\"passwd\":\"\"", "settings: passwd is missing or too long"},
	    {"\"passwd\":\"/p\"", "\"passwd\":7", "settings: passwd is missing or too long"},
	    {"\"log_level\":0", "\"log_level\":4",
	        "settings: log_level is missing or out of range"},
	    {"{", "[", "settings: message is not JSON"},
	};
	struct authd_wire_settings minimal = {.passwd = "/p", .threads = 1, .queue = 1}, *got;
	struct bytes message = authd_wire_put_settings(&minimal);

	cr_assert_eq(authd_wire_get_settings(message, &got, text), RP_OK);
	authd_wire_free_settings(got);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char changed[1000];
		size_t at = bytes_find_bytes(message, bytes_of_str(cases[i].from));

		cr_assert_lt(at, message.n, "%s", cases[i].from);
		int n = snprintf(changed, sizeof(changed), "%.*s%s%.*s", (int)at,
		    (const char *)message.p, cases[i].to,
		    BYTES_FMT(bytes_from(message, at + strlen(cases[i].from))));

		cr_assert_eq(authd_wire_get_settings(bytes_of(changed, (size_t)n), &got, text),
		    RP_ERR_SYNTAX);
		cr_assert_str_eq(text, cases[i].what);
	}
	for (size_t cut = 0; cut < message.n; cut++)
		cr_assert_eq(authd_wire_get_settings(bytes_slice(message, 0, cut), &got, text),
		    RP_ERR_SYNTAX);
	authd_wire_free(message);
}

Test(authd_wire, a_status_comes_back_as_it_was)
{
	struct authd_wire_status sent = {.ready = true, .users = 1234567}, got;
	struct bytes message = authd_wire_put_status(&sent);

	cr_assert_eq(authd_wire_get_status(message, &got), RP_OK);
	cr_assert(got.ready);
	cr_assert_eq(got.users, 1234567);
	authd_wire_free(message);
	sent = (struct authd_wire_status){.text = "/etc/passwd:3: \"bad\""};
	message = authd_wire_put_status(&sent);
	cr_assert_eq(authd_wire_get_status(message, &got), RP_OK);
	cr_assert_not(got.ready);
	cr_assert_str_eq(got.text, sent.text);
	for (size_t cut = 0; cut < message.n; cut++)
		cr_assert_eq(
		    authd_wire_get_status(bytes_slice(message, 0, cut), &got), RP_ERR_SYNTAX);
	authd_wire_free(message);
}

Test(authd_wire, a_message_over_the_bound_is_not_made)
{
	static struct bytes domains[AUTHD_WIRE_LIST_MAX];
	struct authd_wire_settings sent = {
	    .passwd = "/p", .domains = {domains, AUTHD_WIRE_LIST_MAX}};

	for (size_t i = 0; i < AUTHD_WIRE_LIST_MAX; i++)
		domains[i] = BYTES_LIT("a-domain.example");
	cr_assert_null(authd_wire_put_settings(&sent).p);
}
