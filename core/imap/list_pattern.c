#include "core/imap/list_pattern.h"

#include "core/imap/mailbox_name.h"
#include "core/imap/status_att.h"

enum {
	INBOX_BYTES = 5,
	WORD_BITS = 64,
	STATES_WORDS = LIST_PATTERN_BYTES_MAX / WORD_BITS + 1,
};

static bool is_wildcard(uint8_t c)
{
	return c == '*' || c == '%';
}

/* Wildcards in a row are one: "*" if there is one among them. Also keeps the matcher simple: behind
 * a wildcard stands none. */
static size_t fold_wildcards(uint8_t *p, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++) {
		if (to > 0 && is_wildcard(p[to - 1]) && is_wildcard(p[i])) {
			if (p[i] == '*')
				p[to - 1] = '*';
			continue;
		}
		p[to++] = p[i];
	}
	return to;
}

/* Reference and pattern, joined, in UTF-8. */
static enum rp_err make_pattern(struct bytes reference, struct bytes text, struct arena *arena,
    bool utf8, struct list_pattern *out)
{
	struct bytes parts[2] = { reference, text };
	size_t n = 0;

	if (reference.n + text.n > LIST_PATTERN_BYTES_MAX)
		return RP_ERR_LIMIT;
	for (int i = 0; i < 2; i++) {
		enum rp_err err = mailbox_name_to_utf8(parts[i], arena, utf8, &parts[i]);

		if (err == RP_ERR_CANNOT) {
			*out = (struct list_pattern){ .nothing = true };
			return RP_OK;
		}
		if (err != RP_OK)
			return err;
		n += parts[i].n;
	}
	if (n > LIST_PATTERN_BYTES_MAX)
		return RP_ERR_LIMIT;
	uint8_t *p = arena_alloc(arena, n);

	if (p == NULL)
		return RP_ERR_LIMIT;
	if (parts[0].n > 0)
		memcpy(p, parts[0].p, parts[0].n);
	if (parts[1].n > 0)
		memcpy(p + parts[0].n, parts[1].p, parts[1].n);
	n = fold_wildcards(p, n);
	/* No name ends in the delimiter; some clients write it behind names. */
	if (n > 1 && p[n - 1] == MAILBOX_NAME_DELIMITER)
		n--;
	*out = (struct list_pattern){ .text = bytes_of(p, n) };
	return RP_OK;
}

/* The places in the pattern where the name may have got to, as bits: place i is in front of
 * text[i]. */
struct states {
	uint64_t word[STATES_WORDS];
	size_t words; /* as many as this pattern needs */
	bool any;
};

static void add_state(struct states *states, struct bytes text, size_t at)
{
	states->word[at / WORD_BITS] |= UINT64_C(1) << (at % WORD_BITS);
	/* A wildcard may stand for nothing. Behind it there is none: one step. */
	if (at < text.n && is_wildcard(text.p[at])) {
		at++;
		states->word[at / WORD_BITS] |= UINT64_C(1) << (at % WORD_BITS);
	}
	states->any = true;
}

static void clear_states(struct states *states)
{
	memset(states->word, 0, states->words * sizeof(states->word[0]));
	states->any = false;
}

/* Take one byte of the name from the places `from` to the places `to`. */
static void step(
    const struct states *from, struct states *to, struct bytes text, uint8_t c, bool fold)
{
	clear_states(to);
	for (size_t w = 0; w < from->words; w++) {
		for (uint64_t bits = from->word[w]; bits != 0; bits &= bits - 1) {
			size_t at = w * WORD_BITS + (size_t)__builtin_ctzll(bits);

			if (at == text.n)
				continue;
			uint8_t want = text.p[at];

			if (want == '*' || (want == '%' && c != MAILBOX_NAME_DELIMITER))
				add_state(to, text, at);
			else if (!is_wildcard(want) &&
			         (want == c || (fold && bytes_lower(want) == bytes_lower(c))))
				add_state(to, text, at + 1);
		}
	}
}

