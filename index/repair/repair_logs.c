/* An offline check changes nothing, so what a crash has left in the commit logs alone stays there. It is not damage: it is sound, and
 * the next start puts it in its place. So it counts as if it were there (journal_look_ahead()), with its bodies. */
#include "index/dbox/dbox_format.h"
#include "index/pending.h"
#include "index/repair/repair_core.h"

void repair_say_logs(struct repair *repair)
{
	uint64_t first;
	uint64_t count = journal_ahead(repair->volume->journal, &first);

	if (count > 0)
		repair_say(repair,
		    "%llu records, from %llu on, are sound, and in the commit logs alone: the next start "
		    "puts them in their places",
		    (unsigned long long)count, (unsigned long long)first);
}

bool repair_logs_have_body(const struct repair *repair, struct dbox_ref ref)
{
	return pending_has_body(
	    repair->volume->pending, ref.file, (uint64_t)ref.offset * DBOX_RECORD_ALIGN);
}

bool repair_logs_mend_box(const struct repair *repair, const struct dbox_oddity *oddity)
{
	const struct pending *pending = repair->volume->pending;

	switch (oddity->what) {
	case DBOX_ODD_HEADER:
	case DBOX_ODD_NAMES:
	case DBOX_ODD_BEGIN_ZEROES:
		return pending_has_bodies(pending, oddity->file);
	default:
		return pending_has_body(pending, oddity->file, oddity->offset);
	}
}
