#include "tests/index/model.h"

#include <stdio.h>
#include <stdlib.h>

#include <xxhash.h>

#include "index/dbox/dbox.h"
#include "index/mailbox_state.h"
#include "index/volume_state.h"

static const char *const names[MODEL_NAMES] = {
    "INBOX", "Drafts", "Sent", "Trash", "Junk", "Archive", "a", "a/b", "a/b/c", "d"};
uint8_t model_evil[MODEL_EVIL_BYTES];

static const char *const keywords[MODEL_KEYWORDS] = {"$Forwarded", "$Junk", "work", "Later"};

uint32_t model_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

void model_same(uint64_t a, uint64_t b, const char *what, const char *file, int line)
{
	if (a != b)
		assert_panic("%s:%d: %s: %llu, %llu", file, line, what, (unsigned long long)a,
		    (unsigned long long)b);
}

const char *model_name(unsigned name)
{
	RP_ASSERT(name < MODEL_NAMES);
	return names[name];
}

const char *model_keyword(unsigned keyword)
{
	RP_ASSERT(keyword < MODEL_KEYWORDS);
	return keywords[keyword];
}

/* Lines of a mail: 64 bytes each. */
static void text_body(uint32_t seed, uint8_t *p, size_t n)
{
	MODEL_CHECK(n % 64 == 0);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)('a' + ((seed >> (i % 24)) + i / 64 + i) % 26);
	for (size_t i = 64; i <= n; i += 64) {
		p[i - 2] = '\r';
		p[i - 1] = '\n';
	}
}

