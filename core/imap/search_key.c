#include "core/imap/search_key.h"

#include "core/imap/date.h"
#include "core/imap/flag.h"

/* What stands behind a key's name. */
enum argument {
	ARG_NONE,
	ARG_FLAG,     /* nothing: the flag is in the row */
	ARG_NOT_FLAG, /* nothing: the row's flag, turned over */
	ARG_NONE_ARE, /* nothing: no message has it */
	ARG_KEYWORD,
	ARG_NOT_KEYWORD,
	ARG_TEXT,
	ARG_HEADER,
	ARG_DATE,
	ARG_NUMBER,
	ARG_INTERVAL,
	ARG_MODSEQ,
	ARG_UID,
	ARG_KEY,  /* NOT */
	ARG_KEYS, /* OR: two keys */
};

/* \Recent is never shown by this server, so NEW and RECENT find nothing and OLD finds all. */
static const struct key {
	const char *name;
	enum argument argument;
	enum search_op_kind kind;
	unsigned flag;
} keys[] = {
	{ "ALL", ARG_NONE, SEARCH_ALL, 0 },
	{ "ANSWERED", ARG_FLAG, SEARCH_FLAG, FLAG_ANSWERED },
	{ "BCC", ARG_TEXT, SEARCH_BCC, 0 },
	{ "BEFORE", ARG_DATE, SEARCH_BEFORE, 0 },
	{ "BODY", ARG_TEXT, SEARCH_BODY, 0 },
	{ "CC", ARG_TEXT, SEARCH_CC, 0 },
	{ "DELETED", ARG_FLAG, SEARCH_FLAG, FLAG_DELETED },
	{ "DRAFT", ARG_FLAG, SEARCH_FLAG, FLAG_DRAFT },
	{ "FLAGGED", ARG_FLAG, SEARCH_FLAG, FLAG_FLAGGED },
	{ "FROM", ARG_TEXT, SEARCH_FROM, 0 },
	{ "HEADER", ARG_HEADER, SEARCH_HEADER, 0 },
	{ "KEYWORD", ARG_KEYWORD, SEARCH_KEYWORD, 0 },
	{ "LARGER", ARG_NUMBER, SEARCH_LARGER, 0 },
	{ "MODSEQ", ARG_MODSEQ, SEARCH_MODSEQ, 0 },
	{ "NEW", ARG_NONE_ARE, SEARCH_ALL, 0 },
	{ "NOT", ARG_KEY, SEARCH_NOT, 0 },
	{ "OLD", ARG_NONE, SEARCH_ALL, 0 },
	{ "OLDER", ARG_INTERVAL, SEARCH_OLDER, 0 },
	{ "ON", ARG_DATE, SEARCH_ON, 0 },
	{ "OR", ARG_KEYS, SEARCH_OR, 0 },
	{ "RECENT", ARG_NONE_ARE, SEARCH_ALL, 0 },
	{ "SEEN", ARG_FLAG, SEARCH_FLAG, FLAG_SEEN },
	{ "SENTBEFORE", ARG_DATE, SEARCH_SENTBEFORE, 0 },
	{ "SENTON", ARG_DATE, SEARCH_SENTON, 0 },
	{ "SENTSINCE", ARG_DATE, SEARCH_SENTSINCE, 0 },
	{ "SINCE", ARG_DATE, SEARCH_SINCE, 0 },
	{ "SMALLER", ARG_NUMBER, SEARCH_SMALLER, 0 },
	{ "SUBJECT", ARG_TEXT, SEARCH_SUBJECT, 0 },
	{ "TEXT", ARG_TEXT, SEARCH_TEXT, 0 },
	{ "TO", ARG_TEXT, SEARCH_TO, 0 },
	{ "UID", ARG_UID, SEARCH_UID, 0 },
	{ "UNANSWERED", ARG_NOT_FLAG, SEARCH_FLAG, FLAG_ANSWERED },
	{ "UNDELETED", ARG_NOT_FLAG, SEARCH_FLAG, FLAG_DELETED },
	{ "UNDRAFT", ARG_NOT_FLAG, SEARCH_FLAG, FLAG_DRAFT },
	{ "UNFLAGGED", ARG_NOT_FLAG, SEARCH_FLAG, FLAG_FLAGGED },
	{ "UNKEYWORD", ARG_NOT_KEYWORD, SEARCH_KEYWORD, 0 },
	{ "UNSEEN", ARG_NOT_FLAG, SEARCH_FLAG, FLAG_SEEN },
	{ "YOUNGER", ARG_INTERVAL, SEARCH_YOUNGER, 0 },
};

