#include "tests/index/open_store.h"

#include <criterion/criterion.h>

#include "tests/index/model.h"

struct store_settings small_store(void)
{
	return (struct store_settings){
		.shards_count = 1,
		.commit_file_bytes = 1024 * 1024,
		.unsettled_bytes_max = 4 * 1024 * 1024,
		.volumes_bytes_max = 1024 * 1024,
		.reader = &model_reader,
	};
}

struct store *open_recovered(struct task *task, const struct store_settings *settings, uint64_t epoch)
{
	struct store *store;
	enum rp_err err;
	const char *reason;

	cr_assert_eq(store_open(task, settings, epoch, &store, &reason), RP_OK, "%s", reason);
	err = store_recover(task, store);
	cr_assert_eq(err, RP_OK, "%s", err_name(err));
	cr_assert_eq(store_recover_void(task, store), RP_OK);
	cr_assert_eq(store_recovered(task, store), RP_OK);
	return store;
}
