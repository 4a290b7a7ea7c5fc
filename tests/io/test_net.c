#include "tests/io/io_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/shard_call.h"
#include "tests/io/echo.h"

static int connect_to(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons(port)};
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* The client is a thread that knows nothing of loops; when it ends, the loop is stopped. */
struct client {
	pthread_t thread;
	struct loop *loop;
	uint16_t port;
	bool (*fn)(uint16_t port);
	bool right;
};

static void *client_main(void *arg)
{
	struct client *client = arg;

	client->right = client->fn(client->port);
	loop_stop(client->loop);
	return NULL;
}

static void client_run(
    struct client *client, struct loop *loop, uint16_t port, bool (*fn)(uint16_t))
{
	*client = (struct client){.loop = loop, .port = port, .fn = fn};
	cr_assert_eq(pthread_create(&client->thread, NULL, client_main, client), 0);
	loop_run(loop);
	pthread_join(client->thread, NULL);
	cr_assert(client->right);
}

static void with_echo(bool (*fn)(uint16_t port), struct echo *echo)
{
	struct io_fixture fixture;
	struct client client;

	io_fixture_open(&fixture, IO_FIXTURE_URING, 0);
	*echo = (struct echo){.loop = fixture.loop};
	echo->fd = echo_listen(&echo->port);
	cr_assert_eq(net_listen(fixture.loop, echo->fd, echo_on_accept, echo, &echo->listener), RP_OK);
	client_run(&client, fixture.loop, echo->port, fn);
	io_fixture_run(&fixture, echo_until_all_closed, echo);
	net_listener_close(echo->listener);
	io_fixture_close(&fixture);
	close(echo->fd);
}

static bool read_all(int fd, uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, p, n);

		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

static bool sends_bytes_one_by_one(uint16_t port)
{
	int fd = connect_to(port);
	bool right = fd >= 0;

	for (unsigned i = 0; right && i < 500; i++) {
		uint8_t c = (uint8_t)i, back = 0;

		right = write(fd, &c, 1) == 1 && read_all(fd, &back, 1) && back == c;
	}
	close(fd);
	return right;
}

Test(net, what_is_sent_comes_back)
{
	struct echo echo;
	char text[48];

	with_echo(sends_bytes_one_by_one, &echo);
	cr_assert_eq(echo.accepted, 1);
	cr_assert_eq(echo.bytes, 500);
	net_address_format(&echo.peer, text, sizeof(text));
	cr_assert_str_eq(text, "127.0.0.1");
	cr_assert_neq(echo.peer.port, 0);
}

enum { BULK_BYTES = 4 * 1024 * 1024 };

static void *writes_bulk(void *arg)
{
	int fd = *(int *)arg;
	uint8_t block[8192];

	for (size_t at = 0; at < BULK_BYTES; at += sizeof(block)) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (uint8_t)((at + i) * 31 >> 3);
		for (size_t done = 0; done < sizeof(block);) {
			ssize_t n = write(fd, block + done, sizeof(block) - done);

			if (n <= 0)
				return NULL;
			done += (size_t)n;
		}
	}
	shutdown(fd, SHUT_WR);
	return arg;
}

/* The client is slow to read: the server's sends wait, and it receives no more meanwhile. */
static bool sends_much_and_reads_slowly(uint16_t port)
{
	static uint8_t block[65536];
	int fd = connect_to(port);
	pthread_t writer;
	void *written;
	bool right = fd >= 0 && pthread_create(&writer, NULL, writes_bulk, &fd) == 0;

	usleep(20000);
	for (size_t at = 0; right && at < BULK_BYTES; at += sizeof(block)) {
		right = read_all(fd, block, sizeof(block));
		for (size_t i = 0; right && i < sizeof(block); i += 101)
			right = block[i] == (uint8_t)((at + i) * 31 >> 3);
		if (at % (1024 * 1024) == 0)
			usleep(5000);
	}
	pthread_join(writer, &written);
	right = right && written != NULL && read(fd, block, 1) == 0;
	close(fd);
	return right;
}

Test(net, a_slow_reader_gets_all)
{
	struct echo echo;

	with_echo(sends_much_and_reads_slowly, &echo);
	cr_assert_eq(echo.bytes, BULK_BYTES);
	cr_assert_eq(echo.resets, 0);
}

