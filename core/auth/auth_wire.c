#include "core/auth/auth_wire.h"

#include "io/base/num.h"

/* Request: magic u32, version u8, kind u8, name_n u16, id u64, peer 16, authzid_n u16, password_n
 * u16, service_n u16, zero u16; then name, authzid, password, service. Answer: magic u32, version
 * u8, result u8, name_n u16, id u64, userid 16, flags u32, zero u32; then name. */
enum {
	REQUEST_MAGIC = 0x51415052, /* "RPAQ" */
	ANSWER_MAGIC = 0x41415052,  /* "RPAA" */
	VERSION = 1,
	AT_VERSION = 4,
	AT_KIND = 5,
	AT_NAME_N = 6,
	AT_ID = 8,
	AT_PEER = 16,
	AT_AUTHZID_N = 32,
	AT_PASSWORD_N = 34,
	AT_SERVICE_N = 36,
	AT_REQUEST_ZERO = 38,
	AT_USERID = 16,
	AT_FLAGS = 32,
	AT_ANSWER_ZERO = 36,
};

static_assert(AT_REQUEST_ZERO + 2 == AUTH_WIRE_REQUEST_HEAD_BYTES, "the head has no gap");
static_assert(AT_ANSWER_ZERO + 4 == AUTH_WIRE_ANSWER_HEAD_BYTES, "the head has no gap");

static void put_head(uint8_t *p, uint32_t magic, uint8_t what, size_t name_n, uint64_t id)
{
	num_put_u32(p, magic);
	p[AT_VERSION] = VERSION;
	p[AT_KIND] = what;
	num_put_u16(p + AT_NAME_N, (uint16_t)name_n);
	num_put_u64(p + AT_ID, id);
}

static size_t put_text(uint8_t *room, size_t at, struct bytes text)
{
	if (text.n > 0)
		memcpy(room + at, text.p, text.n);
	return at + text.n;
}

size_t auth_wire_put_request(
    const struct auth_wire_request *request, uint8_t room[AUTH_WIRE_REQUEST_BYTES_MAX])
{
	RP_ASSERT(request->name.n <= AUTH_WIRE_NAME_BYTES_MAX);
	RP_ASSERT(request->authzid.n <= AUTH_WIRE_NAME_BYTES_MAX);
	RP_ASSERT(request->password.n <= AUTH_WIRE_PASSWORD_BYTES_MAX);
	RP_ASSERT(request->service.n <= AUTH_WIRE_SERVICE_BYTES_MAX);
	size_t at = AUTH_WIRE_REQUEST_HEAD_BYTES;

	put_head(room, REQUEST_MAGIC, (uint8_t)request->kind, request->name.n, request->id);
	memcpy(room + AT_PEER, request->peer, sizeof(request->peer));
	num_put_u16(room + AT_AUTHZID_N, (uint16_t)request->authzid.n);
	num_put_u16(room + AT_PASSWORD_N, (uint16_t)request->password.n);
	num_put_u16(room + AT_SERVICE_N, (uint16_t)request->service.n);
	num_put_u16(room + AT_REQUEST_ZERO, 0);
	at = put_text(room, at, request->name);
	at = put_text(room, at, request->authzid);
	at = put_text(room, at, request->password);
	return put_text(room, at, request->service);
}

size_t auth_wire_put_answer(
    const struct auth_wire_answer *answer, uint8_t room[AUTH_WIRE_ANSWER_BYTES_MAX])
{
	RP_ASSERT(answer->name.n <= AUTH_WIRE_NAME_BYTES_MAX);
	put_head(room, ANSWER_MAGIC, (uint8_t)answer->result, answer->name.n, answer->id);
	memcpy(room + AT_USERID, answer->userid.p, sizeof(answer->userid.p));
	num_put_u32(room + AT_FLAGS, answer->flags);
	num_put_u32(room + AT_ANSWER_ZERO, 0);
	return put_text(room, AUTH_WIRE_ANSWER_HEAD_BYTES, answer->name);
}

