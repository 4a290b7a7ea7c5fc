#include "index/pending.h"

#include <stdlib.h>

struct pending {
	const struct recover *recover;
	struct userid userid;
	size_t count;
	uint8_t *buffer; /* RECOVER_RECORD_BYTES_MAX */
};

enum rp_err pending_open(
    const struct recover *recover, const struct userid *userid, struct pending **out)
{
	struct pending *pending;
	struct recover_known known;

	*out = NULL;
	if (!recover_has(recover, userid))
		return RP_OK;
	pending = calloc(1, sizeof(*pending));
	if (pending == NULL)
		return RP_ERR_NOMEM;
	pending->recover = recover;
	pending->userid = *userid;
	pending->buffer = malloc(RECOVER_RECORD_BYTES_MAX);
	if (pending->buffer == NULL) {
		free(pending);
		return RP_ERR_NOMEM;
	}
	while (recover_record(recover, userid, pending->count, &known))
		pending->count++;
	*out = pending;
	return RP_OK;
}

void pending_close(struct pending *pending)
{
	if (pending == NULL)
		return;
	free(pending->buffer);
	free(pending);
}

bool pending_at(const struct pending *pending, size_t i, struct recover_known *out)
{
	return pending != NULL && recover_record(pending->recover, &pending->userid, i, out);
}

size_t pending_lower(const struct pending *pending, uint64_t lsn)
{
	size_t from = 0;
	size_t to = pending != NULL ? pending->count : 0;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		struct recover_known known;

		if (pending_at(pending, middle, &known) && known.lsn < lsn)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

bool pending_find(const struct pending *pending, uint64_t lsn, struct recover_known *out)
{
	return pending_at(pending, pending_lower(pending, lsn), out) && out->lsn == lsn;
}

bool pending_has_body(const struct pending *pending, uint64_t dbox, uint64_t dbox_offset)
{
	struct recover_known known;

	for (size_t i = 0; pending_at(pending, i, &known); i++)
		if (known.dbox == dbox && known.dbox_offset <= dbox_offset &&
		    dbox_offset < known.dbox_offset + known.body_bytes)
			return true;
	return false;
}

bool pending_has_bodies(const struct pending *pending, uint64_t dbox)
{
	struct recover_known known;

	for (size_t i = 0; pending_at(pending, i, &known); i++)
		if (known.dbox == dbox && known.body_bytes > 0)
			return true;
	return false;
}

bool pending_drops(const struct pending *pending, uint64_t dbox)
{
	struct recover_known known;

	for (size_t i = 0; pending_at(pending, i, &known); i++)
		if (known.drops == dbox)
			return true;
	return false;
}

enum rp_err pending_read(
    struct task *task, struct pending *pending, size_t i, struct record *out)
{
	return recover_read(task, pending->recover, &pending->userid, i, pending->buffer, out);
}
