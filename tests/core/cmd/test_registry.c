#include <criterion/criterion.h>

#include "core/cmd/registry.h"

Test(registry, rows_are_sorted_and_found_by_name)
{
	const struct cmd_def *before = NULL;
	const struct cmd_def *def;

	for (size_t i = 0; (def = registry_at(i)) != NULL; i++) {
		struct bytes name = bytes_of_str(def->name);

		if (before != NULL)
			cr_assert_lt(bytes_cmp(bytes_of_str(before->name), name), 0, "%s", def->name);
		before = def;
		cr_assert_eq(registry_find(name, false), (def->traits & ONLY_UID) == 0 ? def : NULL);
		cr_assert_eq(registry_find(name, true),
		    (def->traits & (ALSO_UID | ONLY_UID)) != 0 ? def : NULL, "%s", def->name);
		cr_assert_neq(def->allowed, 0);
		cr_assert_not_null(def->fn);
		cr_assert_eq((def->traits & TAKES_STREAM) != 0, def->stream_next != NULL);
	}
	cr_assert_not_null(before);
}

Test(registry, what_is_no_command_is_not_found)
{
	cr_assert_null(registry_find(BYTES_LIT(""), false));
	cr_assert_null(registry_find(BYTES_LIT("A"), false));
	cr_assert_null(registry_find(BYTES_LIT("NOO"), false));
	cr_assert_null(registry_find(BYTES_LIT("NOOPS"), false));
	cr_assert_null(registry_find(BYTES_LIT("noop"), false));
	cr_assert_null(registry_find(BYTES_LIT("ZZZ"), false));
	cr_assert_null(registry_find(BYTES_LIT("NOOP"), true));
}
