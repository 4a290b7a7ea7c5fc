#include "index/room.h"

#include "index/store_state.h"
#include "io/base/clock.h"

enum { ROOM_LOOK_BYTES = 1024 * 1024 };

bool room_ask(struct task *task, struct store *store, uint64_t bytes)
{
	uint64_t now_ns = loop_now_ns(store->loop);

	if (store->commit == NULL) /* who only looks */
		return true;
	store->room_asked_bytes += bytes;
	if (store->room_asked_bytes >= ROOM_LOOK_BYTES || store->room_looked_ns == 0 ||
	    now_ns - store->room_looked_ns >= CLOCK_NS_PER_S) {
		store->room_asked_bytes = 0;
		store->room_looked_ns = now_ns;
		commit_look_at_room(task, store->commit);
	}
	return commit_room(store->commit) == COMMIT_ROOM_ENOUGH;
}
