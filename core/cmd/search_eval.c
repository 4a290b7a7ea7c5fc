#include "core/cmd/search_eval.h"

#include "core/cmd/search_scan.h"
#include "core/session/selected.h"

/* The least and the most that a part of the program can be: the same where no text is in it. */
struct bounds {
	struct msgset *least; /* NULL: the program has no texts, only `most` is kept */
	struct msgset *most;
};

struct eval {
	struct cmd *cmd;
	struct view *view;
	const struct search_program *program;
	struct search_budget *budget;
	int64_t now_s;
	struct msgset **leaf; /* by op: kept for the second step; NULL: a text, or an operator */
	struct bounds *stack;
	size_t depth;
};

static void free_bounds(struct bounds *bounds)
{
	msgset_free(bounds->least);
	msgset_free(bounds->most);
	*bounds = (struct bounds){ 0 };
}

static enum rp_err copy_set(
    struct task *task, struct view *view, const struct msgset *set, struct msgset **out)
{
	enum rp_err err = msgset_none(task, view, out);

	if (err == RP_OK)
		msgset_or(*out, set);
	return err;
}

static enum rp_err seqno_leaf(
    struct task *task, struct eval *eval, const struct seqset *set, struct msgset **out)
{
	uint32_t exists = view_exists(eval->view);
	struct runs seqnos = RUNS_EMPTY;
	struct runs uids = RUNS_EMPTY;
	enum rp_err err;

	err = seqset_resolve(set, exists, &seqnos);
	if (err == RP_OK && exists < UINT32_MAX)
		err = runs_remove(&seqnos, exists + 1, UINT32_MAX); /* beyond the end: matches nothing */
	if (err == RP_OK)
		err = view_uids_of_seqnos(eval->view, &seqnos, &uids);
	if (err == RP_OK)
		err = msgset_uids(task, eval->view, &uids, out);
	runs_fini(&seqnos);
	runs_fini(&uids);
	return err;
}

static enum rp_err uid_leaf(
    struct task *task, struct eval *eval, const struct seqset *set, struct msgset **out)
{
	struct runs uids = RUNS_EMPTY;
	enum rp_err err = seqset_resolve(set, view_last_uid(eval->view), &uids);

	if (err == RP_OK)
		err = msgset_uids(task, eval->view, &uids, out);
	runs_fini(&uids);
	return err;
}

