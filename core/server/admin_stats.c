#include "core/server/admin_stats.h"

#include <stddef.h>

struct shown {
	const char *name;
	size_t offset; /* of its stat_counter in struct shard_stats */
};

#define SHOWN(name)                                                                                \
	{                                                                                          \
#name, offsetof(struct shard_stats, name)                                          \
	}

/* In this order. STATS.md says what each means, and a test holds it to this. */
static const struct shown counters[] = {
    SHOWN(connections),
    SHOWN(connections_total),
    SHOWN(tls_handshakes),
    SHOWN(tls_resumed),
    SHOWN(tls_failed),
    SHOWN(logins),
    SHOWN(logins_failed),
    SHOWN(handoffs),
    SHOWN(commands),
    SHOWN(deliveries),
    SHOWN(files_sealed),
    SHOWN(users_unrecovered),
    SHOWN(users_stuck),
    SHOWN(log_files),
    SHOWN(log_files_bound),
    SHOWN(log_files_reused),
    SHOWN(checkpoints),
    SHOWN(journal_merges),
    SHOWN(journal_merges_given_up),
    SHOWN(dbox_compactions),
    SHOWN(compacting),
    SHOWN(kept_over),
    SHOWN(files_open),
    SHOWN(files_bound),
    SHOWN(mappings),
    SHOWN(mappings_bound),
    SHOWN(idle_bytes),
    SHOWN(idle_bytes_bound),
};

static void put(json_t *json, const char *name, uint64_t value)
{
	(void)!json_object_set_new(json, name, json_integer((json_int_t)value));
}

json_t *admin_stats_json(const struct shard_stats *stats)
{
	json_t *json = json_object();

	for (size_t i = 0; json != NULL && i < sizeof(counters) / sizeof(counters[0]); i++)
		put(json, counters[i].name,
		    stat_get((const struct stat_counter *)(const void *)((const char *)stats +
		                                                         counters[i].offset)));
	if (json == NULL)
		return NULL;
	put(json, "command_p50_ns", stat_hist_quantile(&stats->command_ns, 500));
	put(json, "command_p99_ns", stat_hist_quantile(&stats->command_ns, 990));
	return json;
}
