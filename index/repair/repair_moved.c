/* Bodies that were moved by a record that is lost: bodies_moved() of repair_core.h.
 *
 * When a file of bodies is emptied each body that is left goes to another one, and a record tells the new place; then the old file goes. If that
 * record is lost, rows tell of a place where nothing is. The body is there all the same: the EMAILID of the row is in it, also where
 * several mailboxes share it.
 */
#include <stdlib.h>

#include "index/repair/repair_core.h"

static int by_emailid(const void *a, const void *b)
{
	const struct known_body *x = a;
	const struct known_body *y = b;

	if (x->emailid != y->emailid)
		return x->emailid < y->emailid ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

enum rp_err bodies_index(struct known *known)
{
	if (known->found_count == 0)
		return RP_OK;
	known->by_emailid = malloc(known->found_count * sizeof(*known->by_emailid));
	if (known->by_emailid == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = 0; i < known->found_count; i++)
		if (known->found[i].sound)
			known->by_emailid[known->by_emailid_count++] =
			    (struct known_body){known->found[i].message.emailid, i};
	qsort(known->by_emailid, known->by_emailid_count, sizeof(*known->by_emailid), by_emailid);
	return RP_OK;
}

size_t bodies_first(const struct known *known, uint64_t emailid)
{
	size_t low = 0;
	size_t high = known->by_emailid_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (known->by_emailid[middle].emailid < emailid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool bodies_moved(
    const struct known *known, uint64_t emailid, uint64_t size_bytes, struct dbox_ref *ref)
{
	const struct dbox_found *other = NULL;

	for (size_t i = bodies_first(known, emailid);
	    i < known->by_emailid_count && known->by_emailid[i].emailid == emailid; i++) {
		const struct dbox_found *found = &known->found[known->by_emailid[i].at];

		if (known_place(found->ref) == known_place(*ref))
			return false;
		if (other == NULL && found->body_bytes == size_bytes)
			other = found;
	}
	if (other != NULL)
		*ref = other->ref;
	return other != NULL;
}
