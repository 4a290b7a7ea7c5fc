#include "core/session/message_cache.h"

#include <stddef.h>

#include "core/mail/bodystructure.h"
#include "core/mail/header.h"
#include "core/mail/mail_date.h"
#include "io/base/num.h"

enum {
	ENTRY_MAGIC = 0x434d, /* "MC" */
	ENTRY_VERSION = 1,
	ENTRY_HAS_SENT = 1 << 0,
	ENTRY_HAS_FIELDS = 1 << 1,
};

struct entry_header {
	uint16_t magic;
	uint8_t version;
	uint8_t flags;
	uint16_t parts_count;
	int16_t sent_zone_min;
	int64_t sent_seconds;
	uint32_t header_bytes;
	uint32_t envelope_bytes;
	uint32_t body_bytes;
	uint32_t bodystructure_bytes;
	uint32_t fields_bytes;
	uint32_t zero;
};

static_assert(sizeof(struct entry_header) == 40, "format");

/* Parts in the order of the message: a parent stands before its children. */
struct entry_part {
	uint16_t parent; /* index + 1; 0: none */
	uint8_t kind;    /* enum mime_kind */
	uint8_t is_message;
	uint32_t header_offset;
	uint32_t body_offset;
	uint32_t end;
};

static_assert(sizeof(struct entry_part) == 16, "format");

/* Sorted for bsearch-like halving by message_cache_keeps(); test_message_cache.c checks the order. */
static const char *const kept_fields[] = {
	"Auto-Submitted", "Bcc", "Cc", "Content-Type", "Date", "From", "Importance", "In-Reply-To",
	"List-Id", "List-Unsubscribe", "Message-ID", "Newsgroups", "Priority", "References", "Reply-To",
	"Sender", "Subject", "To", "X-Priority",
};

