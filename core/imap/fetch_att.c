#include "core/imap/fetch_att.h"

#include <assert.h>

static const char *const names[FETCH_KIND_COUNT] = {
	[FETCH_BODY] = "BODY",
	[FETCH_BODY_SECTION] = "BODY",
	[FETCH_BODYSTRUCTURE] = "BODYSTRUCTURE",
	[FETCH_ENVELOPE] = "ENVELOPE",
	[FETCH_FLAGS] = "FLAGS",
	[FETCH_INTERNALDATE] = "INTERNALDATE",
	[FETCH_MODSEQ] = "MODSEQ",
	[FETCH_RFC822] = "RFC822",
	[FETCH_RFC822_HEADER] = "RFC822.HEADER",
	[FETCH_RFC822_SIZE] = "RFC822.SIZE",
	[FETCH_RFC822_TEXT] = "RFC822.TEXT",
	[FETCH_UID] = "UID",
};

static_assert(FETCH_KIND_COUNT <= 32, "struct fetch_atts has a bit for each kind");

/* RFC 3501, section 6.4.5. */
static const struct {
	const char *name;
	size_t kind_count;
	enum fetch_att_kind kind[5];
} macros[] = {
	{ "ALL", 4, { FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_RFC822_SIZE, FETCH_ENVELOPE } },
	{ "FAST", 3, { FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_RFC822_SIZE } },
	{ "FULL", 5,
	    { FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_RFC822_SIZE, FETCH_ENVELOPE, FETCH_BODY } },
};

/* The list while it is read. */
struct gather {
	struct arena *arena;
	struct fetch_att *att;
	size_t room;
	struct fetch_atts atts;
};

static enum rp_err add(struct gather *g, const struct fetch_att *att)
{
	unsigned bit = 1u << att->kind;

	if (att->kind != FETCH_BODY_SECTION && (g->atts.kinds & bit) != 0)
		return RP_OK;
	if (g->atts.att_count == FETCH_ATTS_MAX)
		return RP_ERR_LIMIT;
	if (g->atts.att_count == g->room) {
		size_t room = g->room == 0 ? 4 : g->room * 2;
		struct fetch_att *grown =
		    arena_grow(g->arena, g->att, g->room * sizeof(*g->att), room * sizeof(*g->att));

		if (grown == NULL)
			return RP_ERR_LIMIT;
		g->att = grown;
		g->room = room;
	}
	g->att[g->atts.att_count++] = *att;
	g->atts.kinds |= bit;
	g->atts.sets_seen |= att->kind == FETCH_RFC822 || att->kind == FETCH_RFC822_TEXT ||
	                     (att->kind == FETCH_BODY_SECTION && !att->peek);
	return RP_OK;
}

static bool kind_of_name(struct bytes name, enum fetch_att_kind *out)
{
	for (enum fetch_att_kind kind = 0; kind < FETCH_KIND_COUNT; kind++) {
		if (kind != FETCH_BODY_SECTION && bytes_eq_fold(name, bytes_of_str(names[kind]))) {
			*out = kind;
			return true;
		}
	}
	return false;
}

static enum rp_err take_att(struct lex *lex, struct gather *g)
{
	struct fetch_att att = { 0 };
	struct bytes name;

	if (lex_name(lex, &name) != RP_OK)
		return RP_ERR_SYNTAX;
	att.peek = bytes_eq_fold(name, BYTES_LIT("BODY.PEEK"));
	if (!att.peek && !kind_of_name(name, &att.kind))
		return RP_ERR_SYNTAX;
	if (lex_peek(lex) == '[' || att.peek) {
		if (att.kind != FETCH_BODY)
			return RP_ERR_SYNTAX;
		att.kind = FETCH_BODY_SECTION;
		enum rp_err err = section_parse(lex, g->arena, &att.section);

		if (err != RP_OK)
			return err;
	}
	return add(g, &att);
}

/* A macro stands alone, never in a list. */
static bool take_macro(struct lex *lex, struct gather *g, enum rp_err *err)
{
	for (size_t i = 0; i < sizeof(macros) / sizeof(macros[0]); i++) {
		if (!lex_word(lex, macros[i].name))
			continue;
		*err = RP_OK;
		for (size_t k = 0; *err == RP_OK && k < macros[i].kind_count; k++)
			*err = add(g, &(struct fetch_att){ .kind = macros[i].kind[k] });
		return true;
	}
	return false;
}

enum rp_err fetch_atts_parse(struct lex *lex, struct arena *arena, struct fetch_atts *out)
{
	struct lex ahead = *lex;
	struct gather g = { .arena = arena };
	enum rp_err err;

	if (lex_peek(&ahead) == '(') {
		bool more = true;

		err = lex_open(&ahead);
		while (err == RP_OK && more) {
			err = take_att(&ahead, &g);
			if (err == RP_OK)
				err = lex_more(&ahead, &more);
		}
	} else if (!take_macro(&ahead, &g, &err)) {
		err = take_att(&ahead, &g);
	}
	if (err != RP_OK)
		return err;
	*lex = ahead;
	*out = g.atts;
	out->att = g.att;
	return RP_OK;
}

static enum rp_err take_modifier(struct lex *lex, struct fetch_modifiers *mods)
{
	if (!mods->has_changedsince && lex_word(lex, "CHANGEDSINCE")) {
		mods->has_changedsince = true;
		return lex_sp(lex) == RP_OK ? lex_number64(lex, &mods->changedsince)
		                            : RP_ERR_SYNTAX;
	}
	if (!mods->vanished && lex_word(lex, "VANISHED")) {
		mods->vanished = true;
		return RP_OK;
	}
	return RP_ERR_SYNTAX;
}

enum rp_err fetch_modifiers_parse(struct lex *lex, struct fetch_modifiers *out)
{
	struct lex ahead = *lex;
	struct fetch_modifiers mods = { 0 };
	bool more = !lex_end(&ahead);
	enum rp_err err = RP_OK;

	if (more) {
		err = lex_sp(&ahead);
		if (err == RP_OK)
			err = lex_open(&ahead);
	}
	while (err == RP_OK && more) {
		err = take_modifier(&ahead, &mods);
		if (err == RP_OK)
			err = lex_more(&ahead, &more);
	}
	if (err == RP_OK && !lex_end(&ahead))
		err = RP_ERR_SYNTAX;
	if (err != RP_OK)
		return err;
	*lex = ahead;
	*out = mods;
	return RP_OK;
}

void fetch_att_write(struct resp *resp, const struct fetch_att *att)
{
	resp_str(resp, names[att->kind]);
	if (att->kind == FETCH_BODY_SECTION)
		section_write(resp, &att->section);
}
