/* Connecting: a client's half, which no server links. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "io/loop_core.h"
#include "io/net_core.h"
#include "io/task.h"

static socklen_t fill_address(const struct net_address *from, struct sockaddr_storage *to)
{
	struct sockaddr_in6 *v6 = (void *)to;
	struct sockaddr_in *v4 = (void *)to;

	*to = (struct sockaddr_storage){0};
	if (net_address_is_v4(from)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(from->port);
		memcpy(&v4->sin_addr, from->ip + 12, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(from->port);
	memcpy(&v6->sin6_addr, from->ip, 16);
	return sizeof(*v6);
}

enum rp_err net_connect(struct task *task, const struct net_address *address, struct net **out)
{
	struct loop *loop = task_loop(task);
	struct sockaddr_storage to;
	socklen_t to_bytes = fill_address(address, &to);
	int one = 1;

	if (!loop->kind->listens || address->is_unix)
		return RP_ERR_CANNOT;
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_of_errno(errno);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	struct op op = {.kind = OP_CONNECT, .fd = fd};

	op.connect.address = (const struct sockaddr *)&to;
	op.connect.address_bytes = to_bytes;
	int result = op_await(task, &op);
	struct net *net = result == 0 && !task_interrupted(task) ? net_make(loop, fd, false) : NULL;

	if (net == NULL) {
		close(fd);
		return result < 0 ? err_of_errno(-result)
		                  : (task_interrupted(task) ? RP_ERR_CANCELED : RP_ERR_LIMIT);
	}
	net->peer = *address;
	*out = net;
	return RP_OK;
}
