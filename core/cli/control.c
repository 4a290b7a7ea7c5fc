#include "core/cli/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/cli/exit_code.h"

enum { CONTROL_LINE_BYTES_MAX = 1024 * 1024 };

struct control {
	int fd;
	char *line;  /* CONTROL_LINE_BYTES_MAX */
	size_t from; /* line[from, n) has come and was not read */
	size_t n;
};

enum rp_err control_open(const struct config *config, struct control **out)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s%s",
		config->control[0] != '\0' ? config->control : config->data, config->control[0] != '\0' ? "" : "/control");

	if (n < 0 || (size_t)n >= sizeof(address.sun_path))
		return RP_ERR_NOTFOUND;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_of_errno(errno);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		int number = errno;

		close(fd);
		/* A socket that nobody listens at is what an ended server left. */
		return number == ECONNREFUSED ? RP_ERR_NOTFOUND : err_of_errno(number);
	}
	struct control *control = calloc(1, sizeof(*control));

	if (control != NULL)
		control->line = malloc(CONTROL_LINE_BYTES_MAX);
	if (control == NULL || control->line == NULL) {
		free(control);
		close(fd);
		return RP_ERR_NOMEM;
	}
	control->fd = fd;
	*out = control;
	return RP_OK;
}

void control_close(struct control *control)
{
	if (control == NULL)
		return;
	close(control->fd);
	free(control->line);
	free(control);
}

/* What has come, as far as there is room. RP_ERR_END: no more will. */
static enum rp_err take_in(struct control *control, int flags)
{
	ssize_t n;

	do
		n = recv(control->fd, control->line + control->n, CONTROL_LINE_BYTES_MAX - control->n, flags);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return RP_OK;
	if (n <= 0)
		return RP_ERR_END;
	control->n += (size_t)n;
	return RP_OK;
}

/* The server may be waiting until we read: both at once. */
static enum rp_err wait_to_send(struct control *control)
{
	bool room = control->n < CONTROL_LINE_BYTES_MAX;
	struct pollfd poll_fd = { .fd = control->fd, .events = (short)(POLLOUT | (room ? POLLIN : 0)) };

	if (poll(&poll_fd, 1, -1) < 0)
		return errno == EINTR ? RP_OK : err_of_errno(errno);
	return room && (poll_fd.revents & POLLIN) != 0 ? take_in(control, MSG_DONTWAIT) : RP_OK;
}

static enum rp_err send_all(struct control *control, struct iovec *iov, size_t count)
{
	enum rp_err err = RP_OK;

	while (count > 0 && err == RP_OK) {
		struct msghdr msg = { .msg_iov = iov, .msg_iovlen = count };
		ssize_t n = sendmsg(control->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		size_t sent = n > 0 ? (size_t)n : 0;

		if (n < 0 && errno == EAGAIN)
			err = wait_to_send(control);
		else if (n < 0 && errno != EINTR)
			err = RP_ERR_END;
		while (count > 0 && sent >= iov->iov_len) {
			sent -= iov->iov_len;
			iov++;
			count--;
		}
		if (count > 0) {
			iov->iov_base = (char *)iov->iov_base + sent;
			iov->iov_len -= sent;
		}
	}
	return err;
}

enum rp_err control_send(struct control *control, json_t *request, struct bytes mail)
{
	char *text = json_dumps(request, JSON_COMPACT);
	struct iovec iov[] = {
		{ text, text != NULL ? strlen(text) : 0 },
		{ (void *)(uintptr_t)"\n", 1 },
		{ (void *)(uintptr_t)mail.p, mail.n },
	};
	enum rp_err err = text != NULL ? send_all(control, iov, 3) : RP_ERR_NOMEM;

	json_decref(request);
	free(text);
	return err;
}

bool control_has_line(const struct control *control)
{
	return memchr(control->line + control->from, '\n', control->n - control->from) != NULL;
}

enum rp_err control_next(struct control *control, json_t **out)
{
	for (;;) {
		struct bytes have = { (const uint8_t *)control->line + control->from, control->n - control->from };
		size_t lf = bytes_find(have, 0, '\n');

		if (lf < have.n) {
			*out = json_loadb((const char *)have.p, lf, 0, NULL);
			control->from += lf + 1;
			return *out != NULL ? RP_OK : RP_ERR_SYNTAX;
		}
		memmove(control->line, have.p, have.n);
		control->from = 0;
		control->n = have.n;
		if (control->n == CONTROL_LINE_BYTES_MAX)
			return RP_ERR_LIMIT;
		enum rp_err err = take_in(control, 0);

		if (err != RP_OK)
			return err;
	}
}

enum rp_err control_ask(struct control *control, json_t *request, struct bytes mail,
    void (*each)(void *arg, const json_t *line), void *arg, json_t **answer)
{
	enum rp_err err = control_send(control, request, mail);

	while (err == RP_OK) {
		json_t *line;

		err = control_next(control, &line);
		if (err != RP_OK)
			break;
		if (json_object_get(line, "code") != NULL) {
			*answer = line;
			return RP_OK;
		}
		if (each != NULL)
			each(arg, line);
		json_decref(line);
	}
	return err;
}

int control_code(const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (error != NULL)
		fprintf(stderr, "ringpost: %s\n", error);
	return (int)json_integer_value(json_object_get(answer, "code"));
}
