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

enum rp_err search_scan_begin(
    struct search_scan *scan, struct cmd *cmd, const struct search_program *program)
{
	size_t count = program->op_count;

	*scan = (struct search_scan){ .cmd = cmd, .program = program };
	arena_init(&scan->arena, SEARCH_SCAN_ARENA_BYTES_MAX);
	arena_init(&scan->scratch, SEARCH_SCAN_ARENA_BYTES_MAX);
	scan->known = arena_calloc(cmd->arena, count, sizeof(*scan->known));
	scan->needle = arena_calloc(cmd->arena, count, sizeof(*scan->needle));
	scan->place = arena_calloc(cmd->arena, count, sizeof(*scan->place));
	scan->text = arena_alloc(cmd->arena, sizeof(*scan->text));
	scan->piece = arena_alloc(cmd->arena, SEARCH_SCAN_PIECE_BYTES);
	if (scan->known == NULL || scan->needle == NULL || scan->place == NULL || scan->text == NULL ||
	    scan->piece == NULL)
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

/* What has not been found by now is not there. */
static void settle(struct search_scan *scan, bool (*of)(enum search_op_kind kind))
{
	for (size_t i = 0; i < scan->program->op_count; i++)
		if (of(scan->program->op[i].kind) && scan->known[i] == SEARCH_UNKNOWN)
			scan->known[i] = SEARCH_KNOWN_NO;
}

/* Is this the machine's trouble with one message, which then contains nothing, or ours? */
static bool is_fatal(enum rp_err err)
{
	return err == RP_ERR_CANCELED || err == RP_ERR_NOMEM || err == RP_ERR_LIMIT;
}

/* The keys that this block can answer: all header keys, or only those in fields that the cache keeps. */
static enum rp_err look_into_fields(struct search_scan *scan, struct bytes block, bool only_kept)
{
	for (size_t i = 0; i < scan->program->op_count; i++) {
		const struct search_op *op = &scan->program->op[i];
		enum rp_err err;

		if (!search_scan_is_header(op->kind) || scan->known[i] != SEARCH_UNKNOWN ||
		    (only_kept && !message_cache_keeps(field_of(op))))
			continue;
		err = search_header(scan->cmd->session->env->charsets, block, field_of(op),
		    &scan->needle[i], &scan->scratch);
		if (err != RP_OK && err != RP_ERR_NOTFOUND)
			return err;
		scan->known[i] = err == RP_OK ? SEARCH_KNOWN_YES : SEARCH_KNOWN_NO;
	}
	return RP_OK;
}

static bool knows_all(const struct search_scan *scan, bool (*of)(enum search_op_kind kind))
{
	for (size_t i = 0; i < scan->program->op_count; i++)
		if (of(scan->program->op[i].kind) && scan->known[i] == SEARCH_UNKNOWN)
			return false;
	return true;
}

/* All of a range that is at most a header block. */
static enum rp_err read_block(struct task *task, struct search_scan *scan, struct dbox_body *body,
    uint64_t offset, uint64_t bytes, struct bytes *block)
{
	size_t n = (size_t)num_min(bytes, MIME_HEADER_BYTES_MAX);
	uint8_t *p = arena_alloc(&scan->arena, n);
	size_t got;
	enum rp_err err;

	if (p == NULL)
		return RP_ERR_NOMEM;
	err = dbox_body_read(task, body, offset, p, n, &got);
	if (err == RP_OK)
		*block = bytes_of(p, got);
	return err;
}

static enum rp_err read_own_header(
    struct task *task, struct search_scan *scan, uint32_t uid, uint64_t header_bytes)
{
	struct dbox_body *body;
	struct bytes block;
	enum rp_err err;

