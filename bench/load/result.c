#include "bench/load/result.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/load/op.h"
#include "bench/load/worker.h"

enum { RESULT_FORMAT = 1, WHY_MAX = 8, WHY_BYTES = 160 };

/* Why latencies and rates are no result. */
struct whys {
	char text[WHY_MAX][WHY_BYTES];
	unsigned count;
};

static json_t *integer(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* seconds 0: no rate is told. */
static json_t *hist_json(const struct hist *hist, double seconds)
{
	static const struct {
		const char *name;
		unsigned per_million;
	} quantiles[] = {{"p50_ns", 500000}, {"p90_ns", 900000}, {"p99_ns", 990000}, {"p999_ns", 999000}};
	json_t *out = json_object();
	json_t *buckets = json_array();

	json_object_set_new(out, "count", integer(hist->count));
	if (seconds > 0)
		json_object_set_new(out, "rate", json_real((double)hist->count / seconds));
	json_object_set_new(out, "mean_ns", integer(hist->count > 0 ? hist->sum / hist->count : 0));
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		json_object_set_new(
		    out, quantiles[i].name, integer(hist_quantile(hist, quantiles[i].per_million)));
	json_object_set_new(out, "max_ns", integer(hist->max));
	for (size_t i = 0; i < HIST_BUCKETS; i++)
		if (hist->bucket[i] > 0)
			json_array_append_new(
			    buckets, json_pack("[I,I]", (json_int_t)hist_lower(i), (json_int_t)hist->bucket[i]));
	json_object_set_new(out, "buckets", buckets);
	return out;
}

/* Those of all threads in one, NULL: none has any. To be freed. */
static struct hist *merged(const struct bench_run *run, size_t offset)
{
	struct hist *sum = NULL;

	for (unsigned i = 0; i < run->settings->threads; i++) {
		const struct hist *one =
		    *(struct hist *const *)(const void *)((const char *)run->worker[i] + offset);

		if (one == NULL)
			continue;
		if (sum == NULL)
			sum = hist_new();
		if (sum == NULL)
			return NULL;
		hist_merge(sum, one);
	}
	return sum;
}

static json_t *commands_json(const struct bench_run *run)
{
	json_t *out = json_object();

	for (unsigned i = 0; i < run->profile->words_count; i++) {
		struct hist *hist =
		    merged(run, offsetof(struct worker, word) + i * sizeof(struct hist *));

		if (hist != NULL)
			json_object_set_new(
			    out, run->profile->word[i].text, hist_json(hist, run->profile->seconds));
		free(hist);
	}
	return out;
}

static json_t *acts_json(const struct bench_run *run)
{
	json_t *out = json_object();

	for (unsigned g = 0; g < run->profile->groups_count; g++) {
		const struct profile_group *group = &run->profile->group[g];

		for (unsigned i = 0; i < group->acts_count; i++) {
			struct hist *hist = merged(run,
			    offsetof(struct worker, act) + (group->act_first + i) * sizeof(struct hist *));
			char name[256];

			snprintf(name, sizeof(name), "%s/%s", group->name, group->act[i].name);
			if (hist != NULL)
				json_object_set_new(out, name, hist_json(hist, run->profile->seconds));
			free(hist);
		}
	}
	return out;
}

static double busy_of(const struct bench_run *run, unsigned thread)
{
	const struct worker *worker = run->worker[thread];

	return (double)(worker->cpu_to_ns - worker->cpu_from_ns) / (run->profile->seconds * 1e9);
}

static void add_why(struct whys *whys, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_why(struct whys *whys, const char *format, ...)
{
	va_list args;

	if (whys->count == WHY_MAX)
		return;
	va_start(args, format);
	vsnprintf(whys->text[whys->count++], WHY_BYTES, format, args);
	va_end(args);
}

static json_t *tool_json(const struct bench_run *run, struct whys *whys)
{
	json_t *busy = json_array();
	struct hist *start = merged(run, offsetof(struct worker, start_lag));
	struct hist *beats = merged(run, offsetof(struct worker, beat_lag));
	double most_ms = run->profile->lag_max_ms;
	json_t *out = json_object();

	for (unsigned i = 0; i < run->settings->threads; i++) {
		json_array_append_new(busy, json_real(busy_of(run, i)));
		if (busy_of(run, i) * 100 > RUN_BUSY_MAX_PERCENT)
			add_why(whys, "thread %u was busy for %.0f %% of the window, %d %% is the most", i,
			    busy_of(run, i) * 100, RUN_BUSY_MAX_PERCENT);
	}
	json_object_set_new(out, "threads", json_integer(run->settings->threads));
	json_object_set_new(out, "busy", busy);
	json_object_set_new(out, "lag_max_ms", json_real(most_ms));
	for (unsigned i = 0; i < 2; i++) {
		struct hist *hist = i == 0 ? start : beats;

		if (hist == NULL)
			continue;
		double p99_ms = (double)hist_quantile(hist, 990000) / 1e6;

		if (p99_ms > most_ms)
			add_why(whys, "the tool's own lag (%s) has a p99 of %.2f ms, %.2f ms is the most",
			    i == 0 ? "starts" : "beats", p99_ms, most_ms);
		json_object_set_new(out, i == 0 ? "start_lag" : "beat_lag", hist_json(hist, 0));
		free(hist);
	}
	return out;
}

/* The first core's name. */
static json_t *cpu_json(void)
{
	char line[512];
	FILE *file = fopen("/proc/cpuinfo", "re");
	json_t *name = NULL;

	while (file != NULL && name == NULL && fgets(line, sizeof(line), file) != NULL) {
		const char *colon = strchr(line, ':');

		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "model name", 10) == 0 && colon != NULL)
			name = json_string(colon + 2);
	}
	if (file != NULL)
		fclose(file);
	return name != NULL ? name : json_string("unknown");
}