/* What is open around the key that is being read. */
enum open_kind {
	OPEN_LIST, /* parentheses, or the command itself */
	OPEN_NOT,
	OPEN_OR,
};

struct open {
	enum open_kind kind;
	unsigned have; /* operands so far; of a list: 0, or 1 as they are joined at once */
};

struct reader {
	struct arena *arena;
	struct search_op *op;
	size_t op_room;
	struct search_program program;
	unsigned stack; /* sets that the program has on its stack by now */
	unsigned keys_count;
	struct open open[SEARCH_DEPTH_MAX + 1]; /* the first one is the command itself */
	unsigned open_count;
};

static enum rp_err emit(struct reader *r, const struct search_op *op)
{
	size_t n = r->program.op_count;

	if (n == r->op_room) {
		size_t room = n == 0 ? 8 : n * 2;
		struct search_op *grown =
		    arena_grow(r->arena, r->op, n * sizeof(*r->op), room * sizeof(*r->op));

		if (grown == NULL)
			return RP_ERR_LIMIT;
		r->op = grown;
		r->op_room = room;
	}
	r->op[n] = *op;
	r->program.op_count++;
	if (op->kind == SEARCH_AND || op->kind == SEARCH_OR) {
		RP_ASSERT(r->stack >= 2);
		r->stack--;
	} else if (op->kind != SEARCH_NOT) {
		r->stack++;
	}
	if (r->stack > r->program.stack_max)
		r->program.stack_max = r->stack;
	return RP_OK;
}

static enum rp_err emit_kind(struct reader *r, enum search_op_kind kind)
{
	return emit(r, &(struct search_op){ .kind = kind });
}

static enum rp_err push(struct reader *r, enum open_kind kind)
{
	if (r->open_count == SEARCH_DEPTH_MAX + 1)
		return RP_ERR_LIMIT;
	r->open[r->open_count++] = (struct open){ .kind = kind };
	return RP_OK;
}

static enum rp_err take_text(struct lex *lex, struct arena *arena, struct bytes *out)
{
	struct bytes text;

	if (lex_sp(lex) != RP_OK)
		return RP_ERR_SYNTAX;
	enum rp_err err = lex_astring(lex, arena, &text);

	if (err != RP_OK)
		return err;
	if (text.n > SEARCH_TEXT_BYTES_MAX)
		return RP_ERR_LIMIT;
	*out = text;
	return RP_OK;
}

/* search-modsequence = "MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer. One
 * modseq serves all flags of a message, so which flag is meant does not matter. */
static enum rp_err take_modseq(struct lex *lex, struct arena *arena, uint64_t *out)
{
	struct bytes name;
	enum rp_err err = lex_sp(lex);

	if (err == RP_OK && lex_peek(lex) == '"') {
		err = lex_string(lex, arena, &name);
		if (err == RP_OK && !bytes_starts_with_fold(name, BYTES_LIT("/flags/")))
			err = RP_ERR_SYNTAX;
		if (err == RP_OK)
			err = lex_sp(lex);
		if (err == RP_OK && !lex_word(lex, "priv") && !lex_word(lex, "shared") &&
		    !lex_word(lex, "all"))
			err = RP_ERR_SYNTAX;
		if (err == RP_OK)
			err = lex_sp(lex);
	}
	return err == RP_OK ? lex_number64(lex, out) : err;
}

static enum rp_err take_keyword(struct lex *lex, struct search_op *op)
{
	if (lex_sp(lex) != RP_OK || lex_atom(lex, &op->text) != RP_OK)
		return RP_ERR_SYNTAX;
	return RP_OK;
}

