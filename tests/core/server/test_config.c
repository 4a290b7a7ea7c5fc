#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/server/config.h"
#include "core/server/config_table.h"

static char reason[1024];

/* Read this text as a config file. */
static enum rp_err read_text(const char *text, struct config **out)
{
	char path[] = "/tmp/ringpost-config-XXXXXX";
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	enum rp_err err = config_read(path, out, reason, sizeof(reason));

	unlink(path);
	return err;
}

#define LISTEN "listen a { protocol = imap address = 127.0.0.1 port = 1143 }\n"

Test(config, every_key_has_its_default)
{
	struct config *config;

	cr_assert_eq(read_text(LISTEN, &config), RP_OK, "%s", reason);
	cr_assert_str_eq(config->data, "/var/lib/ringpost");
	cr_assert_eq(config->appendlimit_bytes, 64 * 1024 * 1024);
	cr_assert_eq(config->login_ms, 60000);
	cr_assert_eq(config->listen_count, 1);
	cr_assert_eq(config->listen[0].port, 1143);
	cr_assert_not(config->plaintext_login);
	cr_assert_gt(strlen(config->hostname), 0);
	config_free(config);
}

Test(config, units_and_lists_are_read)
{
	struct config *config;

	cr_assert_eq(read_text("auth { domains = { \"a.example\", \"b.example\" } cache = 5m }\n"
			       "limits { appendlimit = 1GiB }\n" LISTEN, &config), RP_OK, "%s", reason);
	cr_assert_eq(config->domains.count, 2);
	cr_assert_str_eq(config->domains.word[1], "b.example");
	cr_assert_eq(config->auth_cache_ms, 300000);
	cr_assert_eq(config->appendlimit_bytes, UINT64_C(1) << 30);
	config_free(config);
}

/* The children could not read them. */
Test(config, texts_are_utf8)
{
	static const char *const bad[] = { "data = \"/srv/\xe9\"\n" LISTEN, "auth { domains = { \"a\", \"\xff\" } }\n" LISTEN,
		"listen \"\xff\" { protocol = imap address = 127.0.0.1 port = 1143 }\n", "tls \"\xff\" { }\n" LISTEN,
		"listen b { protocol = lmtp path = \"/\xff\" }\n" };
	struct config *config;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(read_text(bad[i], &config), RP_ERR_SYNTAX, "%zu", i);
		cr_assert_not_null(strstr(reason, "UTF-8"), "%s", reason);
	}
	cr_assert_eq(read_text("data = \"/srv/\xc3\xa9\"\n" LISTEN, &config), RP_OK, "%s", reason);
	config_free(config);
}

Test(config, what_is_wrong_is_told_in_one_line)
{
	struct config *config;

	cr_assert_eq(read_text("data = x\"\nshards\x1b[31m = 2\nauth { domains = { \"a\" }\n}\n" LISTEN, &config), RP_ERR_SYNTAX);
	cr_assert_gt(strlen(reason), 0);
	for (const char *c = reason; *c != '\0'; c++)
		cr_assert((unsigned char)*c >= ' ', "%s", reason);
}

Test(config, an_unknown_key_is_told_with_its_line_and_the_nearest)
{
	struct config *config;

	cr_assert_eq(read_text("data = /x\nshard = 3\n" LISTEN, &config), RP_ERR_SYNTAX);
	cr_assert_not_null(strstr(reason, ":2: "), "%s", reason);
	cr_assert_not_null(strstr(reason, "unknown key \"shard\"; the nearest is \"shards\""), "%s", reason);
}

