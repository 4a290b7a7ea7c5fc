#include "core/server/admission.h"

#include <stdlib.h>

#include "core/server/address_table.h"
#include "core/server/calls.h"
#include "core/server/proxy.h"

/* One question under way: the connection may go meanwhile, and then what was counted is given back. */
struct admission {
	struct shard *shard;
	struct net_address address;
	struct conn *conn; /* NULL: it has gone, or moved on */
};

bool admission_trusted(const struct shard *shard, const struct net_address *address)
{
	const struct config_list *networks = &shard->config->trusted_networks;

	if (address->is_unix)
		return true;
	for (size_t i = 0; i < networks->count; i++)
		if (proxy_network_has(networks->word[i], address))
			return true;
	return false;
}

/* On the shard that keeps the books, outside any task. */
static void on_leave(void *world, uint64_t arg)
{
	struct shard *shard = world;
	struct net_address *address = (struct net_address *)(uintptr_t)arg;

	address_table_leave(shard->addresses, address);
	free(address);
}

void admission_leave(struct shard *shard, const struct net_address *address)
{
	unsigned keeper = address_table_shard(address, shard->count);

	if (keeper == shard->number) {
		address_table_leave(shard->addresses, address);
		return;
	}
	struct net_address *copy = malloc(sizeof(*copy));

	/* Without memory the address stays counted one too many: it is refused early, nothing worse. */
	if (copy == NULL)
		return;
	*copy = *address;
	shard_post(shard->loop, keeper, on_leave, (uint64_t)(uintptr_t)copy);
}

static void refuse(struct conn *conn)
{
	char peer[48];

	LOG(conn->shard->log, LOG_WARN, "conn.refused", LOG_BYTES("src_ip", conn_peer_text(conn, peer)),
		LOG_STR("reason", "connections_per_address"));
	/* A handshake is not begun for the sake of a BYE. */
	if (!conn->greeted && conn->listen->protocol == CONFIG_IMAPS) {
		conn_drop(conn, "connections_per_address");
		return;
	}
	conn->curt = true;
	conn->driver->refuse(conn);
}

static void ask(struct task *task, void *arg)
{
	struct admission *admission = arg;
	struct shard *shard = admission->shard;
	unsigned keeper = address_table_shard(&admission->address, shard->count);

	task_set_name(task, "admission");
	enum rp_err err = shard_call(task, keeper, CALL_ADDRESS_JOIN, &admission->address, NULL);
	struct conn *conn = admission->conn;

	if (conn != NULL) {
		conn->admission = NULL;
		conn->counted = err == RP_OK;
		if (err == RP_ERR_LIMIT)
			refuse(conn);
	} else if (err == RP_OK) {
		admission_leave(shard, &admission->address);
	}
	free(admission);
	shard_task_ended(shard);
}

void admission_begin(struct conn *conn)
{
	struct shard *shard = conn->shard;

	if (admission_trusted(shard, &conn->peer))
		return;
	if (address_table_shard(&conn->peer, shard->count) == shard->number) {
		enum rp_err err = address_table_join(shard->addresses, &conn->peer);

		conn->counted = err == RP_OK;
		if (err == RP_ERR_LIMIT)
			refuse(conn);
		return;
	}
	struct admission *admission = malloc(sizeof(*admission));

	if (admission == NULL) {
		conn_drop(conn, "memory");
		return;
	}
	*admission = (struct admission){ .shard = shard, .address = conn->peer, .conn = conn };
	if (task_start(shard->loop, ask, admission, NULL) != RP_OK) {
		free(admission);
		conn_drop(conn, "busy");
		return;
	}
	conn->admission = admission;
}

void admission_forget(struct conn *conn)
{
	if (conn->admission != NULL)
		conn->admission->conn = NULL;
	conn->admission = NULL;
}

enum rp_err admission_delay(struct task *task, struct shard *shard, const struct net_address *address,
    bool failed, uint64_t *delay_ns)
{
	struct call_delay_in in = { .address = *address, .failed = failed };

	*delay_ns = 0;
	if (admission_trusted(shard, address))
		return RP_OK;
	return shard_call(task, address_table_shard(address, shard->count), CALL_ADDRESS_DELAY, &in, delay_ns);
}
