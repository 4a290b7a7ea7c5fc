#include "core/mail/search_text.h"

#include "core/mail/fold.h"

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

enum rp_err search_field_begin(struct search_field *search, const struct charset_set *set,
    const struct header_field *field, bool named, struct arena *scratch)
{
	struct text raw;

	text_init(&raw, scratch);
	if (named && field->name.n != 0) {
		text_put(&raw, field->name);
		text_put_str(&raw, ": ");
	}
	header_unfold(&raw, field->value);
	if (raw.full)
		return RP_ERR_NOMEM;
	encoded_word_begin(&search->words, set, raw.n != 0 ? text_bytes(&raw) : BYTES_LIT(""));
	search->utf8 = bytes_of(search->utf8_buffer, 0);
	return RP_OK;
}

bool search_field_next(struct search_field *search, struct bytes *out)
{
	if (search->utf8.n == 0) {
		size_t n;

		if (!encoded_word_next(&search->words, search->utf8_buffer, &n))
			return false;
		search->utf8 = bytes_of(search->utf8_buffer, n);
	}
	*out = bytes_of(
	    search->folded, fold_utf8(&search->utf8, search->folded, sizeof(search->folded)));
	return true;
}

void search_field_end(struct search_field *search)
{
	encoded_word_end(&search->words);
}
