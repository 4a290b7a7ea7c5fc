#include "core/mail/address.h"

/* Where we are within one address. */
enum address_place {
	AT_WORDS, /* a display name, or the local part of a bare address: not yet known */
	AT_HOST,  /* behind the @ of a bare address */
	AT_ANGLE, /* behind <: local part */
	AT_ANGLE_HOST,
	AT_ROUTE, /* <@...: */
	AT_DONE,  /* behind > */
};

struct address_state {
	enum address_place place;
	bool any;     /* there was something besides blanks and comments */
	bool space;   /* blanks stood before what comes */
	bool angle;   /* there was a < */
	bool comment; /* there was a (comment) */
	bool route;
};

void address_reader_init(struct address_reader *reader, struct arena *arena)
{
	*reader = (struct address_reader){0};
	text_init(&reader->name, arena);
	text_init(&reader->comment, arena);
	text_init(&reader->route, arena);
	text_init(&reader->mailbox, arena);
	text_init(&reader->host, arena);
}

void address_read(struct address_reader *reader, struct bytes value)
{
	reader->rest = value;
	reader->in_group = false;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool ends_atom(uint8_t c)
{
	return is_space(c) || memchr("()<>@,;:\"", c, 9) != NULL;
}

/* rest begins behind "(". Nesting is a counter; its text, without the outer parentheses, goes to
 * `out`. Without an end it reaches to the end of the value. */
static void read_comment(struct address_reader *reader)
{
	struct bytes b = reader->rest;
	struct text *out = &reader->comment;
	size_t depth = 1;
	size_t i = 0;

	text_clear(out);
	for (; i < b.n; i++) {
		uint8_t c = b.p[i];

		if (c == '\\' && i + 1 < b.n)
			c = b.p[++i];
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			break;
		if (c != '\r' && c != '\n')
			text_put_byte(out, c);
	}
	reader->rest = bytes_from(b, i < b.n ? i + 1 : b.n);
	while (out->n != 0 && is_space(out->p[out->n - 1]))
		out->n--;
}

/* rest begins behind the opening quote. What has no place to go (out NULL) is passed over. */
static void read_quoted(struct address_reader *reader, struct text *out, struct text *also)
{
	struct bytes b = reader->rest;
	size_t i = 0;

	for (; i < b.n && b.p[i] != '"'; i++) {
		if (b.p[i] == '\\' && i + 1 < b.n)
			i++;
		if (b.p[i] == '\r' || b.p[i] == '\n')
			continue;
		if (out != NULL)
			text_put_byte(out, b.p[i]);
		if (also != NULL)
			text_put_byte(also, b.p[i]);
	}
	reader->rest = bytes_from(b, i < b.n ? i + 1 : b.n);
}

static size_t atom_bytes(struct bytes b)
{
	size_t n = 0;

	while (n < b.n && !ends_atom(b.p[n]))
		n++;
	return n;
}

/* A word, a quoted string, or a stray special character: put it where it belongs. */
static void take_word(struct address_reader *reader, struct address_state *state, uint8_t c)
{
	struct text *out;
	struct text *also = NULL;

	switch (state->place) {
	case AT_WORDS:
		/* Till < or @ comes it may be a name (blanks count) or a local part (they do not).
		 */
		if (state->space && reader->name.n != 0)
			text_put_byte(&reader->name, ' ');
		out = &reader->name;
		also = &reader->mailbox;
		break;
	case AT_HOST:
		out = &reader->host;
		also = &reader->name; /* "a@b <a@b>": all of it turns out to be the name */
		if (state->space && reader->name.n != 0)
			text_put_byte(&reader->name, ' ');
		break;
	case AT_ANGLE:
		out = &reader->mailbox;
		break;
	case AT_ANGLE_HOST:
		out = &reader->host;
		break;
	case AT_ROUTE:
		out = &reader->route;
		break;
	default: /* behind the > nothing belongs to the address any more */
		out = NULL;
		break;
	}
	state->any = true;
	state->space = false;
	if (c == '"') {
		reader->rest = bytes_from(reader->rest, 1);
		read_quoted(reader, out, also);
		return;
	}
	size_t n = atom_bytes(reader->rest);

	if (n == 0)
		n = 1;
	if (out != NULL)
		text_put(out, bytes_slice(reader->rest, 0, n));
	if (also != NULL)
		text_put(also, bytes_slice(reader->rest, 0, n));
	reader->rest = bytes_from(reader->rest, n);
}

/* An @ ends the local part. A second one shows that the first belonged to it. */
static void take_at(struct address_reader *reader, struct address_state *state)
{
	reader->rest = bytes_from(reader->rest, 1);
	state->any = true;
	state->space = false;
	switch (state->place) {
	case AT_WORDS:
		text_put_byte(&reader->name, '@');
		state->place = AT_HOST;
		break;
	case AT_HOST:
		text_put_byte(&reader->name, '@');
		text_put_byte(&reader->mailbox, '@');
		text_put(&reader->mailbox, text_bytes(&reader->host));
		text_clear(&reader->host);
		break;
	case AT_ANGLE:
		if (reader->mailbox.n == 0 && !state->route) {
			text_put_byte(&reader->route, '@');
			state->place = AT_ROUTE;
		} else {
			state->place = AT_ANGLE_HOST;
		}
		break;
	case AT_ANGLE_HOST:
		text_put_byte(&reader->mailbox, '@');
		text_put(&reader->mailbox, text_bytes(&reader->host));
		text_clear(&reader->host);
		break;
	case AT_ROUTE:
		text_put_byte(&reader->route, '@');
		break;
	default:
		break;
	}
}

static void take_less(struct address_reader *reader, struct address_state *state)
{
	reader->rest = bytes_from(reader->rest, 1);
	state->any = true;
	if (state->angle)
		return; /* a second one says nothing */
	state->angle = true;
	state->place = AT_ANGLE;
	text_clear(&reader->mailbox);
	text_clear(&reader->host);
}

/* <@host> with no colon behind was no route, but an address without local part. */
static void end_angle(struct address_reader *reader, struct address_state *state)
{
	if (state->place == AT_ROUTE) {
		text_put(&reader->host, bytes_from(text_bytes(&reader->route), 1));
		text_clear(&reader->route);
	}
	state->place = AT_DONE;
}

/* Read up to the end of one address. False: the value ended. *end is what ended it, else 0. */
static void read_one(struct address_reader *reader, struct address_state *state, uint8_t *end)
{
	*end = 0;
	while (reader->rest.n != 0) {
		uint8_t c = reader->rest.p[0];

		if (is_space(c)) {
			state->space = true;
		} else if (c == '(') {
			reader->rest = bytes_from(reader->rest, 1);
			read_comment(reader);
			state->comment = true;
			state->space = true;
			continue;
		} else if (c == '@') {
			take_at(reader, state);
			continue;
		} else if (c == '<') {
			take_less(reader, state);
			continue;
		} else if (c == '>') {
			if (state->angle)
				end_angle(reader, state);
		} else if (c == ':' && state->place == AT_ROUTE) {
			state->route = true;
			state->place = AT_ANGLE;
		} else if ((c == ',' && state->place != AT_ROUTE) || c == ';' ||
		           (c == ':' && state->place == AT_WORDS && !reader->in_group)) {
			*end = c;
			reader->rest = bytes_from(reader->rest, 1);
			break;
		} else {
			if (c == ',')
				state->space = false;
			take_word(reader, state, c);
			continue;
		}
		reader->rest = bytes_from(reader->rest, 1);
	}
	if (state->angle && state->place != AT_DONE)
		end_angle(reader, state);
}

static void fill_mailbox(
    struct address_reader *reader, const struct address_state *state, struct address *out)
{
	*out = (struct address){.kind = ADDRESS_MAILBOX};
	if (state->angle && reader->name.n != 0)
		out->name = text_bytes(&reader->name);
	else if (state->comment && reader->comment.n != 0)
		out->name = text_bytes(&reader->comment);
	if (reader->route.n != 0)
		out->route = text_bytes(&reader->route);
	out->mailbox = text_bytes(&reader->mailbox);
	out->host = text_bytes(&reader->host);
}

bool address_next(struct address_reader *reader, struct address *address)
{
	for (;;) {
		struct address_state state = {0};
		uint8_t end;

		if (reader->rest.n == 0) {
			if (!reader->in_group)
				return false;
			reader->in_group = false;
			*address = (struct address){.kind = ADDRESS_GROUP_END};
			return true;
		}
		if (reader->in_group && reader->rest.p[0] == ';') {
			reader->rest = bytes_from(reader->rest, 1);
			reader->in_group = false;
			*address = (struct address){.kind = ADDRESS_GROUP_END};
			return true;
		}
		text_clear(&reader->name);
		text_clear(&reader->comment);
		text_clear(&reader->route);
		text_clear(&reader->mailbox);
		text_clear(&reader->host);
		read_one(reader, &state, &end);
		if (end == ':') {
			reader->in_group = true;
			*address = (struct address){
			    .kind = ADDRESS_GROUP_START, .name = text_bytes(&reader->name)};
			return true;
		}
		if (end == ';' && reader->in_group) /* seen again, as the group's end */
			reader->rest = (struct bytes){reader->rest.p - 1, reader->rest.n + 1};
		if (state.any) {
			fill_mailbox(reader, &state, address);
			return true;
		}
	}
}