static bool resets(uint16_t port)
{
	struct linger linger = {.l_onoff = 1};

	for (unsigned i = 0; i < 50; i++) {
		int fd = connect_to(port);

		if (fd < 0 || write(fd, "hello", 5) != 5)
			return false;
		if (i % 2 == 0)
			usleep(500);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(fd);
	}
	return true;
}

Test(net, a_peer_that_resets_is_an_end)
{
	struct echo echo;

	with_echo(resets, &echo);
	cr_assert_gt(echo.resets, 0);
	cr_assert_eq(echo.alive, 0);
}

static bool comes_and_goes(uint16_t port)
{
	for (unsigned round = 0; round < 200; round++) {
		int fd[50];
		uint8_t c;

		for (unsigned i = 0; i < 50; i++) {
			fd[i] = connect_to(port);
			if (fd[i] < 0)
				return false;
			if (i % 2 == 0 && write(fd[i], "x", 1) != 1)
				return false;
		}
		for (unsigned i = 0; i < 50; i++) {
			if (i % 4 == 0 && !read_all(fd[i], &c, 1))
				return false;
			close(fd[i]);
		}
	}
	return true;
}

/* The table of direct descriptors has 1,024 places: one lost per connection would be felt. */
Test(net, ten_thousand_connections_leave_nothing_behind, .timeout = 60)
{
	struct echo echo;

	with_echo(comes_and_goes, &echo);
	cr_assert_eq(echo.accepted, 10000);
	cr_assert_eq(echo.alive, 0);
}

