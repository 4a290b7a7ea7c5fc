/* The last user of a volume lets go when the shard has no task left for the work that would follow. */
#include "index/checkpoint.h"
#include "index/volume_state.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

static const struct userid user = { { 0x12, 0x22, 0x33 } };

static struct store *open_store(struct task *task)
{
	struct store_settings settings = small_store();

	settings.volumes_bytes_max = 64 * 1024 * 1024;
	return open_recovered(task, &settings, 1);
}

static void wait_for(struct task *task, void *arg)
{
	const bool *over = arg;

	while (!*over)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
}

/* All tasks that there may be are alive. */
static void use_up_tasks(struct task *task, bool *over)
{
	enum rp_err err;

	*over = false;
	do {
		err = task_start(task_loop(task), wait_for, over, NULL);
	} while (err == RP_OK);
	cr_assert_eq(err, RP_ERR_LIMIT);
}

static size_t idle_count(const struct store *store)
{
	size_t count = 0;

	LIST_FOR_EACH(link, &store->idle_volumes) {
		cr_assert_lt(count, 10, "a list without end");
		count++;
	}
	return count;
}

IO_TASK_TEST(volume_close, without_a_task_for_the_checkpoint_it_is_idle_once)
{
	struct store *store = open_store(task);
	struct volume *volume;
	bool over;

	(void)arg;
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(store_wait_durable(task, store, volume_position(volume)), RP_OK);
	volume->unwritten_bytes = UINT64_C(1) << 30;
	use_up_tasks(task, &over);
	volume_close(volume);
	cr_assert_eq(volume->refs, 0);
	cr_assert_eq(idle_count(store), 1);
	cr_assert_eq(store->idle_bytes, volume->idle_bytes);
	cr_assert(!volume->checkpointing);
	over = true;
	cr_assert_eq(volume_open(task, store, &user, &volume), RP_OK);
	cr_assert_eq(idle_count(store), 0);
	cr_assert_eq(store->idle_bytes, 0);
	volume_close(volume);
	cr_assert_eq(store_close(task, store), RP_OK);
}