	err = mailbox_body_open(task, mailbox_of(scan), uid, &body);
	if (err != RP_OK)
		return err;
	err = read_block(task, scan, body, 0, header_bytes, &block);
	dbox_body_close(body);
	if (err == RP_OK)
		err = look_into_fields(scan, block, false);
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
	if (err == RP_OK && cache.has_fields)
		err = look_into_fields(scan, cache.fields, true);
	if (is_fatal(err))
		return err;
	if (!knows_all(scan, search_scan_is_header)) {
		err = read_own_header(task, scan, uid, cache.header_bytes);
		if (is_fatal(err))
			return err;
	}
	settle(scan, search_scan_is_header);
	return RP_OK;
}

static bool is_wanted(const struct search_scan *scan, size_t i, bool own_header)
{
	enum search_op_kind kind = scan->program->op[i].kind;

	return scan->known[i] == SEARCH_UNKNOWN &&
	       (kind == SEARCH_TEXT || (kind == SEARCH_BODY && !own_header));
}

static enum rp_err look_into_header(
    struct task *task, struct search_scan *scan, struct dbox_body *body, const struct search_range *range)
{
	bool own = range->offset == 0;
	struct bytes block;
	enum rp_err err = read_block(task, scan, body, range->offset, range->bytes, &block);

	for (size_t i = 0; i < scan->program->op_count && err == RP_OK; i++) {
		if (!is_wanted(scan, i, own))
			continue;
		err = search_header(scan->cmd->session->env->charsets, block, bytes_of(NULL, 0),
		    &scan->needle[i], &scan->scratch);
		if (err == RP_OK)
			scan->known[i] = SEARCH_KNOWN_YES;
		else if (err == RP_ERR_NOTFOUND)
			err = RP_OK;
	}
	return err;
}

static void look_into_piece(struct search_scan *scan, struct bytes folded)
{
	for (size_t i = 0; i < scan->program->op_count; i++)
		if (is_wanted(scan, i, false) &&
		    needle_find(&scan->needle[i], &scan->place[i], folded))
			scan->known[i] = SEARCH_KNOWN_YES;
}

static enum rp_err look_into_body(
    struct task *task, struct search_scan *scan, struct dbox_body *body, const struct search_range *range)
{
	uint64_t done = 0;
	enum rp_err err = RP_OK;

	memset(scan->place, 0, scan->program->op_count * sizeof(*scan->place));
	search_text_begin(scan->text, scan->cmd->session->env->charsets, range->cte, range->charset);
	while (done < range->bytes && err == RP_OK) {
		size_t n = (size_t)num_min(range->bytes - done, SEARCH_SCAN_PIECE_BYTES);
		struct bytes folded;
		struct bytes in;
		size_t got = 0;

		err = dbox_body_read(task, body, range->offset + done, scan->piece, n, &got);
		if (err == RP_OK && got == 0)
			err = RP_ERR_CORRUPT;
		in = bytes_of(scan->piece, err == RP_OK ? got : 0);
		while (err == RP_OK && search_text_next(scan->text, &in, &folded)) {
			look_into_piece(scan, folded);
			err = task_pause(task);
		}
		done += got;
	}
	look_into_piece(scan, search_text_finish(scan->text));
	return err;
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
		err = range.header ? look_into_header(task, scan, body, &range)
				   : look_into_body(task, scan, body, &range);
	return err;
}

enum rp_err search_scan_bodies(struct task *task, struct search_scan *scan, uint32_t uid)
{
	struct dbox_body *body;
	enum rp_err err;

	for (size_t i = 0; i < scan->program->op_count; i++) /* every message contains the empty text */
		if (is_wanted(scan, i, false) && scan->program->op[i].text.n == 0)
			scan->known[i] = SEARCH_KNOWN_YES;
	if (knows_all(scan, search_scan_is_text))
		return RP_OK;
	err = mailbox_body_open(task, mailbox_of(scan), uid, &body);
	if (err == RP_OK) {
		err = look_everywhere(task, scan, body);
		dbox_body_close(body);
	}
	if (is_fatal(err))
		return err;
	settle(scan, search_scan_is_text);
	return RP_OK;
}
