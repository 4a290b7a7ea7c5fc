#include "tests/core/server/conn_fixture.h"

#include <criterion/criterion.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "core/server/accept.h"
#include "io/base/clock.h"

bool conn_fixture_client_acts;

static void client_pump(struct client *client);

/* ---- the client ---- */

static void client_close(struct client *client)
{
	if (client->net == NULL)
		return;
	net_close(client->net, NULL, NULL);
	client->net = NULL;
	client->closed_ns = loop_now_ns(client->loop);
}

static void on_client_sent(void *arg, enum rp_err err)
{
	struct client *client = arg;

	if (err != RP_OK)
		return; /* the server has gone; the receiver hears of it */
	conn_fixture_client_acts = true;
	rope_consume(&client->out, client->sending_bytes);
	client_pump(client);
	conn_fixture_client_acts = false;
}

static void client_pump(struct client *client)
{
	uint8_t room[4096];
	int n;

	while (client->ssl != NULL && (n = BIO_read(SSL_get_wbio(client->ssl), room, sizeof(room))) > 0)
		rope_put(&client->out, bytes_of(room, (size_t)n));
	if (client->mute || client->net == NULL || client->out.bytes == 0 || net_send_armed(client->net))
		return;
	struct bytes b = rope_peek(&client->out, 0);

	client->sending_bytes = b.n;
	net_send(client->net, b, on_client_sent, client);
}

static void client_say(struct client *client, struct bytes b)
{
	if (client->ssl == NULL)
		rope_put(&client->out, b);
	else
		cr_assert_eq(SSL_write(client->ssl, b.p, (int)b.n), (int)b.n);
}

