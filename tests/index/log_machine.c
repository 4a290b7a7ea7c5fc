#include "tests/index/log_machine.h"

#include <stdlib.h>
#include <string.h>

uint64_t log_machine_draw(struct machine *machine, uint64_t below)
{
	machine->random = machine->random * 6364136223846793005 + 1442695040888963407;
	return (machine->random >> 33) % below;
}

void log_machine_fill(uint8_t *p, size_t n, uint64_t seed)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15 + 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 6364136223846793005 + 1442695040888963407;
		p[i] = (uint8_t)(x >> 56);
	}
}

void log_machine_body(struct machine *machine, const struct model_record *record, uint8_t *p)
{
	log_machine_fill(p, record->body_bytes, record->seed + 1);
	/* Some mail is made of pieces of a log. */
	if (record->seed % 3 == 0 && machine->old_log.n >= record->body_bytes &&
	    record->body_bytes > 8)
		memcpy(p + 8, machine->old_log.p, record->body_bytes - 8);
}

uint64_t log_machine_sum(const uint8_t *p, size_t n)
{
	uint64_t sum = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ p[i]) * 1099511628211u;
	return sum;
}

struct check {
	struct shard *shard;
	unsigned user;
	uint64_t next;
};

static enum rp_err check_record(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct check *check = arg;
	struct machine *machine = check->shard->machine;
	struct model_user *model = &machine->model[check->user];
	static uint8_t payload[4096];

	(void)task;
	CHECK(machine, record != NULL, "user %u: %lu-%lu are missing", check->user, missing_first,
	    missing_last);

	uint64_t lsn = record->header.lsn;
	const struct model_record *expected = &model->records[lsn];

	CHECK(machine, lsn <= model->appended, "user %u: LSN %lu is invented", check->user, lsn);
	CHECK(machine, record->payload.n == expected->payload_bytes, "user %u: LSN %lu",
	    check->user, lsn);
	log_machine_fill(payload, expected->payload_bytes, expected->seed);
	CHECK(machine, bytes_eq(record->payload, bytes_of(payload, expected->payload_bytes)),
	    "user %u: LSN %lu has other bytes", check->user, lsn);
	if ((record->header.flags & RECORD_DESTROYS) != 0)
		model->first = lsn;
	check->next = lsn + 1;
	return RP_OK;
}

void log_machine_check_body(struct task *task, struct shard *shard, unsigned u, uint64_t lsn)
{
	struct machine *machine = shard->machine;
	const struct model_record *expected = &machine->model[u].records[lsn];
	struct log_user *user = &shard->users[u];
	struct dbox_body *body;
	uint8_t *read = malloc(LARGE_BYTES);
	size_t got;
	enum rp_err err = dbox_body_open(task, user->dbox, &user->settle, expected->ref, 99, &body);

	CHECK(machine, err == RP_OK, "user %u: body of LSN %lu: %s", u, lsn, err_name(err));
	err = dbox_body_read(task, body, 0, read, LARGE_BYTES, &got);
	CHECK(machine, err == RP_OK, "user %u: body of LSN %lu: %s", u, lsn, err_name(err));
	CHECK(machine, got == expected->body_bytes, "user %u: body of LSN %lu", u, lsn);
	CHECK(machine, log_machine_sum(read, got) == expected->body_sum, "user %u: body of LSN %lu",
	    u, lsn);
	dbox_body_close(body);
	free(read);
	machine->tally->bodies_read++;
}

void log_machine_check_user(struct task *task, struct shard *shard, unsigned u)
{
	struct machine *machine = shard->machine;
	struct model_user *model = &machine->model[u];
	struct log_user *user = &shard->users[u];
	struct check check = {.shard = shard, .user = u, .next = model->first};
	uint64_t last = journal_last_lsn(user->journal);
	enum rp_err err =
	    journal_replay(task, user->journal, model->first - 1, check_record, &check);

	CHECK(machine, err == RP_OK, "replay: %s", err_name(err));
	CHECK(machine, check.next == last + 1, "user %u: %lu records, %lu numbers", u,
	    check.next - 1, last);
	CHECK(machine, last >= model->durable, "user %u: %lu were durable, %lu are there", u,
	    model->durable, last);
	machine->tally->dropped += model->appended - last;
	model->appended = last;
	model->durable = last;
	for (uint64_t lsn = model->first; lsn <= last; lsn++)
		if (model->records[lsn].body_bytes != 0 && (last - lsn < 40 || lsn % 7 == 0))
			log_machine_check_body(task, shard, u, lsn);
}
