#include "core/imap/flag.h"

#define TEXT_0  ""
#define TEXT_A  " \\Answered"
#define TEXT_F  " \\Flagged"
#define TEXT_D  " \\Deleted"
#define TEXT_S  " \\Seen"
#define TEXT_DR " \\Draft"

/* The text of each of the 32 sets, with a space in front: one copy of fixed size instead of five
 * tests. */
/* clang-format off */
#define SET_ROW(text) { text, sizeof(text) - 1 }
/* clang-format on */
#define SET_2(text) SET_ROW(text), SET_ROW(TEXT_A text)
#define SET_4(text) SET_2(text), SET_ROW(TEXT_F text), SET_ROW(TEXT_A TEXT_F text)
#define SET_8(text)                                                                                \
	SET_4(text), SET_ROW(TEXT_D text), SET_ROW(TEXT_A TEXT_D text),                            \
	    SET_ROW(TEXT_F TEXT_D text), SET_ROW(TEXT_A TEXT_F TEXT_D text)

static const struct {
	char text[FLAG_AT_BYTES + 1];
	uint8_t bytes;
} sets[FLAG_ALL + 1] = { SET_8(TEXT_0), SET_8(TEXT_S), SET_8(TEXT_DR), SET_8(TEXT_S TEXT_DR) };

uint8_t *flag_at(uint8_t *p, unsigned flags)
{
	RP_ASSERT_SLOW((flags & ~(unsigned)FLAG_ALL) == 0);
	memcpy(p, sets[flags & FLAG_ALL].text + 1, FLAG_AT_BYTES);
	return p + sets[flags & FLAG_ALL].bytes - (flags != 0 ? 1 : 0);
}

void flag_write(
    struct resp *resp, unsigned flags, const struct bytes *keyword, size_t keyword_count)
{
	bool started = flags != 0;
	uint8_t *p = resp_room(resp, FLAG_AT_BYTES);

	if (p != NULL)
		resp_commit(resp, flag_at(p, flags));
	for (size_t i = 0; i < keyword_count; i++) {
		resp_sep(resp, &started);
		resp_put(resp, keyword[i]);
	}
}

unsigned flag_of_name(struct bytes name)
{
	for (unsigned bit = 1; bit < FLAG_ALL; bit <<= 1) {
		struct bytes text = bytes_of(sets[bit].text + 1, sets[bit].bytes - 1u);

		if (bytes_eq_fold(name, text))
			return bit;
	}
	return 0;
}

/* A list while it is read. */
struct gather {
	struct arena *arena;
	struct bytes *keyword;
	size_t count;
	size_t room;
	unsigned flags;
};

static enum rp_err add_keyword(struct gather *g, struct bytes keyword)
{
	if (keyword.n > FLAG_KEYWORD_BYTES_MAX)
		return RP_ERR_LIMIT;
	for (size_t i = 0; i < g->count; i++) {
		if (bytes_eq_fold(g->keyword[i], keyword))
			return RP_OK;
	}
	if (g->count == FLAG_KEYWORDS_MAX)
		return RP_ERR_LIMIT;
	if (g->count == g->room) {
		size_t room = g->room == 0 ? 4 : g->room * 2;
		struct bytes *grown = arena_grow(g->arena, g->keyword,
		    g->room * sizeof(*g->keyword), room * sizeof(*g->keyword));

		if (grown == NULL)
			return RP_ERR_LIMIT;
		g->keyword = grown;
		g->room = room;
	}
	g->keyword[g->count++] = keyword;
	return RP_OK;
}

/* flag = "\" atom / atom */
static enum rp_err take_flag(struct lex *lex, struct gather *g)
{
	size_t start = lex->at;
	bool system = lex_char(lex, '\\');
	struct bytes atom;

	if (lex_atom(lex, &atom) != RP_OK)
		return RP_ERR_SYNTAX;
	if (!system)
		return add_keyword(g, atom);
	g->flags |= flag_of_name(bytes_slice(lex->in, start, lex->at));
	return RP_OK;
}

static void give(const struct gather *g, struct flag_list *out)
{
	*out = (struct flag_list){ g->flags, g->keyword, g->count };
}

enum rp_err flag_list_parse(struct lex *lex, struct arena *arena, struct flag_list *out)
{
	struct lex ahead = *lex;
	struct gather g = { .arena = arena };
	enum rp_err err = lex_open(&ahead);
	bool more = err == RP_OK && !lex_close(&ahead);

	while (more) {
		err = take_flag(&ahead, &g);
		if (err == RP_OK)
			err = lex_more(&ahead, &more);
		if (err != RP_OK)
			return err;
	}
	if (err != RP_OK)
		return err;
	*lex = ahead;
	give(&g, out);
	return RP_OK;
}

enum rp_err flag_store_parse(struct lex *lex, struct arena *arena, struct flag_list *out)
{
	struct lex ahead = *lex;
	struct gather g = { .arena = arena };

	if (lex_peek(lex) == '(')
		return flag_list_parse(lex, arena, out);
	do {
		enum rp_err err = take_flag(&ahead, &g);

		if (err != RP_OK)
			return err;
	} while (!lex_end(&ahead) && lex_sp(&ahead) == RP_OK);
	*lex = ahead;
	give(&g, out);
	return RP_OK;
}
