#include "core/cmd/search_scan.h"

#include "core/mail/search_text.h"
#include "core/session/message_reader.h"
#include "core/session/selected.h"
#include "index/dbox/dbox.h"
#include "io/base/num.h"

bool search_scan_is_header(enum search_op_kind kind)
{
	return kind == SEARCH_BCC || kind == SEARCH_CC || kind == SEARCH_FROM || kind == SEARCH_HEADER ||
	       kind == SEARCH_SUBJECT || kind == SEARCH_TO;
}

bool search_scan_is_text(enum search_op_kind kind)
{
	return kind == SEARCH_BODY || kind == SEARCH_TEXT || search_scan_is_header(kind);
}

static struct bytes field_of(const struct search_op *op)
{
	switch (op->kind) {
	case SEARCH_BCC:
		return BYTES_LIT("Bcc");
	case SEARCH_CC:
		return BYTES_LIT("Cc");
	case SEARCH_FROM:
		return BYTES_LIT("From");
	case SEARCH_SUBJECT:
		return BYTES_LIT("Subject");
	case SEARCH_TO:
		return BYTES_LIT("To");
	default:
		return op->field;
	}
}

enum rp_err search_scan_begin(struct search_scan *scan, struct cmd *cmd,
    const struct search_program *program, struct search_budget *budget)
{
	size_t count = program->op_count;

	*scan = (struct search_scan){ .cmd = cmd, .program = program, .budget = budget };
	arena_init(&scan->arena, SEARCH_SCAN_ARENA_BYTES_MAX);
	arena_init(&scan->scratch, SEARCH_SCAN_SCRATCH_BYTES_MAX);
	scan->known = arena_calloc(cmd->arena, count, sizeof(*scan->known));
	scan->needle = arena_calloc(cmd->arena, count, sizeof(*scan->needle));
	scan->place = arena_calloc(cmd->arena, count, sizeof(*scan->place));
	scan->asked = arena_calloc(cmd->arena, count, sizeof(*scan->asked));
	scan->text = arena_alloc(cmd->arena, sizeof(*scan->text));
	scan->field = arena_alloc(cmd->arena, sizeof(*scan->field));
	scan->piece = arena_alloc(cmd->arena, SEARCH_SCAN_PIECE_BYTES);
	if (scan->known == NULL || scan->needle == NULL || scan->place == NULL ||
	    scan->asked == NULL || scan->text == NULL || scan->field == NULL || scan->piece == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct search_op *op = &program->op[i];
		enum rp_err err;

		if (!search_scan_is_text(op->kind))
			continue;
		err = needle_init(&scan->needle[i], cmd->arena, op->text);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

void search_scan_end(struct search_scan *scan)
{
	if (scan->cmd == NULL)
		return;
	arena_fini(&scan->arena);
	arena_fini(&scan->scratch);
}

void search_scan_reset(struct search_scan *scan)
{
	memset(scan->known, 0, scan->program->op_count * sizeof(*scan->known));
	arena_reset(&scan->arena);
}

static struct mailbox *mailbox_of(const struct search_scan *scan)
{
	return scan->cmd->session->selected->mailbox;
}

/* Is this the machine's trouble with one message, which then contains nothing, or ours? */
static bool is_fatal(enum rp_err err)
{
	return err == RP_ERR_CANCELED || err == RP_ERR_NOMEM || err == RP_ERR_LIMIT;
}

/* Where texts are looked for. */
enum place {
	IN_FIELDS,       /* in the header field that a key names */
	IN_OWN_HEADER,   /* TEXT: in all of the message's own header */
	IN_INNER_HEADER, /* TEXT and BODY: in that of a part */
	IN_BODY,
};

static bool looks_into(enum search_op_kind kind, enum place place)
{
	if (place == IN_FIELDS)
		return search_scan_is_header(kind);
	return kind == SEARCH_TEXT || (kind == SEARCH_BODY && place != IN_OWN_HEADER);
}

/* Gather the keys that are still open here; of a field those that mean it. */
static void ask(struct search_scan *scan, enum place place, const struct header_field *field)
{
	scan->asked_count = 0;
	for (size_t i = 0; i < scan->program->op_count; i++) {
		const struct search_op *op = &scan->program->op[i];

		if (scan->known[i] != SEARCH_UNKNOWN || !looks_into(op->kind, place) ||
		    (place == IN_FIELDS && !header_is(field, field_of(op))))
			continue;
		scan->place[i] = (struct needle_scan){ 0 };
		scan->asked[scan->asked_count++] = (uint32_t)i;
	}
}

/* Look for all of them in the next piece of a text. */
static enum rp_err look_into_piece(
    struct task *task, struct search_scan *scan, struct bytes folded)
{
	size_t left = 0;

	for (size_t k = 0; k < scan->asked_count; k++) {
		uint32_t i = scan->asked[k];
		enum rp_err err;

		if (needle_find(&scan->needle[i], &scan->place[i], folded))
			scan->known[i] = SEARCH_KNOWN_YES;
		else
			scan->asked[left++] = i;
		err = search_budget_pause(task, scan->budget);
		if (err != RP_OK)
			return err;
	}
	scan->asked_count = left;
	return RP_OK;
}

static enum rp_err look_into_field(struct task *task, struct search_scan *scan, enum place place,
    const struct header_field *field)
{
	enum rp_err err;

	ask(scan, place, field);
	if (scan->asked_count == 0)
		return search_budget_pause(task, scan->budget);
	arena_reset(&scan->scratch);
	err = search_field_begin(scan->field, scan->cmd->session->env->charsets, field,
	    place != IN_FIELDS, &scan->scratch);
	if (err != RP_OK)
		return err;
	err = look_into_piece(task, scan, BYTES_LIT("")); /* an empty key asks for the field alone */
	for (struct bytes folded; err == RP_OK && scan->asked_count > 0 &&
				  search_field_next(scan->field, &folded);)
		err = look_into_piece(task, scan, folded);
	search_field_end(scan->field);
	return err;
}

static enum rp_err look_into_block(
    struct task *task, struct search_scan *scan, enum place place, struct bytes block)
{
	struct header_field field;
	enum rp_err err = RP_OK;

	while (err == RP_OK && header_next(&block, &field))
		err = look_into_field(task, scan, place, &field);
	return err;
}

static bool knows_all(const struct search_scan *scan, bool (*of)(enum search_op_kind kind))
{
	for (size_t i = 0; i < scan->program->op_count; i++)
		if (of(scan->program->op[i].kind) && scan->known[i] == SEARCH_UNKNOWN)
			return false;
	return true;
}

/* What has not been found by now is not there: all of these keys, or those in fields that the cache keeps. */
static void settle(struct search_scan *scan, bool (*of)(enum search_op_kind kind), bool only_kept)
{
	for (size_t i = 0; i < scan->program->op_count; i++) {
		const struct search_op *op = &scan->program->op[i];

		if (of(op->kind) && scan->known[i] == SEARCH_UNKNOWN &&
		    (!only_kept || message_cache_keeps(field_of(op))))
			scan->known[i] = SEARCH_KNOWN_NO;
	}
}

/* All of a range that is at most a header block; good till the next. */
static enum rp_err read_block(struct task *task, struct search_scan *scan, struct dbox_body *body,
    uint64_t offset, uint64_t bytes, struct bytes *block)
{
	size_t n = (size_t)num_min(bytes, MIME_HEADER_BYTES_MAX);
	size_t got;
	enum rp_err err;

	if (scan->block == NULL)
		scan->block = arena_alloc(scan->cmd->arena, MIME_HEADER_BYTES_MAX);
	if (scan->block == NULL)
		return RP_ERR_NOMEM;
	err = dbox_body_read(task, body, offset, scan->block, n, &got);
	if (err == RP_OK)
		*block = bytes_of(scan->block, got);
	return err;
}

static enum rp_err look_into_header(struct task *task, struct search_scan *scan,
    struct dbox_body *body, enum place place, uint64_t offset, uint64_t bytes)
{
	struct bytes block;
	enum rp_err err = read_block(task, scan, body, offset, bytes, &block);

	return err == RP_OK ? look_into_block(task, scan, place, block) : err;
}

static enum rp_err look_into_own_fields(
    struct task *task, struct search_scan *scan, uint32_t uid, uint64_t header_bytes)
{
	struct dbox_body *body;
	enum rp_err err = mailbox_body_open(task, mailbox_of(scan), uid, &body);

	if (err != RP_OK)
		return err;
	err = look_into_header(task, scan, body, IN_FIELDS, 0, header_bytes);
	if (err == RP_ERR_CORRUPT)
		mailbox_body_damaged(mailbox_of(scan), uid, body);
	dbox_body_close(body);
	return err;
}

enum rp_err search_scan_headers(struct task *task, struct search_scan *scan, uint32_t uid)
{
	struct message_cache cache = { .header_bytes = MIME_HEADER_BYTES_MAX };
	struct bytes entry;
	enum rp_err err;

	if (knows_all(scan, search_scan_is_header))
		return RP_OK;
	err = mailbox_cache(task, mailbox_of(scan), uid, &scan->arena, &entry);
	if (err == RP_OK)
		err = message_cache_decode(entry, &cache);
	if (err == RP_OK && cache.has_fields) {
		cache.fields = arena_copy(&scan->arena, cache.fields); /* others run meanwhile */
		err = cache.fields.p == NULL ? RP_ERR_NOMEM
					     : look_into_block(task, scan, IN_FIELDS, cache.fields);
		if (err == RP_OK)
			settle(scan, search_scan_is_header, true);
	}
	if (is_fatal(err))
		return err;
	if (!knows_all(scan, search_scan_is_header)) {
		err = look_into_own_fields(task, scan, uid, cache.header_bytes);
		if (is_fatal(err))
			return err;
	}
	settle(scan, search_scan_is_header, false);
	return RP_OK;
}

static enum rp_err look_into_body(
    struct task *task, struct search_scan *scan, struct dbox_body *body, const struct search_range *range)
{
	uint64_t done = 0;
	enum rp_err err = RP_OK;
	struct bytes folded;

	ask(scan, IN_BODY, NULL);
	search_text_begin(scan->text, scan->cmd->session->env->charsets, range->cte, range->charset);
	while (done < range->bytes && err == RP_OK && scan->asked_count > 0) {
		size_t n = (size_t)num_min(range->bytes - done, SEARCH_SCAN_PIECE_BYTES);
		struct bytes in;
		size_t got = 0;

		err = dbox_body_read(task, body, range->offset + done, scan->piece, n, &got);
		if (err == RP_OK && got == 0)
			err = RP_ERR_CORRUPT;
		in = bytes_of(scan->piece, err == RP_OK ? got : 0);
		while (err == RP_OK && scan->asked_count > 0 &&
		       search_text_next(scan->text, &in, &folded))
			err = look_into_piece(task, scan, folded);
		done += got;
	}
	folded = search_text_finish(scan->text);
	return err == RP_OK ? look_into_piece(task, scan, folded) : err;
}

static enum rp_err look_everywhere(
    struct task *task, struct search_scan *scan, struct dbox_body *body)
{
	struct search_range range;
	uint64_t cursor = 0;
	struct mime mime;
	enum rp_err err;

	err = message_reader_parse(task, body, &scan->arena, MIME_FOR_SECTIONS, &mime);
	while (err == RP_OK && !knows_all(scan, search_scan_is_text) &&
	       search_range_next(&mime, true, &cursor, &range))
		err = range.header ? look_into_header(task, scan, body,
					 range.offset == 0 ? IN_OWN_HEADER : IN_INNER_HEADER,
					 range.offset, range.bytes)
				   : look_into_body(task, scan, body, &range);
	return err;
}

enum rp_err search_scan_bodies(struct task *task, struct search_scan *scan, uint32_t uid)
{
	struct dbox_body *body;
	enum rp_err err;

	for (size_t i = 0; i < scan->program->op_count; i++) /* every message contains the empty text */
		if (scan->known[i] == SEARCH_UNKNOWN &&
		    looks_into(scan->program->op[i].kind, IN_BODY) && scan->program->op[i].text.n == 0)
			scan->known[i] = SEARCH_KNOWN_YES;
	if (knows_all(scan, search_scan_is_text))
		return RP_OK;
	err = mailbox_body_open(task, mailbox_of(scan), uid, &body);
	if (err == RP_OK) {
		err = look_everywhere(task, scan, body);
		if (err == RP_ERR_CORRUPT)
			mailbox_body_damaged(mailbox_of(scan), uid, body);
		dbox_body_close(body);
	}
	if (is_fatal(err))
		return err;
	settle(scan, search_scan_is_text, false);
	return RP_OK;
}
