#include "core/lmtp/lmtp_path.h"

#include "core/imap/utf8.h"

static bool put(struct lmtp_path *out, uint8_t c)
{
	if (out->address_bytes == sizeof(out->address))
		return false;
	out->address[out->address_bytes++] = c;
	return true;
}

/* Any byte that can stand in an address without quotes: atext, dots, brackets of a domain literal, UTF-8. */
static bool is_plain(uint8_t c)
{
	return c > 0x20 && c != 0x7f && c != '<' && c != '>' && c != '"' && c != '\\' && c != ',' && c != '@' &&
	       c != '(' && c != ')';
}

/* A source route (RFC 5321, appendix C): accepted, ignored. */
static void skip_route(struct bytes *in)
{
	size_t colon = bytes_find(*in, 0, ':');

	if (in->n > 0 && in->p[0] == '@' && colon < in->n)
		*in = bytes_from(*in, colon + 1);
}

static enum rp_err quoted_local(struct bytes *in, struct lmtp_path *out)
{
	size_t at = 1;

	for (; at < in->n && in->p[at] != '"'; at++) {
		if (in->p[at] == '\\')
			at++;
		if (at >= in->n || in->p[at] < 0x20 || in->p[at] == 0x7f)
			return RP_ERR_SYNTAX;
		if (!put(out, in->p[at]))
			return RP_ERR_LIMIT;
	}
	if (at >= in->n || out->address_bytes == 0)
		return RP_ERR_SYNTAX;
	*in = bytes_from(*in, at + 1);
	return RP_OK;
}

static enum rp_err plain_run(struct bytes *in, struct lmtp_path *out)
{
	size_t at = 0;

	for (; at < in->n && is_plain(in->p[at]); at++)
		if (!put(out, in->p[at]))
			return RP_ERR_LIMIT;
	if (at == 0)
		return RP_ERR_SYNTAX;
	*in = bytes_from(*in, at);
	return RP_OK;
}

static enum rp_err mailbox(struct bytes *in, struct lmtp_path *out)
{
	enum rp_err err = in->n > 0 && in->p[0] == '"' ? quoted_local(in, out) : plain_run(in, out);

	if (err != RP_OK)
		return err;
	out->local_bytes = out->address_bytes;
	if (in->n == 0 || in->p[0] != '@')
		return RP_OK; /* a bare local part is accepted */
	if (!put(out, '@'))
		return RP_ERR_LIMIT;
	*in = bytes_from(*in, 1);
	return plain_run(in, out);
}

static bool is_ascii(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] >= 0x80)
			return false;
	return true;
}

enum rp_err lmtp_path_parse(struct bytes *in, struct lmtp_path *out)
{
	struct bytes rest = *in;
	enum rp_err err;

	out->address_bytes = out->local_bytes = 0;
	if (rest.n < 2 || rest.p[0] != '<')
		return RP_ERR_SYNTAX;
	rest = bytes_from(rest, 1);
	out->written = bytes_slice(rest, 0, 0);
	if (rest.p[0] != '>') {
		skip_route(&rest);
		struct bytes from = rest;

		err = mailbox(&rest, out);
		if (err != RP_OK)
			return err;
		out->written = bytes_slice(from, 0, from.n - rest.n);
	}
	out->ascii = is_ascii(out->written);
	if (!utf8_valid(out->written))
		return RP_ERR_SYNTAX;
	if (rest.n == 0 || rest.p[0] != '>')
		return RP_ERR_SYNTAX;
	*in = bytes_from(rest, 1);
	return RP_OK;
}

enum rp_err lmtp_path_param(struct bytes *in, struct bytes *keyword, struct bytes *value)
{
	struct bytes rest = *in;
	size_t n = 0;

	while (rest.n > 0 && rest.p[0] == ' ')
		rest = bytes_from(rest, 1);
	if (rest.n == 0)
		return RP_ERR_END;
	if (rest.n == in->n)
		return RP_ERR_SYNTAX;
	while (n < rest.n && rest.p[n] != ' ')
		n++;
	struct bytes word = bytes_slice(rest, 0, n);
	size_t equals = bytes_find(word, 0, '=');

	if (equals == 0)
		return RP_ERR_SYNTAX;
	*keyword = bytes_slice(word, 0, equals);
	*value = equals < n ? bytes_from(word, equals + 1) : bytes_of(NULL, 0);
	*in = bytes_from(rest, n);
	return RP_OK;
}

struct bytes lmtp_path_detail(const struct lmtp_path *path)
{
	struct bytes local = { path->address, path->local_bytes };
	size_t plus = bytes_find(local, 0, '+');

	return plus < local.n ? bytes_from(local, plus + 1) : bytes_of(path->address, 0);
}
