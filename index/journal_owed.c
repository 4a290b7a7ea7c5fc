/* What a recovery will write into the files of a journal: for who looks before. */
#include "index/journal_core.h"
#include "io/base/num.h"

void journal_look_ahead(struct journal *journal, struct pending *pending)
{
	struct recover_known known;

	journal->pending = pending;
	for (size_t i = pending_lower(pending, journal->last_lsn + 1); pending_at(pending, i, &known);
	     i++)
		journal->last_lsn = known.lsn;
}

uint64_t journal_ahead(const struct journal *journal, uint64_t *first)
{
	*first = journal->ahead_first;
	return journal->ahead;
}

/* The file, by its first LSN, that this record goes to: the one that has its place, or another that goes on with what a failed one was to
 * have. 0: to none, a merge has taken it. */
static uint64_t home_of(const struct journal *journal, const struct recover_known *known)
{
	size_t at = journal_core_lower(journal, known->lsn + 1);
	const struct journal_file *file = at > 0 ? &journal->files[at - 1] : NULL;

	if (file != NULL && file->merged && file->last >= known->lsn)
		return 0;
	return num_max(file != NULL ? file->first : 0, known->journal);
}

static bool owes(const struct journal *journal, uint64_t first, uint64_t lsn,
    struct recover_known *known)
{
	return pending_find(journal->pending, lsn, known) && home_of(journal, known) == first;
}

bool journal_core_owes(
    const struct journal *journal, uint64_t first, uint64_t lsn, uint64_t last)
{
	struct recover_known known;

	for (; lsn <= last; lsn++)
		if (!owes(journal, first, lsn, &known))
			return false;
	return true;
}

bool journal_core_owes_any(const struct journal *journal, uint64_t first)
{
	struct recover_known known;

	for (size_t i = pending_lower(journal->pending, first);
	     pending_at(journal->pending, i, &known); i++)
		if (home_of(journal, &known) == first)
			return true;
	return false;
}

uint64_t journal_core_owed_bytes(const struct journal *journal, uint64_t first, uint64_t lsn)
{
	struct recover_known known;
	uint64_t bytes = 0;

	for (; owes(journal, first, lsn, &known); lsn++)
		bytes += known.journal_bytes;
	return bytes;
}

bool journal_core_owes_move(const struct journal *journal, uint64_t first)
{
	struct recover_known known;

	return pending_find(journal->pending, first, &known) && known.journal != first;
}

uint64_t journal_core_owed_last(const struct journal *journal, size_t at)
{
	uint64_t first = journal->files[at].first;
	uint64_t last = journal_core_last(journal, at);
	struct recover_known known;

	for (size_t i = pending_lower(journal->pending, first + 1);
	     pending_at(journal->pending, i, &known) && (last == 0 || known.lsn <= last); i++)
		if (home_of(journal, &known) == known.lsn)
			return known.lsn - 1;
	return last;
}