static json_t *machine_json(void)
{
	struct utsname kernel;
	double load[1] = {0};
	json_t *out = json_object();

	if (uname(&kernel) != 0)
		snprintf(kernel.release, sizeof(kernel.release), "unknown");
	(void)!getloadavg(load, 1);
	json_object_set_new(out, "cpu", cpu_json());
	json_object_set_new(out, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_set_new(out, "kernel", json_string(kernel.release));
	json_object_set_new(out, "load", json_real(load[0]));
	json_object_set_new(
	    out, "memory_bytes", json_integer(sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)));
	return out;
}

static json_t *profile_json(const struct bench_run *run, const char *path)
{
	const struct profile *profile = run->profile;
	json_t *groups = json_array();
	const char *slash = strrchr(path, '/');
	json_t *out = json_object();

	for (unsigned i = 0; i < profile->groups_count; i++) {
		const struct profile_group *group = &profile->group[i];

		json_array_append_new(groups,
		    json_pack("{s:s, s:i, s:s, s:b, s:b, s:f, s:i, s:i}", "name", group->name, "clients",
		        (int)group->clients, "tls",
		        group->tls == PROFILE_TLS_NONE ? "none" : group->tls == PROFILE_TLS_FULL ? "full" : "resumed",
		        "connection_each", (int)group->each, "closed", (int)group->closed, "rate", group->rate, "messages",
		        (int)group->messages, "size", (int)group->size_bytes));
	}
	json_object_set_new(out, "name", json_string(slash != NULL ? slash + 1 : path));
	json_object_set_new(out, "about", json_string(profile->about));
	json_object_set_new(out, "seed", integer(profile->seed));
	json_object_set_new(out, "warmup_s", json_real(profile->warmup_s));
	json_object_set_new(out, "clients", json_integer(profile->clients));
	json_object_set_new(out, "groups", groups);
	return out;
}

static json_t *left_out_json(const struct bench_run *run)
{
	json_t *out = json_array();

	for (unsigned i = 0; i < run->profile->words_count; i++) {
		const struct profile_word *word = &run->profile->word[i];

		if ((run->left_out >> i & 1) != 0)
			json_array_append_new(out, json_pack("{s:s, s:s}", "word", word->text, "needs",
			                               op_capability_name(word->op->needs & ~run->can)));
	}
	return out;
}

static uint64_t sum_of(const struct bench_run *run, size_t offset)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < run->settings->threads; i++)
		sum += *(const uint64_t *)(const void *)((const char *)run->worker[i] + offset);
	return sum;
}

static bool is_late(const struct bench_run *run)
{
	return (double)run->look_late_ns * 100 > run->profile->seconds * 1e9 * RUN_LOOK_MAX_PERCENT;
}

