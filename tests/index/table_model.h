/* table_model.h -- a mailbox as a plain array of messages, to compare table, view and msgset with.
 */
#ifndef RP_TESTS_INDEX_TABLE_MODEL_H
#define RP_TESTS_INDEX_TABLE_MODEL_H

#include <criterion/criterion.h>
#include <stdlib.h>

#include "index/mailbox_state.h"
#include "index/table.h"

enum {
	MODEL_ROWS_MAX = 4096,
	MODEL_KEYWORDS = 3,
};

struct model_row {
	struct table_row row; /* keywords: see keyword_bits */
	unsigned keyword_bits;
	bool live;
};

/* A change as a journal would have it, to be applied again. */
struct model_op {
	enum { MODEL_APPEND, MODEL_EXPUNGE, MODEL_FLAG } what;
	uint32_t first; /* MODEL_APPEND: rows [first, first + count) as they were then */
	uint32_t count;
	struct model_row *rows;
	struct runs uids;
	unsigned flag;
	bool on;
	uint64_t modseq;
};

enum { MODEL_OPS_MAX = 512 };

struct model {
	bool logs; /* put changes into ops */
	uint32_t ops_count;
	struct model_op ops[MODEL_OPS_MAX];
	struct model_row rows[MODEL_ROWS_MAX];
	uint32_t rows_count;
	uint32_t uidnext;
	uint64_t modseq;
	uint32_t seed;
	struct mailbox mailbox; /* with the real table */
};

static inline uint32_t model_draw(struct model *model, uint32_t below)
{
	model->seed = model->seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(model->seed >> 4) * below) >> 28);
}

static inline struct model *model_new(uint32_t seed)
{
	struct model *model = calloc(1, sizeof(*model));

	model->seed = seed;
	model->uidnext = 1;
	model->modseq = 1;
	list_init(&model->mailbox.views);
	list_init(&model->mailbox.watches);
	cr_assert_eq(table_new(NULL, 7, &model->mailbox.table), RP_OK);
	return model;
}

static inline void model_free(struct model *model)
{
	cr_assert_eq(model->mailbox.refs, 0);
	table_free(model->mailbox.table);
	free(model);
}

/* What mailbox.c has. */
enum rp_err mailbox_mend(struct task *task, struct mailbox *mailbox)
{
	(void)task;
	(void)mailbox;
	return RP_ERR_CORRUPT; /* there is no journal here to mend it from */
}

void mailbox_hold(struct mailbox *mailbox)
{
	mailbox->refs++;
}

void mailbox_close(struct mailbox *mailbox)
{
	mailbox->refs--;
}

static inline const char *model_keyword(unsigned k)
{
	static const char *const names[MODEL_KEYWORDS] = {"$Forwarded", "$Junk", "work"};

	return names[k];
}

static inline struct model_op *model_log(struct model *model, struct model_op op)
{
	if (!model->logs)
		return NULL;
	cr_assert_lt(model->ops_count, MODEL_OPS_MAX);
	model->ops[model->ops_count] = op;
	return &model->ops[model->ops_count++];
}

/* keywords: room for them. */
static inline struct table_row model_row_of(
    struct table *table, const struct model_row *at, uint16_t *keywords)
{
	struct table_row row = at->row;

	row.keywords = keywords;
	row.keywords_count = 0;
	for (unsigned k = 0; k < MODEL_KEYWORDS; k++) {
		if ((at->keyword_bits >> k) & 1)
			keywords[row.keywords_count++] =
			    table_keyword(table, bytes_of_str(model_keyword(k)), true);
	}
	return row;
}

static inline void model_append(struct model *model, uint32_t count)
{
	struct table *table = model->mailbox.table;
	struct table_room room = {.first_uid = model->uidnext,
	    .last_uid = model->uidnext + count - 1,
	    .rows = count,
	    .flags_on = TABLE_SYSTEM_FLAGS + MODEL_KEYWORDS,
	    .new_keywords = MODEL_KEYWORDS};

	cr_assert_leq(model->rows_count + count, MODEL_ROWS_MAX);
	cr_assert_eq(table_prepare_append(NULL, table, &room), RP_OK);
	model->modseq++;
	for (uint32_t i = 0; i < count; i++) {
		struct model_row *at = &model->rows[model->rows_count++];
		uint16_t keywords[MODEL_KEYWORDS];

		*at = (struct model_row){.live = true};
		at->row = (struct table_row){
		    .uid = model->uidnext++,
		    .flags = model_draw(model, 32),
		    .modseq = model->modseq,
		    .internaldate = {1000000 + (int64_t)model_draw(model, 1000000),
		        (int16_t)((int)model_draw(model, 1500) - 750)},
		    .sent = {(int64_t)model_draw(model, 1 << 20) * 4000, (int16_t)60},
		    .rfc822_size_bytes = model_draw(model, 100000),
		    .savedate_s = model_draw(model, 1 << 27),
		    .body = {1 + model_draw(model, 5), model_draw(model, 1 << 27)},
		    .cache_offset = model_draw(model, 1000),
		    .emailid = ((uint64_t)model_draw(model, 1 << 27) << 32) + 1,
		    .threadid = model_draw(model, 2),
		};
		at->keyword_bits =
		    model_draw(model, 3) ? 0 : model_draw(model, 1 << MODEL_KEYWORDS);
		struct table_row row = model_row_of(table, at, keywords);

		table_append(table, &row);
	}
	struct model_op *op =
	    model_log(model, (struct model_op){.what = MODEL_APPEND, .count = count});

	if (op != NULL) {
		op->rows = calloc(count, sizeof(*op->rows));
		memcpy(
		    op->rows, &model->rows[model->rows_count - count], count * sizeof(*op->rows));
	}
	view_news_append(&model->mailbox);
}

