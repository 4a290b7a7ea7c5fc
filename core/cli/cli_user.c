/* user: add, change, delete, list users of the passwd-file; a running server knows at once. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "core/auth/password.h"
#include "core/auth/userdb.h"
#include "core/auth/userfile.h"
#include "core/cli/cli.h"
#include "core/cli/cli_config.h"
#include "core/cli/cli_text.h"
#include "core/cli/cli_user.h"
#include "core/cli/control.h"
#include "core/cli/exit_code.h"
#include "core/cli/offline.h"
#include "index/purge.h"

enum user_verb {
	USER_ADD,
	USER_PASSWD,
	USER_DEL,
	USER_INFO,
	USER_LIST,
	USER_VERBS
};

/* What the command line asks for. */
struct user_wish {
	enum user_verb verb;
	const char *name; /* NULL: list, or del --mail --id */
	bool json;
	bool mail;   /* del: the mail too */
	bool has_id; /* add, del --mail */
	struct auth_wire_userid userid;
};

/* A line of the passwd-file. */
struct user_line {
	char name[AUTH_NAME_BYTES_MAX + 1]; /* "": nobody's */
	struct auth_wire_userid userid;
};

/* One line of a terminal, unseen; else nothing is done. */
static size_t read_terminal(char *out, size_t size)
{
	struct termios before;
	struct termios silent;

	if (tcgetattr(STDIN_FILENO, &before) != 0)
		return 0;
	fprintf(stderr, "Password: ");
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	bool got = fgets(out, (int)size, stdin) != NULL;

	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	fprintf(stderr, "\n");
	return got ? strlen(out) : 0;
}

/* All of standard input, or a line of a terminal; without one line end at its end. */
static enum rp_err read_password(char *out, size_t size, size_t *n)
{
	*n = isatty(STDIN_FILENO) ? read_terminal(out, size) : fread(out, 1, size, stdin);
	if (*n == size)
		return RP_ERR_LIMIT;
	if (*n > 0 && out[*n - 1] == '\n')
		--*n;
	if (*n > 0 && out[*n - 1] == '\r')
		--*n;
	return *n > 0 && memchr(out, '\0', *n) == NULL ? RP_OK : RP_ERR_SYNTAX;
}

static enum rp_err make_hash(struct bytes password, char hash[PASSWORD_HASH_BYTES_MAX + 1])
{
	struct password_work *work = password_work_open();
	enum rp_err err = work != NULL ? password_make(work, password, 0, hash) : RP_ERR_NOMEM;

	password_work_close(work);
	return err;
}

/* The file belongs to whom its folder belongs to: the auth process runs as that user, or can read all. */
static int explain(const struct config *config, enum userfile_change change, const char *name, enum rp_err err,
    const struct userdb_fault *fault)
{
	switch (err) {
	case RP_OK:
		return EXIT_CODE_OK;
	case RP_ERR_EXISTS:
		fprintf(stderr, "ringpost: %s is there already; `ringpost user passwd` changes the password\n", name);
		return EXIT_CODE_EXISTS;
	case RP_ERR_NOTFOUND:
		if (change == USERFILE_ADD) {
			fprintf(stderr, "ringpost: %s: its folder is not there; nothing was changed\n", config->passwd);
			return EXIT_CODE_CONFIG;
		}
		fprintf(stderr, "ringpost: there is no user %s in %s\n", name, config->passwd);
		return EXIT_CODE_NO_USER;
	case RP_ERR_CORRUPT:
		fprintf(stderr, "ringpost: %s:%zu: %s; nothing was changed\n", config->passwd, fault->line, fault->what);
		return EXIT_CODE_CONFIG;
	default:
		fprintf(stderr, "ringpost: %s: %s; nothing was changed\n", config->passwd, cli_text_of(err));
		return exit_code_of(err);
	}
}

