/* The storage, LMTP and sessions on a simulated machine, seed after seed: see README.md. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/shrink.h"

enum {
	JOBS_MAX = 64,
	SEEDS_TOGETHER = 8, /* in one process: what a crash leaves allocated goes with it */
	SEEDS_DEFAULT = 200,
	SEEDS_FOR_ALL = 1000, /* with so many, every state that must be met has to be met */
	SHRINKS_MAX = 3,
	MESSAGE_BYTES = 4096,
	REPLAYED_EACH = 16, /* one seed in so many runs twice, with the same digest */
};

struct options {
	uint64_t first;
	uint64_t count;
	uint64_t minutes;
	unsigned jobs;
	bool single;
	bool shrinks;
	bool stops; /* at the first seed that fails */
	struct plan plan;
};

/* A process at work; in shared memory. */
struct job {
	pid_t pid;
	uint64_t next; /* the seed that it does */
	uint64_t end;
};

struct sim_run {
	struct options options;
	struct job *job;
	FILE *said[JOBS_MAX]; /* what its process prints */
	struct tally *tally;
	uint64_t next;
	uint64_t passed;
	uint64_t failed;
	time_t until;
};

static void run_seed(const struct plan *plan, struct tally *tally)
{
	static struct tally again;
	uint64_t digest = machine_run(plan, tally);

	if (plan->seed % REPLAYED_EACH == 0 && machine_run(plan, &again) != digest)
		assert_panic("seed %llu does not replay", (unsigned long long)plan->seed);
}

static void add(struct tally *to, const struct tally *more)
{
	uint64_t *sum = (uint64_t *)to;
	const uint64_t *each = (const uint64_t *)more;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++)
		__atomic_fetch_add(&sum[i], each[i], __ATOMIC_RELAXED);
}

static void work(struct sim_run *run, struct job *job)
{
	for (; job->next < job->end; job->next++) {
		struct plan plan = run->options.plan;
		struct tally tally = {0};

		plan.seed = job->next;
		alarm(SHRINK_SEED_S);
		run_seed(&plan, &tally);
		add(run->tally, &tally);
	}
	exit(0); /* where memory that leaks is found */
}

static void start(struct sim_run *run, unsigned j)
{
	struct job *job = &run->job[j];
	pid_t pid;

	fflush(stdout);
	rewind(run->said[j]);
	MODEL_EQ(ftruncate(fileno(run->said[j]), 0), 0);
	pid = fork();
	MODEL_CHECK(pid >= 0);
	if (pid > 0) {
		job->pid = pid;
		return;
	}
	dup2(fileno(run->said[j]), STDOUT_FILENO);
	dup2(fileno(run->said[j]), STDERR_FILENO);
	work(run, job);
}

static bool is_over(const struct sim_run *run)
{
	if (run->options.stops && run->failed > 0)
		return true;
	if (run->options.minutes != 0)
		return time(NULL) >= run->until;
	return run->next >= run->options.first + run->options.count;
}

static void start_next(struct sim_run *run, unsigned j)
{
	struct job *job = &run->job[j];

	job->pid = 0;
	if (is_over(run))
		return;
	job->next = run->next;
	job->end = run->next + SEEDS_TOGETHER;
	if (run->options.minutes == 0 && job->end > run->options.first + run->options.count)
		job->end = run->options.first + run->options.count;
	run->next = job->end;
	start(run, j);
}

static void tell_failure(struct sim_run *run, unsigned j, int status)
{
	struct plan plan = run->options.plan;
	char text[MESSAGE_BYTES];
	size_t n;

	plan.seed = run->job[j].next;
	rewind(run->said[j]);
	n = fread(text, 1, sizeof(text), run->said[j]);
	printf("FAIL seed %llu (%s %d): %.*s\n", (unsigned long long)plan.seed,
	    WIFSIGNALED(status) ? "signal" : "exit",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (int)n, text);
	if (run->failed++ >= SHRINKS_MAX || !run->options.shrinks)
		return;
	shrink(&plan);
	shrink_tell(&plan);
}

/* One process has ended: on with the next seeds. */
static void reap(struct sim_run *run)
{
	int status = 0;
	pid_t pid = wait(&status);
	unsigned j = 0;

	MODEL_CHECK(pid > 0);
	while (j < run->options.jobs && run->job[j].pid != pid)
		j++;
	MODEL_CHECK(j < run->options.jobs);

	struct job *job = &run->job[j];

	if (status == 0) {
		start_next(run, j);
		return;
	}
	tell_failure(run, j, status);
	job->next++;
	if (job->next < job->end && !run->options.stops)
		start(run, j);
	else
		start_next(run, j);
}

static bool anybody(const struct sim_run *run)
{
	for (unsigned j = 0; j < run->options.jobs; j++)
		if (run->job[j].pid != 0)
			return true;
	return false;
}

