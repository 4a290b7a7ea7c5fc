/* A command, and every parser of arguments on what stands behind its name. What is written back is
 * read as the same again. */
#include "core/imap/command.h"
#include "core/imap/date.h"
#include "core/imap/fetch_att.h"
#include "core/imap/flag.h"
#include "core/imap/id_params.h"
#include "core/imap/list_pattern.h"
#include "core/imap/mailbox_name.h"
#include "core/imap/search_key.h"
#include "core/imap/status_att.h"
#include "tests/fuzz/fuzz.h"

enum {
	ARENA_BYTES_MAX = 1 << 20,
	WRITTEN_BYTES_MAX = 256 * 1024,
};

/* What the rope holds, in one piece; good until the next call. */
static struct bytes drain(struct resp *resp)
{
	static uint8_t text[WRITTEN_BYTES_MAX];
	size_t n = 0;

	resp_flush(resp);
	for (;;) {
		struct bytes b = rope_peek(resp->rope, UINT64_MAX);

		if (b.n == 0)
			return bytes_of(text, n);
		RP_ASSERT(n + b.n <= sizeof(text));
		memcpy(text + n, b.p, b.n);
		n += b.n;
		rope_consume(resp->rope, b.n);
	}
}

static void try_fetch(struct lex lex, struct arena *arena, struct resp *resp)
{
	struct fetch_atts atts;
	struct fetch_atts again;
	struct fetch_modifiers mods;

	if (fetch_atts_parse(&lex, arena, &atts) != RP_OK)
		return;
	RP_ASSERT(atts.att_count > 0);
	for (size_t i = 0; i < atts.att_count; i++) {
		struct section *s = (struct section *)&atts.att[i].section;

		fetch_att_write(resp, &atts.att[i]);
		struct bytes text = drain(resp);

		/* The echo has no length: "<0>" is put right before it is read again. */
		if (s->has_partial) {
			RP_ASSERT(text.p[text.n - 1] == '>');
			memcpy((uint8_t *)text.p + text.n - 1, ".1>", 3);
			text.n += 2;
		}
		struct lex echo = lex_of(text);

		RP_ASSERT(fetch_atts_parse(&echo, arena, &again) == RP_OK && lex_end(&echo));
		RP_ASSERT(again.att_count == 1 && again.att[0].kind == atts.att[i].kind);
		RP_ASSERT(again.att[0].section.field_count == s->field_count);
		RP_ASSERT(again.att[0].section.part_count == s->part_count);
	}
	(void)!fetch_modifiers_parse(&lex, &mods);
}

static void try_flags(struct lex lex, struct arena *arena, struct resp *resp)
{
	struct flag_list list;
	struct flag_list again;

	if (flag_store_parse(&lex, arena, &list) != RP_OK)
		return;
	resp_byte(resp, '(');
	flag_write(resp, list.flags, list.keyword, list.keyword_count);
	resp_byte(resp, ')');
	struct lex echo = lex_of(drain(resp));

	RP_ASSERT(flag_list_parse(&echo, arena, &again) == RP_OK && lex_end(&echo));
	RP_ASSERT(again.flags == list.flags && again.keyword_count == list.keyword_count);
}

static void try_id(struct lex lex, struct arena *arena, struct resp *resp)
{
	struct id_params params;
	struct id_params again;

	if (id_params_parse(&lex, arena, &params) != RP_OK)
		return;
	id_params_write(resp, &params);
	struct lex echo = lex_of(drain(resp));

	RP_ASSERT(id_params_parse(&echo, arena, &again) == RP_OK && lex_end(&echo));
	RP_ASSERT(again.count == params.count);
	for (size_t i = 0; i < params.count; i++) {
		RP_ASSERT(bytes_eq(again.param[i].field, params.param[i].field));
		RP_ASSERT((again.param[i].value.p == NULL) == (params.param[i].value.p == NULL));
		RP_ASSERT(bytes_eq(again.param[i].value, params.param[i].value));
	}
}

static void try_strings(struct lex lex, struct arena *arena, struct resp *resp)
{
	struct bytes b;
	struct bytes again;

	while (lex_astring(&lex, arena, &b) == RP_OK) {
		resp_astring(resp, b);
		struct lex echo = lex_of(drain(resp));

		RP_ASSERT(lex_astring(&echo, arena, &again) == RP_OK && lex_end(&echo));
		RP_ASSERT(bytes_eq(b, again));
		if (lex_sp(&lex) != RP_OK)
			break;
	}
}

static void try_append(struct lex lex, struct arena *arena, bool utf8)
{
	struct bytes name;
	struct flag_list flags;
	struct date_time date;
	struct lex_mark mark;

	if (mailbox_name_parse(&lex, arena, utf8, &name) != RP_OK || lex_sp(&lex) != RP_OK)
		return;
	RP_ASSERT(mailbox_name_check(name) == RP_OK);
	if (flag_list_parse(&lex, arena, &flags) == RP_OK && lex_sp(&lex) != RP_OK)
		return;
	if (date_time_parse(&lex, &date) == RP_OK && lex_sp(&lex) != RP_OK)
		return;
	if (lex_literal_mark(&lex, &mark) == RP_OK)
		RP_ASSERT(lex_end(&lex));
}

static void try_all(const struct command *command, struct arena *arena, struct resp *resp)
{
	struct lex lex = lex_of(command->args);
	struct lex ahead = lex;
	struct search_args search;
	struct list_args list;
	struct seqset set;
	unsigned bits;

	try_fetch(lex, arena, resp);
	try_flags(lex, arena, resp);
	try_id(lex, arena, resp);
	try_strings(lex, arena, resp);
	try_append(lex, arena, command->uid);
	if (seqset_parse(&ahead, arena, true, &set) == RP_OK && lex_sp(&ahead) == RP_OK) {
		try_fetch(ahead, arena, resp);
		try_flags(ahead, arena, resp);
	}
	ahead = lex;
	if (search_args_parse(&ahead, arena, &search) == RP_OK)
		RP_ASSERT(search.program.op_count > 0 && search.program.stack_max > 0);
	ahead = lex;
	if (list_args_parse(&ahead, arena, command->uid, &list) == RP_OK)
		(void)list_args_match(&list, BYTES_LIT("INBOX/a/bb"));
	ahead = lex;
	(void)!status_att_parse(&ahead, &bits);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena arena;
	struct rope rope;
	struct resp resp;
	struct command command;
	struct bytes in = bytes_of(p, n);
	struct bytes tag = command_tag(in);
	enum command_verdict verdict = command_parse(in, &command);

	if (verdict == COMMAND_OK)
		RP_ASSERT(command.name[0] != '\0' && command.tag.n > 0);
	if (tag.n > 0 && verdict != COMMAND_NOTAG && verdict != COMMAND_EMPTY)
		RP_ASSERT(bytes_eq(tag, command.tag));
	if (verdict != COMMAND_OK)
		return 0;
	arena_init(&arena, ARENA_BYTES_MAX);
	rope_init(&rope);
	resp_init(&resp, &rope, command.uid);
	try_all(&command, &arena, &resp);
	rope_fini(&rope);
	arena_fini(&arena);
	return 0;
}
