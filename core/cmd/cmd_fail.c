/* XFAIL first SP count: let `count` allocations of this shard fail, from the `first` one on that follows; 0 0: none any more. The
 * answer says whether all that was asked for before has failed by now.
 *
 * Only in a build with -Dtest_hooks=true, whose executable is linked with tests/support/alloc: tests show with it that a server short
 * of memory says NO or BYE to the one who asked, and goes on.
 */
#include "core/cmd/commands.h"
#include "core/imap/lex.h"

#ifdef RP_TEST_HOOKS

/* Of tests/support/alloc/alloc_fail.h; not there in the tests of single commands. */
void alloc_fail_at(size_t first, size_t count) __attribute__((weak));
bool alloc_fail_over(void) __attribute__((weak));

enum cmd_result cmd_fail(struct task *task, struct cmd *cmd)
{
	struct lex lex = lex_of(cmd->args);
	uint32_t first;
	uint32_t count;
	bool over;

	(void)task;
	if (alloc_fail_at == NULL)
		return cmd_no(cmd, RP_ERR_CANNOT);
	if (lex_number(&lex, &first) != RP_OK || lex_sp(&lex) != RP_OK || lex_number(&lex, &count) != RP_OK || !lex_end(&lex))
		return cmd_bad(cmd, "XFAIL takes two numbers");
	over = alloc_fail_over();
	alloc_fail_at(first, count);
	return cmd_ok_code(cmd, BYTES_LIT("XFAIL"), over ? "over" : "not over");
}

#endif