static void print_tally(struct sim_run *run)
{
	const struct tally *tally = run->tally;

	printf("must be met:\n");
#define MUST(name, text)                                                                           \
	printf("%12llu %s\n", (unsigned long long)tally->name, text);                              \
	if (tally->name == 0 && tally->seeds >= SEEDS_FOR_ALL) {                                   \
		printf("FAIL never met: %s\n", text);                                              \
		run->failed++;                                                                     \
	}
	TALLY_MUST(MUST)
#undef MUST
	printf("and:\n");
#define MORE(name, text) printf("%12llu %s\n", (unsigned long long)tally->name, text);
	TALLY_MORE(MORE)
#undef MORE
}

static int run_all(struct sim_run *run)
{
	run->until = time(NULL) + (time_t)(60 * run->options.minutes);
	run->next = run->options.first;
	for (unsigned j = 0; j < run->options.jobs; j++) {
		run->said[j] = tmpfile();
		MODEL_CHECK(run->said[j] != NULL);
		start_next(run, j);
	}
	while (anybody(run))
		reap(run);
	run->passed = run->tally->seeds;
	print_tally(run);
	printf("%llu passed, %llu failed\n", (unsigned long long)run->passed,
	    (unsigned long long)run->failed);
	return run->failed != 0;
}

static int run_one(struct sim_run *run)
{
	uint64_t digest = machine_run(&run->options.plan, run->tally);

	printf("digest %016llx\n", (unsigned long long)digest);
	print_tally(run);
	return 0;
}

_Noreturn static void usage(void)
{
	fprintf(stderr, "usage: sim [--seeds FIRST-LAST] [--minutes N] [--jobs N] [--no-shrink] "
	                "[--stop] [--without FAULT]\n"
	                "       sim --seed N [--without FAULT] [--only FROM-TO,...] [--tell]\n"
	                "faults:");
	for (unsigned i = 0; i < PLAN_OFF_COUNT; i++)
		fprintf(stderr, " %s", plan_off_name[i]);
	fprintf(stderr, "\n");
	exit(64);
}

static void leave_out(struct plan *plan, const char *name)
{
	for (unsigned i = 0; i < PLAN_OFF_COUNT; i++) {
		if (strcmp(name, plan_off_name[i]) != 0)
			continue;
		plan->off |= 1u << i;
		return;
	}
	usage();
}

static void read_only_list(struct plan *plan, const char *text)
{
	plan->some = true;
	while (*text != 0) {
		struct plan_range *range = &plan->only[plan->only_count++];
		int n = 0;

		if (plan->only_count > PLAN_ONLY_MAX ||
		    sscanf(text, "%u-%u%n", &range->first, &range->last, &n) != 2)
			usage();
		text += n;
		text += *text == ',';
	}
}

static void read_options(struct options *options, int argc, char **argv)
{
	static const struct option names[] = {{"seeds", 1, NULL, 's'}, {"seed", 1, NULL, 'S'},
	    {"minutes", 1, NULL, 'm'}, {"jobs", 1, NULL, 'j'}, {"without", 1, NULL, 'w'},
	    {"only", 1, NULL, 'o'}, {"tell", 0, NULL, 't'}, {"no-shrink", 0, NULL, 'n'},
	    {"stop", 0, NULL, 'e'}, {NULL, 0, NULL, 0}};
	unsigned long long first;
	unsigned long long last;

	for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		switch (c) {
		case 's':
			if (sscanf(optarg, "%llu-%llu", &first, &last) != 2 || last < first)
				usage();
			options->first = first;
			options->count = last - first + 1;
			break;
		case 'S':
			options->plan.seed = strtoull(optarg, NULL, 10);
			options->single = true;
			break;
		case 'm':
			options->minutes = strtoull(optarg, NULL, 10);
			break;
		case 'j':
			options->jobs = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'w':
			leave_out(&options->plan, optarg);
			break;
		case 'o':
			read_only_list(&options->plan, optarg);
			break;
		case 't':
			options->plan.tells = true;
			break;
		case 'n':
			options->shrinks = false;
			break;
		case 'e':
			options->stops = true;
			break;
		default:
			usage();
		}
	}
	if (optind != argc || options->jobs == 0 || options->jobs > JOBS_MAX)
		usage();
}

static void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MODEL_CHECK(p != MAP_FAILED);
	return p;
}

int main(int argc, char **argv)
{
	static struct sim_run run;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	run.options = (struct options){.first = 1,
	    .count = SEEDS_DEFAULT,
	    .jobs = cores > 0 && cores < JOBS_MAX ? (unsigned)cores : 1,
	    .shrinks = true};
	read_options(&run.options, argc, argv);
	run.tally = shared(sizeof(*run.tally));
	run.job = shared(JOBS_MAX * sizeof(*run.job));
	return run.options.single ? run_one(&run) : run_all(&run);
}
