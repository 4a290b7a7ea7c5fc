/* Memory: what an IMAPS connection costs the server that is logged in and says nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/load/die.h"
#include "bench/blocking/wire.h"
#include "bench/blocking/work.h"

enum { SETTLE_SECONDS = 2 };

static void user_of(const struct work *work, unsigned i, char *out, size_t size)
{
	snprintf(out, size, "%s%u", work->users, i % work->users_count);
}

/* All users' mailboxes and the auth process's cache are there before the first look. */
static void warm_up(struct work *work)
{
	for (unsigned i = 0; i < work->users_count; i++) {
		struct wire wire;
		char user[64];

		user_of(work, i, user, sizeof(user));
		wire_login(&wire, work->imaps, true, user, work->password);
		(void)wire_command(&wire, "SELECT INBOX");
		wire_logout(&wire);
	}
}

static double kib_each(const struct work *work, uint64_t before)
{
	sleep(SETTLE_SECONDS);
	uint64_t now = procs_pss_bytes(&work->procs);

	return now > before ? (double)(now - before) / 1024 / work->connections : 0;
}

void work_idle(struct work *work)
{
	struct wire *wire = calloc(work->connections, sizeof(*wire));

	if (wire == NULL)
		die("no memory");
	if (work->procs.count == 0)
		die("idle needs --server-pid");
	warm_up(work);
	sleep(SETTLE_SECONDS);
	uint64_t before = procs_pss_bytes(&work->procs);

	for (unsigned i = 0; i < work->connections; i++) {
		char user[64];

		user_of(work, i, user, sizeof(user));
		wire_login(&wire[i], work->imaps, true, user, work->password);
	}
	report_add(&work->report, (struct report_row){.key = "idle_login",
	                              .work = "memory per IMAPS connection, logged in, own",
	                              .unit = "KiB",
	                              .value = kib_each(work, before),
	                              .floor = 3.1,
	                              .target = 6});
	for (unsigned i = 0; i < work->connections; i++) {
		(void)wire_command(&wire[i], "SELECT INBOX");
		wire_start(&wire[i], "IDLE");
		(void)wire_line(&wire[i]);
	}
	report_add(&work->report, (struct report_row){.key = "idle_idle",
	                              .work = "the same, INBOX selected and IDLE",
	                              .unit = "KiB",
	                              .value = kib_each(work, before),
	                              .floor = 3.1,
	                              .target = 6});
	report_add(&work->report,
	    (struct report_row){.key = "idle_all",
	        .work = "then all memory of the server, by connections",
	        .unit = "KiB",
	        .value = (double)procs_pss_bytes(&work->procs) / 1024 / work->connections});
	for (unsigned i = 0; i < work->connections; i++)
		wire_close(&wire[i]);
	free(wire);
}