Test(config, what_cannot_be_is_refused_in_one_line)
{
	static const char *const bad[] = {
		"",                                                       /* nothing listens */
		"listen a { protocol = imaps }",                          /* no certificate */
		"listen a { protocol = pop3 }",
		"listen a { protocol = imap address = nowhere }",
		"listen a { protocol = imap port = 70000 }",
		"limits { appendlimit = 3 }\n" LISTEN,                    /* below its bound */
		"limits { appendlimit = 64MB5 }\n" LISTEN,
		"limits { login = 10 }\n" LISTEN,                         /* a time needs a unit */
		"auth { plaintext_login = perhaps }\n" LISTEN,
		"log { level = loud }\n" LISTEN,
		"data = \"/x",
		"listen a {",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config *config;

		cr_assert_neq(read_text(bad[i], &config), RP_OK, "%s", bad[i]);
		cr_assert_gt(strlen(reason), 10, "%s", bad[i]);
		cr_assert_null(strchr(reason, '\n'), "%s", reason);
	}
}

Test(config, a_missing_file_is_told_by_name)
{
	struct config *config;

	cr_assert_eq(config_read("/nowhere/ringpost.conf", &config, reason, sizeof(reason)), RP_ERR_NOTFOUND);
	cr_assert_not_null(strstr(reason, "/nowhere/ringpost.conf"));
}

Test(config, a_unix_socket_has_a_mode_and_a_group)
{
	struct config *config;

	cr_assert_eq(read_text("listen a { protocol = lmtp path = \"/a\" }\n"
			       "listen b { protocol = lmtp path = \"/b\" mode = 0660 group = postfix }\n"
			       "listen c { protocol = lmtp path = \"/c\" mode = \"600\" group = \"\" }\n", &config), RP_OK, "%s", reason);
	cr_assert(config->listen[0].mode == 0666 && config->listen[0].group == NULL);
	cr_assert_eq(config->listen[1].mode, 0660);
	cr_assert_str_eq(config->listen[1].group, "postfix");
	cr_assert(config->listen[2].mode == 0600 && config->listen[2].group == NULL);
	config_free(config);
}

/* Each names the file's line, or the section. */
Test(config, values_that_mean_nothing_are_refused)
{
	static const struct {
		const char *text;
		const char *says;
	} bad[] = {
		{ "auth { trusted_networks = { \"foo\" } }", ":1: trusted_networks = foo: an address is wanted" },
		{ "auth {\n trusted_networks = { \"10.0.0.0/8\", \"10.0.0.0/99\" } }", ":2: trusted_networks = 10.0.0.0/99: " },
		{ "auth { trusted_networks = { \"10.0.0/8\" } }", "10.0.0/8: an address" },
		{ "auth { master_users = { \"a b\" } }", "a b: a login name is wanted" },
		{ "auth { domains = { \"a@b\" } }", "a@b: a domain is wanted" },
		{ "hostname = \"a\nb\"", "hostname = a?b: there is a control character in it" },
		{ "hostname = \"a b\"", "a host name is wanted" },
		{ "shards = 1\nshards = 2", ":2: shards = 2: it is set twice" },
		{ "auth { domains = { \"a\" } domains = { \"b\", \"c\" } }", "it is set twice" },
		{ "auth { queue = 3 }\nauth { cache = 1s }", ":2: there are two sections auth" },
		{ "shards = many", ":1: shards = many: a number is wanted" },
		{ "limits { login = 60 }", "a time is wanted, such as 5m" },
		{ "limits { login = 1ms }", "login = 1ms: out of its bounds (1000 to 600000 ms)" },
		{ "limits { appendlimit = 1b }", "a size is wanted, such as 64MiB" },
		{ "auth { plaintext_login = maybe }", "true or false is wanted" },
		{ "data = store", ":1: data = store: a path that begins with /" },
		{ "control = \"run/control\"", "control = run/control: a path" },
		{ "listen b { protocol = lmtp path = \"run/lmtp\" }", "listen b: path \"run/lmtp\" does not begin with /" },
		{ "listen b { protocol = lmtp path = \"/x\" mode = 0668 }", "listen b: mode 0668" },
		{ "listen b { protocol = lmtp path = \"/x\" mode = 66 }", "listen b: mode 66" },
		{ "listen b { protocol = lmtp path = \"/x\" mode = 01777 }", "listen b: mode 01777" },
		{ "listen b { protocol = lmtp path = \"/x\" mode = \"\" }", "listen b: mode" },
		{ "listen b { protocol = lmtp mode = 0600 }", "it has no path" },
		{ "listen b { protocol = lmtp group = postfix }", "it has no path" },
		{ "\"", "what begins in line 1 has no end" },
		{ "shards = 2 # \" this is a comment\n\n'x", "what begins in line 3 has no end" },
		{ "shards = 2 // it's fine\n/* but\n this", "what begins in line 2 has no end" },
		{ "hostname = \"a\\\"\n", "what begins in line 1 has no end" },
	};
	struct config *config;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[512];

		snprintf(text, sizeof(text), "%s", bad[i].text);
		cr_assert_neq(read_text(text, &config), RP_OK, "%s", text);
		cr_assert_not_null(strstr(reason, bad[i].says), "%s: %s", text, reason);
		cr_assert_null(strchr(reason, '\n'), "%s", reason);
		cr_assert_null(strstr(reason, "config:"), "%s", reason);
	}
}

