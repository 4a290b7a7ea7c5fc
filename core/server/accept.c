#include "core/server/accept.h"

#include <stdlib.h>

#include "core/server/conn.h"
#include "core/server/drive.h"
#include "core/server/lmtp_drive.h"
#include "io/net.h"

/* What the ring hands back with each connection of one socket. */
struct acceptor {
	struct shard *shard;
	const struct config_listen *listen;
};

void accept_connection(struct shard *shard, const struct config_listen *listen, struct net *net)
{
	bool lmtp = listen->protocol == CONFIG_LMTP;
	void *state = lmtp ? (void *)lmtp_drive_new(shard) : (void *)drive_new(shard, listen);
	struct conn *conn;

	if (state == NULL) {
		net_close(net, NULL, NULL);
		return;
	}
	if (conn_open(shard, net, listen, lmtp ? &drive_lmtp : &drive_imap, state, &conn) != RP_OK) {
		LOG(shard->log, LOG_WARN, "conn.refused", LOG_STR("reason", "connections"));
		if (lmtp)
			lmtp_drive_free(state);
		else
			drive_free(state);
		return;
	}
	conn_begin(conn);
}

static void on_accept(void *arg, struct net *net)
{
	struct acceptor *acceptor = arg;

	accept_connection(acceptor->shard, acceptor->listen, net);
}

enum rp_err accept_start(struct shard *shard, const struct config_listen *listen, const int *fds)
{
	shard->acceptors = calloc(shard->config->listen_count, sizeof(struct acceptor));
	if (shard->acceptors == NULL)
		return RP_ERR_NOMEM;
	for (size_t i = 0; i < shard->config->listen_count; i++) {
		shard->acceptors[i] = (struct acceptor){ .shard = shard, .listen = &listen[i] };
		enum rp_err err =
			net_listen(shard->loop, fds[i], on_accept, &shard->acceptors[i], &shard->listeners[i]);

		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}

void accept_stop(struct shard *shard)
{
	for (size_t i = 0; i < shard->config->listen_count; i++) {
		if (shard->listeners[i] != NULL)
			net_listener_close(shard->listeners[i]);
		shard->listeners[i] = NULL;
	}
}
