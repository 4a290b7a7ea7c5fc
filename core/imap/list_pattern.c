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

/* ---- the matcher ----
 *
 * The places in the pattern where the name may have got to are bits: place i is in front of text[i]. One byte of the name moves
 * all of them at once, 64 in a word.
 */

enum {
	ROW_WILD, /* "*" and "%" stand here */
	ROW_STAR,
	ROW_NONE, /* of a byte that the pattern does not have: nothing */
	ROW_FIRST, /* of bytes that it has */
};

struct list_matcher {
	size_t words;         /* of a row */
	const uint64_t *bits; /* rows, one behind the other */
	uint16_t row[256];    /* of each byte */
};

static void set_bit(uint64_t *row, size_t at)
{
	row[at / WORD_BITS] |= UINT64_C(1) << (at % WORD_BITS);
}

static const uint64_t *row_of(const struct list_matcher *matcher, size_t row)
{
	return matcher->bits + row * matcher->words;
}

/* NULL: no room. */
static const struct list_matcher *make_matcher(struct bytes text, struct arena *arena)
{
	struct list_matcher *matcher = arena_alloc(arena, sizeof(*matcher));
	uint16_t rows = ROW_FIRST;

	if (matcher == NULL)
		return NULL;
	matcher->words = text.n / WORD_BITS + 1;
	for (size_t c = 0; c < 256; c++)
		matcher->row[c] = ROW_NONE;
	for (size_t i = 0; i < text.n; i++)
		if (!is_wildcard(text.p[i]) && matcher->row[text.p[i]] == ROW_NONE)
			matcher->row[text.p[i]] = rows++;
	uint64_t *bits = arena_calloc(arena, rows * matcher->words, sizeof(*bits));

	if (bits == NULL)
		return NULL;
	for (size_t i = 0; i < text.n; i++) {
		if (is_wildcard(text.p[i]))
			set_bit(bits + ROW_WILD * matcher->words, i);
		if (text.p[i] == '*')
			set_bit(bits + ROW_STAR * matcher->words, i);
		if (!is_wildcard(text.p[i]))
			set_bit(bits + matcher->row[text.p[i]] * matcher->words, i);
	}
	matcher->bits = bits;
	return matcher;
}

/* Take one byte of the name. False: there is no place left. */
static bool step(const struct list_matcher *matcher, uint64_t *places, uint8_t c, bool fold)
{
	uint8_t other = fold && bytes_lower(c) != c ? bytes_lower(c) : c;
	const uint64_t *stay = row_of(matcher, c == MAILBOX_NAME_DELIMITER ? ROW_STAR : ROW_WILD);
	const uint64_t *wild = row_of(matcher, ROW_WILD);
	uint64_t went = 0; /* what goes over into the next word */
	uint64_t opened = 0;
	uint64_t any = 0;

	if (fold && other == c && c >= 'a' && c <= 'z')
		other = (uint8_t)(c - 'a' + 'A');
	const uint64_t *same = row_of(matcher, matcher->row[c]);
	const uint64_t *also = row_of(matcher, matcher->row[other]);

	for (size_t w = 0; w < matcher->words; w++) {
		uint64_t go = places[w] & (same[w] | also[w]);
		uint64_t next = (places[w] & stay[w]) | go << 1 | went;
		/* A wildcard may stand for nothing. Behind it there is none: one step. */
		uint64_t open = next & wild[w];

		places[w] = next | open << 1 | opened;
		went = go >> (WORD_BITS - 1);
		opened = open >> (WORD_BITS - 1);
		any |= places[w];
	}
	return any != 0;
}

bool list_pattern_match(const struct list_pattern *pattern, struct bytes name)
{
	struct bytes text = pattern->text;
	uint64_t places[STATES_WORDS] = { 1 };
	size_t fold_bytes = mailbox_name_under_inbox(name) ? INBOX_BYTES : 0;

	RP_ASSERT(text.n <= LIST_PATTERN_BYTES_MAX);
	if (pattern->nothing)
		return false;
	if (text.n == 1 && text.p[0] == '*')
		return true; /* by far the most frequent */
	if (text.n > 0 && is_wildcard(text.p[0]))
		set_bit(places, 1);
	for (size_t i = 0; i < name.n; i++)
		if (!step(pattern->matcher, places, name.p[i], i < fold_bytes))
			return false;
	return places[text.n / WORD_BITS] >> (text.n % WORD_BITS) & 1;
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
	*out = (struct list_pattern){ .text = bytes_of(p, n), .matcher = make_matcher(bytes_of(p, n), arena) };
	return out->matcher != NULL ? RP_OK : RP_ERR_LIMIT;
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