static enum rp_err take_number(struct lex *lex, bool zero, struct search_op *op)
{
	if (lex_sp(lex) != RP_OK || lex_number64(lex, &op->number) != RP_OK ||
	    (!zero && op->number == 0))
		return RP_ERR_SYNTAX;
	return RP_OK;
}

/* The argument behind a key's name, into op. */
static enum rp_err take_argument(
    struct reader *r, struct lex *lex, enum argument argument, struct search_op *op)
{
	enum rp_err err;

	switch (argument) {
	case ARG_KEYWORD:
	case ARG_NOT_KEYWORD:
		return take_keyword(lex, op);
	case ARG_HEADER:
		err = take_text(lex, r->arena, &op->field);
		if (err != RP_OK)
			return err;
		return take_text(lex, r->arena, &op->text);
	case ARG_TEXT:
		return take_text(lex, r->arena, &op->text);
	case ARG_DATE:
		return lex_sp(lex) == RP_OK ? date_parse(lex, &op->day) : RP_ERR_SYNTAX;
	case ARG_NUMBER:
		return take_number(lex, true, op);
	case ARG_INTERVAL:
		return take_number(lex, false, op);
	case ARG_MODSEQ:
		return take_modseq(lex, r->arena, &op->number);
	case ARG_UID:
		if (lex_sp(lex) != RP_OK)
			return RP_ERR_SYNTAX;
		return seqset_parse(lex, r->arena, false, &op->set);
	default:
		return RP_OK;
	}
}

/* An operand with its argument. */
static enum rp_err take_operand(struct reader *r, struct lex *lex, const struct key *key)
{
	struct search_op op = { .kind = key->kind, .flag = key->flag };
	enum rp_err err = take_argument(r, lex, key->argument, &op);

	if (err == RP_OK)
		err = emit(r, &op);
	if (err == RP_OK && (key->argument == ARG_NOT_FLAG || key->argument == ARG_NOT_KEYWORD ||
	                        key->argument == ARG_NONE_ARE))
		err = emit_kind(r, SEARCH_NOT);
	r->program.has_modseq |= key->argument == ARG_MODSEQ;
	r->program.has_text |= key->argument == ARG_TEXT || key->argument == ARG_HEADER;
	return err;
}

