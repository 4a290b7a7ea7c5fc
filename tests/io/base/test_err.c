#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "io/base/err.h"

Test(err, each_has_a_name_of_its_own)
{
	for (int a = 0; a < RP_ERR_COUNT; a++) {
		cr_assert_not_null(err_name((enum rp_err)a), "%d", a);
		for (int b = 0; b < a; b++)
			cr_assert_str_neq(err_name((enum rp_err)a), err_name((enum rp_err)b));
	}
	cr_assert_str_eq(err_name(RP_ERR_COUNT), "invalid");
	cr_assert_str_eq(err_name((enum rp_err) - 1), "invalid");
}

Test(err, every_errno_means_something)
{
	cr_assert_eq(err_of_errno(0), RP_OK);
	for (int number = 1; number < 4096; number++) {
		enum rp_err err = err_of_errno(number);

		cr_assert(err > RP_OK && err < RP_ERR_COUNT, "%d", number);
	}
	cr_assert_eq(err_of_errno(ENOENT), RP_ERR_NOTFOUND);
	cr_assert_eq(err_of_errno(ENOSPC), RP_ERR_NOSPACE);
	cr_assert_eq(err_of_errno(EDQUOT), RP_ERR_NOSPACE);
	cr_assert_eq(err_of_errno(EIO), RP_ERR_IO);
	cr_assert_eq(err_of_errno(ECANCELED), RP_ERR_CANCELED);
	cr_assert_eq(err_of_errno(99999), RP_ERR_IO);
}
