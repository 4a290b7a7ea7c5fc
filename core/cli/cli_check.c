/* check: look whether users' mail is sound; repair: make anew what is not. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/auth/userdb.h"
#include "core/auth/userfile.h"
#include "core/cli/cli.h"
#include "core/cli/cli_config.h"
#include "core/cli/control.h"
#include "core/cli/exit_code.h"
#include "core/cli/offline.h"
#include "index/repair.h"

struct check {
	const struct config *config;
	const char *user; /* NULL: all of the passwd-file */
	bool rebuild;
	bool json;
	struct control *control; /* of a running server; else: */
	struct task *task;
	struct store *store;
	uint64_t users_count;
	uint64_t damaged_count;
	int code;
};

static void print_line(const char *user, struct bytes line)
{
	printf("%s: %.*s\n", user, BYTES_FMT(line));
}

static void say_offline(void *arg, struct bytes line)
{
	print_line(arg, line);
}

static void say_control(void *arg, const json_t *line)
{
	const char *text = json_string_value(json_object_get(line, "line"));

	if (text != NULL)
		print_line(arg, bytes_of_str(text));
}

/* The worst of what was seen is what the command ends with. */
static void count(struct check *check, const char *user, int code)
{
	if (code == EXIT_CODE_NO_USER && check->user == NULL)
		code = EXIT_CODE_OK; /* a user without mail */
	check->users_count++;
	check->damaged_count += code == EXIT_CODE_DAMAGE;
	if (check->json)
		printf("{\"user\":\"%s\",\"code\":%d}\n", user, code);
	else if (code == EXIT_CODE_OK)
		printf("%s: %s\n", user, check->rebuild ? "made anew" : "sound");
	if (code != EXIT_CODE_OK && check->code != EXIT_CODE_DAMAGE)
		check->code = code;
}

static void check_by_control(struct check *check, const char *user)
{
	json_t *answer;
	enum rp_err err = control_ask(check->control,
		json_pack("{s:s, s:s}", "cmd", check->rebuild ? "repair" : "check", "user", user), bytes_of(NULL, 0),
		say_control, (void *)(uintptr_t)user, &answer);

	if (err != RP_OK) {
		fprintf(stderr, "ringpost: the server has gone: %s\n", err_name(err));
		check->code = EXIT_CODE_UNAVAILABLE;
		return;
	}
	count(check, user, (int)json_integer_value(json_object_get(answer, "code")));
	json_decref(answer);
}

static void check_offline(struct check *check, const char *user)
{
	struct userid userid;
	struct repair_report report = { 0 };
	enum rp_err err = offline_user(check->config, user, &userid);

	if (err == RP_OK && check->rebuild)
		err = repair_rebuild(check->task, check->store, &userid, say_offline, (void *)(uintptr_t)user, &report);
	else if (err == RP_OK)
		err = repair_check(check->task, check->store, &userid, say_offline, (void *)(uintptr_t)user, &report);
	if (err == RP_OK && repair_found_damage(&report))
		err = RP_ERR_CORRUPT;
	count(check, user, exit_code_of(err));
}

static void check_one(struct check *check, const char *user)
{
	if (check->control != NULL)
		check_by_control(check, user);
	else
		check_offline(check, user);
}

/* Every user of the passwd-file. */
static void check_all(struct check *check)
{
	struct userfile file;
	enum rp_err err = userfile_read(check->config->passwd, &file);
	struct bytes rest;

	if (err != RP_OK) {
		fprintf(stderr, "ringpost: %s: %s\n", check->config->passwd, err_name(err));
		check->code = EXIT_CODE_CONFIG;
		return;
	}
	rest = bytes_of(file.p, file.n);
	while (rest.n > 0 && check->code != EXIT_CODE_UNAVAILABLE) {
		size_t lf = bytes_find(rest, 0, '\n');
		struct userdb_user user;
		const char *what;
		char name[AUTH_NAME_BYTES_MAX + 1];

		if (userdb_parse_line(bytes_slice(rest, 0, lf), &user, &what) == RP_OK) {
			snprintf(name, sizeof(name), "%.*s", BYTES_FMT(user.name));
			check_one(check, name);
		}
		rest = bytes_from(rest, lf < rest.n ? lf + 1 : lf);
	}
	userfile_free(&file);
}

static int run(struct check *check)
{
	if (check->user != NULL)
		check_one(check, check->user);
	else
		check_all(check);
	if (!check->json && check->user == NULL)
		printf("%llu users, %llu with damage\n", (unsigned long long)check->users_count,
			(unsigned long long)check->damaged_count);
	return check->damaged_count > 0 ? EXIT_CODE_DAMAGE : check->code;
}

static int run_offline(struct task *task, struct store *store, void *arg)
{
	struct check *check = arg;

	check->task = task;
	check->store = store;
	return run(check);
}

static int check_or_repair(int argc, char **argv, bool rebuild)
{
	static const struct option options[] = {
		{ "user", required_argument, NULL, 'u' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	struct check check = { .rebuild = rebuild };
	const char *path = CLI_CONFIG_PATH;
	int option;
	int code;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (option == 'c')
			path = optarg;
		else if (option == 'u')
			check.user = optarg;
		else if (option == 'j')
			check.json = true;
		else
			optind = argc + 1;
	}
	if (optind != argc || (rebuild && check.user == NULL)) {
		fprintf(stderr, "usage: ringpost check [--user U] [--json] [-c FILE]\n"
				"       ringpost repair --user U [--json] [-c FILE]\n");
		return EXIT_CODE_USAGE;
	}
	struct config *config = cli_config_load(path);

	if (config == NULL)
		return EXIT_CODE_CONFIG;
	check.config = config;
	enum rp_err err = control_open(config, &check.control);

	if (err == RP_OK) {
		code = run(&check);
		control_close(check.control);
	} else if (err == RP_ERR_NOTFOUND) {
		check.control = NULL;
		code = offline_run(config, run_offline, &check);
	} else {
		fprintf(stderr, "ringpost: the control socket of the running server: %s\n", err_name(err));
		code = exit_code_of(err);
	}
	config_free(config);
	return code;
}

int cli_check(int argc, char **argv)
{
	return check_or_repair(argc, argv, false);
}

int cli_repair(int argc, char **argv)
{
	return check_or_repair(argc, argv, true);
}