bool list_pattern_match(const struct list_pattern *pattern, struct bytes name)
{
	struct bytes text = pattern->text;
	struct states states[2];
	size_t fold_bytes = mailbox_name_under_inbox(name) ? INBOX_BYTES : 0;
	unsigned now = 0;

	RP_ASSERT(text.n <= LIST_PATTERN_BYTES_MAX);
	if (pattern->nothing)
		return false;
	if (text.n == 1 && text.p[0] == '*')
		return true; /* by far the most frequent */
	for (int i = 0; i < 2; i++) {
		states[i].words = text.n / WORD_BITS + 1;
		clear_states(&states[i]);
	}
	add_state(&states[now], text, 0);
	for (size_t i = 0; i < name.n && states[now].any; i++) {
		step(&states[now], &states[!now], text, name.p[i], i < fold_bytes);
		now = !now;
	}
	return states[now].word[text.n / WORD_BITS] >> (text.n % WORD_BITS) & 1;
}

bool list_args_match(const struct list_args *args, struct bytes name)
{
	for (size_t i = 0; i < args->pattern_count; i++) {
		if (list_pattern_match(&args->pattern[i], name))
			return true;
	}
	return false;
}

struct option {
	const char *name;
	unsigned bit;
};

static enum rp_err take_option(
    struct lex *lex, const struct option *options, size_t count, unsigned *bits)
{
	for (size_t i = 0; i < count; i++) {
		if (lex_word(lex, options[i].name)) {
			*bits |= options[i].bit;
			return RP_OK;
		}
	}
	return RP_ERR_SYNTAX;
}

/* list-select-opts SP */
static enum rp_err take_selects(struct lex *lex, struct list_args *args)
{
	static const struct option options[] = {
		{ "SUBSCRIBED", LIST_SELECT_SUBSCRIBED },
		{ "REMOTE", LIST_SELECT_REMOTE },
		{ "RECURSIVEMATCH", LIST_SELECT_RECURSIVEMATCH },
		{ "SPECIAL-USE", LIST_SELECT_SPECIAL_USE },
	};
	enum rp_err err = lex_open(lex);
	bool more = err == RP_OK && !lex_close(lex);

	while (err == RP_OK && more) {
		err =
		    take_option(lex, options, sizeof(options) / sizeof(options[0]), &args->selects);
		if (err == RP_OK)
			err = lex_more(lex, &more);
	}
	if (err != RP_OK)
		return err;
	/* RECURSIVEMATCH says how to match something: alone, or with REMOTE only, it says nothing.
	 */
	if ((args->selects & LIST_SELECT_RECURSIVEMATCH) != 0 &&
	    (args->selects & (LIST_SELECT_SUBSCRIBED | LIST_SELECT_SPECIAL_USE)) == 0)
		return RP_ERR_SYNTAX;
	args->extended = true;
	return lex_sp(lex);
}

static enum rp_err take_return(struct lex *lex, struct list_args *args)
{
	static const struct option options[] = {
		{ "SUBSCRIBED", LIST_RETURN_SUBSCRIBED },
		{ "CHILDREN", LIST_RETURN_CHILDREN },
		{ "SPECIAL-USE", LIST_RETURN_SPECIAL_USE },
	};

	if (!lex_word(lex, "STATUS"))
		return take_option(
		    lex, options, sizeof(options) / sizeof(options[0]), &args->returns);
	if (lex_sp(lex) != RP_OK)
		return RP_ERR_SYNTAX;
	args->returns |= LIST_RETURN_STATUS;
	unsigned statuses;
	enum rp_err err = status_att_parse(lex, &statuses);

	if (err == RP_OK)
		args->statuses |= statuses;
	return err;
}

/* [SP "RETURN" SP "(" [return-option *(SP return-option)] ")"] to the end */
static enum rp_err take_returns(struct lex *lex, struct list_args *args)
{
	if (lex_end(lex))
		return RP_OK;
	enum rp_err err = lex_sp(lex);