/* Tell a running server, and wait until all of it knows. */
static int tell_server(const struct config *config, struct bytes name)
{
	struct control *control;
	json_t *answer;
	enum rp_err err = control_open(config, &control);

	if (err == RP_ERR_NOTFOUND)
		return EXIT_CODE_OK; /* none runs: it will read the file when it starts */
	if (err == RP_OK)
		err = control_ask(control, json_pack("{s:s, s:s%}", "cmd", "users_changed", "user", (const char *)name.p, name.n), bytes_of(NULL, 0), NULL, NULL, &answer);
	else
		control = NULL;
	control_close(control);
	if (err != RP_OK) {
		fprintf(stderr, "ringpost: the file is changed, but the running server could not be told: %s\n", cli_text_of(err));
		return EXIT_CODE_UNAVAILABLE;
	}
	int code = control_code(answer);

	json_decref(answer);
	return code;
}

/* id: of the new user, NULL: one that nobody ever had. */
static int change_user(const struct config *config, enum userfile_change change, const char *name, struct bytes password,
    const struct auth_wire_userid *id)
{
	char hash[PASSWORD_HASH_BYTES_MAX + 1] = "";
	uint8_t room[AUTH_NAME_BYTES_MAX];
	struct bytes folded;
	struct auth_wire_userid userid = { 0 };
	struct userdb_fault fault = { 0 };
	enum rp_err err = RP_OK;

	if (auth_name_fold(bytes_of_str(name), room, &folded) != RP_OK) {
		fprintf(stderr, "ringpost: %s cannot be a login name\n", name);
		return EXIT_CODE_USAGE;
	}
	if (change != USERFILE_DEL)
		err = make_hash(password, hash);
	if (id != NULL)
		userid = *id;
	else if (err == RP_OK && change == USERFILE_ADD)
		err = userdb_id_draw(&userid);
	if (err == RP_OK)
		err = userfile_change(config->passwd, change, folded, bytes_of_str(hash), &userid, &fault);
	bytes_wipe(hash, sizeof(hash));
	if (err != RP_OK)
		return explain(config, change, name, err, &fault);
	return tell_server(config, folded);
}

int cli_user_change(const struct config *config, enum userfile_change change, const char *name, struct bytes password)
{
	return change_user(config, change, name, password, NULL);
}

/* ---- whose mail is whose ---- */

/* The passwd-file's line of this name, or (name NULL) of this id: copies. Returns an exit code; EXIT_CODE_NO_USER, and of nothing
 * else, without a line. */
static int find_line(const struct config *config, const char *name, struct user_line *line)
{
	struct userfile file;
	struct bytes rest;
	int code = EXIT_CODE_NO_USER;
	enum rp_err err = userfile_read(config->passwd, &file);

	if (err != RP_OK) {
		fprintf(stderr, "ringpost: %s: %s\n", config->passwd, cli_text_of(err));
		return EXIT_CODE_CONFIG;
	}
	rest = bytes_of(file.p, file.n);
	while (rest.n > 0 && code == EXIT_CODE_NO_USER) {
		size_t lf = bytes_find(rest, 0, '\n');
		struct userdb_user user;
		const char *what;

		if (userdb_parse_line(bytes_slice(rest, 0, lf), &user, &what) == RP_OK &&
		    (name != NULL ? bytes_eq_fold(user.name, bytes_of_str(name))
				  : memcmp(user.userid.p, line->userid.p, sizeof(line->userid.p)) == 0 &&
					    !bytes_eq(user.name, bytes_of_str(line->name)))) {
			snprintf(line->name, sizeof(line->name), "%.*s", BYTES_FMT(user.name));
			line->userid = user.userid;
			code = EXIT_CODE_OK;
		}
		rest = bytes_from(rest, lf < rest.n ? lf + 1 : lf);
	}
	userfile_free(&file);
	return code;
}

/* Has nobody but `line` this id? Otherwise it is told whose mail it is. */
static int check_alone(const struct config *config, const struct user_line *line)
{
	struct user_line other = *line;
	int code = find_line(config, NULL, &other);

	if (code == EXIT_CODE_NO_USER)
		return EXIT_CODE_OK;
	if (code == EXIT_CODE_OK) {
		fprintf(stderr, "ringpost: that mail is the user %s's; nothing was changed\n", other.name);
		code = EXIT_CODE_EXISTS;
	}
	return code;
}

