/* What the commit log costs: records of 4 KiB as fast as they go, one small commit alone, and the CPU time of each.
 *
 *     bench_commit DIR [seconds [pinned]]   a folder on the disk to measure; what is made in it is left there;
 *                                           MiB of memory registered with the ring for the log (0: none)
 *
 * "settled" is the whole way: also into journals, with syncfs before a log file is used again. "log alone" stops at
 * durable, and so lasts only as long as the log has room.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "index/commit.h"
#include "index/journal.h"
#include "index/settle.h"
#include "io/base/clock.h"
#include "io/base/stat.h"

enum {
	USERS = 64,
	LATENCY_COUNT = 3000,
	LOG_BYTES = 64 * 1024 * 1024,
};

struct user {
	struct settle settle;
	struct userid userid;
	struct journal *journal;
	struct bench *bench;
};

struct bench {
	struct commit *commit;
	struct user users[USERS];
	struct loop *loop;
	uint64_t seconds;
	uint64_t until_ns;
	uint64_t appended;
	uint64_t bytes_max; /* of the log; 0: no bound */
	size_t payload_bytes;
	unsigned running;
	struct task_queue ended;
	uint8_t payload[64 * 1024];
};

static enum rp_err write_settled(struct task *task, struct settle *settle)
{
	struct user *user = RP_CONTAINER_OF(settle, struct user, settle);

	return settle_write(task, user->bench->commit, settle, user->journal, NULL);
}

static void must(enum rp_err err, const char *what)
{
	if (err != RP_OK)
		assert_panic("%s: %s", what, err_name(err));
}

/* CPU time of all threads of this process, kernel's part included. */
static uint64_t cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * CLOCK_NS_PER_S +
	    (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * CLOCK_NS_PER_US;
}

static uint64_t append(struct task *task, struct user *user, size_t n)
{
	struct commit *commit = user->bench->commit;
	struct record_header header = { .type = 6, .userid = user->userid, .payload_bytes = (uint32_t)n };
	uint64_t bytes = record_journal_bytes(&header);

	must(commit_reserve(task, commit, bytes), "reserve");
	journal_number(user->journal, bytes, &header.lsn, &header.place);
	return commit_append(commit, &user->settle, header, bytes_of(user->bench->payload, n),
	    bytes_of(NULL, 0), NULL);
}

static void session(struct task *task, void *arg)
{
	struct user *user = arg;
	struct bench *bench = user->bench;

	while (clock_monotonic_ns() < bench->until_ns &&
	    (bench->bytes_max == 0 || commit_position(bench->commit) < bench->bytes_max)) {
		uint64_t position = append(task, user, bench->payload_bytes);

		must(commit_wait(task, bench->commit, position), "wait");
		bench->appended++;
	}
	bench->running--;
	task_queue_wake_all(&bench->ended);
}

static void open_all(struct task *task, struct bench *bench)
{
	struct commit_settings settings = { .file_bytes = LOG_BYTES,
		.memory_bytes_max = 256 * 1024 * 1024, .epoch = 1 };

	must(commit_open(task, &settings, &bench->commit), "commit_open");
	for (unsigned i = 0; i < USERS; i++) {
		struct user *user = &bench->users[i];
		char dir[USERID_PATH_BYTES];

		user->bench = bench;
		user->userid.b[0] = (uint8_t)(i + 1);
		userid_path(&user->userid, dir);
		settle_init(&user->settle, write_settled);
		must(journal_open(task, dir, &user->userid, 1, &user->journal), "journal_open");
	}
}

static void close_all(struct task *task, struct bench *bench)
{
	must(commit_close(task, bench->commit), "commit_close");
	for (unsigned i = 0; i < USERS; i++) {
		settle_fini(&bench->users[i].settle);
		journal_close(bench->users[i].journal);
	}
}

