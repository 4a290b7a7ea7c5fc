/* LIST, basic and extended (RFC 3501, section 6.3.8; RFC 5258; RFC 5819, STATUS; RFC 6154), LSUB, NAMESPACE (RFC 2342).
 *
 * Names are walked in byte order, so all names below a/b lie together: those that begin with "a/b/". A mailbox that has others below
 * it is always there itself; only subscriptions can name what is not.
 */
#include "core/cmd/cmd_arg.h"
#include "core/cmd/cmd_status.h"
#include "core/cmd/commands.h"
#include "core/cmd/condstore.h"
#include "core/cmd/special_use.h"
#include "core/imap/list_pattern.h"
#include "core/imap/mailbox_name.h"
#include "core/imap/status_att.h"

enum { LIST_LINES_PER_FLUSH = 16 };

struct list_walk {
	struct cmd *cmd;
	struct list_args args;
	bool lsub;
	unsigned lines;
	uint8_t name[MAILBOX_NAME_BYTES_MAX]; /* where the walk is: a copy, as entries are good until a suspension only */
	size_t name_n;
	uint8_t below[MAILBOX_NAME_BYTES_MAX + 1]; /* where subscribed_below() is */
	size_t below_n;
	uint8_t last[MAILBOX_NAME_BYTES_MAX]; /* the last name whose unknown parents were told of */
	size_t last_n;
};

/* What is said of one name. */
struct list_line {
	struct bytes name;
	const struct catalog_entry *entry; /* NULL: nobody knows this name */
	bool chosen;    /* it is what was asked for itself, not only a parent of it */
	bool childinfo; /* something below it is subscribed */
};

static bool exists(const struct catalog_entry *entry)
{
	return entry != NULL && entry->mailboxid != 0;
}

static bool wants_subscribed(const struct list_walk *walk)
{
	return walk->lsub || (walk->args.selects & LIST_SELECT_SUBSCRIBED) != 0;
}

static void put_attributes(
    const struct list_walk *walk, struct resp *resp, const struct list_line *line)
{
	bool started = false;

	if (walk->lsub && (!line->chosen || !exists(line->entry))) {
		resp_sep(resp, &started);
		resp_lit(resp, "\\Noselect");
	} else if (!exists(line->entry)) { /* old clients know only the second (CLIENTS C-38) */
		resp_sep(resp, &started);
		resp_lit(resp, "\\NonExistent \\Noselect");
	}
	if (exists(line->entry)) {
		resp_sep(resp, &started);
		resp_str(resp, line->entry->has_children ? "\\HasChildren" : "\\HasNoChildren");
	}
	if (!walk->lsub && line->entry != NULL && line->entry->subscribed &&
	    (wants_subscribed(walk) || (walk->args.returns & LIST_RETURN_SUBSCRIBED) != 0)) {
		resp_sep(resp, &started);
		resp_lit(resp, "\\Subscribed");
	}
	if (line->entry != NULL)
		special_use_write(resp, line->entry->special_use, &started);
}

static enum rp_err put_line(
    struct task *task, struct list_walk *walk, const struct list_line *line)
{
	struct resp *resp = cmd_resp(walk->cmd);

	resp_str(resp, walk->lsub ? "* LSUB (" : "* LIST (");
	put_attributes(walk, resp, line);
	resp_lit(resp, ") \"/\" ");
	mailbox_name_write(resp, line->name);
	if (line->childinfo && !walk->lsub)
		resp_lit(resp, " (\"CHILDINFO\" (\"SUBSCRIBED\"))");
	resp_lit(resp, "\r\n");
	if ((walk->args.returns & LIST_RETURN_STATUS) != 0 && exists(line->entry))
		cmd_status_line(resp, line->entry, walk->args.statuses);
	if (++walk->lines % LIST_LINES_PER_FLUSH != 0)
		return RP_OK;
	return cmd_flush(task, walk->cmd);
}

static bool is_below(struct bytes name, struct bytes parent)
{
	return name.n > parent.n + 1 && bytes_starts_with(name, parent) && name.p[parent.n] == '/';
}

/* Is there a subscribed name below `parent` (not_shown: one that no pattern matches)? There may be many to look at, so others have
 * their turn meanwhile, and entries are stale afterwards. Names are MAILBOX_NAME_DEPTH_MAX deep at most, so no name is looked at
 * more often. */
static enum rp_err subscribed_below(
    struct task *task, struct list_walk *walk, struct bytes parent, bool not_shown, bool *found)
{
	struct volume *volume = walk->cmd->session->volume;

	RP_ASSERT(parent.n <= MAILBOX_NAME_BYTES_MAX);
	memcpy(walk->below, parent.p, parent.n);
	walk->below[parent.n] = '/';
	walk->below_n = parent.n + 1;
	for (;;) {
		const struct catalog_entry *entry = volume_next(volume, bytes_of(walk->below, walk->below_n));
		enum rp_err err;

		*found = false;
		if (entry == NULL || !is_below(entry->name, parent))
			return RP_OK;
		memcpy(walk->below, entry->name.p, entry->name.n);
		walk->below_n = entry->name.n;
		*found = entry->subscribed && !(not_shown && list_args_match(&walk->args, entry->name));
		if (*found)
			return RP_OK;
		err = task_pause(task);
		if (err != RP_OK)
			return err;
	}
}