static int purge_offline(struct task *task, struct store *store, void *arg)
{
	const struct user_line *line = arg;
	struct userid userid;

	memcpy(userid.b, line->userid.p, sizeof(userid.b));
	enum rp_err err = purge_user(task, store, &userid);

	if (err != RP_OK)
		fprintf(stderr, "ringpost: the mail is not all removed: %s\n", cli_text_of(err));
	return exit_code_of(err);
}

/* By the running server, or under the same lock where none runs. */
static int purge(const struct config *config, struct user_line *line)
{
	struct control *control = NULL;
	json_t *answer = NULL;
	char id[USERDB_ID_DIGITS + 1];
	enum rp_err err = control_open(config, &control);
	int code;

	if (err == RP_ERR_NOTFOUND)
		return offline_run(config, purge_offline, line);
	userdb_id_text(&line->userid, id);
	if (err == RP_OK) {
		err = control_ask(control, json_pack("{s:s, s:s, s:s}", "cmd", "purge", "user", line->name, "userid", id),
			bytes_of(NULL, 0), NULL, NULL, &answer);
		control_close(control);
	}
	if (err != RP_OK) {
		fprintf(stderr, "ringpost: whether the mail was removed is not known: the running server: %s\n", cli_text_of(err));
		return EXIT_CODE_UNAVAILABLE;
	}
	code = control_code(answer);
	json_decref(answer);
	return code;
}

/* What is left behind is said where it is left. */
static void tell_where(const struct config *config, const struct user_line *line)
{
	struct userid userid;
	char dir[USERID_PATH_BYTES];
	char id[USERDB_ID_DIGITS + 1];

	memcpy(userid.b, line->userid.p, sizeof(userid.b));
	userid_path(&userid, dir);
	userdb_id_text(&line->userid, id);
	printf("%s is deleted; the mail stays, in %s/%s\n"
	       "  to give it back:    ringpost user add --id %s NAME\n"
	       "  to remove it, too:  ringpost user del --mail --id %s\n",
		line->name, config->data, dir, id, id);
}

/* The mail first: while the name is there, what was cut short can be asked for again. */
static int delete_user(const struct config *config, const struct user_wish *wish)
{
	struct user_line line = { .userid = wish->userid };
	int code = wish->name != NULL ? find_line(config, wish->name, &line) : EXIT_CODE_OK;

	if (code == EXIT_CODE_NO_USER)
		fprintf(stderr, "ringpost: there is no user %s in %s\n", wish->name, config->passwd);
	if (code == EXIT_CODE_OK && wish->mail)
		code = check_alone(config, &line);
	if (code == EXIT_CODE_OK && wish->mail && (code = purge(config, &line)) != EXIT_CODE_OK && wish->name != NULL)
		fprintf(stderr, "ringpost: the user %s is still there: the same command goes on\n", line.name);
	if (code == EXIT_CODE_OK && wish->name != NULL)
		code = cli_user_change(config, USERFILE_DEL, wish->name, bytes_of("", 0));
	if (code == EXIT_CODE_OK && !wish->mail)
		tell_where(config, &line);
	return code;
}

static int change_with_password(const struct config *config, enum userfile_change change, const struct user_wish *wish)
{
	const struct user_line wanted = { .userid = wish->userid };
	char password[PASSWORD_BYTES_MAX + 3];
	size_t n = 0;

	if (read_password(password, sizeof(password), &n) != RP_OK || n > PASSWORD_BYTES_MAX) {
		fprintf(stderr, "ringpost: a password is 1 to %d bytes on standard input, none of them NUL\n",
			PASSWORD_BYTES_MAX);
		return EXIT_CODE_USAGE;
	}
	int code = wish->has_id ? check_alone(config, &wanted) : EXIT_CODE_OK;

	if (code == EXIT_CODE_OK)
		code = change_user(config, change, wish->name, bytes_of(password, n), wish->has_id ? &wish->userid : NULL);
	bytes_wipe(password, sizeof(password));
	return code;
}

