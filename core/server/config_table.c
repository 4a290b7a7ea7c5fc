#include "core/server/config_table.h"

#include <stddef.h>

#include "io/base/num.h"

#define FIELD(name) offsetof(struct config, name)
#define KIB         UINT64_C(1024)
#define MIB         (KIB * 1024)
#define GIB         (MIB * 1024)
#define SECOND      UINT64_C(1000)
#define MINUTE      (60 * SECOND)
#define HOUR        (60 * MINUTE)
#define DAY         (24 * HOUR)

const struct config_key config_keys[] = {
	{ NULL, "data", CONFIG_TEXT, FIELD(data), "/var/lib/ringpost", 0, 0, "the mail store" },
	{ NULL, "commit_dir", CONFIG_TEXT, FIELD(commit_dir), "", 0, 0,
	    "the commit logs, on a disk of their own if you like; empty: commit below data" },
	{ NULL, "user", CONFIG_TEXT, FIELD(user), "", 0, 0,
	    "the user that does the work when started by root; empty: the owner of data" },
	{ NULL, "control", CONFIG_TEXT, FIELD(control), "", 0, 0,
	    "the control socket; empty: control below data" },
	{ NULL, "shards", CONFIG_COUNT, FIELD(shards), "0", 0, 128,
	    "threads that serve, each with a ring; 0: as many as cores" },
	{ NULL, "hostname", CONFIG_TEXT, FIELD(hostname), "", 0, 0,
	    "what LMTP calls this server; empty: the machine's name" },

	{ "auth", "passwd", CONFIG_TEXT, FIELD(passwd), "/etc/ringpost/passwd", 0, 0,
	    "the file of users, name:hash:userid, readable by the auth process only" },
	{ "auth", "domains", CONFIG_LIST, FIELD(domains), "", 0, 0,
	    "domains whose local parts are login names; empty: any" },
	{ "auth", "master_users", CONFIG_LIST, FIELD(master_users), "", 0, 0,
	    "who may log in as somebody else, by SASL authzid" },
	{ "auth", "trusted_networks", CONFIG_LIST, FIELD(trusted_networks), "", 0, 0,
	    "networks (address/bits) of proxies and webmails: PROXY headers are believed, nothing is counted per address" },
	{ "auth", "plaintext_login", CONFIG_BOOL, FIELD(plaintext_login), "false", 0, 0,
	    "allow LOGIN without TLS from loopback; for test tools" },
	{ "auth", "threads", CONFIG_COUNT, FIELD(auth_threads), "0", 0, 256,
	    "threads that check passwords; 0: as many as cores" },
	{ "auth", "queue", CONFIG_COUNT, FIELD(auth_queue), "256", 1, 65536,
	    "logins that may wait for a thread; more get NO [UNAVAILABLE]" },
	{ "auth", "cache", CONFIG_TIME, FIELD(auth_cache_ms), "60s", 0, 1 * HOUR,
	    "how long a successful login is remembered; 0: never" },

	{ "storage", "commit_file", CONFIG_SIZE, FIELD(commit_file_bytes), "64MiB", 1 * MIB, 1 * GIB,
	    "size of one commit log file; each shard has two or more" },
	{ "storage", "unsettled_memory", CONFIG_SIZE, FIELD(unsettled_bytes_max), "64MiB", 4 * MIB, 4 * GIB,
	    "memory of a shard for mail that is durable in the log but not yet in its user's files" },
	{ "storage", "idle_volumes_memory", CONFIG_SIZE, FIELD(volumes_bytes_max), "256MiB", 1 * MIB, 64 * GIB,
	    "memory of a shard for indexes of users who are away" },

	{ "limits", "appendlimit", CONFIG_SIZE, FIELD(appendlimit_bytes), "64MiB", 64 * KIB, 2 * GIB - 1,
	    "the largest message" },
	{ "limits", "search_cpu", CONFIG_TIME, FIELD(search_cpu_ms), "5s", 10, 10 * MINUTE,
	    "CPU time of one SEARCH; more gets NO [LIMIT]" },
	{ "limits", "connections", CONFIG_COUNT, FIELD(connections_max), "14000", 16, 1000000,
	    "connections of one shard" },
	{ "limits", "connections_per_address", CONFIG_COUNT, FIELD(connections_per_address_max), "50", 1, 1000000,
	    "connections of one address that are not logged in" },
	{ "limits", "connections_per_user_address", CONFIG_COUNT, FIELD(connections_per_user_address_max), "32",
	    1, 1000000, "connections of one user from one address" },
	{ "limits", "handshake", CONFIG_TIME, FIELD(handshake_ms), "30s", 1 * SECOND, 10 * MINUTE,
	    "time to finish TLS" },
	{ "limits", "login", CONFIG_TIME, FIELD(login_ms), "60s", 1 * SECOND, 10 * MINUTE,
	    "time to log in, TLS included" },
	{ "limits", "idle", CONFIG_TIME, FIELD(idle_ms), "30m", 30 * MINUTE, 7 * DAY,
	    "a logged-in client that says nothing is let go after this, except in IDLE" },
	{ "limits", "stalled", CONFIG_TIME, FIELD(stalled_ms), "5m", 1 * SECOND, 1 * DAY,
	    "a client that takes none of its output is let go after this" },
	{ "limits", "still_here", CONFIG_TIME, FIELD(keepalive_ms), "4m", 10 * SECOND, 29 * MINUTE,
	    "how often IDLE is told that the server is still here" },

	{ "lmtp", "return_path", CONFIG_BOOL, FIELD(lmtp_return_path), "false", 0, 0,
	    "put a Return-Path: line before each message that comes in; off: bytes are stored as they came" },
	{ "lmtp", "idle", CONFIG_TIME, FIELD(lmtp_idle_ms), "5m", 10 * SECOND, 1 * DAY,
	    "an LMTP client that says nothing is let go after this" },

	{ "log", "level", CONFIG_TEXT, FIELD(log_level), "info", 0, 0, "debug, info, warn or error" },
	{ "log", "format", CONFIG_TEXT, FIELD(log_format), "text", 0, 0, "text or json" },
};