static const struct key *find_key(struct bytes name)
{
	size_t low = 0;
	size_t high = sizeof(keys) / sizeof(keys[0]);

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = bytes_cmp_fold(name, bytes_of_str(keys[mid].name));

		if (order == 0)
			return &keys[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static enum rp_err take_seqset(struct reader *r, struct lex *lex)
{
	struct search_op op = { .kind = SEARCH_SEQNO };
	enum rp_err err = seqset_parse(lex, r->arena, false, &op.set);

	r->program.has_seqno = true;
	return err == RP_OK ? emit(r, &op) : err;
}

/* One step into the text: an operand, or what opens a level. *whole: an operand is complete. */
static enum rp_err take_key(struct reader *r, struct lex *lex, bool *whole)
{
	struct bytes name;
	int c = lex_peek(lex);

	*whole = false;
	if (++r->keys_count > SEARCH_KEYS_MAX)
		return RP_ERR_LIMIT;
	if (c == '(') {
		lex->at++;
		return push(r, OPEN_LIST);
	}
	if (c == '*' || (c >= '0' && c <= '9')) {
		*whole = true;
		return take_seqset(r, lex);
	}
	if (lex_atom(lex, &name) != RP_OK)
		return RP_ERR_SYNTAX;
	const struct key *key = find_key(name);

	if (key == NULL)
		return RP_ERR_SYNTAX;
	if (key->argument == ARG_KEY || key->argument == ARG_KEYS) {
		if (lex_sp(lex) != RP_OK)
			return RP_ERR_SYNTAX;
		return push(r, key->argument == ARG_KEY ? OPEN_NOT : OPEN_OR);
	}
	*whole = true;
	return take_operand(r, lex, key);
}

/* An operand is complete: what does that complete around it? *done: the whole command; else another
 * key follows. */
static enum rp_err close_levels(struct reader *r, struct lex *lex, bool *done)
{
	enum rp_err err = RP_OK;

	*done = false;
	while (err == RP_OK) {
		struct open *top = &r->open[r->open_count - 1];

		top->have++;
		if (top->kind == OPEN_NOT) {
			err = emit_kind(r, SEARCH_NOT);
			r->open_count--;
			continue;
		}
		if (top->have == 2) {
			err = emit_kind(r, top->kind == OPEN_OR ? SEARCH_OR : SEARCH_AND);
			top->have = 1;
			if (top->kind == OPEN_OR) {
				r->open_count--;
				continue;
			}
		}
		if (err != RP_OK)
			return err;
		bool is_command = r->open_count == 1;

		if (is_command && lex_end(lex)) {
			*done = true;
			return RP_OK;
		}
		if (top->kind == OPEN_LIST && !is_command && lex_char(lex, ')')) {
			r->open_count--;
			continue;
		}
		return lex_sp(lex);
	}
	return err;
}

enum rp_err search_key_parse(struct lex *lex, struct arena *arena, struct search_program *out)
{
	struct lex ahead = *lex;
	struct reader r = { .arena = arena };
	enum rp_err err = push(&r, OPEN_LIST);
	bool done = false;

	while (err == RP_OK && !done) {
		bool whole;

		err = take_key(&r, &ahead, &whole);
		if (err == RP_OK && whole)
			err = close_levels(&r, &ahead, &done);
	}
	if (err != RP_OK)
		return err;
	RP_ASSERT(r.stack == 1);
	*lex = ahead;
	*out = r.program;
	out->op = r.op;
	return RP_OK;
}

static enum rp_err take_return_option(struct lex *lex, unsigned *returns)
{
	static const struct {
		const char *name;
		unsigned bit;
	} options[] = {
		{ "MIN", SEARCH_RETURN_MIN },
		{ "MAX", SEARCH_RETURN_MAX },
		{ "ALL", SEARCH_RETURN_ALL },
		{ "COUNT", SEARCH_RETURN_COUNT },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (lex_word(lex, options[i].name)) {
			*returns |= options[i].bit;
			return RP_OK;
		}
	}
	return RP_ERR_SYNTAX;
}

/* "RETURN" SP "(" [option *(SP option)] ")" SP */
static enum rp_err take_return(struct lex *lex, struct search_args *args)
{
	if (!lex_word(lex, "RETURN"))
		return RP_OK;
	enum rp_err err = lex_sp(lex);

	if (err == RP_OK)
		err = lex_open(lex);
	bool more = err == RP_OK && !lex_close(lex);

	while (err == RP_OK && more) {
		err = take_return_option(lex, &args->returns);
		if (err == RP_OK)
			err = lex_more(lex, &more);
	}
	if (err != RP_OK)
		return err;
	args->has_return = true;
	if (args->returns == 0)
		args->returns = SEARCH_RETURN_ALL;
	return lex_sp(lex);
}

/* "CHARSET" SP astring SP; US-ASCII is UTF-8 too. */
static enum rp_err take_charset(struct lex *lex, struct arena *arena)
{
	struct bytes charset;

	if (!lex_word(lex, "CHARSET"))
		return RP_OK;
	enum rp_err err = lex_sp(lex);

	if (err == RP_OK)
		err = lex_astring(lex, arena, &charset);
	if (err == RP_OK)
		err = lex_sp(lex);
	if (err == RP_OK && !bytes_eq_fold(charset, BYTES_LIT("UTF-8")) &&
	    !bytes_eq_fold(charset, BYTES_LIT("US-ASCII")))
		err = RP_ERR_CANNOT;
	return err;
}

enum rp_err search_args_parse(struct lex *lex, struct arena *arena, struct search_args *out)
{
	struct lex ahead = *lex;
	struct search_args args = { 0 };
	enum rp_err err = take_return(&ahead, &args);

	if (err == RP_OK)
		err = take_charset(&ahead, arena);
	if (err == RP_OK)
		err = search_key_parse(&ahead, arena, &args.program);
	if (err != RP_OK)
		return err;
	*lex = ahead;
	*out = args;
	return RP_OK;
}