/* Every line of the file that is a user, or (name) that one. */
static int list_users(const struct config *config, const char *name, bool json)
{
	struct userfile file;
	enum rp_err err = userfile_read(config->passwd, &file);
	bool found = name == NULL;
	struct bytes rest;
	size_t line_number = 0;
	int code = EXIT_CODE_OK;

	if (err != RP_OK) {
		fprintf(stderr, "ringpost: %s: %s\n", config->passwd, cli_text_of(err));
		return EXIT_CODE_CONFIG;
	}
	rest = bytes_of(file.p, file.n);
	while (rest.n > 0) {
		size_t lf = bytes_find(rest, 0, '\n');
		struct userdb_user user;
		const char *what;
		char id[USERDB_ID_DIGITS + 1];

		line_number++;
		err = userdb_parse_line(bytes_slice(rest, 0, lf), &user, &what);
		if (err == RP_ERR_SYNTAX && code == EXIT_CODE_OK) {
			/* The first one: a file that is something else has many. */
			fprintf(stderr, "ringpost: %s:%zu: %s\n", config->passwd, line_number, what);
			code = EXIT_CODE_CONFIG;
		}
		if (err == RP_OK && (name == NULL || bytes_eq_fold(user.name, bytes_of_str(name)))) {
			bool locked = password_scheme_of(user.hash) == PASSWORD_LOCKED;

			found = true;
			userdb_id_text(&user.userid, id);
			printf(json ? "{\"name\":\"%.*s\",\"userid\":\"%s\",\"locked\":%s}\n" : "%.*s  %s%s\n",
				BYTES_FMT(user.name), id, json ? (locked ? "true" : "false") : (locked ? "  locked" : ""));
		}
		rest = bytes_from(rest, lf < rest.n ? lf + 1 : lf);
	}
	userfile_free(&file);
	if (!found && code == EXIT_CODE_OK)
		fprintf(stderr, "ringpost: there is no user %s in %s\n", name, config->passwd);
	return found || code != EXIT_CODE_OK ? code : EXIT_CODE_NO_USER;
}

static int run(const struct config *config, const struct user_wish *wish)
{
	switch (wish->verb) {
	case USER_ADD:
		return change_with_password(config, USERFILE_ADD, wish);
	case USER_PASSWD:
		return change_with_password(config, USERFILE_SET, wish);
	case USER_DEL:
		return delete_user(config, wish);
	default:
		return list_users(config, wish->name, wish->json);
	}
}

/* Do these options belong to this verb, and is a name there where one is wanted? */
static bool is_sensible(const struct user_wish *wish, int names)
{
	bool id_alone = wish->verb == USER_DEL && wish->has_id;

	if ((wish->json && wish->verb < USER_INFO) || (wish->mail && wish->verb != USER_DEL))
		return false;
	if (wish->has_id && wish->verb != USER_ADD && !(wish->verb == USER_DEL && wish->mail))
		return false;
	return names == (wish->verb == USER_LIST || id_alone ? 0 : 1);
}

int cli_user(int argc, char **argv)
{
	static const char *const verbs[] = { "add", "passwd", "del", "info", "list" };
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { "mail", no_argument, NULL, 'm' },
		{ "id", required_argument, NULL, 'i' }, { 0 } };
	const char *path = CLI_CONFIG_PATH;
	struct user_wish wish = { .json = false };
	unsigned verb = 0;
	int option;

	while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (option == '?')
			return cli_usage("user");
		path = option == 'c' ? optarg : path;
		wish.json |= option == 'j';
		wish.mail |= option == 'm';
		wish.has_id |= option == 'i';
		if (option == 'i' && !userdb_id_parse(bytes_of_str(optarg), &wish.userid)) {
			fprintf(stderr, "ringpost: --id: \"%s\" is not a user's id, which has 32 hexadecimal digits\n", optarg);
			return EXIT_CODE_USAGE;
		}
	}
	while (verb < USER_VERBS && (optind >= argc || strcmp(argv[optind], verbs[verb]) != 0))
		verb++;
	wish.verb = (enum user_verb)verb;
	if (verb == USER_VERBS || !is_sensible(&wish, argc - optind - 1))
		return cli_usage("user");
	wish.name = argv[optind + 1];
	struct config *config = cli_config_load(path);

	if (config == NULL)
		return EXIT_CODE_CONFIG;
	int code = run(config, &wish);

	config_free(config);
	return code;
}
