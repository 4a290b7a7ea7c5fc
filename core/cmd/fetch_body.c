#include "core/cmd/fetch_body.h"

#include "core/mail/mime_section.h"
#include "core/session/message_reader.h"
#include "core/session/selected.h"
#include "io/base/num.h"

static struct mailbox *mailbox_of(const struct fetch_message *message)
{
	return message->cmd->session->selected->mailbox;
}

enum rp_err fetch_body_cache(struct task *task, struct fetch_message *message)
{
	struct bytes entry;
	enum rp_err err;

	if (message->cache_good)
		return RP_OK;
	err = mailbox_cache(
	    task, mailbox_of(message), message->cursor->message.uid, message->arena, &entry);
	if (err == RP_OK)
		err = message_cache_decode(entry, &message->cache);
	message->cache_good = err == RP_OK;
	return err;
}

static enum rp_err open_body(struct task *task, struct fetch_message *message)
{
	if (message->body != NULL)
		return RP_OK;
	message->cache_good = false;
	if (message->piece == NULL)
		message->piece = arena_alloc(message->cmd->arena, FETCH_PIECE_BYTES);
	if (message->piece == NULL)
		return RP_ERR_NOMEM;
	return mailbox_body_open(
	    task, mailbox_of(message), message->cursor->message.uid, &message->body);
}

/* Exactly n bytes, or an error. */
static enum rp_err read_body(
    struct task *task, struct fetch_message *message, uint64_t offset, uint8_t *p, size_t n)
{
	size_t got = 0;
	enum rp_err err;

	message->cache_good = false;
	err = dbox_body_read(task, message->body, offset, p, n, &got);
	if (err == RP_OK && got != n)
		err = RP_ERR_CORRUPT;
	if (err == RP_ERR_CORRUPT)
		mailbox_body_damaged(
		    mailbox_of(message), message->cursor->message.uid, message->body);
	return err;
}

/* The tree of parts: from the cache, or by reading all of the body. */
static enum rp_err need_mime(struct task *task, struct fetch_message *message)
{
	enum rp_err err;

	if (message->has_mime)
		return RP_OK;
	err = fetch_body_cache(task, message);
	if (err == RP_OK)
		err = message_cache_mime(&message->cache, message->arena,
		    message->cursor->message.rfc822_size_bytes, &message->mime);
	if (err != RP_OK && err != RP_ERR_CANCELED) {
		err = open_body(task, message);
		if (err == RP_OK)
			err = message_reader_parse(
			    task, message->body, message->arena, MIME_FOR_SECTIONS, &message->mime);
		if (err == RP_ERR_CORRUPT && message->body != NULL)
			mailbox_body_damaged(mailbox_of(message),
			    message->cursor->message.uid, message->body);
	}
	message->has_mime = err == RP_OK;
	return err;
}

/* What RFC822 and its like are as sections. */
static struct section section_of(const struct fetch_att *att)
{
	switch (att->kind) {
	case FETCH_RFC822:
		return (struct section){ .kind = SECTION_ALL };
	case FETCH_RFC822_HEADER:
		return (struct section){ .kind = SECTION_HEADER };
	case FETCH_RFC822_TEXT:
		return (struct section){ .kind = SECTION_TEXT };
	default:
		return att->section;
	}
}

static struct mime_section mime_section_of(const struct section *section)
{
	static const enum mime_section_kind kinds[] = {
		[SECTION_ALL] = MIME_SECTION_BODY,
		[SECTION_HEADER] = MIME_SECTION_HEADER,
		[SECTION_HEADER_FIELDS] = MIME_SECTION_FIELDS,
		[SECTION_HEADER_FIELDS_NOT] = MIME_SECTION_FIELDS_NOT,
		[SECTION_TEXT] = MIME_SECTION_TEXT,
		[SECTION_MIME] = MIME_SECTION_MIME,
	};

	return (struct mime_section){
		.part = section->part,
		.part_count = section->part_count,
		.kind = kinds[section->kind],
		.name = section->field,
		.name_count = section->field_count,
	};
}

/* Where the section lies. Of the message itself that needs no tree. */
static enum rp_err find_range(struct task *task, struct fetch_message *message,
    const struct section *section, struct mime_range *range)
{
	uint64_t all = message->cursor->message.rfc822_size_bytes;
	struct mime_section wanted;
	enum rp_err err;

	*range = (struct mime_range){ 0, all, 0 };
	if (section->part_count == 0 && section->kind == SECTION_ALL)
		return RP_OK;
	if (section->part_count == 0) {
		uint64_t header;

		err = fetch_body_cache(task, message);
		if (err == RP_ERR_CANCELED)
			return err;
		header = err == RP_OK ? message->cache.header_bytes : UINT64_MAX;
		if (header <= all) {
			if (section->kind == SECTION_TEXT)
				*range = (struct mime_range){ header, all - header, 0 };
			else
				range->bytes = header;
			return RP_OK;
		}
	}
	err = need_mime(task, message);
	if (err != RP_OK)
		return err;
	wanted = mime_section_of(section);
	return mime_section_find(&message->mime, &wanted, range);
}

static void clip(const struct section *section, struct mime_range *range)
{
	uint64_t skip;

	if (!section->has_partial)
		return;
	skip = num_min(section->partial_offset, range->bytes);
	range->offset += skip;
	range->bytes = num_min(section->partial_bytes, range->bytes - skip);
}

/* A literal may not hold NUL: 0x80 stands for it, as with other servers. */
static void mask_nul(uint8_t *p, size_t n)
{
	uint8_t *nul;

	while (n > 0 && (nul = memchr(p, 0, n)) != NULL) {
		*nul = 0x80;
		n -= (size_t)(nul + 1 - p);
		p = nul + 1;
	}
}

