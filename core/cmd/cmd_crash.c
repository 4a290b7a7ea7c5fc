/* XCRASH, XCRASH STACK: end the server in the middle of a user's work, as a mistake in it would.
 *
 * Only in a build with -Dtest_hooks=true: tests show with it that the supervisor starts the server again, and that who
 * ends it twice is shut out while his neighbours are served.
 */
#include "core/cmd/commands.h"

#ifdef RP_TEST_HOOKS

/* Down to the guard page of the task's stack, and with it the stack pointer: nothing can be pushed any more. */
static void overflow(void)
{
	for (;;) {
		volatile uint8_t *deeper = __builtin_alloca(1024);

		deeper[0] = 1;
	}
}

enum cmd_result cmd_crash(struct task *task, struct cmd *cmd)
{
	(void)task;
	if (bytes_eq(cmd->args, BYTES_LIT("STACK")))
		overflow();
	if (cmd->args.n != 0)
		return cmd_bad(cmd, "XCRASH takes STACK or nothing");
	assert_panic("XCRASH was asked for");
}

#endif