static void measure_load(struct task *task, struct bench *bench, const char *name)
{
	struct commit_stats before;
	struct commit_stats after;

	bench->appended = 0;
	bench->until_ns = clock_monotonic_ns() + bench->seconds * CLOCK_NS_PER_S;
	commit_stats(bench->commit, &before);

	uint64_t from_ns = clock_monotonic_ns();
	uint64_t from_cpu_ns = cpu_ns();

	for (unsigned i = 0; i < USERS; i++) {
		must(task_start(bench->loop, session, &bench->users[i], NULL), "task_start");
		bench->running++;
	}
	while (bench->running > 0)
		(void)!task_queue_wait(task, &bench->ended);

	double wall_s = (double)(clock_monotonic_ns() - from_ns) / 1e9;
	double cpu_us = (double)(cpu_ns() - from_cpu_ns) / 1e3;

	commit_stats(bench->commit, &after);
	printf("%-34s %8.0f records/s  %6.2f us CPU each  %6.1f a write\n", name,
	    (double)bench->appended / wall_s, cpu_us / (double)bench->appended,
	    (double)(after.records - before.records) / (double)(after.writes - before.writes));
}

static void measure_latency(struct task *task, struct bench *bench)
{
	struct stat_hist hist = { 0 };
	uint64_t from_cpu_ns = cpu_ns();

	for (unsigned i = 0; i < LATENCY_COUNT; i++) {
		uint64_t from_ns = clock_monotonic_ns();
		uint64_t position = append(task, &bench->users[0], 64);

		must(commit_wait(task, bench->commit, position), "wait");
		stat_hist_add(&hist, clock_monotonic_ns() - from_ns);
	}
	printf("%-34s p50 %.1f us  p99 %.1f us  %6.2f us CPU each\n", "one commit alone",
	    (double)stat_hist_quantile(&hist, 500) / 1e3,
	    (double)stat_hist_quantile(&hist, 990) / 1e3,
	    (double)(cpu_ns() - from_cpu_ns) / 1e3 / LATENCY_COUNT);
}

/* The part of a change's breath: no disk, only the copy into the log's memory. */
static void measure_append(struct task *task, struct bench *bench, size_t n)
{
	enum { COUNT = 2000 };
	uint64_t spent_ns = 0;
	uint64_t position = 0;

	for (int round = 0; round < 10; round++) {
		uint64_t from_ns = clock_cpu_ns();

		for (unsigned i = 0; i < COUNT; i++)
			position = append(task, &bench->users[i % USERS], n);
		spent_ns += clock_cpu_ns() - from_ns;
		must(commit_wait(task, bench->commit, position), "wait");
	}
	printf("append of %5zu bytes                %8.0f ns\n", n, (double)spent_ns / (10 * COUNT));
}

static void run(struct task *task, void *arg)
{
	struct bench *bench = arg;

	open_all(task, bench);
	measure_append(task, bench, 64);
	measure_append(task, bench, 4096);
	measure_latency(task, bench);
	bench->payload_bytes = 4096 - sizeof(struct record_header);
	bench->bytes_max = commit_position(bench->commit) + 100 * 1024 * 1024;
	measure_load(task, bench, "4 KiB, 64 sessions, 100 MiB");
	bench->bytes_max = 0;
	measure_load(task, bench, "4 KiB, 64 sessions, settled");
	bench->payload_bytes = 16;
	measure_load(task, bench, "112 bytes, 64 sessions, settled");
	close_all(task, bench);
	loop_stop(bench->loop);
}

int main(int argc, char **argv)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct loop_settings settings = { 0 };
	const char *reason = "";

	if (argc < 2 || bench == NULL) {
		fprintf(stderr, "usage: bench_commit DIR [seconds [pinned MiB]]\n");
		return 2;
	}
	bench->seconds = argc > 2 ? strtoull(argv[2], NULL, 10) : 3;
	settings.pinned_bytes = (argc > 3 ? strtoull(argv[3], NULL, 10) : 8) * 1024 * 1024;
	task_queue_init(&bench->ended);
	mkdir(argv[1], 0700);

	int fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	for (unsigned i = 0; i < FILE_ROOT_COUNT; i++)
		settings.root_fd[i] = fd;
	if (loop_open(&settings, &bench->loop, &reason) != RP_OK) {
		fprintf(stderr, "%s\n", reason);
		return 1;
	}
	must(task_start(bench->loop, run, bench, NULL), "task_start");
	loop_run(bench->loop);
	loop_close(bench->loop);
	close(fd);
	free(bench);
	return 0;
}
