/* check: look whether users' mail is sound; repair: make anew what is not. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/auth/userdb.h"
#include "core/auth/userfile.h"
#include "core/cli/cli.h"
#include "core/cli/cli_config.h"
#include "core/cli/cli_text.h"
#include "core/cli/control.h"
#include "core/cli/exit_code.h"
#include "core/cli/offline.h"
#include "index/repair/repair.h"
#include "index/repair/store_look.h"

struct check_user {
	char name[AUTH_NAME_BYTES_MAX + 1];
	struct userid userid;
};

struct check {
	const struct config *config;
	const char *only; /* the one asked for; NULL: all of the passwd-file */
	bool rebuild;
	bool restored; /* from a backup */
	bool json;
	struct check_user *user; /* read before anything else: without a server we become DATA's owner, who may not */
	size_t users_count;
	size_t users_max;
	struct control *control; /* of a running server; else: */
	struct task *task;
	struct store *store;
	const char *current; /* the name of whom is looked at */
	uint64_t checked_count;
	uint64_t damaged_count;
	uint64_t places_damaged; /* in what is no user's own */
	bool gone; /* the server, meanwhile */
	int code;
};

static void print_json(json_t *line)
{
	json_dumpf(line, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(line);
}

/* What was found of the user who is looked at. */
static void say_offline(void *arg, struct bytes line)
{
	const struct check *check = arg;

	if (check->json)
		print_json(json_pack("{s:s, s:s%}", "user", check->current, "line", (const char *)line.p, line.n));
	else
		printf("%s: %.*s\n", check->current, BYTES_FMT(line));
}

static void say_control(void *arg, const json_t *line)
{
	const char *text = json_string_value(json_object_get(line, "line"));

	if (text != NULL)
		say_offline(arg, bytes_of_str(text));
}

/* The worst of what was seen is what the command ends with. */
static void count(struct check *check, const char *user, enum rp_err err)
{
	if (err == RP_ERR_NOTFOUND && check->only == NULL)
		err = RP_OK; /* a user without mail */
	int code = exit_code_of(err);

	check->checked_count++;
	check->damaged_count += code == EXIT_CODE_DAMAGE;
	if (check->json)
		print_json(json_pack("{s:s, s:i}", "user", user, "code", code));
	else if (code == EXIT_CODE_OK)
		printf("%s: %s\n", user, check->rebuild ? "made anew" : "sound");
	if (code != EXIT_CODE_OK && code != EXIT_CODE_DAMAGE)
		fprintf(stderr, "ringpost: %s: %s\n", user,
			err == RP_ERR_NOTFOUND ? "there is no such user" : cli_text_of(err));
	if (code != EXIT_CODE_OK && check->code != EXIT_CODE_DAMAGE)
		check->code = code;
}

static void check_by_control(struct check *check, const struct check_user *user)
{
	json_t *answer;
	enum rp_err err = control_ask(check->control,
		json_pack("{s:s, s:s, s:b}", "cmd", check->rebuild ? "repair" : "check", "user", user->name, "restored",
			check->restored),
		bytes_of(NULL, 0), say_control, check, &answer);

	if (err != RP_OK) {
		fprintf(stderr, "ringpost: the server has gone: %s\n", cli_text_of(err));
		check->code = EXIT_CODE_UNAVAILABLE;
		check->gone = true;
		return;
	}
	if (json_integer_value(json_object_get(answer, "code")) != EXIT_CODE_OK)
		err = cli_text_err(json_string_value(json_object_get(answer, "reason")));
	count(check, user->name, err);
	json_decref(answer);
}

static void check_offline(struct check *check, const struct check_user *user)
{
	struct repair_report report = { 0 };
	enum rp_err err = (check->restored ? repair_restored : check->rebuild ? repair_rebuild : repair_check)(
		check->task, check->store, &user->userid, say_offline, check, &report);

	if (err == RP_OK && repair_found_damage(&report))
		err = RP_ERR_CORRUPT;
	count(check, user->name, err);
}

/* DATA/store and the commit logs: while a server runs it writes to them. */
static void check_store(struct check *check)
{
	check->current = "DATA";
	enum rp_err err = store_look(check->task, check->store, say_offline, check, &check->places_damaged);

	if (err == RP_OK)
		return;
	fprintf(stderr, "ringpost: %s: %s\n", check->config->data, cli_text_of(err));
	check->code = exit_code_of(err);
}

static int run(struct check *check)
{
	if (check->only == NULL && check->control == NULL)
		check_store(check);
	for (size_t i = 0; i < check->users_count && !check->gone; i++) {
		check->current = check->user[i].name;
		if (check->control != NULL)
			check_by_control(check, &check->user[i]);
		else
			check_offline(check, &check->user[i]);
	}
	if (!check->json && check->only == NULL)
		printf("%llu users, %llu with damage\n", (unsigned long long)check->checked_count,
			(unsigned long long)check->damaged_count);
	return check->damaged_count + check->places_damaged > 0 ? EXIT_CODE_DAMAGE : check->code;
}

/* ---- who ---- */

static struct check_user *add_user(struct check *check)
{
	if (check->users_count == check->users_max) {
		size_t max = check->users_max == 0 ? 64 : check->users_max * 2;
		struct check_user *grown = realloc(check->user, max * sizeof(*grown));

		if (grown == NULL)
			return NULL;
		check->user = grown;
		check->users_max = max;
	}
	struct check_user *user = &check->user[check->users_count++];

	*user = (struct check_user){ .name = "" };
	return user;
}

/* Every user of the passwd-file. Returns an exit code. */
static int list_all(struct check *check)
{
	struct userfile file;
	struct userdb_user found;
	struct check_user *user;
	const char *what;
	size_t line_number = 0;
	enum rp_err err = userfile_read(check->config->passwd, &file);

	if (err != RP_OK) {
		fprintf(stderr, "ringpost: %s: %s\n", check->config->passwd, cli_text_of(err));
		return EXIT_CODE_CONFIG;
	}
	for (struct bytes rest = bytes_of(file.p, file.n); rest.n > 0 && err == RP_OK;) {
		size_t lf = bytes_find(rest, 0, '\n');

		line_number++;
		enum rp_err parsed = userdb_parse_line(bytes_slice(rest, 0, lf), &found, &what);

		if (parsed == RP_ERR_SYNTAX && check->code == EXIT_CODE_OK) {
			/* The first one: a file that is something else has many. */
			fprintf(stderr, "ringpost: %s:%zu: %s\n", check->config->passwd, line_number, what);
			check->code = EXIT_CODE_CONFIG;
		} else if (parsed == RP_OK) {
			user = add_user(check);
			if (user == NULL) {
				err = RP_ERR_NOMEM;
			} else {
				snprintf(user->name, sizeof(user->name), "%.*s", BYTES_FMT(found.name));
				memcpy(user->userid.b, found.userid.p, sizeof(user->userid.b));
			}
		}
		rest = bytes_from(rest, lf < rest.n ? lf + 1 : lf);
	}
	userfile_free(&file);
	return exit_code_of(err);
}

/* The server looks a name up by itself. Returns an exit code. */
static int list_one(struct check *check)
{
	struct check_user *user = add_user(check);

	if (user == NULL)
		return exit_code_of(RP_ERR_NOMEM);
	int n = snprintf(user->name, sizeof(user->name), "%s", check->only);

	if (n >= 0 && (size_t)n < sizeof(user->name))
		return check->control != NULL ? EXIT_CODE_OK : offline_user(check->config, check->only, &user->userid);
	fprintf(stderr, "ringpost: there is no user %s in %s\n", check->only, check->config->passwd);
	return EXIT_CODE_NO_USER;
}

static int run_offline(struct task *task, struct store *store, void *arg)
{
	struct check *check = arg;

	check->task = task;
	check->store = store;
	return run(check);
}

static int run_somewhere(struct check *check)
{
	enum rp_err err = control_open(check->config, &check->control);

	if (err != RP_OK && err != RP_ERR_NOTFOUND) {
		fprintf(stderr, "ringpost: the control socket of the running server: %s\n", cli_text_of(err));
		return exit_code_of(err);
	}
	bool online = err == RP_OK;

	if (!online)
		check->control = NULL;
	int code = check->only != NULL ? list_one(check) : list_all(check);

	if (code == EXIT_CODE_OK)
		code = online ? run(check)
			      : (check->rebuild ? offline_mend : offline_look)(check->config, run_offline, check);
	control_close(check->control);
	free(check->user);
	return code;
}

static int check_or_repair(int argc, char **argv, bool rebuild)
{
	static const struct option options[] = {
		{ "user", required_argument, NULL, 'u' },
		{ "json", no_argument, NULL, 'j' },
		{ "restored", no_argument, NULL, 'r' },
		{ 0 },
	};
	struct check check = { .rebuild = rebuild };
	const char *path = CLI_CONFIG_PATH;
	bool fine = true;
	int option;

	while (fine && (option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (option == 'c')
			path = optarg;
		else if (option == 'u')
			check.only = optarg;
		else if (option == 'j')
			check.json = true;
		else if (option == 'r' && rebuild)
			check.restored = true;
		else
			fine = false;
	}
	if (!fine || optind != argc || (rebuild && check.only == NULL))
		return cli_usage(rebuild ? "repair" : "check");
	struct config *config = cli_config_load(path);

	if (config == NULL)
		return EXIT_CODE_CONFIG;
	check.config = config;
	int code = run_somewhere(&check);

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
