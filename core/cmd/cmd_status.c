/* STATUS (RFC 3501, section 6.3.10; RFC 8438, SIZE; RFC 7162, HIGHESTMODSEQ): all of it stands in the catalog. */
#include "core/cmd/cmd_status.h"

#include "core/cmd/cmd_arg.h"
#include "core/cmd/commands.h"
#include "core/cmd/condstore.h"
#include "core/imap/mailbox_name.h"
#include "core/imap/status_att.h"

static uint64_t value_of(const struct catalog_entry *entry, unsigned status)
{
	switch (status) {
	case STATUS_MESSAGES:
		return entry->messages_count;
	case STATUS_UIDNEXT:
		return entry->uidnext;
	case STATUS_UIDVALIDITY:
		return entry->uidvalidity;
	case STATUS_UNSEEN:
		return entry->unseen_count;
	case STATUS_SIZE:
		return entry->bytes;
	case STATUS_DELETED:
		return entry->deleted_count;
	case STATUS_HIGHESTMODSEQ:
		return entry->highestmodseq;
	default:
		return 0; /* RECENT: no message ever is, here */
	}
}

void cmd_status_line(struct resp *resp, const struct catalog_entry *entry, unsigned statuses)
{
	bool started = false;

	resp_lit(resp, "* STATUS ");
	mailbox_name_write(resp, entry->name);
	resp_lit(resp, " (");
	for (unsigned status = 1; status < STATUS_END; status <<= 1) {
		if ((statuses & status) == 0)
			continue;
		resp_sep(resp, &started);
		resp_str(resp, status_att_name((enum status_att)status));
		resp_byte(resp, ' ');
		resp_u64(resp, value_of(entry, status));
	}
	resp_lit(resp, ")\r\n");
}

enum cmd_result cmd_status(struct task *task, struct cmd *cmd)
{
	struct lex lex = lex_of(cmd->args);
	const struct catalog_entry *entry;
	unsigned statuses = 0;
	struct bytes name;
	enum rp_err err;

	(void)task;
	err = cmd_arg_mailbox(cmd, &lex, &name);
	if (err != RP_OK)
		return cmd_arg_refuse(cmd, err, "Expected a mailbox name and a list of items");
	if (lex_sp(&lex) != RP_OK || status_att_parse(&lex, &statuses) != RP_OK || !lex_end(&lex))
		return cmd_bad(cmd, "Expected a mailbox name and a list of items");
	entry = volume_find(cmd->session->volume, name);
	if (entry == NULL || entry->mailboxid == 0)
		return cmd_no(cmd, RP_ERR_NOTFOUND);
	if ((statuses & STATUS_HIGHESTMODSEQ) != 0)
		condstore_enable(cmd);
	cmd_status_line(cmd_resp(cmd), entry, statuses);
	return cmd_ok(cmd);
}