/* Descriptors run out: accepting goes on when some are free again. */
static bool fills_the_table(uint16_t port)
{
	int fd[60];
	uint8_t c;
	unsigned answered = 0;

	for (unsigned i = 0; i < 60; i++) {
		struct timeval timeout = {.tv_sec = 0, .tv_usec = 300000};

		fd[i] = connect_to(port);
		if (fd[i] < 0 || write(fd[i], "x", 1) != 1)
			return false;
		setsockopt(fd[i], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
		if (i < 10 && !read_all(fd[i], &c, 1))
			return false;
	}
	for (unsigned i = 0; i < 60; i++)
		close(fd[i]);
	for (unsigned i = 0; i < 30; i++) {
		struct timeval timeout = {.tv_sec = 2};
		int one = connect_to(port);

		setsockopt(one, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
		answered += one >= 0 && write(one, "y", 1) == 1 && read_all(one, &c, 1) && c == 'y';
		close(one);
	}
	return answered > 0;
}

Test(net, accepting_goes_on_when_descriptors_are_free_again, .timeout = 60)
{
	struct loop_settings settings = {.files_max = 32, .root_fd = {-1, -1}};
	struct echo echo = {0};
	struct client client;
	const char *reason;
	enum rp_err err = loop_open(&settings, &echo.loop, &reason);

	if (err == RP_ERR_UNAVAILABLE)
		cr_skip_test("%s", reason);
	cr_assert_eq(err, RP_OK);
	echo.fd = echo_listen(&echo.port);
	cr_assert_eq(net_listen(echo.loop, echo.fd, echo_on_accept, &echo, &echo.listener), RP_OK);
	client_run(&client, echo.loop, echo.port, fills_the_table);
	struct io_fixture fixture = {.loop = echo.loop};

	io_fixture_run(&fixture, echo_until_all_closed, &echo);
	net_listener_close(echo.listener);
	loop_close(echo.loop);
	close(echo.fd);
}

Test(net, addresses_are_written_as_people_read_them)
{
	struct net_address address = {.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
	char text[48];

	net_address_format(&address, text, sizeof(text));
	cr_assert_str_eq(text, "2001:db8::1");
	address = (struct net_address){.is_unix = true};
	net_address_format(&address, text, sizeof(text));
	cr_assert_str_eq(text, "unix");
}

/* Moving: shard 0 accepts, shard 1 echoes, and moves each connection back and forth. */
struct mover {
	pthread_t thread;
	struct shard_group *group;
	struct loop *loop;
	unsigned shard;
	struct echo echo;
};

struct traveller {
	struct mover *mover;
	struct net *net;
	uint8_t byte;
};

static void traveller_recv(void *arg, enum rp_err err, struct bytes in);

static void traveller_moved(void *world, struct net *net, void *arg)
{
	struct traveller *traveller = arg;

	cr_assert_not_null(net);
	traveller->mover = world;
	traveller->net = net;
	net_recv(net, traveller_recv, traveller);
}

static void traveller_sent(void *arg, enum rp_err err)
{
	struct traveller *traveller = arg;

	(void)err;
	net_move(traveller->net, 1 - traveller->mover->shard, traveller_moved, traveller);
}

static void traveller_recv(void *arg, enum rp_err err, struct bytes in)
{
	struct traveller *traveller = arg;

	if (err != RP_OK || in.n == 0) {
		traveller->mover->echo.ended++;
		net_close(traveller->net, NULL, NULL);
		free(traveller);
		return;
	}
	traveller->byte = in.p[0];
	traveller->mover->echo.bytes++;
	net_send(traveller->net, bytes_of(&traveller->byte, 1), traveller_sent, traveller);
}

static void traveller_accepted(void *arg, struct net *net)
{
	struct traveller *traveller = malloc(sizeof(*traveller));

	*traveller = (struct traveller){.mover = arg, .net = net};
	traveller->mover->echo.accepted++;
	net_recv(net, traveller_recv, traveller);
}

/* After an even number of bytes each is back here when its client closes. */
static void until_both_ended(struct task *task, void *arg)
{
	struct echo *echo = arg;

	for (unsigned i = 0; echo->ended < 2; i++) {
		cr_assert_lt(i, 5000, "a connection is never closed");
		cr_assert_eq(task_sleep(task, 1000000), RP_OK);
	}
}

static void stop_shard(void *world, uint64_t arg)
{
	struct mover *mover = world;

	(void)arg;
	loop_stop(mover->loop);
}

static void *mover_main(void *arg)
{
	struct mover *mover = arg;
	struct loop_settings settings = {
	    .shard = mover->shard, .files_max = 64, .root_fd = {-1, -1}, .restricted = true};
	const char *reason;

	if (loop_open(&settings, &mover->loop, &reason) != RP_OK)
		return NULL;
	loop_set_world(mover->loop, mover);
	shard_group_join(mover->group, mover->loop);
	shard_group_wait(mover->group);
	if (mover->shard == 0) {
		struct client client;

		if (net_listen(mover->loop, mover->echo.fd, traveller_accepted, mover,
		        &mover->echo.listener) != RP_OK)
			return NULL;
		client_run(&client, mover->loop, mover->echo.port, sends_bytes_one_by_one);
		client_run(&client, mover->loop, mover->echo.port, sends_bytes_one_by_one);
		struct io_fixture fixture = {.loop = mover->loop};

		io_fixture_run(&fixture, until_both_ended, &mover->echo);
		net_listener_close(mover->echo.listener);
		shard_post(mover->loop, 1, stop_shard, 0);
		shard_post(mover->loop, 0, stop_shard, 0);
	}
	loop_run(mover->loop);
	shard_group_leave(mover->group, mover->loop);
	loop_close(mover->loop);
	return NULL;
}

Test(net, a_connection_moves_between_shards, .timeout = 60)
{
	static struct mover mover[2];
	static const struct shard_call_row rows[] = {{NULL, NULL}};
	struct shard_group_settings settings = {.shards_count = 2, .calls = rows};
	struct shard_group *group;
	struct io_fixture fixture;

	io_fixture_open(&fixture, IO_FIXTURE_URING, 0); /* skips where there is no ring */
	io_fixture_close(&fixture);
	cr_assert_eq(shard_group_open(&settings, &group), RP_OK);
	for (unsigned i = 0; i < 2; i++)
		mover[i] = (struct mover){.group = group, .shard = i};
	mover[0].echo.fd = echo_listen(&mover[0].echo.port);
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&mover[i].thread, NULL, mover_main, &mover[i]), 0);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(mover[i].thread, NULL);
	cr_assert_eq(mover[0].echo.accepted, 2);
	cr_assert_eq(mover[0].echo.bytes, 500);
	cr_assert_eq(mover[1].echo.bytes, 500);
	close(mover[0].echo.fd);
	shard_group_close(group);
}
