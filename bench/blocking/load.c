/* ringpost-bench-blocking: make the figures of core/DESIGN.md, section 10, against a running server. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/load/die.h"
#include "bench/blocking/work.h"
#include "io/base/bytes.h"

static const struct {
	const char *name;
	void (*run)(struct work *work);
	bool named_only;
} works[] = {
    {"probe", work_probe},
    {"idle",
        work_idle}, /* early: memory that other work left behind would be used again, and hide the cost */
    {"fill", work_fill, true},
    {"noop", work_noop},
    {"select", work_select},
    {"fetch-flags", work_fetch},
    {"large", work_large},
    {"names", work_names},
    {"lmtp", work_lmtp},
    {"many", work_many, true},
    {"flat", work_flat, true},
    {"leave", work_leave, true},
};

enum {
	WORK_FILL = 2, /* asked for by --fill, not by name */
	WORKS_COUNT = sizeof(works) / sizeof(works[0]),
};

static void usage(void)
{
	fprintf(stderr, "usage: ringpost-bench-blocking --imap HOST:PORT --imaps HOST:PORT --lmtp HOST:PORT "
	                "--user U --password-file F\n"
	                "           [--server-pid PID] [--mailbox M] [--users PREFIX:COUNT] "
	                "[--connections N] [--seconds S]\n"
	                "           [--fill N] [--data DIR] [--rounds N] [--keep N] [--commit "
	                "TEXT] [--json] [probe] [idle] [noop] "
	                "[select] [fetch-flags] [large] [names] [lmtp] [many] [flat] [leave]\n"
	                "--server-pid   the supervisor (what `ringpost serve` runs as); CPU and "
	                "memory are its and its children's\n"
	                "--mailbox      the large one, INBOX by default\n"
	                "--fill         first APPEND so many small messages to it\n"
	                "--users        PREFIX0 to PREFIX(COUNT-1), all with the same password: "
	                "who gets mail and who idles;\n"
	                "               load:64 by default\n"
	                "--data         flat: the server's folder\n"
	                "--rounds       flat: messages delivered and expunged, 1000000 by default\n"
	                "--keep         flat: messages that each mailbox has all the time, 1000 by "
	                "default\n");
	exit(2);
}

/* The file's first line. */
static void read_password(struct work *work, const char *path)
{
	FILE *file = fopen(path, "re");

	if (file == NULL)
		die("%s: %s", path, strerror(errno));
	if (fgets(work->password, sizeof(work->password), file) == NULL)
		die("%s is empty", path);
	fclose(file);
	work->password[strcspn(work->password, "\r\n")] = '\0';
	if (work->password[0] == '\0' || strpbrk(work->password, "\"\\") != NULL)
		die("%s: a password of at least one letter, without quotes and backslashes, is "
		    "needed",
		    path);
}

static unsigned number_of(const char *text, unsigned max)
{
	uint64_t number;

	if (!bytes_to_u64(bytes_of_str(text), max, &number) || number == 0)
		die("%s is not a number from 1 to %u", text, max);
	return (unsigned)number;
}

static void set_users(struct work *work, char *text)
{
	char *colon = strrchr(text, ':');

	if (colon == NULL || colon == text || colon - text > 32)
		die("%s is not PREFIX:COUNT", text);
	*colon = '\0';
	work->users = text;
	work->users_count = number_of(colon + 1, 1000000);
}

static void parse_options(int argc, char **argv, struct work *work)
{
	static const struct option options[] = {{"imap", required_argument, NULL, 'i'},
	    {"imaps", required_argument, NULL, 's'}, {"lmtp", required_argument, NULL, 'l'},
	    {"user", required_argument, NULL, 'u'}, {"password-file", required_argument, NULL, 'p'},
	    {"server-pid", required_argument, NULL, 'P'}, {"mailbox", required_argument, NULL, 'm'},
	    {"users", required_argument, NULL, 'U'}, {"connections", required_argument, NULL, 'n'},
	    {"seconds", required_argument, NULL, 'S'}, {"commit", required_argument, NULL, 'c'},
	    {"fill", required_argument, NULL, 'f'}, {"json", no_argument, NULL, 'j'},
	    {"data", required_argument, NULL, 'd'}, {"rounds", required_argument, NULL, 'r'},
	    {"keep", required_argument, NULL, 'k'}, {0}};
	const char *password_file = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'i':
			work->imap = optarg;
			break;
		case 's':
			work->imaps = optarg;
			break;
		case 'l':
			work->lmtp = optarg;
			break;
		case 'u':
			work->user = optarg;
			break;
		case 'p':
			password_file = optarg;
			break;
		case 'P':
			procs_find(&work->procs, (pid_t)number_of(optarg, 1U << 30));
			break;
		case 'm':
			work->mailbox = optarg;
			break;
		case 'U':
			set_users(work, optarg);
			break;
		case 'n':
			work->connections = number_of(optarg, 20000);
			break;
		case 'f':
			work->fill_count = number_of(optarg, 100000000);
			break;
		case 'S':
			work->seconds = number_of(optarg, 3600);
			break;
		case 'c':
			work->report.commit = optarg;
			break;
		case 'd':
			work->data = optarg;
			break;
		case 'r':
			work->messages_count = number_of(optarg, 1000000000);
			break;
		case 'k':
			work->kept_count = number_of(optarg, 100000);
			break;
		case 'j':
			work->report.json = true;
			break;
		default:
			usage();
		}
	}
	if (work->imap == NULL || work->imaps == NULL || work->lmtp == NULL || work->user == NULL ||
	    password_file == NULL)
		usage();
	read_password(work, password_file);
}

static size_t work_named(const char *name)
{
	for (size_t i = 0; i < WORKS_COUNT; i++)
		if (i != WORK_FILL && strcmp(works[i].name, name) == 0)
			return i;
	usage();
	return 0;
}

int main(int argc, char **argv)
{
	static struct work work = {
	    .mailbox = "INBOX",
	    .users = "load",
	    .users_count = 64,
	    .connections = 1000,
	    .seconds = 3,
	    .messages_count = 1000000,
	    .kept_count = 1000,
	    .report.commit = "",
	};
	bool wanted[WORKS_COUNT] = {false};
	struct rlimit files;

	parse_options(argc, argv, &work);
	for (int i = optind; i < argc; i++)
		wanted[work_named(argv[i])] = true;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	for (size_t i = 0; i < WORKS_COUNT; i++) {
		bool all = optind == argc && !works[i].named_only;

		if (i == WORK_FILL ? work.fill_count == 0 : !all && !wanted[i])
			continue;
		fprintf(stderr, "%s:\n", works[i].name);
		works[i].run(&work);
	}
	report_print(&work.report);
	return work.failed;
}
