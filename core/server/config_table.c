#include "core/server/config_table.h"

#include <stddef.h>
#include <stdio.h>

#include "core/auth/auth_name.h"
#include "core/server/proxy.h"
#include "io/base/num.h"

#define FIELD(name) offsetof(struct config, name)
#define KIB         UINT64_C(1024)
#define MIB         (KIB * 1024)
#define GIB         (MIB * 1024)
#define SECOND      UINT64_C(1000)
#define MINUTE      (60 * SECOND)
#define HOUR        (60 * MINUTE)
#define DAY         (24 * HOUR)

static bool is_host(const char *word)
{
	for (; *word != '\0'; word++)
		if ((uint8_t)*word <= ' ' || *word == 0x7f || *word == '@')
			return false;
	return true;
}

static bool is_absolute(const char *path)
{
	return path[0] == '/';
}

static bool is_login(const char *word)
{
	uint8_t room[AUTH_NAME_BYTES_MAX];
	struct bytes folded;

	return auth_name_fold(bytes_of_str(word), room, &folded) == RP_OK;
}

const struct config_key config_keys[] = {
	{ NULL, "data", CONFIG_TEXT, FIELD(data), "/var/lib/ringpost", 0, 0, "the mail store",
	    is_absolute, "a path that begins with / is wanted" },
	{ NULL, "commit_dir", CONFIG_TEXT, FIELD(commit_dir), "", 0, 0,
	    "the commit logs, on a disk of their own if you like; empty: commit below data" },
	{ NULL, "user", CONFIG_TEXT, FIELD(user), "", 0, 0,
	    "the user that does the work when started by root; empty: the owner of data" },
	{ NULL, "control", CONFIG_TEXT, FIELD(control), "", 0, 0,
	    "the control socket; empty: control below data", is_absolute, "a path that begins with / is wanted" },
	{ NULL, "shards", CONFIG_COUNT, FIELD(shards), "0", 0, 128,
	    "threads that serve, each with a ring; 0: as many as cores" },
	{ NULL, "hostname", CONFIG_TEXT, FIELD(hostname), "", 0, 0,
	    "what LMTP calls this server; empty: the machine's name", is_host, "a host name is wanted" },

	{ "auth", "passwd", CONFIG_TEXT, FIELD(passwd), "/etc/ringpost/passwd", 0, 0,
	    "the file of users, name:hash:userid, readable by the auth process only", is_absolute,
	    "a path that begins with / is wanted" },
	{ "auth", "domains", CONFIG_LIST, FIELD(domains), "", 0, 0,
	    "domains whose local parts are login names; empty: any", is_host, "a domain is wanted" },
	{ "auth", "master_users", CONFIG_LIST, FIELD(master_users), "", 0, 0,
	    "who may log in as somebody else, by SASL authzid", is_login, "a login name is wanted" },
	{ "auth", "trusted_networks", CONFIG_LIST, FIELD(trusted_networks), "", 0, 0,
	    "networks (address/bits) of proxies and webmails: PROXY headers are believed, nothing is counted per address",
	    proxy_network_valid, "an address is wanted, or address/bits, such as 10.0.0.0/8" },
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
	{ "storage", "keep_expunged", CONFIG_TIME, FIELD(keep_expunged_ms), "14d", 0, 3660 * DAY,
	    "how long expunged mail can be brought back (`ringpost undelete`) and takes its room; 0: not at all" },
	{ "storage", "background_rate", CONFIG_SIZE, FIELD(background_bytes_per_s), "32MiB", 1 * MIB, 64 * GIB,
	    "bytes in a second that a shard's clearing up (of journals and bodies) reads and writes" },
	{ "storage", "background_share", CONFIG_COUNT, FIELD(background_share), "25", 1, 100,
	    "percent of the time that it works; the rest it sleeps" },

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

enum rp_err config_bool(const char *text, bool *out)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0) {
			*out = i % 2 == 1;
			return RP_OK;
		}
	return RP_ERR_SYNTAX;
}

static const char *text_fault(const struct config_key *key, const char *value)
{
	if (strlen(value) > CONFIG_TEXT_BYTES_MAX)
		return "it is too long";
	for (const char *p = value; *p != '\0'; p++)
		if ((uint8_t)*p < ' ' || *p == 0x7f)
			return "there is a control character in it";
	if (key->is_valid == NULL || (key->kind == CONFIG_TEXT && value[0] == '\0'))
		return NULL;
	return key->is_valid(value) ? NULL : key->wanted;
}

const char *config_fault(const struct config_key *key, const char *value, char room[CONFIG_FAULT_BYTES])
{
	uint64_t number;
	bool on;

	if (key->kind == CONFIG_TEXT || key->kind == CONFIG_LIST)
		return text_fault(key, value);
	if (key->kind == CONFIG_BOOL)
		return config_bool(value, &on) == RP_OK ? NULL : "true or false is wanted";
	if (!config_number(key->kind, bytes_of_str(value), &number))
		return key->kind == CONFIG_SIZE	  ? "a size is wanted, such as 64MiB"
		       : key->kind == CONFIG_TIME ? "a time is wanted, such as 5m"
						  : "a number is wanted";
	if (number >= key->least && number <= key->greatest)
		return NULL;
	snprintf(room, CONFIG_FAULT_BYTES, "out of its bounds (%llu to %llu%s)", (unsigned long long)key->least,
		(unsigned long long)key->greatest,
		key->kind == CONFIG_SIZE   ? " bytes"
		: key->kind == CONFIG_TIME ? " ms"
					   : "");
	return room;
}

void config_explain(FILE *to)
{
	static const char *const kinds[] = { "text", "true or false", "number", "size (KiB MiB GiB)",
		"time (ms s m h d)", "list { \"a\", \"b\" }" };
	const char *section = NULL;

	for (size_t i = 0; i < config_keys_count; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->section != NULL && (section == NULL || strcmp(section, key->section) != 0))
			fprintf(to, "%s {}\n", key->section);
		section = key->section;
		fprintf(to, "%s%s = %s\n        %s; %s\n", section != NULL ? "    " : "", key->name,
			key->kind == CONFIG_LIST ? "{}" : key->initial[0] == '\0' ? "\"\"" : key->initial,
			key->meaning, kinds[key->kind]);
	}
	fprintf(to, "listen NAME {}      a listening socket; as many as you like\n"
		    "    protocol = imaps      imap (with STARTTLS), imaps or lmtp\n"
		    "    address = 0.0.0.0     an IPv4 or IPv6 address\n"
		    "    port = 993            default by protocol: 143, 993, 24\n"
		    "    path = \"\"             a unix socket in place of address and port\n"
		    "    mode = 0666           of the unix socket: who may connect\n"
		    "    group = \"\"            of the unix socket; empty: that of who starts the server\n"
		    "    proxy_protocol = false    a PROXY v2 header comes first, from trusted_networks\n"
		    "tls NAME {}         a certificate; the first serves who names no other\n"
		    "    cert = /etc/ringpost/tls/cert.pem     the whole chain\n"
		    "    key = /etc/ringpost/tls/key.pem\n"
		    "include(\"FILE\")\n");
}
