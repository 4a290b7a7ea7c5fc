/* SEARCH (RFC 3501, section 6.4.4), with RETURN (RFC 4731) and MODSEQ (RFC 7162, section 3.1.5). */
#include "core/cmd/cmd_arg.h"
#include "core/cmd/commands.h"
#include "core/cmd/condstore.h"
#include "core/cmd/search_eval.h"
#include "core/session/selected.h"

enum { SEARCH_RUNS_PER_FLUSH = 1024 }; /* up to 20 KiB of numbers between two looks at the output */

struct search_found {
	struct msgset *set;
	struct runs numbers; /* UIDs or sequence numbers, as the command asks: those to be listed */
	uint64_t modseq;     /* 0: is not told */
};

/* " 1 2 3" or "1:3,5": the one line may be long, and leaves in pieces. */
static enum rp_err put_numbers(
    struct task *task, struct cmd *cmd, const struct runs *numbers, bool as_set)
{
	struct resp *resp = cmd_resp(cmd);
	unsigned written = 0;

	for (size_t i = 0; i < numbers->count; i++) {
		uint32_t last = numbers->run[i].last;

		for (uint32_t n = numbers->run[i].first;; n++) {
			uint8_t *p = resp_room(resp, 2 * RESP_U32_BYTES + 2);

			if (p == NULL)
				return RP_OK; /* the output has failed, and says so itself */
			if (!as_set || i > 0)
				*p++ = as_set ? ',' : ' ';
			p = resp_at_u32(p, n);
			if (as_set && n != last) {
				*p++ = ':';
				p = resp_at_u32(p, last);
				n = last;
			}
			resp_commit(resp, p);
			if (++written % SEARCH_RUNS_PER_FLUSH == 0) {
				enum rp_err err = cmd_flush(task, cmd);

				if (err != RP_OK)
					return err;
			}
			if (n == last)
				break;
		}
	}
	return RP_OK;
}

static enum rp_err put_search(struct task *task, struct cmd *cmd, const struct search_found *found)
{
	enum rp_err err;

	resp_lit(cmd_resp(cmd), "* SEARCH");
	err = put_numbers(task, cmd, &found->numbers, false);
	if (err != RP_OK)
		return err;
	if (found->modseq != 0) {
		resp_lit(cmd->resp, " (MODSEQ ");
		resp_u64(cmd->resp, found->modseq);
		resp_byte(cmd->resp, ')');
	}
	resp_lit(cmd->resp, "\r\n");
	return RP_OK;
}

static void put_item(struct resp *resp, const char *name, uint64_t n)
{
	resp_str(resp, name);
	resp_u64(resp, n);
}

/* A message as the command speaks of it. */
static uint32_t number_of(const struct cmd *cmd, uint32_t uid)
{
	return cmd->uid ? uid : view_seqno_of(cmd->session->selected->view, uid);
}

static enum rp_err put_esearch(
    struct task *task, struct cmd *cmd, const struct search_found *found, unsigned returns)
{
	struct resp *resp = cmd_resp(cmd);
	uint32_t count = msgset_count(found->set);
	enum rp_err err = RP_OK;

	resp_lit(resp, "* ESEARCH (TAG ");
	resp_string(resp, cmd->tag);
	resp_str(resp, cmd->uid ? ") UID" : ")");
	if (count > 0 && (returns & SEARCH_RETURN_MIN) != 0)
		put_item(resp, " MIN ", number_of(cmd, msgset_first(found->set)));
	if (count > 0 && (returns & SEARCH_RETURN_MAX) != 0)
		put_item(resp, " MAX ", number_of(cmd, msgset_last(found->set)));
	if ((returns & SEARCH_RETURN_COUNT) != 0)
		put_item(resp, " COUNT ", count);
	if (count > 0 && (returns & SEARCH_RETURN_ALL) != 0) {
		resp_lit(resp, " ALL ");
		err = put_numbers(task, cmd, &found->numbers, true);
	}
	if (err != RP_OK)
		return err;
	if (found->modseq != 0)
		put_item(resp, " MODSEQ ", found->modseq);
	resp_lit(resp, "\r\n");
	return RP_OK;
}

static enum rp_err raise_modseq(
    struct task *task, struct view *view, uint32_t uid, uint64_t *modseq)
{
	struct view_cursor cursor;
	enum rp_err err = view_message(task, view, uid, &cursor);

	if (err == RP_OK && cursor.message.modseq > *modseq)
		*modseq = cursor.message.modseq;
	return err == RP_ERR_NOTFOUND ? RP_OK : err;
}

/* The greatest MODSEQ of what is told of: of all, or of the first and the last alone (RFC 4731, section 3.2). */
static enum rp_err find_modseq(
    struct task *task, struct cmd *cmd, const struct search_args *args, struct search_found *found)
{
	struct view *view = cmd->session->selected->view;
	enum rp_err err = RP_OK;

	if (!args->program.has_modseq || msgset_first(found->set) == 0)
		return RP_OK;
	if (!args->has_return || (args->returns & (SEARCH_RETURN_ALL | SEARCH_RETURN_COUNT)) != 0)
		return msgset_highest_modseq(task, found->set, &found->modseq);
	if ((args->returns & SEARCH_RETURN_MIN) != 0)
		err = raise_modseq(task, view, msgset_first(found->set), &found->modseq);
	if (err == RP_OK && (args->returns & SEARCH_RETURN_MAX) != 0)
		err = raise_modseq(task, view, msgset_last(found->set), &found->modseq);
	return err;
}

static enum rp_err search(struct task *task, struct cmd *cmd, const struct search_args *args,
    struct search_budget *budget, struct search_found *found)
{
	enum rp_err err;

	search_budget_begin(task, budget, cmd);
	err = search_eval(task, cmd, &args->program, budget, &found->set);

	if (err == RP_OK && (!args->has_return || (args->returns & SEARCH_RETURN_ALL) != 0))
		err = cmd->uid ? msgset_uids_of(found->set, &found->numbers)
			       : msgset_seqnos_of(found->set, &found->numbers);
	if (err == RP_OK)
		err = find_modseq(task, cmd, args, found);
	if (err == RP_OK && view_is_overrun(cmd->session->selected->view))
		err = RP_ERR_UNAVAILABLE; /* no number is right */
	if (err == RP_OK)
		err = args->has_return ? put_esearch(task, cmd, found, args->returns)
				       : put_search(task, cmd, found);
	return err;
}

enum cmd_result cmd_search(struct task *task, struct cmd *cmd)
{
	struct lex lex = lex_of(cmd->args);
	struct search_found found = { 0 };
	struct search_budget budget;
	struct search_args args;
	enum rp_err err;

	err = search_args_parse(&lex, cmd->arena, &args);
	if (err == RP_ERR_CANNOT)
		return cmd_no_code(
		    cmd, BYTES_LIT("BADCHARSET (UTF-8 US-ASCII)"), "This charset is not known here");
	if (err != RP_OK)
		return cmd_arg_refuse(cmd, err, "Expected search keys");
	if (args.program.has_modseq)
		condstore_enable(cmd);
	err = search(task, cmd, &args, &budget, &found);
	msgset_free(found.set);
	runs_fini(&found.numbers);
	if (err == RP_ERR_LIMIT && budget.spent)
		return cmd_no_code(
		    cmd, BYTES_LIT("LIMIT"), "This search takes too long, ask for less at a time");
	return err == RP_OK ? cmd_ok(cmd) : cmd_no(cmd, err);
}