	if (err == RP_OK && !lex_word(lex, "RETURN"))
		err = RP_ERR_SYNTAX;
	if (err == RP_OK)
		err = lex_sp(lex);
	if (err == RP_OK)
		err = lex_open(lex);
	bool more = err == RP_OK && !lex_close(lex);

	while (err == RP_OK && more) {
		err = take_return(lex, args);
		if (err == RP_OK)
			err = lex_more(lex, &more);
	}
	if (err == RP_OK && !lex_end(lex))
		err = RP_ERR_SYNTAX;
	args->extended = true;
	return err;
}

/* A place for one more pattern; NULL: no room. */
static struct list_pattern *grow(struct list_args *args, struct arena *arena, size_t *room)
{
	if (args->pattern_count == *room) {
		size_t grown = *room == 0 ? 1 : *room * 4;
		struct list_pattern *pattern = arena_grow(
		    arena, args->pattern, *room * sizeof(*pattern), grown * sizeof(*pattern));

		if (pattern == NULL)
			return NULL;
		args->pattern = pattern;
		*room = grown;
	}
	return &args->pattern[args->pattern_count++];
}

/* list-mailbox / "(" list-mailbox *(SP list-mailbox) ")" */
static enum rp_err take_patterns(
    struct lex *lex, struct arena *arena, bool utf8, struct bytes reference, struct list_args *args)
{
	size_t room = 0;
	bool list = lex_peek(lex) == '(';
	bool more = true;
	enum rp_err err = list ? lex_open(lex) : RP_OK;

	while (err == RP_OK && more) {
		struct bytes text = { 0 };

		if (args->pattern_count == LIST_PATTERNS_MAX)
			return RP_ERR_LIMIT;
		err = lex_list_mailbox(lex, arena, &text);
		struct list_pattern *pattern = err == RP_OK ? grow(args, arena, &room) : NULL;

		if (err == RP_OK)
			err = pattern == NULL ? RP_ERR_LIMIT
			                      : make_pattern(reference, text, arena, utf8, pattern);
		args->delimiter_only = !list && text.n == 0;
		more = list;
		if (err == RP_OK && list)
			err = lex_more(lex, &more);
	}
	args->extended |= list;
	return err;
}

static enum rp_err take_reference(struct lex *lex, struct arena *arena, struct bytes *out)
{
	enum rp_err err = lex_astring(lex, arena, out);

	return err == RP_OK ? lex_sp(lex) : err;
}

enum rp_err list_args_parse(struct lex *lex, struct arena *arena, bool utf8, struct list_args *out)
{
	struct lex ahead = *lex;
	struct list_args args = { 0 };
	struct bytes reference;
	enum rp_err err = lex_peek(&ahead) == '(' ? take_selects(&ahead, &args) : RP_OK;

	if (err == RP_OK)
		err = take_reference(&ahead, arena, &reference);
	if (err == RP_OK)
		err = take_patterns(&ahead, arena, utf8, reference, &args);
	if (err == RP_OK)
		err = take_returns(&ahead, &args);
	if (err != RP_OK)
		return err;
	args.delimiter_only &= !args.extended;
	*lex = ahead;
	*out = args;
	return RP_OK;
}

enum rp_err list_args_parse_lsub(
    struct lex *lex, struct arena *arena, bool utf8, struct list_args *out)
{
	struct lex ahead = *lex;
	struct list_args args = { 0 };
	struct bytes reference;
	enum rp_err err = take_reference(&ahead, arena, &reference);

	if (err == RP_OK && lex_peek(&ahead) == '(')
		err = RP_ERR_SYNTAX;
	if (err == RP_OK)
		err = take_patterns(&ahead, arena, utf8, reference, &args);
	if (err == RP_OK && !lex_end(&ahead))
		err = RP_ERR_SYNTAX;
	if (err != RP_OK)
		return err;
	*lex = ahead;
	*out = args;
	return RP_OK;
}