/* How many bytes of this name and of the last one that parents were told of are the same; this one is the last one then. */
static size_t shared_with_last(struct list_walk *walk, struct bytes child)
{
	size_t n = 0;

	while (n < child.n && n < walk->last_n && child.p[n] == walk->last[n])
		n++;
	memcpy(walk->last, child.p, child.n);
	walk->last_n = child.n;
	return n;
}

/* Parents of a subscribed name that no pattern matches, which are in no list themselves: each is told of at the first such child.
 * Names below one parent lie together, so those that the last such child has too were told of then. */
static enum rp_err put_unknown_parents(
    struct task *task, struct list_walk *walk, struct bytes child)
{
	for (size_t i = shared_with_last(walk, child); i < child.n; i++) {
		struct list_line line = { .name = bytes_slice(child, 0, i), .childinfo = true };
		enum rp_err err;

		if (i == 0 || child.p[i] != '/' || !list_args_match(&walk->args, line.name) ||
		    volume_find(walk->cmd->session->volume, line.name) != NULL)
			continue;
		err = put_line(task, walk, &line);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

static bool is_chosen(const struct list_walk *walk, const struct catalog_entry *entry)
{
	if (wants_subscribed(walk) ? !entry->subscribed : !exists(entry))
		return false;
	return (walk->args.selects & LIST_SELECT_SPECIAL_USE) == 0 ||
	       (exists(entry) && entry->special_use != 0);
}

static enum rp_err visit(
    struct task *task, struct list_walk *walk, const struct catalog_entry *entry)
{
	bool recursive = wants_subscribed(walk) &&
			 (walk->lsub || (walk->args.selects & LIST_SELECT_RECURSIVEMATCH) != 0);
	struct list_line line = { .name = bytes_of(walk->name, walk->name_n) };

	if (recursive && entry->subscribed && !list_args_match(&walk->args, line.name)) {
		enum rp_err err = put_unknown_parents(task, walk, line.name);

		if (err != RP_OK)
			return err;
		entry = volume_find(walk->cmd->session->volume, line.name);
		if (entry == NULL)
			return RP_OK; /* gone meanwhile */
	}
	if (!list_args_match(&walk->args, line.name))
		return RP_OK;
	line.chosen = is_chosen(walk, entry);
	if (recursive) {
		enum rp_err err = subscribed_below(task, walk, line.name, !line.chosen, &line.childinfo);

		if (err != RP_OK)
			return err;
		entry = volume_find(walk->cmd->session->volume, line.name);
		line.chosen = entry != NULL && is_chosen(walk, entry);
	}
	if (!line.chosen && !line.childinfo)
		return RP_OK;
	line.entry = entry;
	return put_line(task, walk, &line);
}

static enum rp_err walk_names(struct task *task, struct list_walk *walk)
{
	for (;;) {
		const struct catalog_entry *entry =
		    volume_next(walk->cmd->session->volume, bytes_of(walk->name, walk->name_n));
		enum rp_err err;

		if (entry == NULL)
			return RP_OK;
		RP_ASSERT(entry->name.n <= sizeof(walk->name));
		memcpy(walk->name, entry->name.p, entry->name.n);
		walk->name_n = entry->name.n;
		err = visit(task, walk, entry);
		if (err == RP_OK)
			err = task_pause(task);
		if (err != RP_OK)
			return err;
	}
}

static enum cmd_result list(struct task *task, struct cmd *cmd, bool lsub)
{
	struct list_walk *walk = arena_calloc(cmd->arena, 1, sizeof(*walk));
	struct lex lex = lex_of(cmd->args);
	enum rp_err err;

	if (walk == NULL)
		return cmd_no(cmd, RP_ERR_NOMEM);
	walk->cmd = cmd;
	walk->lsub = lsub;
	err = lsub ? list_args_parse_lsub(&lex, cmd->arena, cmd->resp->utf8, &walk->args)
		   : list_args_parse(&lex, cmd->arena, cmd->resp->utf8, &walk->args);
	if (err == RP_OK && !lex_end(&lex))
		err = RP_ERR_SYNTAX;
	if (err != RP_OK)
		return cmd_arg_refuse(cmd, err, "Expected a reference, patterns and known options");
	if (walk->args.delimiter_only) {
		resp_str(cmd_resp(cmd),
		    lsub ? "* LSUB (\\Noselect) \"/\" \"\"\r\n" : "* LIST (\\Noselect) \"/\" \"\"\r\n");
		return cmd_ok(cmd);
	}
	if ((walk->args.statuses & STATUS_HIGHESTMODSEQ) != 0)
		condstore_enable(cmd);
	err = walk_names(task, walk);
	return err == RP_OK ? cmd_ok(cmd) : cmd_no(cmd, err);
}

enum cmd_result cmd_list(struct task *task, struct cmd *cmd)
{
	return list(task, cmd, false);
}

enum cmd_result cmd_lsub(struct task *task, struct cmd *cmd)
{
	return list(task, cmd, true);
}

enum cmd_result cmd_namespace(struct task *task, struct cmd *cmd)
{
	(void)task;
	if (cmd->args.n != 0)
		return cmd_bad(cmd, "NAMESPACE takes no arguments");
	resp_str(cmd_resp(cmd), "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	return cmd_ok(cmd);
}