Test(config, what_looks_like_two_is_one)
{
	struct config *config;

	cr_assert_eq(read_text("/* \" */ auth { domains = { \"a\", \"b\" } trusted_networks = { \"::1\", \"10.0.0.0/8\" } master_users = {} }\n"
			       "hostname = \"a\\\\\" # it's \"\n" LISTEN, &config), RP_OK, "%s", reason);
	cr_assert_eq(config->domains.count, 2);
	cr_assert_eq(config->trusted_networks.count, 2);
	cr_assert_str_eq(config->hostname, "a\\");
	config_free(config);
}

Test(config, json_carries_all_of_it)
{
	struct config *config;
	struct config *copy;
	char *text;
	char *again;

	cr_assert_eq(read_text("shards = 3\nauth { master_users = { \"root\" } plaintext_login = yes }\n"
			       "tls b { cert = \"/c\" key = \"/k\" }\n"
			       "listen l { protocol = lmtp path = \"/run/lmtp\" }\n" LISTEN, &config), RP_OK, "%s", reason);
	config->tls[0].cert_pem = strdup("CERT");
	config->tls[0].key_pem = strdup("KEY");
	cr_assert_eq(config_to_json(config, &text), RP_OK);
	cr_assert_eq(config_of_json(bytes_of_str(text), &copy), RP_OK);
	cr_assert_eq(config_to_json(copy, &again), RP_OK);
	cr_assert_str_eq(text, again);
	cr_assert_eq(copy->shards, 3);
	cr_assert_str_eq(copy->tls[0].key_pem, "KEY");
	cr_assert_str_eq(copy->listen[0].path, "/run/lmtp");
	free(text);
	free(again);
	config_free(copy);
	config_free(config);
}

Test(config, numbers_have_exact_units)
{
	uint64_t n;

	cr_assert(config_number(CONFIG_SIZE, BYTES_LIT("64MiB"), &n) && n == UINT64_C(64) << 20);
	cr_assert(config_number(CONFIG_TIME, BYTES_LIT("5m"), &n) && n == 300000);
	cr_assert(config_number(CONFIG_TIME, BYTES_LIT("0"), &n) && n == 0);
	cr_assert(config_number(CONFIG_COUNT, BYTES_LIT("18446744073709551615"), &n) && n == UINT64_MAX);
	cr_assert_not(config_number(CONFIG_COUNT, BYTES_LIT("18446744073709551616"), &n));
	cr_assert_not(config_number(CONFIG_SIZE, BYTES_LIT("18014398509481984KiB"), &n));
	cr_assert_not(config_number(CONFIG_SIZE, BYTES_LIT("5m"), &n));
	cr_assert_not(config_number(CONFIG_TIME, BYTES_LIT("5"), &n));
	cr_assert_not(config_number(CONFIG_COUNT, BYTES_LIT(""), &n));
	cr_assert_not(config_number(CONFIG_COUNT, BYTES_LIT("-1"), &n));
}
