#include "core/mail/envelope.h"

#include "core/mail/address.h"
#include "core/mail/header.h"

enum envelope_list {
	ENVELOPE_FROM,
	ENVELOPE_SENDER,
	ENVELOPE_REPLY_TO,
	ENVELOPE_TO,
	ENVELOPE_CC,
	ENVELOPE_BCC,
	ENVELOPE_LISTS,
};

enum envelope_line {
	ENVELOPE_DATE,
	ENVELOPE_SUBJECT,
	ENVELOPE_IN_REPLY_TO,
	ENVELOPE_MESSAGE_ID,
	ENVELOPE_LINES,
};

struct envelope {
	struct text list[ENVELOPE_LISTS];
	uint32_t list_count[ENVELOPE_LISTS]; /* addresses in it */
	struct bytes line[ENVELOPE_LINES];   /* .p == NULL: not there */
	struct address_reader reader;
	struct arena *scratch;
	uint32_t *addresses_left;
	bool full;
};

/* addr = "(" name SP adl SP mailbox SP host ")". A NIL host marks a group: with a name its start,
 * without one its end. So a mailbox without a host has an empty one. */
static void put_address(struct text *out, const struct address *address)
{
	switch (address->kind) {
	case ADDRESS_GROUP_START:
		text_put_str(out, "(NIL NIL ");
		text_put_string(out, address->name);
		text_put_str(out, " NIL)");
		return;
	case ADDRESS_GROUP_END:
		text_put_str(out, "(NIL NIL NIL NIL)");
		return;
	default:
		text_put_byte(out, '(');
		text_put_nstring(out, address->name);
		text_put_byte(out, ' ');
		text_put_nstring(out, address->route);
		text_put_byte(out, ' ');
		text_put_string(out, address->mailbox);
		text_put_byte(out, ' ');
		text_put_string(out, address->host);
		text_put_byte(out, ')');
	}
}

/* A field that comes several times counts as one list. The end of a group is written whatever the
 * bounds, for an open group would swallow what follows. */
static void add_list(struct envelope *envelope, enum envelope_list which, struct bytes value)
{
	struct address address;

	address_read(&envelope->reader, value);
	while (
	    envelope
	        ->list_count[which]<ENVELOPE_FIELD_ADDRESSES_MAX && * envelope->addresses_left> 0 &&
	    address_next(&envelope->reader, &address)) {
		put_address(&envelope->list[which], &address);
		if (address.kind != ADDRESS_GROUP_END) {
			envelope->list_count[which]++;
			(*envelope->addresses_left)--;
		}
	}
	if (envelope->reader.in_group) {
		address = (struct address){.kind = ADDRESS_GROUP_END};
		put_address(&envelope->list[which], &address);
	}
}

static void add_field(struct envelope *envelope, const struct header_field *field)
{
	static const char *const lists[ENVELOPE_LISTS] = {
	    "From", "Sender", "Reply-To", "To", "Cc", "Bcc"};
	static const char *const lines[ENVELOPE_LINES] = {
	    "Date", "Subject", "In-Reply-To", "Message-ID"};

	for (size_t i = 0; i < ENVELOPE_LISTS; i++) {
		if (header_is(field, bytes_of_str(lists[i]))) {
			add_list(envelope, (enum envelope_list)i, field->value);
			return;
		}
	}
	for (size_t i = 0; i < ENVELOPE_LINES; i++) {
		if (header_is(field, bytes_of_str(lines[i])) && envelope->line[i].p == NULL) {
			envelope->line[i] = header_unfolded(envelope->scratch, field->value);
			envelope->full |= envelope->line[i].p == NULL;
			return;
		}
	}
}

static void put_list(struct text *out, const struct text *list)
{
	text_put_byte(out, ' ');
	if (list->n == 0) {
		text_put_str(out, "NIL");
		return;
	}
	text_put_byte(out, '(');
	text_put(out, text_bytes(list));
	text_put_byte(out, ')');
}

static void put_all(struct text *out, struct envelope *envelope)
{
	text_put_byte(out, '(');
	text_put_nstring(out, envelope->line[ENVELOPE_DATE]);
	text_put_byte(out, ' ');
	text_put_nstring(out, envelope->line[ENVELOPE_SUBJECT]);
	for (size_t i = 0; i < ENVELOPE_LISTS; i++) {
		bool from =
		    envelope->list[i].n == 0 && (i == ENVELOPE_SENDER || i == ENVELOPE_REPLY_TO);

		put_list(out, &envelope->list[from ? ENVELOPE_FROM : i]);
	}
	text_put_byte(out, ' ');
	text_put_nstring(out, envelope->line[ENVELOPE_IN_REPLY_TO]);
	text_put_byte(out, ' ');
	text_put_nstring(out, envelope->line[ENVELOPE_MESSAGE_ID]);
	text_put_byte(out, ')');
}

bool envelope_render(
    struct text *out, struct bytes block, struct arena *scratch, uint32_t *addresses_left)
{
	struct envelope envelope = {.scratch = scratch, .addresses_left = addresses_left};
	struct header_field field;

	address_reader_init(&envelope.reader, scratch);
	for (size_t i = 0; i < ENVELOPE_LISTS; i++)
		text_init(&envelope.list[i], scratch);
	while (header_next(&block, &field))
		add_field(&envelope, &field);
	for (size_t i = 0; i < ENVELOPE_LISTS; i++)
		envelope.full |= envelope.list[i].full;
	envelope.full |= envelope.reader.name.full || envelope.reader.comment.full ||
	                 envelope.reader.route.full || envelope.reader.mailbox.full ||
	                 envelope.reader.host.full;
	if (envelope.full)
		return false;
	put_all(out, &envelope);
	return !out->full;
}
