#include "core/mail/needle.h"

#include <assert.h>

#include "core/mail/fold.h"

static_assert(NEEDLE_BYTES_MAX * FOLD_CHAR_BYTES_MAX / 2 <= UINT16_MAX,
    "a place in a folded key must fit: characters that fold to many bytes have two at least");

enum rp_err needle_init(struct needle *needle, struct arena *arena, struct bytes utf8)
{
	struct text folded;

	if (utf8.n > NEEDLE_BYTES_MAX)
		return RP_ERR_LIMIT;
	text_init(&folded, arena);
	fold_text(&folded, utf8);
	uint16_t *back = arena_calloc(arena, folded.n + 1, sizeof(back[0]));

	if (folded.full || back == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = 1, k = 0; i < folded.n; i++) {
		while (k > 0 && folded.p[i] != folded.p[k])
			k = back[k - 1];
		if (folded.p[i] == folded.p[k])
			k++;
		back[i] = (uint16_t)k;
	}
	needle->key = text_bytes(&folded);
	needle->back = back;
	return RP_OK;
}

bool needle_find(const struct needle *needle, struct needle_scan *scan, struct bytes folded)
{
	const struct bytes key = needle->key;
	size_t k = scan->matched;

	if (key.n == 0)
		return true;
	for (size_t at = 0; at < folded.n; at++) {
		if (k == 0) {
			at = bytes_find(folded, at, key.p[0]);
			if (at == folded.n)
				break;
			k = 1;
		} else {
			while (k > 0 && folded.p[at] != key.p[k])
				k = needle->back[k - 1];
			if (folded.p[at] == key.p[k])
				k++;
		}
		if (k == key.n) {
			scan->matched = 0;
			return true;
		}
	}
	scan->matched = k;
	return false;
}
