/* LMTP: 64 sessions at once, to a few users whose volumes are open. */
#include "bench/blocking/lmtp_load.h"

void work_lmtp(struct work *work)
{
	struct lmtp_load *load = lmtp_load_open(work);

	/* Every user's volume is opened before the clock starts. */
	lmtp_load_deliver(load, 2 * (uint64_t)work->users_count);
	struct work_clock start = work_clock_start(work);
	double count = (double)lmtp_load_run(load, work->seconds);
	struct work_clock spent = work_clock_since(work, start);

	lmtp_load_close(load);
	report_add(&work->report, (struct report_row){.key = "lmtp_rate",
	                              .work = "LMTP, 64 sessions, 4 KiB, durable, wall",
	                              .unit = "/s",
	                              .value = count * 1e9 / (double)spent.wall_ns,
	                              .more_is_better = true});
	if (work->procs.count > 0)
		report_add(&work->report, (struct report_row){.key = "lmtp_rate_core",
		                              .work = "LMTP, the same, per second of server CPU",
		                              .unit = "/s",
		                              .value = count * 1e9 / (double)spent.cpu_ns,
		                              .floor = 190000,
		                              .target = 20000,
		                              .more_is_better = true});
}