bool message_cache_keeps(struct bytes field_name)
{
	size_t low = 0;
	size_t high = sizeof(kept_fields) / sizeof(kept_fields[0]);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = bytes_cmp_fold(field_name, bytes_of_str(kept_fields[middle]));

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

static uint64_t root_header_bytes(const struct mime *mime)
{
	return mime->part[0].body_offset - mime->part[0].header_offset;
}

/* False: too many bytes, or the header block itself was not kept whole. */
static bool gather_fields(const struct mime *mime, struct text *out)
{
	struct bytes rest = mime->header;
	struct header_field field;

	if (root_header_bytes(mime) != mime->header.n)
		return false;
	while (header_next(&rest, &field)) {
		if (!message_cache_keeps(field.name))
			continue;
		if (out->n + field.whole.n > MESSAGE_CACHE_FIELDS_BYTES_MAX)
			return false;
		text_put(out, field.whole);
	}
	return true;
}

static void put_parts(struct text *out, const struct mime *mime)
{
	for (int32_t i = 0; i < mime->count; i++) {
		const struct mime_part *part = &mime->part[i];
		struct entry_part row = {
			.parent = (uint16_t)(part->parent + 1),
			.kind = (uint8_t)part->kind,
			.is_message = part->is_message,
			.header_offset = (uint32_t)part->header_offset,
			.body_offset = (uint32_t)part->body_offset,
			.end = (uint32_t)part->end,
		};

		RP_ASSERT(part->parent < i);
		text_put(out, bytes_of(&row, sizeof(row)));
	}
}

static bool render_texts(
    struct text *out, const struct mime *mime, struct entry_header *header)
{
	size_t at = out->n;

	text_put(out, mime->part[0].envelope);
	header->envelope_bytes = (uint32_t)(out->n - at);
	at = out->n;
	if (!bodystructure_render(out, mime, BODYSTRUCTURE_BASIC))
		return false;
	header->body_bytes = (uint32_t)(out->n - at);
	at = out->n;
	if (!bodystructure_render(out, mime, BODYSTRUCTURE_EXTENDED))
		return false;
	header->bodystructure_bytes = (uint32_t)(out->n - at);
	return true;
}

enum rp_err message_cache_encode(
    struct arena *arena, const struct mime *mime, struct bytes *entry)
{
	struct entry_header header = { .magic = ENTRY_MAGIC, .version = ENTRY_VERSION };
	struct bytes date = header_find(mime->header, BYTES_LIT("Date"));
	struct mail_date sent;
	struct text fields;
	struct text out;

	text_init(&fields, arena);
	text_init(&out, arena);
	header.header_bytes = (uint32_t)root_header_bytes(mime);
	if (date.p != NULL && mail_date_parse(date, &sent) == RP_OK) {
		header.flags |= ENTRY_HAS_SENT;
		header.sent_seconds = sent.seconds;
		header.sent_zone_min = (int16_t)sent.zone_minutes;
	}
	if (gather_fields(mime, &fields) && !fields.full) {
		header.flags |= ENTRY_HAS_FIELDS;
		header.fields_bytes = (uint32_t)fields.n;
	}
	text_put(&out, bytes_of(&header, sizeof(header)));
	if (mime->count <= MESSAGE_CACHE_PARTS_MAX && mime->bytes <= UINT32_MAX) {
		header.parts_count = (uint16_t)mime->count;
		put_parts(&out, mime);
	}
	if (!render_texts(&out, mime, &header))
		return RP_ERR_LIMIT;
	text_put(&out, bytes_slice(text_bytes(&fields), 0, header.fields_bytes));
	if (out.full || out.n > MESSAGE_CACHE_BYTES_MAX)
		return RP_ERR_LIMIT;
	memcpy(out.p, &header, sizeof(header));
	*entry = text_bytes(&out);
	return RP_OK;
}

static struct bytes take(struct bytes *rest, size_t n)
{
	struct bytes b = bytes_slice(*rest, 0, n);

	*rest = bytes_from(*rest, n);
	return b;
}

enum rp_err message_cache_decode(struct bytes entry, struct message_cache *out)
{
	struct entry_header header;
	struct bytes rest = entry;
	uint64_t total;

	if (entry.n < sizeof(header))
		return RP_ERR_CORRUPT;
	memcpy(&header, take(&rest, sizeof(header)).p, sizeof(header));
	total = (uint64_t)header.parts_count * sizeof(struct entry_part) + header.envelope_bytes +
		header.body_bytes + header.bodystructure_bytes + header.fields_bytes;
	if (header.magic != ENTRY_MAGIC || header.version != ENTRY_VERSION || total != rest.n)
		return RP_ERR_CORRUPT;
	*out = (struct message_cache){
		.parts = take(&rest, header.parts_count * sizeof(struct entry_part)),
		.header_bytes = header.header_bytes,
		.has_fields = (header.flags & ENTRY_HAS_FIELDS) != 0,
		.has_sent = (header.flags & ENTRY_HAS_SENT) != 0,
		.sent_seconds = header.sent_seconds,
		.sent_zone_min = header.sent_zone_min,
	};
	out->envelope = take(&rest, header.envelope_bytes);
	out->body = take(&rest, header.body_bytes);
	out->bodystructure = take(&rest, header.bodystructure_bytes);
	out->fields = rest;
	return RP_OK;
}

/* Is this part where a part can be: inside its parent, in order? */
static bool is_sound(const struct mime *mime, int32_t index, const struct entry_part *row)
{
	const struct mime_part *parent;

	if (row->header_offset > row->body_offset || row->body_offset > row->end ||
	    row->kind > MIME_MESSAGE || row->end > mime->bytes)
		return false;
	if (index == 0)
		return row->parent == 0;
	if (row->parent == 0 || row->parent > index)
		return false;
	parent = &mime->part[row->parent - 1];
	return row->header_offset >= parent->body_offset && row->end <= parent->end;
}

static void hang_in(struct mime *mime, int32_t index)
{
	struct mime_part *parent = &mime->part[mime->part[index].parent];

	if (parent->child == MIME_NONE)
		parent->child = index;
	else
		mime->part[parent->last_child].next = index;
	parent->last_child = index;
}

enum rp_err message_cache_mime(const struct message_cache *cache, struct arena *arena,
    uint64_t message_bytes, struct mime *out)
{
	size_t count = cache->parts.n / sizeof(struct entry_part);
	struct mime mime = { .bytes = message_bytes, .count = (int32_t)count };

	if (count == 0)
		return RP_ERR_NOTFOUND;
	mime.part = arena_calloc(arena, count, sizeof(*mime.part));
	if (mime.part == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = 0; i < count; i++) {
		struct mime_part *part = &mime.part[i];
		struct entry_part row;

		memcpy(&row, cache->parts.p + i * sizeof(row), sizeof(row));
		if (!is_sound(&mime, (int32_t)i, &row))
			return RP_ERR_CORRUPT;
		part->parent = row.parent - 1;
		part->child = part->next = part->last_child = MIME_NONE;
		part->kind = row.kind;
		part->is_message = row.is_message != 0;
		part->header_offset = row.header_offset;
		part->body_offset = row.body_offset;
		part->end = row.end;
		if (i > 0)
			hang_in(&mime, (int32_t)i);
	}
	for (size_t i = 0; i < count; i++)
		if (mime.part[i].kind == MIME_MESSAGE && mime.part[i].child == MIME_NONE)
			return RP_ERR_CORRUPT; /* sections of it would look for its message */
	*out = mime;
	return RP_OK;
}