/* Are the bytes there and sound? Read once before the literal's length is promised. */
static enum rp_err verify(
    struct task *task, struct fetch_message *message, const struct mime_range *range)
{
	for (uint64_t done = 0; done < range->bytes;) {
		size_t n = (size_t)num_min(range->bytes - done, FETCH_PIECE_BYTES);
		enum rp_err err = read_body(task, message, range->offset + done, message->piece, n);

		if (err == RP_OK)
			err = task_pause(task);
		if (err != RP_OK)
			return err;
		done += n;
	}
	return RP_OK;
}

static enum rp_err stream(
    struct task *task, struct fetch_message *message, const struct mime_range *range)
{
	for (uint64_t done = 0; done < range->bytes;) {
		size_t n = (size_t)num_min(range->bytes - done, FETCH_PIECE_BYTES);
		enum rp_err err = read_body(task, message, range->offset + done, message->piece, n);

		if (err != RP_OK)
			return err;
		mask_nul(message->piece, n);
		resp_put(cmd_resp(message->cmd), bytes_of(message->piece, n));
		err = cmd_flush(task, message->cmd);
		if (err != RP_OK)
			return err;
		done += n;
	}
	return RP_OK;
}

/* A message may be asked for in a hundred pieces: between them others run, and the output is kept within its bound. */
static enum rp_err look_at_output(struct task *task, struct fetch_message *message)
{
	if (message->unflushed_bytes < FETCH_PIECE_BYTES)
		return RP_OK;
	message->unflushed_bytes = 0;
	message->cache_good = false;
	return cmd_flush(task, message->cmd);
}

static struct resp *begin(struct fetch_message *message, const struct fetch_att *att, uint64_t bytes)
{
	struct resp *resp = fetch_message_begin_item(message);

	fetch_att_write(resp, att);
	resp_byte(resp, ' ');
	resp_literal_mark(resp, bytes);
	message->unflushed_bytes += bytes;
	return resp;
}

static enum rp_err put_range(struct task *task, struct fetch_message *message,
    const struct fetch_att *att, const struct mime_range *range)
{
	enum rp_err err = open_body(task, message);

	if (err != RP_OK)
		return err;
	if (range->bytes <= FETCH_PIECE_BYTES) {
		err = read_body(task, message, range->offset, message->piece, (size_t)range->bytes);
		if (err != RP_OK)
			return err;
		mask_nul(message->piece, (size_t)range->bytes);
		resp_put(begin(message, att, range->bytes),
		    bytes_of(message->piece, (size_t)range->bytes));
		return RP_OK;
	}
	err = verify(task, message, range);
	if (err != RP_OK)
		return err;
	begin(message, att, range->bytes);
	err = stream(task, message, range);
	message->broken = err != RP_OK;
	return err;
}

/* The literal of some header fields, which lie in memory. */
static enum rp_err put_fields(struct fetch_message *message, const struct fetch_att *att,
    struct bytes block, const struct section *section)
{
	struct mime_section wanted = mime_section_of(section);
	struct mime_range range = { 0 };
	struct bytes picked;
	struct text text;
	struct resp *resp;

	text_init(&text, message->arena);
	if (!mime_section_fields(&text, block, &wanted))
		return RP_ERR_NOMEM;
	range.bytes = text.n;
	clip(section, &range);
	picked = bytes_slice(text_bytes(&text), range.offset, range.offset + range.bytes);
	mask_nul(text.p + range.offset, picked.n);
	resp = begin(message, att, picked.n);
	resp_put(resp, picked);
	return RP_OK;
}

static bool cache_has(const struct message_cache *cache, const struct section *section)
{
	if (!cache->has_fields || section->part_count > 0 || section->kind != SECTION_HEADER_FIELDS)
		return false;
	for (size_t i = 0; i < section->field_count; i++)
		if (!message_cache_keeps(section->field[i]))
			return false;
	return true;
}

static enum rp_err fields_item(struct task *task, struct fetch_message *message,
    const struct fetch_att *att, const struct section *section)
{
	struct mime_range range;
	uint8_t *block;
	enum rp_err err;

	err = fetch_body_cache(task, message);
	if (err == RP_ERR_CANCELED)
		return err;
	if (err == RP_OK && cache_has(&message->cache, section))
		return put_fields(message, att, message->cache.fields, section);
	err = find_range(task, message, section, &range);
	if (err == RP_OK)
		err = open_body(task, message);
	if (err != RP_OK)
		return err;
	block = arena_alloc(message->arena, (size_t)range.bytes);
	if (block == NULL)
		return RP_ERR_NOMEM;
	err = read_body(task, message, range.offset, block, (size_t)range.bytes);
	if (err != RP_OK)
		return err;
	return put_fields(message, att, bytes_of(block, (size_t)range.bytes), section);
}

enum rp_err fetch_body_item(
    struct task *task, struct fetch_message *message, const struct fetch_att *att)
{
	struct section section = section_of(att);
	struct mime_range range;
	enum rp_err err;

	if (section.kind == SECTION_HEADER_FIELDS || section.kind == SECTION_HEADER_FIELDS_NOT) {
		err = fields_item(task, message, att, &section);
	} else {
		err = find_range(task, message, &section, &range);
		if (err == RP_OK) {
			clip(&section, &range);
			err = put_range(task, message, att, &range);
		}
	}
	if (err == RP_ERR_NOTFOUND) { /* the message has no such part */
		struct resp *resp = fetch_message_begin_item(message);

		fetch_att_write(resp, att);
		resp_lit(resp, " NIL");
		err = RP_OK;
	}
	return err == RP_OK ? look_at_output(task, message) : err;
}