static bool has_head(struct bytes message, size_t head_bytes, uint32_t magic)
{
	return message.n >= head_bytes && num_get_u32(message.p) == magic &&
	       message.p[AT_VERSION] == VERSION;
}

/* The next n bytes of the message; the caller knows that they are there. */
static struct bytes take_text(struct bytes message, size_t *at, size_t n)
{
	struct bytes text = bytes_slice(message, *at, *at + n);

	*at += n;
	return text;
}

enum rp_err auth_wire_get_request(struct bytes message, struct auth_wire_request *out)
{
	struct auth_wire_request request = {0};
	size_t at = AUTH_WIRE_REQUEST_HEAD_BYTES;

	if (!has_head(message, AUTH_WIRE_REQUEST_HEAD_BYTES, REQUEST_MAGIC))
		return RP_ERR_SYNTAX;
	const uint8_t *p = message.p;
	size_t name_n = num_get_u16(p + AT_NAME_N);
	size_t authzid_n = num_get_u16(p + AT_AUTHZID_N);
	size_t password_n = num_get_u16(p + AT_PASSWORD_N);
	size_t service_n = num_get_u16(p + AT_SERVICE_N);

	if (name_n > AUTH_WIRE_NAME_BYTES_MAX || authzid_n > AUTH_WIRE_NAME_BYTES_MAX ||
	    password_n > AUTH_WIRE_PASSWORD_BYTES_MAX || service_n > AUTH_WIRE_SERVICE_BYTES_MAX ||
	    num_get_u16(p + AT_REQUEST_ZERO) != 0 ||
	    message.n != at + name_n + authzid_n + password_n + service_n)
		return RP_ERR_SYNTAX;
	request.kind = p[AT_KIND];
	request.id = num_get_u64(p + AT_ID);
	memcpy(request.peer, p + AT_PEER, sizeof(request.peer));
	request.name = take_text(message, &at, name_n);
	request.authzid = take_text(message, &at, authzid_n);
	request.password = take_text(message, &at, password_n);
	request.service = take_text(message, &at, service_n);

	bool fits =
	    request.kind == AUTH_WIRE_VERIFY ||
	    (request.kind == AUTH_WIRE_LOOKUP && authzid_n == 0 && password_n == 0) ||
	    (request.kind == AUTH_WIRE_RELOAD && authzid_n == 0 && password_n == 0 && name_n == 0);

	if (!fits || bytes_find(request.password, 0, '\0') < password_n)
		return RP_ERR_SYNTAX;
	*out = request;
	return RP_OK;
}

enum rp_err auth_wire_get_answer(struct bytes message, struct auth_wire_answer *out)
{
	struct auth_wire_answer answer = {0};
	size_t at = AUTH_WIRE_ANSWER_HEAD_BYTES;

	if (!has_head(message, AUTH_WIRE_ANSWER_HEAD_BYTES, ANSWER_MAGIC))
		return RP_ERR_SYNTAX;
	const uint8_t *p = message.p;
	size_t name_n = num_get_u16(p + AT_NAME_N);

	if (name_n > AUTH_WIRE_NAME_BYTES_MAX || message.n != at + name_n ||
	    num_get_u32(p + AT_ANSWER_ZERO) != 0 ||
	    (num_get_u32(p + AT_FLAGS) & ~(uint32_t)AUTH_WIRE_FLAGS) != 0 ||
	    p[AT_KIND] < AUTH_WIRE_OK || p[AT_KIND] > AUTH_WIRE_UNAVAILABLE)
		return RP_ERR_SYNTAX;
	answer.result = p[AT_KIND];
	answer.id = num_get_u64(p + AT_ID);
	answer.flags = num_get_u32(p + AT_FLAGS);
	memcpy(answer.userid.p, p + AT_USERID, sizeof(answer.userid.p));
	answer.name = take_text(message, &at, name_n);
	*out = answer;
	return RP_OK;
}
