#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/server/child.h"

Test(child, words_and_descriptors_arrive)
{
	static struct child_message message;
	int pair[2];
	int file = child_memfd("test", BYTES_LIT("hello"));
	char *text;
	size_t n;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	cr_assert_eq(child_send(pair[0], BYTES_LIT("start"), &file, 1), RP_OK);
	cr_assert_eq(child_send(pair[0], BYTES_LIT("stop"), NULL, 0), RP_OK);
	cr_assert_eq(child_recv(pair[1], &message), RP_OK);
	cr_assert_str_eq(message.text, "start");
	cr_assert_eq(message.fds_count, 1);
	cr_assert_eq(child_read_memfd(message.fd[0], &text, &n), RP_OK);
	cr_assert_eq(n, 5);
	cr_assert_str_eq(text, "hello");
	free(text);
	cr_assert_eq(child_recv(pair[1], &message), RP_OK);
	cr_assert_str_eq(message.text, "stop");
	cr_assert_eq(message.fds_count, 0);
	close(pair[0]);
	cr_assert_eq(child_recv(pair[1], &message), RP_ERR_END);
}
