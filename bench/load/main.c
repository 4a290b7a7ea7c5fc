/* ringpost-bench: one profile of load against one server, one result. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/load/bench_run.h"
#include "bench/load/die.h"
#include "bench/load/op.h"
#include "bench/load/result.h"

enum { SECONDS_MAX = 36000, PASSWORD_BYTES = 256 };

struct options {
	struct run_settings run;
	struct result_told told;
	const char *out;
	double seconds; /* 0: as the profile says */
	double warmup;  /* below 0: likewise */
	unsigned messages_max;
	unsigned clients; /* of the first group; 0: as the profile says */
	char password[PASSWORD_BYTES];
};

static const char usage_text[] =
    "usage: ringpost-bench run PROFILE --users PREFIX:COUNT --password-file FILE\n"
    "           [--imap HOST:PORT] [--imaps HOST:PORT] [--lmtp HOST:PORT] [--domain NAME]\n"
    "           [--server-pid PID]... [--server JSON] [--threads N] [--seconds S] [--warmup S]\n"
    "           [--messages-max N] [--clients N] [--commit TEXT] [--label TEXT] [--out FILE]\n"
    "       ringpost-bench words       the words that profiles consist of\n"
    "       ringpost-bench check PROFILE...\n"
    "--server-pid   what the server runs as: it and all below it are accounted\n"
    "--server       what it is, for the result: {\"name\": ..., \"version\": ..., \"durability\": ...}\n"
    "--messages-max no mailbox has more messages than so many beforehand\n"
    "--clients      of the profile's first group\n"
    "--out          the result, as JSON; standard output by default\n"
    "exit code      0: good; 1: it could not be run; 2: wrong arguments;\n"
    "               3: the tool was the limit; 4: void, as an answer was wrong\n";

static void usage(void)
{
	fputs(usage_text, stderr);
	exit(2);
}

static uint64_t number_of(const char *text, uint64_t most)
{
	uint64_t number;

	if (!bytes_to_u64(bytes_of_str(text), most, &number) || number == 0)
		die("%s is not a number from 1 to %llu", text, (unsigned long long)most);
	return number;
}

static double seconds_of(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (*end != '\0' || end == text || !(seconds >= 0) || seconds > SECONDS_MAX)
		die("%s is no number of seconds", text);
	return seconds;
}

static struct net_address address_of(const char *text)
{
	char host[256];
	const char *colon = strrchr(text, ':');
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	struct net_address address = {0};

	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		die("%s is not HOST:PORT", text);
	bool bracket = text[0] == '[' && colon[-1] == ']';

	snprintf(host, sizeof(host), "%.*s", (int)(colon - text) - (bracket ? 2 : 0), text + (bracket ? 1 : 0));
	int failed = getaddrinfo(host, colon + 1, &hints, &found);

	if (failed != 0)
		die("%s: %s", text, gai_strerror(failed));
	const struct sockaddr_in *v4 = (const void *)found->ai_addr;
	const struct sockaddr_in6 *v6 = (const void *)found->ai_addr;

	if (found->ai_family == AF_INET) {
		address.ip[10] = address.ip[11] = 0xff;
		memcpy(address.ip + 12, &v4->sin_addr, 4);
		address.port = ntohs(v4->sin_port);
	} else {
		memcpy(address.ip, &v6->sin6_addr, 16);
		address.port = ntohs(v6->sin6_port);
	}
	freeaddrinfo(found);
	return address;
}

/* The file's first line. */
static void read_password(struct options *options, const char *path)
{
	FILE *file = fopen(path, "re");

	if (file == NULL)
		die("%s: %s", path, strerror(errno));
	if (fgets(options->password, sizeof(options->password), file) == NULL)
		die("%s is empty", path);
	fclose(file);
	options->password[strcspn(options->password, "\r\n")] = '\0';
	if (options->password[0] == '\0' || strpbrk(options->password, "\"\\") != NULL)
		die("%s: a password of at least one letter, without quotes and backslashes, is needed", path);
	options->run.password = options->password;
}

static void set_users(struct run_settings *run, char *text)
{
	char *colon = strrchr(text, ':');

	if (colon == NULL || colon == text || colon - text > 32)
		die("%s is not PREFIX:COUNT", text);
	*colon = '\0';
	run->users = text;
	run->users_count = (unsigned)number_of(colon + 1, 10 * 1000 * 1000);
}

