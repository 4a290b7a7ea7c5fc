#include "core/imap/section.h"

static const char *const kind_names[] = {
	[SECTION_ALL] = "",
	[SECTION_HEADER] = "HEADER",
	[SECTION_HEADER_FIELDS] = "HEADER.FIELDS",
	[SECTION_HEADER_FIELDS_NOT] = "HEADER.FIELDS.NOT",
	[SECTION_TEXT] = "TEXT",
	[SECTION_MIME] = "MIME",
};

/* Numbers with dots between, up to what is no number; *dot: the last thing read was a dot. */
static enum rp_err take_part(
    struct lex *lex, struct arena *arena, struct section *section, bool *dot)
{
	uint32_t part[SECTION_PART_DEPTH_MAX];
	size_t n = 0;

	*dot = true; /* at the start a number or a word may stand, as behind a dot */
	while (*dot && lex_peek(lex) >= '0' && lex_peek(lex) <= '9') {
		if (n == SECTION_PART_DEPTH_MAX)
			return RP_ERR_LIMIT;
		if (lex_nz_number(lex, &part[n]) != RP_OK)
			return RP_ERR_SYNTAX;
		n++;
		*dot = lex_char(lex, '.');
	}
	if (n == 0)
		return RP_OK;
	struct bytes copy = arena_copy(arena, bytes_of(part, n * sizeof(part[0])));

	if (copy.p == NULL)
		return RP_ERR_LIMIT;
	section->part = (const uint32_t *)copy.p;
	section->part_count = n;
	return RP_OK;
}

static enum rp_err take_kind(struct lex *lex, struct section *section)
{
	struct bytes name;

	if (lex_name(lex, &name) != RP_OK)
		return RP_ERR_SYNTAX;
	for (enum section_kind kind = SECTION_HEADER; kind <= SECTION_MIME; kind++) {
		if (!bytes_eq_fold(name, bytes_of_str(kind_names[kind])))
			continue;
		if (kind == SECTION_MIME && section->part_count == 0)
			return RP_ERR_SYNTAX;
		section->kind = kind;
		return RP_OK;
	}
	return RP_ERR_SYNTAX;
}

/* header-list = "(" astring *(SP astring) ")" */
static enum rp_err take_fields(struct lex *lex, struct arena *arena, struct section *section)
{
	struct bytes *field = NULL;
	size_t n = 0;
	size_t room = 0;
	bool more = true;
	enum rp_err err = lex_sp(lex);

	if (err == RP_OK)
		err = lex_open(lex);
	while (err == RP_OK && more) {
		if (n == SECTION_FIELDS_MAX)
			return RP_ERR_LIMIT;
		if (n == room) {
			size_t grown = room == 0 ? 8 : room * 2;

			field =
			    arena_grow(arena, field, room * sizeof(*field), grown * sizeof(*field));
			if (field == NULL)
				return RP_ERR_LIMIT;
			room = grown;
		}
		err = lex_astring(lex, arena, &field[n++]);
		if (err == RP_OK)
			err = lex_more(lex, &more);
	}
	section->field = field;
	section->field_count = n;
	return err;
}

/* "<" number64 "." nz-number64 ">" */
static enum rp_err take_partial(struct lex *lex, struct section *section)
{
	if (!lex_char(lex, '<'))
		return RP_OK;
	section->has_partial = true;
	if (lex_number64(lex, &section->partial_offset) != RP_OK || !lex_char(lex, '.') ||
	    lex_peek(lex) == '0' || lex_number64(lex, &section->partial_bytes) != RP_OK ||
	    !lex_char(lex, '>'))
		return RP_ERR_SYNTAX;
	return RP_OK;
}

enum rp_err section_parse(struct lex *lex, struct arena *arena, struct section *out)
{
	struct lex ahead = *lex;
	struct section section = { .kind = SECTION_ALL };
	bool dot;
	enum rp_err err = lex_char(&ahead, '[') ? RP_OK : RP_ERR_SYNTAX;

	if (err == RP_OK)
		err = take_part(&ahead, arena, &section, &dot);
	if (err != RP_OK)
		return err;
	/* "[]" and "[1]" have no word; "[1." needs one, and "[1HEADER" has no dot. */
	if (lex_peek(&ahead) != ']' || (dot && section.part_count > 0))
		err = dot ? take_kind(&ahead, &section) : RP_ERR_SYNTAX;
	if (err == RP_OK &&
	    (section.kind == SECTION_HEADER_FIELDS || section.kind == SECTION_HEADER_FIELDS_NOT))
		err = take_fields(&ahead, arena, &section);
	if (err == RP_OK && !lex_char(&ahead, ']'))
		err = RP_ERR_SYNTAX;
	if (err == RP_OK)
		err = take_partial(&ahead, &section);
	if (err != RP_OK)
		return err;
	*lex = ahead;
	*out = section;
	return RP_OK;
}

void section_write(struct resp *resp, const struct section *section)
{
	bool started = false;

	resp_byte(resp, '[');
	for (size_t i = 0; i < section->part_count; i++) {
		if (i > 0)
			resp_byte(resp, '.');
		resp_u64(resp, section->part[i]);
	}
	if (section->part_count > 0 && section->kind != SECTION_ALL)
		resp_byte(resp, '.');
	resp_str(resp, kind_names[section->kind]);
	if (section->field_count > 0) {
		resp_lit(resp, " (");
		for (size_t i = 0; i < section->field_count; i++) {
			resp_sep(resp, &started);
			resp_astring(resp, section->field[i]);
		}
		resp_byte(resp, ')');
	}
	resp_byte(resp, ']');
	if (section->has_partial) {
		resp_byte(resp, '<');
		resp_u64(resp, section->partial_offset);
		resp_byte(resp, '>');
	}
}