static void client_start_tls(struct client *client)
{
	client->ssl_ctx = SSL_CTX_new(TLS_method());
	client->ssl = SSL_new(client->ssl_ctx);
	SSL_set_connect_state(client->ssl);
	SSL_set_bio(client->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_do_handshake(client->ssl);
	ERR_clear_error();
}

/* Play the steps whose time has come. */
static void client_play(struct client *client)
{
	for (;;) {
		const struct client_step *step = client->step;

		if (step->await == NULL && step->send == NULL && !step->tls && !step->close)
			return;
		if (client->ssl != NULL && !SSL_is_init_finished(client->ssl))
			return;
		if (step->await != NULL) {
			const char *at = strstr(client->text + client->awaited, step->await);

			if (at == NULL)
				return;
			client->awaited = (size_t)(at - client->text) + strlen(step->await);
		}
		client->step++;
		if (step->send != NULL)
			client_say(client, bytes_of_str(step->send));
		if (step->tls)
			client_start_tls(client);
		if (step->close) {
			client_close(client);
			return;
		}
	}
}

static void client_hear(struct client *client, struct bytes in)
{
	char *at = client->text + client->text_n;
	size_t room = sizeof(client->text) - 1 - client->text_n;
	int n;

	if (client->ssl == NULL) {
		cr_assert_leq(in.n, room);
		memcpy(at, in.p, in.n);
		client->text_n += in.n;
		return;
	}
	cr_assert_eq(BIO_write(SSL_get_rbio(client->ssl), in.p, (int)in.n), (int)in.n);
	if (!SSL_is_init_finished(client->ssl))
		SSL_do_handshake(client->ssl);
	while (SSL_is_init_finished(client->ssl) && (n = SSL_read(client->ssl, at, (int)room)) > 0) {
		client->text_n += (size_t)n;
		at += n;
		room -= (size_t)n;
	}
	client->said_close |= (SSL_get_shutdown(client->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
	ERR_clear_error();
}

static void on_client_recv(void *arg, enum rp_err err, struct bytes in)
{
	struct client *client = arg;

	if (err != RP_OK || in.n == 0) {
		client_close(client);
		return;
	}
	conn_fixture_client_acts = true;
	client_hear(client, in);
	client->text[client->text_n] = '\0';
	client_play(client);
	client_pump(client);
	conn_fixture_client_acts = false;
	if (client->net != NULL)
		net_recv(client->net, on_client_recv, client);
}

/* ---- the machine ---- */

/* Everybody is a stranger here. */
static enum rp_err authenticate(struct task *task, struct session *session, struct bytes authzid, struct bytes name,
    struct bytes password, struct userid *userid, struct bytes *canonical)
{
	(void)task, (void)session, (void)authzid, (void)name, (void)password, (void)userid, (void)canonical;
	return RP_ERR_DENIED;
}

static struct config settings(void)
{
	return (struct config){
		.connections_max = 100,
		.appendlimit_bytes = 1 << 20,
		.connections_per_address_max = 50,
		.connections_per_user_address_max = 32,
		.handshake_ms = 30 * 1000,
		.login_ms = 60 * 1000,
		.idle_ms = 1800 * 1000,
		.stalled_ms = 300 * 1000,
		.keepalive_ms = 240 * 1000,
		.lmtp_idle_ms = 300 * 1000,
		.hostname = (char *)(uintptr_t) "test.invalid",
	};
}

/* One certificate for all tests: making a key takes longer than a dialogue. */
static struct tls_ctx *make_ctx(void)
{
	static struct peer_cert cert;
	static bool made;

	if (!made)
		peer_cert_make(&cert, "DNS:localhost", 0, 4102444800, false);
	made = true;
	return peer_ctx(&cert, 1);
}

static void open_shard(struct conn_fixture *f)
{
	struct shard *shard = &f->shard;

	shard->count = 1;
	shard->config = &f->config;
	shard->tls_ctx = make_ctx();
	shard->env = (struct session_env){
		.server_name = "ringpost",
		.version = "0",
		.appendlimit_bytes = f->config.appendlimit_bytes,
		.tls_available = true,
		.shards_count = 1,
		.authenticate = authenticate,
	};
	shard->seal_scratch = malloc(TLS_CONN_RECORD_BYTES);
	shard->read_scratch = malloc(TLS_CONN_RECORD_BYTES);
	list_init(&shard->conns);
	list_init(&shard->gated);
	list_init(&shard->waiting);
	timer_init(&shard->look, shard_look);
}

void conn_fixture_open(struct conn_fixture *f, uint64_t seed, enum config_protocol protocol, const struct client_step *script)
{
	static const struct sim_faults at_once = { .latency_ns_max = 1 };
	struct loop_settings loop_settings = { .files_max = 64, .tasks_max = CONN_FIXTURE_TASKS_MAX };

	*f = (struct conn_fixture){ .config = settings(), .listen = { .protocol = protocol } };
	cr_assert_eq(sim_open(seed, &f->world), RP_OK);
	/* So that every order of two events comes up: what can happen next is drawn among all that can. */
	sim_set_faults(f->world, &at_once);
	cr_assert_eq(sim_loop_open(f->world, &loop_settings, &f->shard.loop), RP_OK);
	open_shard(f);
	rope_init(&f->client.out);
	f->client.step = script;
	f->client.loop = f->shard.loop;
}

void conn_fixture_accept(struct conn_fixture *f)
{
	struct shard *shard = &f->shard;
	struct net *net;

	conn_fixture_client_acts = true;
	cr_assert_eq(sim_net_pair(shard->loop, shard->loop, &net, &f->client.net), RP_OK);
	if (f->listen.protocol == CONFIG_IMAPS)
		client_start_tls(&f->client);
	client_play(&f->client);
	client_pump(&f->client);
	conn_fixture_client_acts = false;
	if (f->client.net != NULL && !f->client.deaf)
		net_recv(f->client.net, on_client_recv, &f->client);
	f->accepted_ns = sim_now_ns(f->world);
	accept_connection(shard, &f->listen, net);
}

uint64_t conn_fixture_lived_s(const struct conn_fixture *f)
{
	cr_assert_null(f->client.net, "it is still there");
	return (f->client.closed_ns - f->accepted_ns) / CLOCK_NS_PER_S;
}

void conn_fixture_run(struct conn_fixture *f)
{
	cr_assert(sim_run(f->world, CONN_FIXTURE_STEPS_MAX), "it turns in a circle");
}

void conn_fixture_close(struct conn_fixture *f)
{
	struct shard *shard = &f->shard;

	client_close(&f->client);
	conn_fixture_run(f);
	cr_assert(list_empty(&shard->conns));
	cr_assert_eq(shard->conns_count, 0);
	cr_assert(list_empty(&shard->gated));
	cr_assert(list_empty(&shard->waiting));
	rope_fini(&f->client.out);
	SSL_free(f->client.ssl);
	SSL_CTX_free(f->client.ssl_ctx);
	tls_ctx_close(shard->tls_ctx);
	free(shard->seal_scratch);
	free(shard->read_scratch);
	loop_close(shard->loop);
	sim_close(f->world);
}
