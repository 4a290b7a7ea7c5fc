#include "core/server/admin_stats.h"

static json_int_t value(const struct stat_counter *counter)
{
	return (json_int_t)stat_get(counter);
}

json_t *admin_stats_json(const struct shard_stats *stats)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"connections", value(&stats->connections),
		"connections_total", value(&stats->connections_total),
		"tls_handshakes", value(&stats->tls_handshakes),
		"tls_resumed", value(&stats->tls_resumed),
		"tls_failed", value(&stats->tls_failed),
		"logins", value(&stats->logins),
		"logins_failed", value(&stats->logins_failed),
		"handoffs", value(&stats->handoffs),
		"commands", value(&stats->commands),
		"deliveries", value(&stats->deliveries),
		"files_sealed", value(&stats->files_sealed),
		"users_unrecovered", value(&stats->users_unrecovered),
		"journal_merges", value(&stats->journal_merges),
		"dbox_compactions", value(&stats->dbox_compactions),
		"compacting", value(&stats->compacting),
		"kept_over", value(&stats->kept_over),
		"command_p50_ns", (json_int_t)stat_hist_quantile(&stats->command_ns, 500),
		"command_p99_ns", (json_int_t)stat_hist_quantile(&stats->command_ns, 990));
}
