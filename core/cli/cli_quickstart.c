/* quickstart: everything to try ringpost on one machine. What is there already is used again. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/cli/cli.h"
#include "core/cli/cli_config.h"
#include "core/cli/cli_text.h"
#include "core/cli/cli_user.h"
#include "core/cli/exit_code.h"
#include "core/cli/mail_sink.h"
#include "core/cli/quickstart_config.h"
#include "core/cli/quickstart_owner.h"
#include "core/cli/sample.h"
#include "core/server/supervisor.h"
#include "tls/tls_selfsign.h"

enum {
	QUICKSTART_PATH_MAX = 4096,
	QUICKSTART_PASSWORD_BYTES = 16,
	QUICKSTART_DAYS = 365,
};

struct quickstart {
	char dir[QUICKSTART_PATH_MAX]; /* absolute */
	struct quickstart_config settings;
	bool sample;
	char password[QUICKSTART_PASSWORD_BYTES + 1];
};

static bool path_in(const struct quickstart *q, const char *name, char out[QUICKSTART_PATH_MAX])
{
	int n = snprintf(out, QUICKSTART_PATH_MAX, "%s/%s", q->dir, name);

	return n > 0 && n < QUICKSTART_PATH_MAX;
}

static bool is_there(const struct quickstart *q, const char *name)
{
	char path[QUICKSTART_PATH_MAX];

	return path_in(q, name, path) && access(path, F_OK) == 0;
}

static int cannot(const char *path)
{
	fprintf(stderr, "ringpost: %s: %s\n", path, strerror(errno));
	return EXIT_CODE_FAILED;
}

static int make_dir(const struct quickstart *q, const char *name)
{
	char path[QUICKSTART_PATH_MAX];

	if (path_in(q, name, path) && (mkdir(path, 0700) == 0 || errno == EEXIST))
		return EXIT_CODE_OK;
	return cannot(path);
}

/* A whole new file, or none. */
static int write_file(const struct quickstart *q, const char *name, unsigned mode, struct bytes content)
{
	char path[QUICKSTART_PATH_MAX];
	char temporary[QUICKSTART_PATH_MAX + 8];

	if (!path_in(q, name, path))
		return EXIT_CODE_USAGE;
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0)
		return cannot(temporary);
	bool done = write(fd, content.p, content.n) == (ssize_t)content.n;

	if (close(fd) != 0 || !done || rename(temporary, path) != 0) {
		unlink(temporary);
		return cannot(path);
	}
	return EXIT_CODE_OK;
}

static int make_certificate(const struct quickstart *q)
{
	static struct tls_selfsign made;
	int code;

	if (is_there(q, "tls/cert.pem") && is_there(q, "tls/key.pem"))
		return EXIT_CODE_OK;
	if (tls_selfsign_make((uint64_t)time(NULL), QUICKSTART_DAYS, &made) != RP_OK) {
		fprintf(stderr, "ringpost: no certificate could be made\n");
		return EXIT_CODE_FAILED;
	}
	code = write_file(q, "tls/key.pem", 0600, made.key_pem);
	if (code == EXIT_CODE_OK)
		code = write_file(q, "tls/cert.pem", 0644, made.cert_pem);
	bytes_wipe(&made, sizeof(made));
	return code;
}

static int make_config(struct quickstart *q)
{
	char *text;
	int code = quickstart_config_decide(q->dir, is_there(q, "ringpost.conf"), &q->settings, &text);

	if (code == EXIT_CODE_OK && text != NULL)
		code = write_file(q, "ringpost.conf", 0644, bytes_of_str(text));
	free(text);
	return code;
}

/* The demo user and his password; both are kept from an earlier start. A password that is lost is replaced. */
static int make_user(struct quickstart *q, const struct config *config)
{
	static const char letters[] = "abcdefghijkmnopqrstuvwxyz23456789";
	char path[QUICKSTART_PATH_MAX];
	unsigned char random[QUICKSTART_PASSWORD_BYTES];

	if (is_there(q, "demo.password") && is_there(q, "passwd")) {
		FILE *file = path_in(q, "demo.password", path) ? fopen(path, "re") : NULL;
		size_t n = file != NULL ? fread(q->password, 1, QUICKSTART_PASSWORD_BYTES, file) : 0;

		if (file != NULL)
			fclose(file);
		q->password[n] = '\0';
		return n > 0 ? EXIT_CODE_OK : cannot(path);
	}
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return cannot("getrandom");
	for (size_t i = 0; i < sizeof(random); i++)
		q->password[i] = letters[random[i] % (sizeof(letters) - 1)];
	q->password[QUICKSTART_PASSWORD_BYTES] = '\0';
	bool had = is_there(q, "passwd");
	int code = write_file(q, "demo.password", 0600, bytes_of_str(q->password));

	if (code == EXIT_CODE_OK && had)
		code = cli_user_change(config, USERFILE_SET, "demo", bytes_of_str(q->password));
	if ((code == EXIT_CODE_OK && !had) || code == EXIT_CODE_NO_USER)
		code = cli_user_change(config, USERFILE_ADD, "demo", bytes_of_str(q->password));
	return code;
}

static void on_sample(void *arg, enum rp_err err)
{
	enum rp_err *worst = arg;

	*worst = err != RP_OK ? err : *worst;
}

