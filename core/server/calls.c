#include "core/server/calls.h"

#include <stdlib.h>

#include "core/server/address_table.h"
#include "core/server/admin_undelete.h"
#include "core/server/auth_link.h"
#include "core/server/conn.h"
#include "index/purge.h"
#include "io/base/clock.h"

static enum rp_err call_address_join(struct task *task, void *world, const void *in, void *out)
{
	struct shard *shard = world;

	(void)task;
	(void)out;
	return address_table_join(shard->addresses, in);
}

static enum rp_err call_address_delay(struct task *task, void *world, const void *in, void *out)
{
	struct shard *shard = world;
	const struct call_delay_in *delay = in;
	uint64_t *ns = out;

	(void)task;
	*ns = address_table_delay_ns(shard->addresses, &delay->address, loop_now_ns(shard->loop), delay->failed);
	return RP_OK;
}

static enum rp_err call_auth(struct task *task, void *world, const void *in, void *out)
{
	struct shard *shard = world;
	struct call_auth_out *answer = out;

	if (shard->auth == NULL)
		return RP_ERR_UNAVAILABLE; /* this shard has stopped before the one that asks */
	return auth_link_ask(task, shard->auth, in, &answer->answer, answer->name);
}

static enum rp_err call_auth_changed(struct task *task, void *world, const void *in, void *out)
{
	struct shard *shard = world;

	(void)task;
	(void)in;
	(void)out;
	if (shard->auth != NULL)
		auth_link_changed(shard->auth);
	return RP_OK;
}

static enum rp_err call_user_gone(struct task *task, void *world, const void *in, void *out)
{
	struct shard *shard = world;
	const struct call_user_gone_in *gone = in;

	(void)task;
	(void)out;
	shard->users_gone_ns = clock_monotonic_ns();
	LIST_FOR_EACH_SAFE (l, &shard->conns) {
		struct conn *conn = RP_CONTAINER_OF(l, struct conn, link);

		if (conn->driver->user_gone != NULL)
			conn->driver->user_gone(conn, gone->name, gone->again ? &gone->userid : NULL);
	}
	return RP_OK;
}

static enum rp_err call_deliver(struct task *task, void *world, const void *in, void *out)
{
	struct shard *shard = world;
	const struct deliver_in *mail = in;
	uint64_t now_s = loop_wall_ns(shard->loop) / CLOCK_NS_PER_S;

	if (shard->store == NULL || shared_poisoned_s(shard->shared, &mail->userid, now_s) > 0)
		return RP_ERR_UNAVAILABLE;
	shared_note_task(task, &mail->userid);
	shard->calls_count++;
	enum rp_err err = deliver_run(task, shard->store, in, out);

	shard->calls_count--;
	shared_note_task(task, NULL);
	const struct deliver_out *done = out;

	if (err == RP_OK && done->again)
		LOG(shard->log, LOG_INFO, "lmtp.retry", LOG_BYTES("to", mail->recipient), LOG_STR("answer", "stored before"));
	else if (err == RP_OK)
		stat_add(&shard->stats.deliveries, 1);
	return err;
}

static enum rp_err call_deliver_batch(struct task *task, void *world, const void *in, void *out)
{
	struct shard *shard = world;
	const struct call_deliver_batch_in *batch = in;
	struct call_deliver_batch_out *answer = out;
	uint64_t now_s = loop_wall_ns(shard->loop) / CLOCK_NS_PER_S;
	uint64_t done_count = 0;

	if (shard->store == NULL || shared_poisoned_s(shard->shared, &batch->userid, now_s) > 0)
		return RP_ERR_UNAVAILABLE;
	shared_note_task(task, &batch->userid);
	for (size_t i = 0; i < batch->count; i++) {
		if (answer[i].err == RP_OK)
			answer[i].err = task_pause(task);
		if (answer[i].err == RP_OK)
			answer[i].err = deliver_run(task, shard->store, &batch->mail[i], &answer[i].mail);
		done_count += answer[i].err == RP_OK;
	}
	shared_note_task(task, NULL);
	stat_add(&shard->stats.deliveries, done_count);
	return RP_OK;
}

enum { CALLS_REPAIR_LINES_BYTES_MAX = 256 * 1024 }; /* of findings; what is more is counted in the report only */

static void keep_line(void *arg, struct bytes line)
{
	struct call_repair_out *out = arg;

	if (out->lines == NULL)
		out->lines = malloc(CALLS_REPAIR_LINES_BYTES_MAX);
	if (out->lines == NULL || line.n + 1 > CALLS_REPAIR_LINES_BYTES_MAX - out->lines_bytes)
		return;
	memcpy(out->lines + out->lines_bytes, line.p, line.n);
	out->lines[out->lines_bytes + line.n] = '\n';
	out->lines_bytes += line.n + 1;
}

static enum rp_err call_repair(struct task *task, void *world, const void *in, void *out)
{
	struct shard *shard = world;
	const struct call_repair_in *repair = in;
	struct call_repair_out *found = out;

