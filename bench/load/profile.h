/* profile.h -- who does what, how often: a file that describes a load (bench/DESIGN.md, section 3).
 */
#ifndef RP_BENCH_LOAD_PROFILE_H
#define RP_BENCH_LOAD_PROFILE_H

#include "bench/load/schedule.h"
#include "io/base/bytes.h"
#include "io/base/err.h"

struct op_def;

enum {
	PROFILE_TEXT_BYTES = 512, /* room for what is wrong */
	PROFILE_GROUPS_MAX = 16,
	PROFILE_ACTS_MAX = 16,   /* of a group */
	PROFILE_WORDS_MAX = 64,  /* different ones in all */
	PROFILE_STEPS_MAX = 16,  /* words of one act */
	PROFILE_CLIENTS_MAX = 200000,
};

/* A word as it stands in the file: "fetch-envelope 50". */
struct profile_word {
	const struct op_def *op;
	uint64_t number; /* behind it; 0: none */
	char *text;
};

struct profile_steps {
	unsigned word[PROFILE_STEPS_MAX]; /* in profile->word */
	unsigned count;
};

struct profile_act {
	char *name;
	unsigned weight;
	struct profile_steps steps;
};

enum profile_tls { PROFILE_TLS_NONE, PROFILE_TLS_FULL, PROFILE_TLS_RESUMED };

struct profile_group {
	char *name;
	unsigned clients;
	enum profile_tls tls;
	bool lmtp;       /* its words speak LMTP; else IMAP */
	bool each;       /* a connection for every act */
	bool closed;     /* each act follows the one before */
	bool shares;     /* others change its mailboxes too */
	bool grows;      /* mail is delivered to its mailboxes */
	double rate;     /* acts of each client a second; 0: only in a closed loop, or none */
	enum schedule_pace pace;
	unsigned messages;
	unsigned size_bytes;
	unsigned user_first; /* its clients' users, counted from users_from */
	struct profile_steps begin;
	struct profile_steps end;
	struct profile_act act[PROFILE_ACTS_MAX];
	unsigned acts_count;
	unsigned act_first; /* number of its first act among those of all groups */
};

struct profile {
	char *about;
	bool closed; /* what groups are that do not say it themselves */
	uint64_t seed;
	unsigned users_from; /* the number of its first user: profiles with other mail have other users */
	double warmup_s;
	double seconds;
	double lag_max_ms;
	struct profile_group group[PROFILE_GROUPS_MAX];
	unsigned groups_count;
	struct profile_word word[PROFILE_WORDS_MAX];
	unsigned words_count;
	unsigned acts_count; /* of all groups */
	unsigned clients;    /* of all groups */
	unsigned users;
};

/* Read it. RP_ERR_SYNTAX: text says what is wrong, with file, line and key. RP_ERR_NOTFOUND, RP_ERR_NOMEM likewise.
 * One thread at a time. */
RP_MUST_USE enum rp_err profile_read(
    const char *path, struct profile *profile, char text[PROFILE_TEXT_BYTES]);
void profile_fini(struct profile *profile);

/* As if the file said so: no mailbox has more messages beforehand; the first group has so many clients (the other groups
 * then have other users). */
void profile_bound_messages(struct profile *profile, unsigned messages_max);
RP_MUST_USE bool profile_set_clients(struct profile *profile, unsigned clients);

#endif
