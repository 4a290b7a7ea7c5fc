/* XCRASH: end the server in the middle of a user's work, as a mistake in it would.
 *
 * Only in a build with -Dtest_hooks=true: tests show with it that the supervisor starts the server again, and that who
 * ends it twice is shut out while his neighbours are served.
 */
#include "core/cmd/commands.h"

#ifdef RP_TEST_HOOKS

enum cmd_result cmd_crash(struct task *task, struct cmd *cmd)
{
	(void)task;
	if (cmd->args.n != 0)
		return cmd_bad(cmd, "XCRASH takes no arguments");
	assert_panic("XCRASH was asked for");
}

#endif
