#include "core/mail/search_text.h"

#include "core/mail/encoded_word.h"
#include "core/mail/fold.h"
#include "core/mail/header.h"

/* Each part has two places: its header block (2 * index) and its body (2 * index + 1). */
bool search_range_next(
    const struct mime *mime, bool own_header, uint64_t *cursor, struct search_range *out)
{
	for (; *cursor < 2 * (uint64_t)mime->count; (*cursor)++) {
		uint64_t place = *cursor;
		const struct mime_part *part = &mime->part[place / 2];

		if (place % 2 == 0) {
			if ((place == 0 && !own_header) || part->body_offset == part->header_offset)
				continue;
			*out = (struct search_range){.offset = part->header_offset,
			    .bytes = part->body_offset - part->header_offset,
			    .header = true};
		} else {
			if (part->kind != MIME_LEAF || !mime_fields_is_text(part->fields) ||
			    mime_body_bytes(part) == 0)
				continue;
			struct bytes name =
			    mime_params_find(&part->fields->params, BYTES_LIT("charset"));

			*out = (struct search_range){.offset = part->body_offset,
			    .bytes = mime_body_bytes(part),
			    .cte = part->fields->cte,
			    .charset = name.p != NULL ? charset_find(name) : CHARSET_UTF8};
		}
		(*cursor)++;
		return true;
	}
	return false;
}

void search_text_begin(struct search_text *search, const struct charset_set *set,
    enum decode_cte cte, enum charset charset)
{
	decode_init(&search->decode, cte);
	charset_begin(&search->conv, set, charset);
	search->utf8 = bytes_of(search->utf8_buffer, 0);
}

static struct bytes fold_some(struct search_text *search)
{
	return bytes_of(
	    search->folded, fold_utf8(&search->utf8, search->folded, sizeof(search->folded)));
}

bool search_text_next(struct search_text *search, struct bytes *in, struct bytes *out)
{
	if (search->utf8.n == 0) {
		if (in->n == 0)
			return false;
		size_t n = in->n < SEARCH_SLICE_BYTES ? in->n : SEARCH_SLICE_BYTES;
		size_t decoded =
		    decode_feed(&search->decode, bytes_slice(*in, 0, n), search->decoded);

		*in = bytes_from(*in, n);
		search->utf8 = bytes_of(search->utf8_buffer,
		    charset_feed(
		        &search->conv, bytes_of(search->decoded, decoded), search->utf8_buffer));
	}
	*out = fold_some(search);
	return true;
}

struct bytes search_text_finish(struct search_text *search)
{
	size_t decoded = decode_finish(&search->decode, search->decoded);
	uint8_t *to = search->utf8_buffer;
	size_t n = charset_feed(&search->conv, bytes_of(search->decoded, decoded), to);

	n += charset_finish(&search->conv, to + n);
	search->utf8 = bytes_of(to, n);
	return fold_some(search);
}

/* The field's text: "value", or "name: value" when any field is asked for. */
static bool put_field(const struct charset_set *set, const struct header_field *field, bool named,
    struct arena *scratch, struct text *folded)
{
	struct text raw;
	struct text utf8;

	text_init(&raw, scratch);
	text_init(&utf8, scratch);
	if (!named && field->name.n != 0) {
		text_put(&raw, field->name);
		text_put_str(&raw, ": ");
	}
	header_unfold(&raw, field->value);
	encoded_word_decode(set, text_bytes(&raw), &utf8);
	fold_text(folded, text_bytes(&utf8));
	return !raw.full && !utf8.full && !folded->full;
}

enum rp_err search_header(const struct charset_set *set, struct bytes block, struct bytes name,
    const struct needle *needle, struct arena *scratch)
{
	struct header_field field;

	while (header_next(&block, &field)) {
		struct needle_scan scan = {0};
		struct text folded;

		if (name.n != 0 && !header_is(&field, name))
			continue;
		arena_reset(scratch);
		text_init(&folded, scratch);
		if (!put_field(set, &field, name.n != 0, scratch, &folded))
			return RP_ERR_NOMEM;
		if (needle_find(needle, &scan, folded.n != 0 ? text_bytes(&folded) : BYTES_LIT("")))
			return RP_OK;
	}
	return RP_ERR_NOTFOUND;
}