static void set_option(struct options *options, int option)
{
	struct run_settings *run = &options->run;

	switch (option) {
	case 'i':
		run->imap = address_of(optarg);
		break;
	case 's':
		run->imaps = address_of(optarg);
		break;
	case 'l':
		run->lmtp = address_of(optarg);
		break;
	case 'd':
		run->domain = optarg;
		break;
	case 'u':
		set_users(run, optarg);
		break;
	case 'p':
		read_password(options, optarg);
		break;
	case 'P':
		if (run->pids_count == RUN_PIDS_MAX)
			die("more than %d processes", RUN_PIDS_MAX);
		run->pid[run->pids_count++] = (pid_t)number_of(optarg, 1 << 30);
		break;
	case 'j':
		options->told.server = optarg;
		break;
	case 't':
		run->threads = (unsigned)number_of(optarg, RUN_THREADS_MAX);
		break;
	case 'S':
		options->seconds = seconds_of(optarg);
		break;
	case 'w':
		options->warmup = seconds_of(optarg);
		break;
	case 'm':
		options->messages_max = (unsigned)number_of(optarg, UINT32_MAX);
		break;
	case 'n':
		options->clients = (unsigned)number_of(optarg, PROFILE_CLIENTS_MAX);
		break;
	case 'c':
		options->told.commit = optarg;
		break;
	case 'L':
		options->told.label = optarg;
		break;
	case 'o':
		options->out = optarg;
		break;
	default:
		usage();
	}
}

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {{"imap", required_argument, NULL, 'i'},
	    {"imaps", required_argument, NULL, 's'}, {"lmtp", required_argument, NULL, 'l'},
	    {"domain", required_argument, NULL, 'd'}, {"users", required_argument, NULL, 'u'},
	    {"password-file", required_argument, NULL, 'p'}, {"server-pid", required_argument, NULL, 'P'},
	    {"server", required_argument, NULL, 'j'}, {"threads", required_argument, NULL, 't'},
	    {"seconds", required_argument, NULL, 'S'}, {"warmup", required_argument, NULL, 'w'},
	    {"messages-max", required_argument, NULL, 'm'}, {"clients", required_argument, NULL, 'n'},
	    {"commit", required_argument, NULL, 'c'}, {"label", required_argument, NULL, 'L'},
	    {"out", required_argument, NULL, 'o'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		set_option(options, option);
	if (optind != argc - 1 || options->run.users == NULL || options->run.password == NULL)
		usage();
	options->told.profile_path = argv[optind];
}

/* What the profile asks for that was not given. */
static void check_settings(const struct profile *profile, const struct run_settings *run)
{
	if (profile->users_from + profile->users > run->users_count)
		die("the profile needs users %u to %u, --users says %u", profile->users_from,
		    profile->users_from + profile->users - 1, run->users_count);
	for (unsigned i = 0; i < profile->groups_count; i++) {
		const struct profile_group *group = &profile->group[i];
		bool tls = group->tls != PROFILE_TLS_NONE;

		if (group->lmtp ? run->lmtp.port == 0 : tls ? run->imaps.port == 0 : run->imap.port == 0)
			die("group %s needs --%s", group->name, group->lmtp ? "lmtp" : tls ? "imaps" : "imap");
	}
}

static int run_profile(int argc, char **argv)
{
	static struct options options = {.told.commit = "", .warmup = -1, .run.domain = "example.org"};
	static struct profile profile;
	static struct bench_run run;
	char text[PROFILE_TEXT_BYTES];
	struct rlimit files;
	enum result_verdict verdict;

	parse_options(argc, argv, &options);
	if (options.run.threads == 0)
		options.run.threads = sysconf(_SC_NPROCESSORS_ONLN) >= 4 ? (unsigned)sysconf(_SC_NPROCESSORS_ONLN) / 2 : 1;
	if (profile_read(options.told.profile_path, &profile, text) != RP_OK)
		die("%s", text);
	if (options.messages_max > 0)
		profile_bound_messages(&profile, options.messages_max);
	if (options.clients > 0 && !profile_set_clients(&profile, options.clients))
		die("%u clients are too many", options.clients);
	if (options.seconds > 0)
		profile.seconds = options.seconds;
	if (options.warmup >= 0)
		profile.warmup_s = options.warmup;
	check_settings(&profile, &options.run);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	FILE *out = options.out != NULL ? fopen(options.out, "we") : stdout;

	if (out == NULL)
		die("%s: %s", options.out, strerror(errno));
	(void)run_make(&run, &options.run, &profile);
	enum rp_err err = result_write(&run, &options.told, out, &verdict);

	if (err != RP_OK)
		die("the result cannot be written: %s", err_name(err));
	if (run.why[0] != '\0')
		fprintf(stderr, "%s: void: %s\n", program_invocation_short_name, run.why);
	run_fini(&run);
	profile_fini(&profile);
	if (out != stdout)
		fclose(out);
	return verdict;
}

static int list_words(void)
{
	for (size_t i = 0; i < op_table_count; i++)
		printf("%s%s\n        %s%s%s\n", op_table[i].name, (op_table[i].traits & OP_NUMBER) != 0 ? " N" : "",
		    op_table[i].about, op_table[i].needs != 0 ? "; needs " : "", op_capability_name(op_table[i].needs));
	return 0;
}

static int check_profiles(int argc, char **argv)
{
	static struct profile profile;
	char text[PROFILE_TEXT_BYTES];
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		if (profile_read(argv[i], &profile, text) == RP_OK) {
			printf("%s: %u clients, users %u to %u, %g s\n", argv[i], profile.clients,
			    profile.users_from, profile.users_from + profile.users - 1,
			    profile.warmup_s + profile.seconds);
			profile_fini(&profile);
		} else {
			fprintf(stderr, "%s\n", text);
			failed = 1;
		}
	}
	return failed;
}

int main(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "run") == 0)
		return run_profile(argc - 1, argv + 1);
	if (argc == 2 && strcmp(argv[1], "words") == 0)
		return list_words();
	if (argc >= 3 && strcmp(argv[1], "check") == 0)
		return check_profiles(argc - 1, argv + 1);
	usage();
	return 2;
}