	*found = (struct call_repair_out){ .lines = NULL };
	if (shard->store == NULL)
		return RP_ERR_UNAVAILABLE;
	shared_note_task(task, &repair->userid);
	shard->calls_count++;
	enum rp_err err = (repair->restored ? repair_restored : repair->rebuild ? repair_rebuild : repair_check)(
		task, shard->store, &repair->userid, keep_line, found, &found->report);

	shard->calls_count--;
	shared_note_task(task, NULL);
	return err;
}

static enum rp_err call_purge(struct task *task, void *world, const void *in, void *out)
{
	struct shard *shard = world;

	(void)out;
	if (shard->store == NULL)
		return RP_ERR_UNAVAILABLE;
	shared_note_task(task, in);
	shard->calls_count++;
	enum rp_err err = purge_user(task, shard->store, in);

	shard->calls_count--;
	shared_note_task(task, NULL);
	return err;
}

enum { CALLS_UNDELETE_LINES_BYTES_MAX = 16 * 1024 * 1024 }; /* of offers; more are counted */

static void keep_offer(void *arg, const struct bring_back_line *line)
{
	struct call_undelete_out *out = arg;
	json_t *json = admin_undelete_json(line);
	char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
	size_t n = text != NULL ? strlen(text) : 0;

	if (out->lines == NULL)
		out->lines = malloc(CALLS_UNDELETE_LINES_BYTES_MAX);
	if (n == 0 || out->lines == NULL || n + 1 > CALLS_UNDELETE_LINES_BYTES_MAX - out->lines_bytes) {
		out->untold++;
	} else {
		memcpy(out->lines + out->lines_bytes, text, n);
		out->lines[out->lines_bytes + n] = '\n';
		out->lines_bytes += n + 1;
	}
	free(text);
	json_decref(json);
}

static enum rp_err call_undelete(struct task *task, void *world, const void *in, void *out)
{
	struct shard *shard = world;
	const struct bring_back_in *wanted = in;
	struct call_undelete_out *found = out;

	*found = (struct call_undelete_out){ .lines = NULL };
	if (shard->store == NULL)
		return RP_ERR_UNAVAILABLE;
	shared_note_task(task, &wanted->userid);
	shard->calls_count++;
	enum rp_err err = bring_back_run(task, shard->store, wanted, keep_offer, found, &found->done);

	shard->calls_count--;
	shared_note_task(task, NULL);
	return err;
}

static enum rp_err call_stats(struct task *task, void *world, const void *in, void *out)
{
	struct shard *shard = world;
	struct shard_stats *stats = out;
	struct store_stats store;

	(void)task;
	(void)in;
	*stats = shard->stats;
	if (shard->store != NULL) {
		store_stats(shard->store, &store);
		stats->files_sealed.value = store.files_sealed;
		stats->users_unrecovered.value = store.users_unrecovered;
		stats->users_stuck.value = store.users_stuck;
		stats->log_files.value = store.log_files;
		stats->log_files_bound.value = store.log_files_bound;
		stats->log_files_reused.value = store.log_files_reused;
		stats->checkpoints.value = store.checkpoints;
		stats->journal_merges.value = store.journal_merges;
		stats->journal_merges_given_up.value = store.journal_merges_given_up;
		stats->dbox_compactions.value = store.dbox_compactions;
		stats->compacting.value = store.compacting;
		stats->kept_over.value = store.kept_over;
		stats->files_open.value = store.files_open;
		stats->files_bound.value = store.files_bound;
		stats->mappings.value = store.mappings;
		stats->mappings_bound.value = store.mappings_bound;
		stats->idle_bytes.value = store.idle_bytes;
		stats->idle_bytes_bound.value = store.idle_bytes_bound;
	}
	return RP_OK;
}

const struct shard_call_row calls_table[CALLS_COUNT + 1] = {
	[CALL_ADDRESS_JOIN] = { "address.join", call_address_join },
	[CALL_ADDRESS_DELAY] = { "address.delay", call_address_delay },
	[CALL_AUTH] = { "auth", call_auth, .waits = true },
	[CALL_AUTH_CHANGED] = { "auth.changed", call_auth_changed },
	[CALL_DELIVER] = { "deliver", call_deliver },
	[CALL_DELIVER_BATCH] = { "deliver.batch", call_deliver_batch },
	[CALL_PURGE] = { "purge", call_purge },
	[CALL_REPAIR] = { "repair", call_repair },
	[CALL_USER_GONE] = { "user.gone", call_user_gone },
	[CALL_UNDELETE] = { "undelete", call_undelete },
	[CALL_STATS] = { "stats", call_stats },
	[CALLS_COUNT] = { NULL, NULL },
};

enum rp_err calls_hold_answer(struct task *task, void *world)
{
	struct shard *shard = world;

	if (shard->store == NULL)
		return RP_OK;
	shard->calls_count++;
	enum rp_err err = store_wait_durable(task, shard->store, store_position(shard->store));

	shard->calls_count--;
	return err;
}