/* Some UIDs: single ones and stretches, there or not. */
static inline struct runs model_uids(struct model *model, uint32_t pieces, uint32_t length)
{
	struct runs uids = RUNS_EMPTY;

	for (uint32_t i = 0; i < pieces; i++) {
		uint32_t first = 1 + model_draw(model, model->uidnext);

		cr_assert_eq(runs_add(&uids, first, first + model_draw(model, length)), RP_OK);
	}
	return uids;
}

static inline void model_expunge(struct model *model, const struct runs *uids)
{
	struct table *table = model->mailbox.table;

	cr_assert_eq(table_prepare_expunge(NULL, table, uids), RP_OK);
	model->modseq++;
	view_news_expunge(&model->mailbox, uids, model->modseq);
	table_expunge(table, uids, model->modseq);
	struct model_op *op =
	    model_log(model, (struct model_op){.what = MODEL_EXPUNGE, .modseq = model->modseq});

	if (op != NULL)
		cr_assert_eq(runs_copy(uids, &op->uids), RP_OK);
	for (uint32_t i = 0; i < model->rows_count; i++) {
		if (runs_has(uids, model->rows[i].row.uid))
			model->rows[i].live = false;
	}
}

/* flag: a system flag's number, or 5 + k for the model's keyword k. Returns the modseq. */
static inline uint64_t model_flag(
    struct model *model, const struct runs *uids, unsigned flag, bool on)
{
	struct table *table = model->mailbox.table;
	unsigned number = flag;

	cr_assert_eq(table_prepare_flags(NULL, table, uids, 1, 1), RP_OK);
	if (flag >= TABLE_SYSTEM_FLAGS)
		number = TABLE_SYSTEM_FLAGS +
		         table_keyword(
		             table, bytes_of_str(model_keyword(flag - TABLE_SYSTEM_FLAGS)), true);
	model->modseq++;
	table_set_flag(table, uids, number, on);
	table_set_modseq(table, uids, model->modseq);
	view_news_flags(&model->mailbox, uids, model->modseq);
	struct model_op *op = model_log(model,
	    (struct model_op){.what = MODEL_FLAG, .flag = flag, .on = on, .modseq = model->modseq});

	if (op != NULL)
		cr_assert_eq(runs_copy(uids, &op->uids), RP_OK);
	for (uint32_t i = 0; i < model->rows_count; i++) {
		struct model_row *at = &model->rows[i];
		unsigned *bits = flag < TABLE_SYSTEM_FLAGS ? &at->row.flags : &at->keyword_bits;
		unsigned bit = 1U << (flag < TABLE_SYSTEM_FLAGS ? flag : flag - TABLE_SYSTEM_FLAGS);

		if (!at->live || !runs_has(uids, at->row.uid))
			continue;
		*bits = on ? *bits | bit : *bits & ~bit;
		at->row.modseq = model->modseq;
	}
	return model->modseq;
}

/* Apply what was logged to another table, and forget it. */
static inline void model_replay(struct model *model, struct table *table)
{
	for (uint32_t i = 0; i < model->ops_count; i++) {
		struct model_op *op = &model->ops[i];
		unsigned flag = op->flag;

		switch (op->what) {
		case MODEL_APPEND:
			cr_assert_eq(table_prepare_append(NULL, table,
			                 &(struct table_room){op->rows[0].row.uid,
			                     op->rows[op->count - 1].row.uid, op->count,
			                     TABLE_SYSTEM_FLAGS + MODEL_KEYWORDS, MODEL_KEYWORDS}),
			    RP_OK);
			for (uint32_t k = 0; k < op->count; k++) {
				uint16_t keywords[MODEL_KEYWORDS];
				struct table_row row = model_row_of(table, &op->rows[k], keywords);

				table_append(table, &row);
			}
			break;
		case MODEL_EXPUNGE:
			cr_assert_eq(table_prepare_expunge(NULL, table, &op->uids), RP_OK);
			table_expunge(table, &op->uids, op->modseq);
			break;
		case MODEL_FLAG:
			cr_assert_eq(table_prepare_flags(NULL, table, &op->uids, 1, 1), RP_OK);
			if (flag >= TABLE_SYSTEM_FLAGS)
				flag = TABLE_SYSTEM_FLAGS +
				       table_keyword(table,
				           bytes_of_str(model_keyword(flag - TABLE_SYSTEM_FLAGS)),
				           true);
			table_set_flag(table, &op->uids, flag, op->on);
			table_set_modseq(table, &op->uids, op->modseq);
			break;
		}
	}
}