static int import_sample(struct mail_sink *sink, void *arg)
{
	enum rp_err *worst = arg;
	time_t now = time(NULL);
	enum rp_err err = RP_OK;

	for (size_t i = 0; i < sample_mail_count && err == RP_OK; i++) {
		/* The newest last, an hour apart. */
		struct mail_item item = {
			.mailbox = "",
			.message = bytes_of(sample_mail[i].p, sample_mail[i].n),
			.internaldate = { now - 3600 * (time_t)(sample_mail_count - i), 0 },
			.flags = i % 3 == 0 ? MAIL_SEEN : 0,
		};

		err = mail_sink_put(sink, &item);
	}
	if (err == RP_OK)
		err = mail_sink_finish(sink);
	if (err == RP_OK)
		err = *worst;
	if (err != RP_OK)
		fprintf(stderr, "ringpost: the sample mail cannot be stored: %s\n", cli_text_of(err));
	return exit_code_of(err);
}

static int make_sample(const struct quickstart *q, const struct config *config)
{
	if (!q->sample || is_there(q, "sample.done"))
		return EXIT_CODE_OK;
	enum rp_err worst = RP_OK;
	int code = mail_sink_run(config, "demo", import_sample, on_sample, &worst);

	return code == EXIT_CODE_OK ? write_file(q, "sample.done", 0600, BYTES_LIT("imported\n")) : code;
}

static void print_settings(const struct quickstart *q)
{
	printf("\nringpost serves on this machine. Settings for a mail program:\n"
	       "    IMAP server    localhost, port %u, TLS          (or port %u, STARTTLS)\n"
	       "    user           demo\n"
	       "    password       %s      (also in %s/demo.password)\n"
	       "    certificate    %s/tls/cert.pem      (self-signed: trust it, or give it as the authority)\n"
	       "    mail comes in  by LMTP at 127.0.0.1, port %u\n"
	       "\nRead a message:\n"
	       "    curl --cacert %s/tls/cert.pem -u demo:%s 'imaps://localhost:%u/INBOX;MAILINDEX=1'\n"
	       "\nCtrl-C ends it.\n\n",
		q->settings.imaps, q->settings.imap, q->password, q->dir, q->dir, q->settings.lmtp, q->dir, q->password,
		q->settings.imaps);
}

static void on_ready(void *arg)
{
	print_settings(arg);
	puts("ready");
	fflush(stdout);
}

static int prepare(struct quickstart *q, char conf[QUICKSTART_PATH_MAX])
{
	int code = EXIT_CODE_OK;

	for (const char *const *name = (const char *const[]){ "", "data", "tls", NULL }; *name != NULL; name++)
		if (code == EXIT_CODE_OK)
			code = make_dir(q, *name);
	if (code == EXIT_CODE_OK)
		code = make_certificate(q);
	if (code == EXIT_CODE_OK)
		code = make_config(q);
	if (code != EXIT_CODE_OK)
		return code;
	if (!path_in(q, "ringpost.conf", conf))
		return EXIT_CODE_USAGE;
	struct config *config = cli_config_load(conf);

	if (config == NULL)
		return EXIT_CODE_CONFIG;
	quickstart_owner_give_data(config);
	code = make_user(q, config);
	if (code == EXIT_CODE_OK)
		code = make_sample(q, config);
	if (code == EXIT_CODE_OK)
		quickstart_owner_give_rest(q->dir);
	config_free(config);
	return code;
}

static bool port_of(const char *text, unsigned *out)
{
	uint64_t port;

	if (!bytes_to_u64(bytes_of_str(text), 65535, &port) || port == 0) {
		fprintf(stderr, "ringpost: %s is not a port\n", text);
		return false;
	}
	*out = (unsigned)port;
	return true;
}

static bool parse_options(int argc, char **argv, struct quickstart *q, const char **dir)
{
	static const struct option options[] = {
		{ "dir", required_argument, NULL, 'd' },
		{ "imap", required_argument, NULL, 'i' },
		{ "imaps", required_argument, NULL, 's' },
		{ "lmtp", required_argument, NULL, 'l' },
		{ "shards", required_argument, NULL, 'n' },
		{ "no-sample", no_argument, NULL, 'N' },
		{ "plaintext-login", no_argument, NULL, 'P' },
		{ 0 },
	};
	uint64_t shards;
	int option;
	bool fine = true;

	while (fine && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			*dir = optarg;
			break;
		case 'i':
			fine = port_of(optarg, &q->settings.imap);
			break;
		case 's':
			fine = port_of(optarg, &q->settings.imaps);
			break;
		case 'l':
			fine = port_of(optarg, &q->settings.lmtp);
			break;
		case 'n':
			fine = bytes_to_u64(bytes_of_str(optarg), 128, &shards);
			q->settings.shards = fine ? (unsigned)shards : 0;
			break;
		case 'N':
			q->sample = false;
			break;
		case 'P':
			q->settings.plaintext_login = 1;
			break;
		default:
			fine = false;
		}
	}
	return fine && optind == argc;
}

int cli_quickstart(int argc, char **argv)
{
	const unsigned unasked = QUICKSTART_CONFIG_UNASKED;
	struct quickstart q = { .settings = { unasked, unasked, unasked, unasked, unasked }, .sample = true };
	const char *dir = "ringpost-demo";
	char conf[QUICKSTART_PATH_MAX];

	if (!parse_options(argc, argv, &q, &dir))
		return cli_usage("quickstart");
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return cannot(dir);
	if (realpath(dir, q.dir) == NULL || strpbrk(q.dir, "\"\\\n") != NULL) {
		fprintf(stderr, "ringpost: %s cannot be used: choose a folder without quotes in its name\n", dir);
		return EXIT_CODE_USAGE;
	}
	int code = prepare(&q, conf);

	return code == EXIT_CODE_OK ? supervisor_run(conf, on_ready, &q) : code;
}
