#include "core/mail/mime_section.h"

#include <stdlib.h>

#include "core/mail/header.h"

static int32_t nth_child(const struct mime *mime, int32_t parent, uint32_t n)
{
	int32_t index = mime->part[parent].child;

	while (--n > 0 && index != MIME_NONE)
		index = mime->part[index].next;
	return index;
}

/* One number of a section. `at` is the part so far, MIME_NONE the whole message before any number.
 */
static int32_t step(const struct mime *mime, int32_t at, uint32_t n)
{
	if (n == 0)
		return MIME_NONE;
	bool message = at == MIME_NONE || mime->part[at].kind == MIME_MESSAGE;
	int32_t within = at;

	if (at == MIME_NONE)
		within = 0;
	else if (message)
		within = mime->part[at].child;
	if (mime->part[within].kind == MIME_MULTIPART)
		return nth_child(mime, within, n);
	return message && n == 1 ? within : MIME_NONE;
}

static struct mime_range header_range(const struct mime *mime, int32_t index)
{
	const struct mime_part *part = &mime->part[index];

	return (struct mime_range){
	    part->header_offset, part->body_offset - part->header_offset, index};
}

static struct mime_range body_range(const struct mime *mime, int32_t index)
{
	const struct mime_part *part = &mime->part[index];

	return (struct mime_range){part->body_offset, mime_body_bytes(part), index};
}

enum rp_err mime_section_find(
    const struct mime *mime, const struct mime_section *section, struct mime_range *out)
{
	int32_t at = MIME_NONE;

	for (size_t i = 0; i < section->part_count; i++) {
		at = step(mime, at, section->part[i]);
		if (at == MIME_NONE)
			return RP_ERR_NOTFOUND;
	}
	if (section->kind == MIME_SECTION_MIME || section->kind == MIME_SECTION_BODY) {
		if (at != MIME_NONE)
			*out = section->kind == MIME_SECTION_MIME ? header_range(mime, at)
			                                          : body_range(mime, at);
		else if (section->kind == MIME_SECTION_BODY)
			*out = (struct mime_range){0, mime->bytes, 0};
		else
			return RP_ERR_NOTFOUND;
		return RP_OK;
	}
	if (at != MIME_NONE && mime->part[at].kind != MIME_MESSAGE)
		return RP_ERR_NOTFOUND;
	int32_t message = at == MIME_NONE ? 0 : mime->part[at].child;

	*out = section->kind == MIME_SECTION_TEXT ? body_range(mime, message)
	                                          : header_range(mime, message);
	return RP_OK;
}

static int compare_names(const void *a, const void *b)
{
	return bytes_cmp_fold(*(const struct bytes *)a, *(const struct bytes *)b);
}

bool mime_section_fields(struct text *out, struct bytes block, const struct mime_section *section)
{
	const bool others = section->kind == MIME_SECTION_FIELDS_NOT;
	struct bytes *names = arena_calloc(out->arena, section->name_count + 1, sizeof(names[0]));
	struct header_field field;

	RP_ASSERT(others || section->kind == MIME_SECTION_FIELDS);
	if (names == NULL)
		return false;
	if (section->name_count != 0)
		memcpy(names, section->name, section->name_count * sizeof(names[0]));
	qsort(names, section->name_count, sizeof(names[0]), compare_names);
	while (header_next(&block, &field)) {
		bool named = field.name.n != 0 && bsearch(&field.name, names, section->name_count,
		                                      sizeof(names[0]), compare_names) != NULL;

		if (named != others)
			text_put(out, field.whole);
	}
	if (out->n != 0 && out->p[out->n - 1] != '\n')
		text_put_str(out, "\r\n"); /* a block that was cut within its last line */
	text_put_str(out, "\r\n");
	return !out->full;
}
