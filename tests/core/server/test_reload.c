#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/server/reload.h"

static struct config *config_of(const char *text)
{
	char path[] = "/tmp/ringpost-test-XXXXXX";
	char reason[1024] = "";
	struct config *config = NULL;
	int fd = mkstemp(path);

	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	enum rp_err err = config_read(path, &config, reason, sizeof(reason));

	unlink(path);
	cr_assert_eq(err, RP_OK, "%s", reason);
	return config;
}

#define BASE "data = \"/d\"\ntls a { cert = \"/c\" key = \"/k\" }\nlisten imaps { protocol = imaps port = 1 }\n"

Test(reload, what_needs_a_restart_is_named_and_kept)
{
	static const struct change {
		const char *text;
		const char *names;
	} changes[] = {
		{ BASE, "" },
		{ BASE "limits { login = 7s }\nlmtp { idle = 11s }\nauth { domains = { \"a\" } }\n", "" },
		{ BASE "control = \"/x\"\n", "control" },
		{ BASE "user = \"nobody\"\n", "user" },
		{ BASE "shards = 7\n", "shards" },
		{ BASE "commit_dir = \"/x\"\nlog { level = debug }\n", "commit_dir log.level" },
		{ BASE "auth { trusted_networks = { \"10.0.0.0/8\" } }\n", "auth.trusted_networks" },
		{ BASE "listen more { protocol = lmtp path = \"/l\" }\n", "listen" },
		{ "data = \"/d\"\ntls a { cert = \"/c\" key = \"/k\" }\nlisten imaps { protocol = imaps path = \"/l\" mode = 0600 }\n", "listen" },
		{ "data = \"/other\"\ntls a { cert = \"/c\" key = \"/k\" }\nlisten imaps { protocol = imaps port = 2 }\n", "data listen" },
		{ "data = \"/d\"\ntls a { cert = \"/c\" key = \"/k\" }\nlisten imaps { protocol = imap port = 1 }\n", "listen" },
		{ "data = \"/d\"\ntls a { cert = \"/c\" key = \"/k\" }\nlisten imaps { protocol = imaps port = 1 proxy_protocol = true }\n",
			"listen" },
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct config *old = config_of(BASE);
		struct config *config = config_of(changes[i].text);
		char names[256];

		reload_keep(config, old, names, sizeof(names));
		cr_assert_str_eq(names, changes[i].names, "change %zu: %s", i, names);
		cr_assert_str_eq(config->data, "/d");
		cr_assert_str_eq(config->commit_dir, "");
		cr_assert_eq(config->listen_count, 1);
		cr_assert_eq(config->listen[0].port, 1);
		cr_assert_eq(config->listen[0].protocol, CONFIG_IMAPS);
		cr_assert(!config->listen[0].proxy_protocol);
		config_free(old);
		config_free(config);
	}
}

Test(reload, a_shard_takes_limits)
{
	struct config *old = config_of(BASE);
	struct config *new = config_of(BASE "limits { login = 7s appendlimit = 1MiB }\nlmtp { return_path = true }\nshards = 9\n");
	struct config mine = *old;

	reload_take(&mine, new);
	cr_assert_eq(mine.login_ms, 7000);
	cr_assert_eq(mine.appendlimit_bytes, 1 << 20);
	cr_assert(mine.lmtp_return_path);
	cr_assert_eq(mine.shards, old->shards);
	config_free(old);
	config_free(new);
}

Test(reload, what_is_no_certificate_is_told)
{
	struct config *config = config_of(BASE);
	struct tls_ctx *ctx;
	char text[TLS_CTX_TEXT_BYTES];

	config->tls[0].cert_pem = strdup("garbage\n");
	config->tls[0].key_pem = strdup("garbage\n");
	cr_assert_neq(reload_tls(config, &ctx, text), RP_OK);
	cr_assert_neq(text[0], '\0');
	cr_assert_null(ctx);
	config_free(config);
}
