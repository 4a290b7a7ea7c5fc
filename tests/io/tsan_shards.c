/* Several shards in threads, calling each other and moving connections: a plain program, for the
 * thread sanitizer (Criterion's own memory fails under it). Ends with a number other than 0 when
 * anything was not as it must be. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/net.h"
#include "tests/io/shard_work.h"

enum {
	SHARDS = 3,
	CONNECTIONS = 20,
	BYTES = 60, /* each, a multiple of SHARDS: so a connection ends where it began */
	SKIPPED = 77,
};

struct shard {
	pthread_t thread;
	unsigned number;
	struct loop *loop;
	struct shard_work work;
	unsigned ended; /* connections */
	uint64_t echoed;
};

static struct shard shards[SHARDS];
static struct shard_group *group;
static pthread_barrier_t barrier;
static int listen_fd;
static uint16_t port;

struct traveller {
	struct shard *shard;
	struct net *net;
	uint8_t byte;
};

static void fail(const char *what)
{
	fprintf(stderr, "tsan_shards: %s\n", what);
	exit(1);
}

static void stop(void *world, uint64_t arg)
{
	struct shard *shard = world;

	(void)arg;
	loop_stop(shard->loop);
}

static void ended(struct traveller *traveller)
{
	struct shard *shard = traveller->shard;

	net_close(traveller->net, NULL, NULL);
	free(traveller);
	if (++shard->ended < CONNECTIONS)
		return;
	for (unsigned to = 0; to < SHARDS; to++)
		shard_post(shard->loop, to, stop, 0);
}

static void received(void *arg, enum rp_err err, struct bytes in);

static void moved(void *world, struct net *net, void *arg)
{
	struct traveller *traveller = arg;

	if (net == NULL)
		fail("a move failed");
	traveller->shard = world;
	traveller->net = net;
	net_recv(net, received, traveller);
}

static void sent(void *arg, enum rp_err err)
{
	struct traveller *traveller = arg;

	if (err != RP_OK)
		fail("a send failed");
	net_move(traveller->net, (traveller->shard->number + 1) % SHARDS, moved, traveller);
}

static void received(void *arg, enum rp_err err, struct bytes in)
{
	struct traveller *traveller = arg;

	if (err != RP_OK || in.n == 0) {
		ended(traveller);
		return;
	}
	traveller->byte = in.p[0];
	traveller->shard->echoed++;
	net_send(traveller->net, bytes_of(&traveller->byte, 1), sent, traveller);
}

static void accepted(void *arg, struct net *net)
{
	struct traveller *traveller = malloc(sizeof(*traveller));

	if (traveller == NULL)
		fail("no memory");
	*traveller = (struct traveller){.shard = arg, .net = net};
	net_recv(net, received, traveller);
}

static void *client(void *arg)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons(port)};

	for (unsigned i = 0; i < CONNECTIONS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
			fail("cannot connect");
		for (unsigned j = 0; j < BYTES; j++) {
			uint8_t c = (uint8_t)j, back = 0;

			if (write(fd, &c, 1) != 1 || read(fd, &back, 1) != 1 || back != c)
				fail("a byte did not come back");
		}
		close(fd);
	}
	return arg;
}

static void *serve(void *arg)
{
	struct shard *shard = arg;
	struct loop_settings settings = {
	    .shard = shard->number, .files_max = 128, .root_fd = {-1, -1}, .restricted = true};
	struct net_listener *listener = NULL;
	const char *reason;

	if (loop_open(&settings, &shard->loop, &reason) != RP_OK) {
		fprintf(stderr, "tsan_shards: %s\n", reason);
		exit(SKIPPED);
	}
	shard_group_join(group, shard->loop);
	shard_group_wait(group);
	shard_work_begin(&shard->work, shard->loop, SHARDS);
	loop_run(shard->loop);
	pthread_barrier_wait(&barrier);

	loop_set_world(shard->loop, shard);
	if (shard->number == 0 &&
	    net_listen(shard->loop, listen_fd, accepted, shard, &listener) != RP_OK)
		fail("cannot listen");
	pthread_barrier_wait(&barrier);
	loop_run(shard->loop);
	shard_group_leave(group, shard->loop);
	net_listener_close(listener);
	loop_close(shard->loop);
	return NULL;
}

static void open_listener(void)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(address);

	listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	if (listen_fd < 0 || bind(listen_fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(listen_fd, 64) != 0 ||
	    getsockname(listen_fd, (struct sockaddr *)&address, &n) != 0)
		fail("no listener");
	port = ntohs(address.sin_port);
}

int main(void)
{
	struct shard_group_settings settings = shard_work_settings;
	pthread_t client_thread;

	settings.shards_count = SHARDS;
	open_listener();
	pthread_barrier_init(&barrier, NULL, SHARDS);
	if (shard_group_open(&settings, &group) != RP_OK)
		fail("no group");
	for (unsigned i = 0; i < SHARDS; i++) {
		shards[i].number = i;
		if (pthread_create(&shards[i].thread, NULL, serve, &shards[i]) != 0)
			fail("no thread");
	}
	if (pthread_create(&client_thread, NULL, client, NULL) != 0)
		fail("no thread");
	pthread_join(client_thread, NULL);
	for (unsigned i = 0; i < SHARDS; i++)
		pthread_join(shards[i].thread, NULL);
	for (unsigned i = 0; i < SHARDS; i++) {
		if (!shard_work_is_right(&shards[i].work))
			fail("calls between shards went wrong");
		if (shards[i].echoed != CONNECTIONS * BYTES / SHARDS)
			fail("connections did not move as they should");
	}
	shard_group_close(group);
	close(listen_fd);
	return 0;
}
