#include <criterion/criterion.h>

#include "core/auth/auth_wire.h"

static struct auth_wire_request sample_request(void)
{
	return (struct auth_wire_request){
	    .id = 0x0102030405060708,
	    .kind = AUTH_WIRE_VERIFY,
	    .peer = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1},
	    .name = BYTES_LIT("demo"),
	    .authzid = BYTES_LIT("other"),
	    .password = BYTES_LIT("\xff secret \x01"),
	    .service = BYTES_LIT("imap"),
	};
}

static struct auth_wire_answer sample_answer(void)
{
	return (struct auth_wire_answer){
	    .id = 77,
	    .result = AUTH_WIRE_OK,
	    .flags = AUTH_WIRE_MASTER,
	    .userid = {{1, 2, 3}},
	    .name = BYTES_LIT("demo"),
	};
}

Test(auth_wire, a_request_comes_back_as_it_was)
{
	struct auth_wire_request request = sample_request(), got;
	uint8_t room[AUTH_WIRE_REQUEST_BYTES_MAX];
	size_t n = auth_wire_put_request(&request, room);

	cr_assert_eq(auth_wire_get_request(bytes_of(room, n), &got), RP_OK);
	cr_assert_eq(got.id, request.id);
	cr_assert_eq(got.kind, request.kind);
	cr_assert_arr_eq(got.peer, request.peer, 16);
	cr_assert(bytes_eq(got.name, request.name));
	cr_assert(bytes_eq(got.authzid, request.authzid));
	cr_assert(bytes_eq(got.password, request.password));
	cr_assert(bytes_eq(got.service, request.service));
}

Test(auth_wire, an_answer_comes_back_as_it_was)
{
	struct auth_wire_answer answer = sample_answer(), got;
	uint8_t room[AUTH_WIRE_ANSWER_BYTES_MAX];
	size_t n = auth_wire_put_answer(&answer, room);

	cr_assert_eq(auth_wire_get_answer(bytes_of(room, n), &got), RP_OK);
	cr_assert_eq(got.id, answer.id);
	cr_assert_eq(got.result, answer.result);
	cr_assert_eq(got.flags, answer.flags);
	cr_assert_arr_eq(got.userid.p, answer.userid.p, 16);
	cr_assert(bytes_eq(got.name, answer.name));
}

/* The largest of each goes through; the length must be exact. */
Test(auth_wire, bounds_are_kept_to_the_byte)
{
	static uint8_t text[AUTH_WIRE_PASSWORD_BYTES_MAX + 1];
	static uint8_t room[AUTH_WIRE_REQUEST_BYTES_MAX + 1];
	struct auth_wire_request request = sample_request(), got;

	memset(text, 'x', sizeof(text));
	request.name = request.authzid = bytes_of(text, AUTH_WIRE_NAME_BYTES_MAX);
	request.password = bytes_of(text, AUTH_WIRE_PASSWORD_BYTES_MAX);
	request.service = bytes_of(text, AUTH_WIRE_SERVICE_BYTES_MAX);
	size_t n = auth_wire_put_request(&request, room);

	cr_assert_eq(n, AUTH_WIRE_REQUEST_BYTES_MAX);
	cr_assert_eq(auth_wire_get_request(bytes_of(room, n), &got), RP_OK);
	cr_assert_eq(auth_wire_get_request(bytes_of(room, n + 1), &got), RP_ERR_SYNTAX);
	/* One more byte of name, one less of service: the sum is right, the bound is not. */
	room[6] = 0;
	room[7] = 1;
	room[36]--;
	cr_assert_eq(auth_wire_get_request(bytes_of(room, n), &got), RP_ERR_SYNTAX);
}

Test(auth_wire, every_cut_is_refused)
{
	struct auth_wire_request request = sample_request();
	struct auth_wire_answer answer = sample_answer();
	uint8_t room[AUTH_WIRE_REQUEST_BYTES_MAX];
	size_t n = auth_wire_put_request(&request, room);

	for (size_t cut = 0; cut < n; cut++)
		cr_assert_eq(auth_wire_get_request(bytes_of(room, cut), &request), RP_ERR_SYNTAX);
	n = auth_wire_put_answer(&answer, room);
	for (size_t cut = 0; cut < n; cut++)
		cr_assert_eq(auth_wire_get_answer(bytes_of(room, cut), &answer), RP_ERR_SYNTAX);
}

Test(auth_wire, what_does_not_belong_to_a_kind_is_refused)
{
	uint8_t room[AUTH_WIRE_REQUEST_BYTES_MAX];
	struct auth_wire_request request = sample_request(), got;

	request.kind = AUTH_WIRE_LOOKUP; /* with a password */
	cr_assert_eq(
	    auth_wire_get_request(bytes_of(room, auth_wire_put_request(&request, room)), &got),
	    RP_ERR_SYNTAX);
	request.password = request.authzid = (struct bytes){0};
	cr_assert_eq(
	    auth_wire_get_request(bytes_of(room, auth_wire_put_request(&request, room)), &got),
	    RP_OK);
	request.kind = AUTH_WIRE_RELOAD; /* with a name */
	cr_assert_eq(
	    auth_wire_get_request(bytes_of(room, auth_wire_put_request(&request, room)), &got),
	    RP_ERR_SYNTAX);
	request.name = (struct bytes){0};
	cr_assert_eq(
	    auth_wire_get_request(bytes_of(room, auth_wire_put_request(&request, room)), &got),
	    RP_OK);
	for (unsigned kind = 0; kind < 256; kind++) {
		room[5] = (uint8_t)kind;
		cr_assert_eq(auth_wire_get_request(
		                 bytes_of(room, AUTH_WIRE_REQUEST_HEAD_BYTES + 4), &got) == RP_OK,
		    kind >= AUTH_WIRE_VERIFY && kind <= AUTH_WIRE_RELOAD);
	}
	request = sample_request();
	request.password = BYTES_LIT("a\0b");
	cr_assert_eq(
	    auth_wire_get_request(bytes_of(room, auth_wire_put_request(&request, room)), &got),
	    RP_ERR_SYNTAX);
}

Test(auth_wire, another_version_or_an_unknown_flag_is_refused)
{
	struct auth_wire_answer answer = sample_answer(), got;
	uint8_t room[AUTH_WIRE_ANSWER_BYTES_MAX];
	size_t n = auth_wire_put_answer(&answer, room);
	static const struct {
		size_t at;
		uint8_t value;
	} bad[] = {{0, 'X'}, {4, 2}, {5, 0}, {5, 6}, {32, 4}, {35, 1}, {36, 1}, {7, 1}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t old = room[bad[i].at];

		room[bad[i].at] = bad[i].value;
		cr_assert_eq(
		    auth_wire_get_answer(bytes_of(room, n), &got), RP_ERR_SYNTAX, "case %zu", i);
		room[bad[i].at] = old;
	}
	cr_assert_eq(auth_wire_get_answer(bytes_of(room, n), &got), RP_OK);
}