void model_body(uint32_t seed, uint8_t *p, size_t n)
{
	if ((seed & MODEL_SEED_TEXT) != 0) {
		text_body(seed, p, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((seed >> (i % 4 * 8)) + i * 7 + (i >> 8));
	if ((seed & MODEL_SEED_EVIL) != 0 && n > 16) /* at a place where a record could begin */
		memcpy(p + 8, model_evil, n - 16 < MODEL_EVIL_BYTES ? n - 16 : MODEL_EVIL_BYTES);
}

/* An entry tells the message's size, so that it can be checked against the body it came from. */
static enum rp_err render(
    struct task *task, struct dbox_body *body, struct arena *arena, struct bytes *entry)
{
	(void)task;
	*entry =
	    arena_printf(arena, "entry of %llu bytes", (unsigned long long)dbox_body_bytes(body));
	return entry->p != NULL ? RP_OK : RP_ERR_NOMEM;
}

static bool sent_date(struct bytes entry, int64_t *seconds, int16_t *zone_min)
{
	(void)entry;
	(void)seconds;
	(void)zone_min;
	return false;
}

const struct mail_reader model_reader = {.render = render, .sent_date = sent_date};

void model_init(struct model *model)
{
	static const unsigned uses[] = {0, SPECIAL_USE_DRAFTS, SPECIAL_USE_SENT, SPECIAL_USE_TRASH,
	    SPECIAL_USE_JUNK, SPECIAL_USE_ARCHIVE};

	*model = (struct model){0};
	for (unsigned i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		model->mailbox[i] = (struct model_mailbox){
		    .there = true, .subscribed = true, .special_use = uses[i], .uidnext = 1};
}

static unsigned parent_of(unsigned name)
{
	return name == 8 ? 7 : name == 7 ? 6 : MODEL_NAMES;
}

/* Names below it would get names that the model does not have. */
static bool is_above_any(const struct model *model, unsigned name)
{
	for (unsigned i = 0; i < MODEL_NAMES; i++)
		for (unsigned up = parent_of(i); up < MODEL_NAMES; up = parent_of(up))
			if (up == name && (model->mailbox[i].there || model->mailbox[i].subscribed))
				return true;
	return false;
}

struct model_op model_draw(const struct model *model, uint64_t *state)
{
	static const uint8_t often[] = {MODEL_APPEND, MODEL_APPEND, MODEL_APPEND, MODEL_APPEND,
	    MODEL_STORE, MODEL_STORE, MODEL_STORE, MODEL_EXPUNGE, MODEL_COPY, MODEL_MOVE,
	    MODEL_CREATE, MODEL_DELETE, MODEL_RENAME, MODEL_SUBSCRIBE};
	struct model_op op = {.kind = often[model_random(state) % sizeof(often)]};

	op.a = model_random(state) % MODEL_NAMES;
	op.b = model_random(state) % MODEL_NAMES;
	op.first = 1 + model_random(state) % (model->mailbox[op.a].uidnext + 1);
	op.last = op.first + model_random(state) % 8;
	op.flags = model_random(state) % 32;
	op.keywords = model_random(state) % 16;
	op.mode = model_random(state) % 3;
	op.count = 1 + model_random(state) % 3;
	op.seed = model_random(state) % MODEL_SEED_TEXT;
	op.bytes = model_random(state) % 64 == 0 ? 70000 : model_random(state) % 3000;
	op.on = model_random(state) % 2;
	model_tame(model, &op);
	return op;
}

void model_tame(const struct model *model, struct model_op *op)
{
	if (op->kind == MODEL_RENAME && op->a != 0 && is_above_any(model, op->a))
		op->kind = MODEL_CREATE;
	if (op->kind != MODEL_STORE && op->kind != MODEL_EXPUNGE &&
	    (model->mailbox[op->a].count > MODEL_MESSAGES_FEW ||
	        model->mailbox[op->b].count > MODEL_MESSAGES_FEW))
		op->kind = MODEL_EXPUNGE;
}

bool model_has_children(const struct model *model, unsigned name)
{
	for (unsigned i = 0; i < MODEL_NAMES; i++)
		if (model->mailbox[i].there && parent_of(i) == name)
			return true;
	return false;
}

static void make(struct model *model, unsigned name)
{
	struct model_mailbox *mailbox = &model->mailbox[name];

	if (mailbox->there)
		return;
	if (parent_of(name) < MODEL_NAMES)
		make(model, parent_of(name));
	*mailbox =
	    (struct model_mailbox){.there = true, .subscribed = mailbox->subscribed, .uidnext = 1};
}

static void add(struct model_mailbox *mailbox, struct model_message message)
{
	MODEL_CHECK(mailbox->count < MODEL_MESSAGES_MAX);
	message.uid = mailbox->uidnext++;
	message.modseq = MODEL_NEW;
	message.savedate_s = MODEL_NEW;
	mailbox->message[mailbox->count++] = message;
	mailbox->highestmodseq = MODEL_NEW;
}

static void take_out(struct model_mailbox *mailbox, size_t i)
{
	mailbox->count--;
	memmove(&mailbox->message[i], &mailbox->message[i + 1],
	    (mailbox->count - i) * sizeof(mailbox->message[0]));
	mailbox->highestmodseq = MODEL_NEW;
}

static uint32_t after_store(uint32_t now, uint32_t named, enum mail_store_mode mode)
{
	return mode == MAIL_STORE_REPLACE ? named
	       : mode == MAIL_STORE_ADD   ? now | named
	                                  : now & ~named;
}

static void store(struct model_mailbox *mailbox, const struct model_op *op)
{
	for (size_t i = 0; i < mailbox->count; i++) {
		struct model_message *message = &mailbox->message[i];
		uint32_t flags = after_store(message->flags, op->flags, op->mode);
		uint32_t words = after_store(message->keywords, op->keywords, op->mode);

		if (message->uid < op->first || message->uid > op->last ||
		    (flags == message->flags && words == message->keywords))
			continue;
		message->flags = flags;
		message->keywords = words;
		message->modseq = MODEL_NEW;
		mailbox->highestmodseq = MODEL_NEW;
	}
}

static void transfer(
    struct model_mailbox *from, struct model_mailbox *to, uint32_t first, uint32_t last, bool moves)
{
	size_t count = from->count;

	for (size_t i = 0; i < count; i++) {
		if (from->message[i].uid < first || from->message[i].uid > last)
			continue;
		add(to, from->message[i]);
		to->came++;
	}
	to->came_moved = to->came > 0 && moves;
	for (size_t i = count; moves && i-- > 0;)
		if (from->message[i].uid >= first && from->message[i].uid <= last)
			take_out(from, i);
}

static enum rp_err rename_name(struct model *model, unsigned from, unsigned to)
{
	struct model_mailbox *a = &model->mailbox[from];
	struct model_mailbox *b = &model->mailbox[to];
	bool subscribed = a->subscribed || b->subscribed;

	if (!a->there)
		return RP_ERR_NOTFOUND;
	if (b->there)
		return RP_ERR_EXISTS;
	if (from == 0) {
		make(model, to);
		transfer(a, b, 1, UINT32_MAX, true);
		return RP_OK;
	}
	for (unsigned up = parent_of(to); up < MODEL_NAMES; up = parent_of(up))
		if (up == from)
			return RP_ERR_CANNOT;
	make(model, to);
	*b = *a;
	b->subscribed = subscribed;
	*a = (struct model_mailbox){0};
	return RP_OK;
}

/* By what it was when it was opened, where that is known. */
static struct model_mailbox *mailbox_of(struct model *model, unsigned name, uint64_t mailboxid)
{
	static struct model_mailbox gone;

	if (mailboxid == 0)
		return &model->mailbox[name];
	for (unsigned i = 0; i < MODEL_NAMES; i++)
		if (model->mailbox[i].there && model->mailbox[i].mailboxid == mailboxid)
			return &model->mailbox[i];
	gone = (struct model_mailbox){0};
	return &gone;
}

enum rp_err model_apply(struct model *model, const struct model_op *op)
{
	struct model_mailbox *a = mailbox_of(model, op->a, op->a_id);
	struct model_mailbox *b = mailbox_of(model, op->b, op->b_id);

	if (op->kind == MODEL_CREATE) {
		if (a->there)
			return RP_ERR_EXISTS;
		make(model, op->a);
		return RP_OK;
	}
	if (op->kind == MODEL_RENAME)
		return rename_name(model, op->a, op->b);
	if (op->kind == MODEL_SUBSCRIBE) {
		a->subscribed = op->on;
		return RP_OK;
	}
	if (!a->there || (op->b_id != 0 && !b->there))
		return RP_ERR_NOTFOUND;
	switch (op->kind) {
	case MODEL_APPEND:
		for (unsigned i = 0; i < op->count; i++)
			add(a, (struct model_message){.flags = op->flags,
			           .keywords = op->keywords,
			           .seed = op->seed + i,
			           .bytes = op->bytes});
		return RP_OK;
	case MODEL_UNDELETE:
		for (unsigned i = 0; i < op->count; i++) {
			struct model_message message = op->back[i];

			message.flags &= ~(uint32_t)MAIL_DELETED;
			add(a, message);
		}
		return RP_OK;
	case MODEL_STORE:
		store(a, op);
		return RP_OK;
	case MODEL_EXPUNGE:
		for (size_t i = a->count; i-- > 0;)
			if ((a->message[i].flags & MAIL_DELETED) != 0)
				take_out(a, i);
		return RP_OK;
	case MODEL_COPY:
	case MODEL_MOVE:
		if (!b->there)
			return RP_ERR_NOTFOUND;
		transfer(a, b, op->first, op->last, op->kind == MODEL_MOVE);
		return RP_OK;
	case MODEL_DELETE:
		if (op->a == 0)
			return RP_ERR_CANNOT;
		if (model_has_children(model, op->a))
			return RP_ERR_HASCHILDREN;
		*a = (struct model_mailbox){.subscribed = a->subscribed};
		return RP_OK;
	default:
		assert_panic("no operation: %d", op->kind);
	}
}

size_t model_keywords(uint32_t bits, struct bytes out[MODEL_KEYWORDS])
{
	size_t n = 0;

	for (unsigned k = 0; k < MODEL_KEYWORDS; k++)
		if ((bits & (1u << k)) != 0)
			out[n++] = bytes_of_str(keywords[k]);
	return n;
}

struct mail_date model_date(uint32_t seed)
{
	return (struct mail_date){1700000000 + (int64_t)(seed % 100000), (int16_t)(seed % 600)};
}

/* On either side of Greenwich, and of the INTERNALDATE; one in eight has none. */
struct mail_date model_sent(uint32_t seed)
{
	if (seed % 8 == 0)
		return MAIL_SENT_NONE;
	return (struct mail_date){
	    1700000000 + (int64_t)(seed / 3 % 100000), (int16_t)((int32_t)(seed % 1201) - 600)};
}

static enum rp_err put_body(
    struct task *task, struct volume *volume, uint32_t seed, uint32_t n, struct body_put **out)
{
	uint8_t *text = malloc(n + 1);
	struct body_put *put;
	enum rp_err err = body_begin(task, volume, &put);

	MODEL_CHECK(text != NULL);
	if (err != RP_OK) {
		free(text);
		return err;
	}
	model_body(seed, text, n);
	for (size_t at = 0; at < n && err == RP_OK;) {
		size_t piece = n - at < 1500 ? n - at : 1500;

		err = body_write(task, put, bytes_of(text + at, piece));
		at += piece;
	}
	free(text);
	if (err != RP_OK)
		body_abort(put);
	else
		*out = put;
	return err;
}

static enum rp_err run_append(struct task *task, struct mailbox *mailbox, const struct model_op *op)
{
	struct bytes name[MODEL_KEYWORDS];
	size_t names_count = model_keywords(op->keywords, name);
	struct append message[3];
	uint32_t first_uid;
	unsigned n = 0;
	enum rp_err err = RP_OK;

	for (; n < op->count && err == RP_OK; n++) {
		message[n] = (struct append){.flags = op->flags,
		    .keywords = name,
		    .keywords_count = names_count,
		    .internaldate = model_date(op->seed + n),
		    .sent = model_sent(op->seed + n)};
		err = put_body(
		    task, mailbox_volume(mailbox), op->seed + n, op->bytes, &message[n].body);
	}
	if (err != RP_OK)
		n--; /* the newest could not be taken in */
	else
		err = mailbox_append(task, mailbox, message, op->count, &first_uid);
	for (unsigned i = 0; err != RP_OK && i < n; i++)
		body_abort(message[i].body);
	return err;
}

static enum rp_err run_in_mailbox(struct task *task, struct mailbox *a, struct mailbox *b,
    const struct model_op *op, const struct runs *uids, struct runs *out)
{
	struct bytes name[MODEL_KEYWORDS];
	struct mail_store store = {.mode = op->mode,
	    .flags = op->flags,
	    .keywords = name,
	    .keywords_count = model_keywords(op->keywords, name)};
	uint32_t first_uid;

	switch (op->kind) {
	case MODEL_APPEND:
		return run_append(task, a, op);
	case MODEL_STORE:
		return mailbox_store(task, a, uids, &store, out, NULL);
	case MODEL_EXPUNGE:
		return mailbox_expunge(task, a, NULL, out);
	case MODEL_COPY:
		return mailbox_copy(task, a, uids, b, out, &first_uid);
	default:
		return mailbox_move(task, a, uids, b, out, &first_uid);
	}
}

static enum rp_err run_messages(struct task *task, struct volume *volume, struct model_op *op)
{
	struct runs uids = RUNS_EMPTY;
	struct runs out = RUNS_EMPTY;
	struct mailbox *a = NULL;
	struct mailbox *b = NULL;
	enum rp_err err = mailbox_open(task, volume, bytes_of_str(names[op->a]), &a);

	if (err == RP_OK && (op->kind == MODEL_COPY || op->kind == MODEL_MOVE))
		err = mailbox_open(task, volume, bytes_of_str(names[op->b]), &b);
	if (err == RP_OK)
		err = runs_add(&uids, op->first, op->last);
	op->a_id = a != NULL ? mailbox_entry(a)->mailboxid : 0;
	op->b_id = b != NULL ? mailbox_entry(b)->mailboxid : 0;
	if (err == RP_OK)
		err = run_in_mailbox(task, a, b, op, &uids, &out);
	runs_fini(&uids);
	runs_fini(&out);
	mailbox_close(a);
	mailbox_close(b);
	return err;
}

enum rp_err model_run(struct task *task, struct volume *volume, struct model_op *op)
{
	struct bytes a = bytes_of_str(names[op->a]);

	switch (op->kind) {
	case MODEL_CREATE:
		return volume_create(task, volume, a, 0, NULL);
	case MODEL_DELETE:
		return volume_delete(task, volume, a);
	case MODEL_RENAME:
		return volume_rename(task, volume, a, bytes_of_str(names[op->b]));
	case MODEL_SUBSCRIBE:
		return volume_subscribe(task, volume, a, op->on);
	default:
		return run_messages(task, volume, op);
	}
}
