/* NOOP, SELECT and FETCH: round trips on connections of one user. */
#include <stdio.h>

#include "bench/load/die.h"
#include "bench/blocking/wire.h"
#include "bench/blocking/work.h"
#include "io/base/clock.h"

enum {
	CONNECTIONS = 32,
	ROUNDS_AT_ONCE = 64, /* between looks at the clock */
	FETCH_ROUNDS_MIN = 3,
};

struct work_clock work_clock_start(const struct work *work)
{
	return (struct work_clock){clock_monotonic_ns(), procs_cpu_ns(&work->procs)};
}

struct work_clock work_clock_since(const struct work *work, struct work_clock start)
{
	return (struct work_clock){
	    clock_monotonic_ns() - start.wall_ns, procs_cpu_ns(&work->procs) - start.cpu_ns};
}

static bool has_time(const struct work *work, struct work_clock start)
{
	return (double)(clock_monotonic_ns() - start.wall_ns) < work->seconds * 1e9;
}

/* Microseconds of server CPU time each; without its process id there is no figure. */
static void add_cpu(struct work *work, struct report_row row, double cpu_ns, double count)
{
	if (work->procs.count == 0 || count == 0)
		return;
	row.value = cpu_ns / 1000 / count;
	row.unit = "us CPU";
	report_add(&work->report, row);
}

/* ---- NOOP ---- */

/* One command again and again, on each of so many connections at once. */
static void repeat_on(struct work *work, const char *address, bool tls, size_t connections,
    const char *command, struct report_row cpu, struct report_row rate)
{
	struct wire wire[CONNECTIONS];
	uint64_t count = 0;

	for (size_t i = 0; i < connections; i++)
		wire_login(&wire[i], address, tls, work->user, work->password);
	struct work_clock start = work_clock_start(work);

	while (has_time(work, start)) {
		for (size_t round = 0; round < ROUNDS_AT_ONCE; round++) {
			for (size_t i = 0; i < connections; i++)
				wire_start(&wire[i], command);
			for (size_t i = 0; i < connections; i++)
				(void)wire_finish(&wire[i]);
			count += connections;
		}
	}
	struct work_clock spent = work_clock_since(work, start);

	for (size_t i = 0; i < connections; i++)
		wire_logout(&wire[i]);
	add_cpu(work, cpu, (double)spent.cpu_ns, (double)count);
	rate.value = (double)count * 1e9 / (double)spent.wall_ns;
	rate.unit = "/s";
	rate.more_is_better = true;
	report_add(&work->report, rate);
}

void work_noop(struct work *work)
{
	repeat_on(work, work->imap, false, 1, "NOOP",
	    (struct report_row){.key = "noop_plain",
	        .work = "NOOP, plain, 1 connection",
	        .floor = 3.7,
	        .target = 5},
	    (struct report_row){
	        .key = "noop_plain_rate", .work = "NOOP, plain, 1 connection, round trips"});
	repeat_on(work, work->imap, false, CONNECTIONS, "NOOP",
	    (struct report_row){.key = "noop_plain_32",
	        .work = "NOOP, plain, 32 connections",
	        .floor = 3.7,
	        .target = 5},
	    (struct report_row){
	        .key = "noop_plain_32_rate", .work = "NOOP, plain, 32 connections, all"});
	repeat_on(work, work->imaps, true, 1, "NOOP",
	    (struct report_row){
	        .key = "noop_tls", .work = "NOOP, TLS, 1 connection", .floor = 5, .target = 6.5},
	    (struct report_row){
	        .key = "noop_tls_rate", .work = "NOOP, TLS, 1 connection, round trips"});
	repeat_on(work, work->imaps, true, CONNECTIONS, "NOOP",
	    (struct report_row){.key = "noop_tls_32",
	        .work = "NOOP, TLS, 32 connections",
	        .floor = 5,
	        .target = 6.5},
	    (struct report_row){
	        .key = "noop_tls_32_rate", .work = "NOOP, TLS, 32 connections, all"});
}

/* ---- SELECT ---- */

/* Server CPU time of one connection with LOGIN, `command` (or nothing) and LOGOUT, in ns. */
static double login_cpu_ns(struct work *work, const char *address, bool tls, const char *command)
{
	struct wire wire;
	uint64_t count = 0;
	struct work_clock start = work_clock_start(work);

	while (has_time(work, start)) {
		wire_login(&wire, address, tls, work->user, work->password);
		if (command != NULL)
			(void)wire_command(&wire, command);
		wire_logout(&wire);
		count++;
	}
	return (double)work_clock_since(work, start).cpu_ns / (double)count;
}