static inline void model_forget(struct model *model)
{
	for (uint32_t i = 0; i < model->ops_count; i++) {
		free(model->ops[i].rows);
		runs_fini(&model->ops[i].uids);
	}
	model->ops_count = 0;
}

/* All that the table says of live and dead rows; rows the table has closed up must be dead. */
static inline void model_compare_row(
    struct model *model, const struct model_row *at, bool dead_may_lack)
{
	struct table *table = model->mailbox.table;
	struct table_row row;
	bool expunged;
	enum rp_err err = table_row(NULL, table, at->row.uid, true, &row, &expunged);

	cr_assert_eq(table_has(table, at->row.uid, false), at->live);
	if (err == RP_ERR_NOTFOUND && dead_may_lack && !at->live)
		return;
	cr_assert_eq(err, RP_OK, "uid %u: %s", at->row.uid, err_name(err));
	cr_assert_eq(expunged, !at->live);
	cr_assert_eq(row.uid, at->row.uid);
	cr_assert_eq(row.flags, at->row.flags);
	cr_assert_eq(table_flags(table, at->row.uid), at->row.flags);
	cr_assert_eq(row.modseq, at->row.modseq);
	cr_assert_eq(row.internaldate.seconds, at->row.internaldate.seconds);
	cr_assert_eq(row.internaldate.zone_min, at->row.internaldate.zone_min);
	cr_assert_eq(row.sent.seconds, at->row.sent.seconds);
	cr_assert_eq(row.rfc822_size_bytes, at->row.rfc822_size_bytes);
	cr_assert_eq(row.savedate_s, at->row.savedate_s);
	cr_assert_eq(row.body.file, at->row.body.file);
	cr_assert_eq(row.body.offset, at->row.body.offset);
	cr_assert_eq(row.cache_offset, at->row.cache_offset);
	cr_assert_eq(row.emailid, at->row.emailid);
	cr_assert_eq(row.threadid, at->row.threadid);
	unsigned bits = 0;

	for (size_t i = 0; i < row.keywords_count; i++) {
		struct bytes name = table_keyword_name(table, row.keywords[i]);

		for (unsigned k = 0; k < MODEL_KEYWORDS; k++)
			bits |= (unsigned)bytes_eq(name, bytes_of_str(model_keyword(k))) << k;
	}
	cr_assert_eq(bits, at->keyword_bits);
}

static inline void model_compare(struct model *model, bool dead_may_lack)
{
	struct table *table = model->mailbox.table;
	struct table_counts want = {0};
	struct table_counts got;

	for (uint32_t i = 0; i < model->rows_count; i++) {
		const struct model_row *at = &model->rows[i];

		model_compare_row(model, at, dead_may_lack);
		want.messages += at->live;
		want.unseen += at->live && !(at->row.flags & MAIL_SEEN);
		want.deleted += at->live && (at->row.flags & MAIL_DELETED);
		want.bytes += at->live ? at->row.rfc822_size_bytes : 0;
	}
	table_counts(table, &got);
	cr_assert_eq(got.messages, want.messages);
	cr_assert_eq(got.unseen, want.unseen);
	cr_assert_eq(got.deleted, want.deleted);
	cr_assert_eq(got.bytes, want.bytes);
	cr_assert_eq(table_count(table), want.messages);
	cr_assert_eq(table_last_uid(table), model->uidnext - 1);
}

/* One change of any kind. */
static inline void model_change(struct model *model)
{
	struct runs uids = model_uids(model, 1 + model_draw(model, 4), 1 + model_draw(model, 60));

	switch (model_draw(model, 6)) {
	case 0:
	case 1:
		if (model->rows_count + 8 < MODEL_ROWS_MAX) {
			if (model_draw(model, 10) == 0)
				model->uidnext += model_draw(model, 500);
			model_append(model, 1 + model_draw(model, 8));
		}
		break;
	case 2:
		if (model_draw(model, 4) == 0)
			model_expunge(model, &uids);
		break;
	default:
		(void)model_flag(model, &uids, model_draw(model, 8), model_draw(model, 2));
	}
	runs_fini(&uids);
}

#endif
