#include "core/server/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHILD_MEMFD_BYTES_MAX = 256 * 1024 * 1024 };

enum rp_err child_send(int sock, struct bytes text, const int *fds, size_t fds_count)
{
	RP_ASSERT(text.n < CHILD_TEXT_BYTES_MAX);
	return child_send_long(sock, text, fds, fds_count);
}

enum rp_err child_send_long(int sock, struct bytes text, const int *fds, size_t fds_count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * CHILD_FDS_MAX)];
	struct iovec iov = { (void *)(uintptr_t)text.p, text.n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	RP_ASSERT(fds_count <= CHILD_FDS_MAX);
	if (fds_count > 0) {
		memset(control, 0, sizeof(control));
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * fds_count);
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * fds_count);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * fds_count);
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)text.n ? RP_OK : err_of_errno(n < 0 ? errno : EIO);
}

enum rp_err child_recv(int sock, struct child_message *out)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * CHILD_FDS_MAX)];
	struct iovec iov = { out->text, sizeof(out->text) - 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control) };
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_of_errno(errno);
	if (n == 0)
		return RP_ERR_END;
	out->text[n] = '\0';
	out->text_bytes = (size_t)n;
	out->fds_count = 0;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg != NULL; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		RP_ASSERT(out->fds_count + count <= CHILD_FDS_MAX);
		memcpy(out->fd + out->fds_count, CMSG_DATA(cmsg), count * sizeof(int));
		out->fds_count += count;
	}
	return RP_OK;
}

int child_memfd(const char *name, struct bytes content)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;

	while (fd >= 0 && done < content.n) {
		ssize_t n = pwrite(fd, content.p + done, content.n - done, (off_t)done);

		if (n <= 0) {
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	if (fd >= 0)
		(void)!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	return fd;
}

enum rp_err child_read_memfd(int fd, char **text, size_t *n)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_of_errno(errno);
	if (st.st_size > CHILD_MEMFD_BYTES_MAX)
		return RP_ERR_LIMIT;
	char *read = malloc((size_t)st.st_size + 1);

	if (read == NULL)
		return RP_ERR_NOMEM;
	if (pread(fd, read, (size_t)st.st_size, 0) != st.st_size) {
		free(read);
		return RP_ERR_IO;
	}
	read[st.st_size] = '\0';
	*text = read;
	*n = (size_t)st.st_size;
	return RP_OK;
}
