/* work.h -- the kinds of work that are measured. Each adds its figures to the report. */
#ifndef RP_BENCH_BLOCKING_WORK_H
#define RP_BENCH_BLOCKING_WORK_H

#include <sys/types.h>

#include "bench/load/procs.h"
#include "bench/blocking/report.h"

struct work {
	const char *imap; /* HOST:PORT; NULL: not given */
	const char *imaps;
	const char *lmtp;
	const char *user; /* owns the large mailbox */
	const char *mailbox;
	const char *
	    users; /* prefix of the names of many users: users0, users1, ... with the same password */
	unsigned users_count;
	unsigned connections; /* idle ones */
	unsigned fill_count;  /* messages to put in the large mailbox first; 0: none */
	const char *data;     /* the server's folder; NULL: not given */
	unsigned messages_count; /* that go through mailboxes */
	unsigned kept_count;     /* that are in each of these all the time */
	bool failed;             /* a figure is over what it may be */
	double seconds;       /* how long one measurement lasts at least */
	char password[256];
	struct procs procs;
	struct report report;
};

struct wire;

/* APPEND so many small messages, one in five unread, to the large mailbox. */
void work_append(const struct work *work, struct wire *wire, unsigned count);

/* What a server that does nothing costs on this machine. */
void work_probe(struct work *work);
/* APPEND fill_count small messages to the large mailbox. */
void work_fill(struct work *work);
/* NOOP round trips, plain and TLS, on one connection and on many. */
void work_noop(struct work *work);
/* Connect, LOGIN, LOGOUT; SELECT of the large mailbox, again and anew. */
void work_select(struct work *work);
/* FETCH 1:* (FLAGS) and (UID FLAGS). */
void work_fetch(struct work *work);
/* Commands over all of the large mailbox, and a neighbour's NOOP meanwhile. */
void work_large(struct work *work);
/* Copy, move and expunge all of the large mailbox, which is empty then. Only by name. */
void work_leave(struct work *work);
/* LIST and its kin of an account of 10,000 mailboxes, which it makes. */
void work_names(struct work *work);
/* 64 LMTP sessions, 4 KiB each message, to many users. */
void work_lmtp(struct work *work);
/* Mail for each of many users, and what settling costs. Only by name. */
void work_many(struct work *work);
/* What grows while mail goes through mailboxes of one size. Only by name. */
void work_flat(struct work *work);
/* Memory of idle IMAPS connections. */
void work_idle(struct work *work);

/* A measurement: wall and server CPU time since work_clock_start(). */
struct work_clock {
	uint64_t wall_ns;
	uint64_t cpu_ns;
};

struct work_clock work_clock_start(const struct work *work);
struct work_clock work_clock_since(const struct work *work, struct work_clock start);

#endif