static void select_command(const struct work *work, char *out, size_t size)
{
	snprintf(out, size, "SELECT \"%s\"", work->mailbox);
}

void work_select(struct work *work)
{
	char command[WIRE_TEXT_BYTES_MAX];
	struct wire wire;
	uint64_t count = 0;

	select_command(work, command, sizeof(command));
	wire_login(&wire, work->imap, false, work->user, work->password);
	(void)wire_command(&wire, command);
	struct work_clock start = work_clock_start(work);

	while (has_time(work, start)) {
		(void)wire_command(&wire, command);
		count++;
	}
	struct work_clock spent = work_clock_since(work, start);

	wire_logout(&wire);
	add_cpu(work,
	    (struct report_row){.key = "select_again",
	        .work = "SELECT again, same connection",
	        .floor = 5,
	        .target = 10},
	    (double)spent.cpu_ns, (double)count);
	report_add(&work->report, (struct report_row){.key = "select_again_wall",
	                              .work = "SELECT again, same connection, wall",
	                              .unit = "us",
	                              .value = (double)spent.wall_ns / 1000 / (double)count});
	repeat_on(work, work->imap, false, CONNECTIONS, command,
	    (struct report_row){.key = "select_again_32",
	        .work = "SELECT again, 32 connections",
	        .floor = 5,
	        .target = 10},
	    (struct report_row){
	        .key = "select_again_32_rate", .work = "SELECT again, 32 connections, all"});
	double login_ns = login_cpu_ns(work, work->imap, false, NULL);
	double select_ns = login_cpu_ns(work, work->imap, false, command);

	add_cpu(work,
	    (struct report_row){.key = "login_plain",
	        .work = "connect, LOGIN, LOGOUT, plain",
	        .floor = 16,
	        .target = 40},
	    login_ns, 1);
	add_cpu(work,
	    (struct report_row){.key = "login_tls",
	        .work = "connect, LOGIN, LOGOUT, full TLS 1.3 handshake",
	        .floor = 180,
	        .target = 300},
	    login_cpu_ns(work, work->imaps, true, NULL), 1);
	add_cpu(work,
	    (struct report_row){.key = "select_new",
	        .work = "SELECT on a new connection, beyond the login",
	        .floor = 5,
	        .target = 20},
	    select_ns - login_ns, 1);
}

/* ---- FETCH ---- */

static void fetch_on(struct work *work, struct wire *wire, const char *command,
    struct report_row cpu, struct report_row wall)
{
	uint64_t messages_count = 0;
	uint64_t rounds = 0;
	struct work_clock start = work_clock_start(work);

	while (rounds < FETCH_ROUNDS_MIN || has_time(work, start)) {
		size_t n = wire_command(wire, command);

		if (n == 0)
			die("the mailbox is empty: there is nothing to fetch");
		messages_count += n;
		rounds++;
	}
	struct work_clock spent = work_clock_since(work, start);

	fprintf(
	    stderr, "  (%llu messages at once)\n", (unsigned long long)(messages_count / rounds));
	add_cpu(work, cpu, (double)spent.cpu_ns, (double)messages_count);
	wall.value = (double)spent.wall_ns / 1000 / (double)messages_count;
	wall.unit = "us";
	report_add(&work->report, wall);
}

void work_fetch(struct work *work)
{
	char command[WIRE_TEXT_BYTES_MAX];
	struct wire wire;

	select_command(work, command, sizeof(command));
	wire_login(&wire, work->imap, false, work->user, work->password);
	(void)wire_command(&wire, command);
	fetch_on(work, &wire, "FETCH 1:* (FLAGS)",
	    (struct report_row){.key = "fetch_flags",
	        .work = "FETCH 1:* (FLAGS), per message",
	        .floor = 0.03,
	        .target = 0.05},
	    (struct report_row){
	        .key = "fetch_flags_wall", .work = "FETCH 1:* (FLAGS), per message, wall"});
	fetch_on(work, &wire, "FETCH 1:* (UID FLAGS)",
	    (struct report_row){.key = "fetch_uid_flags",
	        .work = "FETCH 1:* (UID FLAGS), per message",
	        .floor = 0.035,
	        .target = 0.05},
	    (struct report_row){
	        .key = "fetch_uid_flags_wall", .work = "FETCH 1:* (UID FLAGS), per message, wall"});
	wire_logout(&wire);
}