const size_t config_keys_count = sizeof(config_keys) / sizeof(config_keys[0]);

bool config_number(enum config_kind kind, struct bytes text, uint64_t *out)
{
	static const struct unit {
		enum config_kind kind;
		const char *name;
		uint64_t factor;
	} units[] = {
		{ CONFIG_SIZE, "", 1 }, { CONFIG_SIZE, "B", 1 }, { CONFIG_SIZE, "KiB", KIB },
		{ CONFIG_SIZE, "MiB", MIB }, { CONFIG_SIZE, "GiB", GIB }, { CONFIG_SIZE, "kB", 1000 },
		{ CONFIG_SIZE, "MB", 1000000 }, { CONFIG_SIZE, "GB", 1000000000 },
		{ CONFIG_TIME, "ms", 1 }, { CONFIG_TIME, "s", SECOND }, { CONFIG_TIME, "m", MINUTE },
		{ CONFIG_TIME, "h", HOUR }, { CONFIG_TIME, "d", DAY },
		{ CONFIG_COUNT, "", 1 },
	};
	size_t digits = 0;
	uint64_t value;

	while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
		digits++;
	if (!bytes_to_u64(bytes_slice(text, 0, digits), UINT64_MAX, &value))
		return false;
	struct bytes name = bytes_from(text, digits);

	if (kind == CONFIG_TIME && name.n == 0 && value == 0) {
		*out = 0; /* nothing is nothing in any unit */
		return true;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].kind == kind && bytes_eq(name, bytes_of_str(units[i].name)))
			return num_mul(value, units[i].factor, out);
	return false;
}