static int64_t clamp(uint64_t n)
{
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

/* A key that compares a column. False: it is none. */
static bool range_of(const struct eval *eval, const struct search_op *op,
    enum msgset_column *column, int64_t *least, int64_t *greatest)
{
	int64_t number = clamp(op->number);

	*least = INT64_MIN;
	*greatest = INT64_MAX;
	switch (op->kind) {
	case SEARCH_BEFORE:
	case SEARCH_ON:
	case SEARCH_SINCE:
		*column = MSGSET_INTERNALDATE;
		break;
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
		*column = MSGSET_SENT;
		*least = MAIL_DAY_NONE + 1; /* without a Date: field none of them is true */
		break;
	case SEARCH_LARGER:
		*column = MSGSET_SIZE;
		*least = number == INT64_MAX ? number : number + 1;
		return true;
	case SEARCH_SMALLER:
		*column = MSGSET_SIZE;
		*greatest = number - 1;
		return true;
	case SEARCH_OLDER:
		*column = MSGSET_INTERNALDATE_SECONDS;
		*greatest = eval->now_s - number;
		return true;
	case SEARCH_YOUNGER:
		*column = MSGSET_INTERNALDATE_SECONDS;
		*least = eval->now_s - number;
		return true;
	case SEARCH_MODSEQ:
		*column = MSGSET_MODSEQ;
		*least = number;
		return true;
	default:
		return false;
	}
	if (op->kind == SEARCH_BEFORE || op->kind == SEARCH_SENTBEFORE)
		*greatest = (int64_t)op->day - 1;
	else
		*least = op->day;
	if (op->kind == SEARCH_ON || op->kind == SEARCH_SENTON)
		*greatest = op->day;
	return true;
}

/* The messages that one cheap key is true of. */
static enum rp_err make_leaf(
    struct task *task, struct eval *eval, const struct search_op *op, struct msgset **out)
{
	enum msgset_column column;
	int64_t greatest;
	int64_t least;

	if (range_of(eval, op, &column, &least, &greatest))
		return msgset_range(task, eval->view, column, least, greatest, out);
	switch (op->kind) {
	case SEARCH_FLAG:
		return msgset_flag(task, eval->view, op->flag, out);
	case SEARCH_KEYWORD:
		return msgset_keyword(task, eval->view, op->text, out);
	case SEARCH_SEQNO:
		return seqno_leaf(task, eval, &op->set, out);
	case SEARCH_UID:
		return uid_leaf(task, eval, &op->set, out);
	default:
		RP_ASSERT(op->kind == SEARCH_ALL);
		return msgset_all(task, eval->view, out);
	}
}

static enum rp_err push(struct task *task, struct eval *eval, size_t index)
{
	const struct search_op *op = &eval->program->op[index];
	struct bounds *top = &eval->stack[eval->depth++];
	enum rp_err err;

	RP_ASSERT(eval->depth <= eval->program->stack_max);
	if (search_scan_is_text(op->kind)) {
		err = msgset_all(task, eval->view, &top->most);
		if (err == RP_OK)
			err = msgset_none(task, eval->view, &top->least);
		return err;
	}
	if (!eval->program->has_text)
		return make_leaf(task, eval, op, &top->most);
	err = make_leaf(task, eval, op, &eval->leaf[index]);
	if (err == RP_OK)
		err = copy_set(task, eval->view, eval->leaf[index], &top->most);
	if (err == RP_OK)
		err = copy_set(task, eval->view, eval->leaf[index], &top->least);
	return err;
}

static void operate(struct eval *eval, enum search_op_kind kind)
{
	struct bounds *b = &eval->stack[eval->depth - 1];
	struct bounds *a = b - 1;

	if (kind == SEARCH_NOT) {
		struct msgset *most = b->most;

		RP_ASSERT(eval->depth >= 1);
		msgset_not(most);
		if (b->least == NULL)
			return;
		msgset_not(b->least);
		b->most = b->least; /* not: of the least that it can be */
		b->least = most;
		return;
	}
	RP_ASSERT(eval->depth >= 2);
	if (kind == SEARCH_AND) {
		msgset_and(a->most, b->most);
		if (a->least != NULL)
			msgset_and(a->least, b->least);
	} else {
		msgset_or(a->most, b->most);
		if (a->least != NULL)
			msgset_or(a->least, b->least);
	}
	free_bounds(b);
	eval->depth--;
}

static bool is_operator(enum search_op_kind kind)
{
	return kind == SEARCH_AND || kind == SEARCH_OR || kind == SEARCH_NOT;
}

static enum rp_err find_bounds(struct task *task, struct eval *eval)
{
	for (size_t i = 0; i < eval->program->op_count; i++) {
		enum search_op_kind kind = eval->program->op[i].kind;
		enum rp_err err = RP_OK;

		if (is_operator(kind))
			operate(eval, kind);
		else
			err = push(task, eval, i);
		if (err == RP_OK)
			err = search_budget_pause(task, eval->budget);
		if (err != RP_OK)
			return err;
	}
	RP_ASSERT(eval->depth == 1);
	return RP_OK;
}

/* The program for one message, with what is known of its texts. */
static enum search_known decide(
    const struct eval *eval, const struct search_scan *scan, uint32_t uid, enum search_known *stack)
{
	size_t depth = 0;

	for (size_t i = 0; i < eval->program->op_count; i++) {
		enum search_op_kind kind = eval->program->op[i].kind;

		if (kind == SEARCH_NOT) {
			enum search_known *top = &stack[depth - 1];

			if (*top != SEARCH_UNKNOWN)
				*top = *top == SEARCH_KNOWN_YES ? SEARCH_KNOWN_NO : SEARCH_KNOWN_YES;
		} else if (kind == SEARCH_AND || kind == SEARCH_OR) {
			enum search_known b = stack[--depth];
			enum search_known *a = &stack[depth - 1];
			enum search_known rules = kind == SEARCH_AND ? SEARCH_KNOWN_NO : SEARCH_KNOWN_YES;

			if (*a == rules || b == rules)
				*a = rules;
			else if (b == SEARCH_UNKNOWN)
				*a = SEARCH_UNKNOWN;
		} else if (search_scan_is_text(kind)) {
			stack[depth++] = scan->known[i];
		} else {
			stack[depth++] =
			    msgset_has(eval->leaf[i], uid) ? SEARCH_KNOWN_YES : SEARCH_KNOWN_NO;
		}
	}
	RP_ASSERT(depth == 1);
	return stack[0];
}

static enum rp_err look_into(struct task *task, struct eval *eval, struct search_scan *scan,
    enum search_known *stack, uint32_t uid, bool *matches)
{
	enum search_known known;
	enum rp_err err;

	search_scan_reset(scan);
	err = search_scan_headers(task, scan, uid);
	if (err != RP_OK)
		return err;
	known = decide(eval, scan, uid, stack);
	if (known == SEARCH_UNKNOWN) {
		err = search_scan_bodies(task, scan, uid);
		if (err != RP_OK)
			return err;
		known = decide(eval, scan, uid, stack);
	}
	*matches = known == SEARCH_KNOWN_YES;
	return search_budget_pause(task, eval->budget);
}

/* Between least and most: take those out of `most` that do not match. */
static enum rp_err look_into_all(struct task *task, struct eval *eval, struct search_scan *scan,
    const struct runs *uids, struct msgset *most)
{
	enum search_known *stack =
	    arena_calloc(eval->cmd->arena, eval->program->stack_max, sizeof(*stack));

	if (stack == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = 0; i < uids->count; i++) {
		for (uint32_t uid = uids->run[i].first;; uid++) {
			bool matches = false;
			enum rp_err err = look_into(task, eval, scan, stack, uid, &matches);

			if (err != RP_OK)
				return err;
			if (!matches)
				msgset_remove(most, uid);
			if (uid == uids->run[i].last)
				break;
		}
	}
	return RP_OK;
}

static enum rp_err scan_texts(struct task *task, struct eval *eval)
{
	struct bounds *bounds = &eval->stack[0];
	struct search_scan scan = { 0 };
	struct runs uids = RUNS_EMPTY;
	enum rp_err err;

	msgset_not(bounds->least);
	msgset_and(bounds->least, bounds->most); /* now: what the texts decide about */
	err = msgset_uids_of(bounds->least, &uids);
	if (err == RP_OK && uids.count > 0)
		err = search_scan_begin(&scan, eval->cmd, eval->program, eval->budget);
	if (err == RP_OK && uids.count > 0)
		err = look_into_all(task, eval, &scan, &uids, bounds->most);
	search_scan_end(&scan);
	runs_fini(&uids);
	return err;
}

static enum rp_err run(struct task *task, struct eval *eval)
{
	const struct search_program *program = eval->program;
	uint64_t set_bytes = view_exists(eval->view) / 8 + 64;
	uint64_t sets = 2 * (uint64_t)program->stack_max + (program->has_text ? program->op_count : 0);
	enum rp_err err;

	if (set_bytes * sets > SEARCH_SETS_BYTES_MAX)
		return RP_ERR_LIMIT;
	eval->stack = arena_calloc(eval->cmd->arena, program->stack_max, sizeof(*eval->stack));
	eval->leaf = arena_calloc(eval->cmd->arena, program->op_count, sizeof(*eval->leaf));
	if (eval->stack == NULL || eval->leaf == NULL)
		return RP_ERR_NOMEM;
	err = find_bounds(task, eval);
	if (err == RP_OK && program->has_text)
		err = scan_texts(task, eval);
	return err;
}

enum rp_err search_eval(struct task *task, struct cmd *cmd, const struct search_program *program,
    struct search_budget *budget, struct msgset **out)
{
	struct eval eval = {
		.cmd = cmd,
		.view = cmd->session->selected->view,
		.program = program,
		.budget = budget,
		.now_s = (int64_t)(loop_wall_ns(task_loop(task)) / 1000000000),
	};
	enum rp_err err = run(task, &eval);

	if (err == RP_OK) {
		*out = eval.stack[0].most;
		eval.stack[0].most = NULL;
	}
	if (eval.stack != NULL)
		for (size_t i = 0; i < program->stack_max; i++)
			free_bounds(&eval.stack[i]);
	if (eval.leaf != NULL)
		for (size_t i = 0; i < program->op_count; i++)
			msgset_free(eval.leaf[i]);
	return err;
}