static json_t *cost_json(const struct bench_run *run)
{
	const struct cost *from = &run->cost_from;
	const struct cost *to = &run->cost_to;
	uint64_t done = sum_of(run, offsetof(struct worker, done_count));

	if (!run->has_cost || is_late(run))
		return json_null();
	json_t *out = json_object();

	json_object_set_new(out, "commands", integer(done));
	json_object_set_new(out, "cpu_ns", integer(to->cpu_ns - from->cpu_ns));
	json_object_set_new(out, "cpu_ns_per_command",
	    done > 0 ? json_real((double)(to->cpu_ns - from->cpu_ns) / (double)done) : json_null());
	json_object_set_new(out, "cpu_share",
	    json_real((double)(to->cpu_ns - from->cpu_ns) / (run->profile->seconds * 1e9)));
	json_object_set_new(out, "written_bytes", integer(to->written_bytes - from->written_bytes));
	json_object_set_new(out, "minor_faults", integer(to->minor_faults - from->minor_faults));
	json_object_set_new(out, "major_faults", integer(to->major_faults - from->major_faults));
	json_object_set_new(out, "pss_bytes_before", integer(run->cost_idle.pss_bytes));
	json_object_set_new(out, "pss_bytes_begun", integer(from->pss_bytes));
	json_object_set_new(out, "kernel_bytes_before", integer(run->cost_idle.kernel_bytes));
	json_object_set_new(out, "kernel_bytes_begun", integer(from->kernel_bytes));
	json_object_set_new(out, "pss_bytes_end", integer(run->cost_end.pss_bytes));
	json_object_set_new(out, "kernel_bytes_end", integer(run->cost_end.kernel_bytes));
	json_object_set_new(out, "processes", json_integer(to->processes));
	return out;
}

static json_t *verdict_json(
    const struct bench_run *run, const struct whys *whys, enum result_verdict verdict)
{
	json_t *why = json_array();

	if (verdict == RESULT_VOID)
		json_array_append_new(why, json_string(run->why));
	for (unsigned i = 0; i < whys->count; i++)
		json_array_append_new(why, json_string(whys->text[i]));
	return json_pack("{s:b, s:s, s:o}", "good", verdict == RESULT_GOOD, "is",
	    verdict == RESULT_GOOD      ? "good"
	    : verdict == RESULT_LIMITED ? "the tool was the limit"
	                                : "void",
	    "why", why);
}

static void set_figures(json_t *out, const struct bench_run *run, enum result_verdict verdict)
{
	json_object_set_new(out, "left_out", left_out_json(run));
	json_object_set_new(out, "behind", integer(sum_of(run, offsetof(struct worker, behind_count))));
	json_object_set_new(out, "begin_s", json_real(run->begin_s));
	json_object_set_new(out, "commands", verdict == RESULT_GOOD ? commands_json(run) : json_null());
	json_object_set_new(out, "acts", verdict == RESULT_GOOD ? acts_json(run) : json_null());
	json_object_set_new(out, "cost", verdict != RESULT_VOID ? cost_json(run) : json_null());
}

enum rp_err result_write(const struct bench_run *run, const struct result_told *told, FILE *file,
    enum result_verdict *verdict)
{
	struct whys whys = {.count = 0};
	json_t *server = told->server != NULL ? json_loads(told->server, 0, NULL) : json_null();
	json_t *out = json_object();

	if (server == NULL || out == NULL) {
		json_decref(server);
		json_decref(out);
		return out == NULL ? RP_ERR_NOMEM : RP_ERR_SYNTAX;
	}
	json_t *tool = tool_json(run, &whys);

	if (run->has_cost && is_late(run))
		add_why(&whys, "the costs were read %.0f ms late, %d %% of the window is the most",
		    (double)run->look_late_ns / 1e6, RUN_LOOK_MAX_PERCENT);

	*verdict = run->why[0] != '\0' ? RESULT_VOID : whys.count > 0 ? RESULT_LIMITED : RESULT_GOOD;
	json_object_set_new(out, "format", json_integer(RESULT_FORMAT));
	json_object_set_new(out, "verdict", verdict_json(run, &whys, *verdict));
	json_object_set_new(out, "loop", json_string(run->profile->closed ? "closed" : "open"));
	json_object_set_new(out, "label", told->label != NULL ? json_string(told->label) : json_null());
	json_object_set_new(out, "commit", json_string(told->commit));
	json_object_set_new(out, "server", server);
	json_object_set_new(out, "machine", machine_json());
	json_object_set_new(out, "profile", profile_json(run, told->profile_path));
	json_object_set_new(out, "window_s", json_real(run->profile->seconds));
	json_object_set_new(out, "from_ns", integer(run->from_wall_ns));
	json_object_set_new(out, "tool", tool);
	set_figures(out, run, *verdict);
	int failed = json_dumpf(out, file, JSON_COMPACT | JSON_REAL_PRECISION(6));

	json_decref(out);
	return failed != 0 || fputc('\n', file) == EOF || fflush(file) != 0 ? RP_ERR_IO : RP_OK;
}
