#include "index/trim.h"

#include "index/dbox/dbox.h"

static void trim_task(struct task *task, void *arg)
{
	struct volume *volume = arg;
	struct commit *commit = volume->store->commit;

	while (volume->trim_wanted) {
		bool unknown_too = volume->trim_unknown;

		volume->trim_wanted = volume->trim_unknown = false;
		/* What cannot be cut off now is when the file is to be written to, or somebody is refused again. */
		(void)!dbox_trim(task, volume->dbox, unknown_too);
	}
	volume->trimming = false;
	if (commit_room(commit) != COMMIT_ROOM_ENOUGH)
		commit_look_at_room(task, commit);
	volume_task_ended(volume);
}

void trim_start(struct volume *volume, bool unknown_too)
{
	if (volume->bare || volume->store->commit == NULL || !dbox_may_trim(volume->dbox, unknown_too))
		return;
	volume->trim_wanted = true;
	volume->trim_unknown = volume->trim_unknown || unknown_too;
	if (!volume->trimming)
		volume->trimming = volume_task_start(volume, "trim", trim_task);
}
