#include "index/replay.h"

#include <stdlib.h>

#include "io/base/log.h"

struct replay_part {
	struct list link;
	struct record_header header;
	size_t n;
	uint8_t payload[];
};

void replay_init(struct replay *replay, struct log *log, const char *volume, replay_fn *fn, void *arg,
    uint64_t since)
{
	*replay = (struct replay){ .fn = fn, .arg = arg, .log = log, .volume = volume, .lsn = since };
	list_init(&replay->parts);
}

static void drop_parts(struct replay *replay)
{
	struct list *link;

	while ((link = list_pop_front(&replay->parts)) != NULL)
		free(RP_CONTAINER_OF(link, struct replay_part, link));
	replay->parts_bytes = 0;
	replay->part_next = 0;
}

void replay_fini(struct replay *replay)
{
	drop_parts(replay);
}

static enum rp_err keep_part(struct replay *replay, const struct record *record)
{
	struct replay_part *part;

	if (replay->parts_bytes + record->payload.n > CHANGE_LONG_BYTES_MAX)
		return RP_ERR_CORRUPT; /* no change is that large */
	part = malloc(sizeof(*part) + record->payload.n);
	if (part == NULL)
		return RP_ERR_NOMEM;
	part->header = record->header;
	part->n = record->payload.n;
	memcpy(part->payload, record->payload.p, record->payload.n);
	list_push_back(&replay->parts, &part->link);
	replay->parts_bytes += part->n;
	replay->part_next++;
	return RP_OK;
}

/* The last part of the group is there: hand all before it out. */
static enum rp_err give_parts(struct task *task, struct replay *replay)
{
	struct list *link;
	enum rp_err err = RP_OK;

	while (err == RP_OK && (link = list_pop_front(&replay->parts)) != NULL) {
		struct replay_part *part = RP_CONTAINER_OF(link, struct replay_part, link);

		err = replay->fn(
		    task, replay->arg, &part->header, bytes_of(part->payload, part->n));
		free(part);
	}
	drop_parts(replay);
	return err;
}

static enum rp_err take_record(
    struct task *task, struct replay *replay, const struct record *record)
{
	struct change_reader reader;
	enum rp_err err;

	if (change_open(record->payload, &reader) != RP_OK) {
		LOG(replay->log, LOG_WARN, "volume.bad_record",
		    LOG_STR("volume", replay->volume), LOG_U64("lsn", record->header.lsn));
		return RP_OK;
	}
	if (reader.part == 0 && replay->part_next != 0) {
		LOG(replay->log, LOG_INFO, "volume.void_change",
		    LOG_STR("volume", replay->volume), LOG_U64("lsn", record->header.lsn),
		    LOG_U64("parts", replay->part_next));
		drop_parts(replay);
	}
	if (!reader.last) {
		err = keep_part(replay, record);
		if (err != RP_ERR_CORRUPT)
			return err;
		drop_parts(replay);
		return RP_OK;
	}
	err = give_parts(task, replay);
	if (err == RP_OK)
		err = replay->fn(task, replay->arg, &record->header, record->payload);
	return err;
}

enum rp_err replay_lost_end(struct task *task, struct replay *replay)
{
	return give_parts(task, replay);
}

enum rp_err replay_record(struct task *task, void *arg, const struct record *record,
    uint64_t missing_first, uint64_t missing_last)
{
	struct replay *replay = arg;

	if (record == NULL) {
		/* Whatever group it hits was durable: its other parts are taken as they come. */
		replay->missing += missing_last - missing_first + 1;
		replay->missing_last = missing_last;
		replay->lsn = missing_last;
		LOG(replay->log, LOG_ERROR, "volume.lost_records",
		    LOG_STR("volume", replay->volume), LOG_U64("first_lsn", missing_first),
		    LOG_U64("last_lsn", missing_last));
		return give_parts(task, replay);
	}
	replay->lsn = record->header.lsn;
	return take_record(task, replay, record);
}
