#include "core/cli/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/cli/exit_code.h"

enum { CONTROL_LINE_BYTES_MAX = 1024 * 1024 };

struct control {
	int fd;
	char *line; /* CONTROL_LINE_BYTES_MAX */
	size_t n;   /* bytes in it */
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

static enum rp_err send_all(int fd, struct bytes b)
{
	while (b.n > 0) {
		ssize_t n = send(fd, b.p, b.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return RP_ERR_END;
		b = bytes_from(b, (size_t)n);
	}
	return RP_OK;
}

/* One line of the answer, as JSON. */
static enum rp_err read_line(struct control *control, json_t **out)
{
	for (;;) {
		struct bytes have = { (const uint8_t *)control->line, control->n };
		size_t lf = bytes_find(have, 0, '\n');

		if (lf < have.n) {
			*out = json_loadb(control->line, lf, 0, NULL);
			memmove(control->line, control->line + lf + 1, control->n - lf - 1);
			control->n -= lf + 1;
			return *out != NULL ? RP_OK : RP_ERR_SYNTAX;
		}
		if (control->n == CONTROL_LINE_BYTES_MAX)
			return RP_ERR_LIMIT;
		ssize_t n = recv(control->fd, control->line + control->n, CONTROL_LINE_BYTES_MAX - control->n, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return RP_ERR_END;
		control->n += (size_t)n;
	}
}

enum rp_err control_ask(struct control *control, json_t *request, struct bytes mail,
    void (*each)(void *arg, const json_t *line), void *arg, json_t **answer)
{
	char *text = json_dumps(request, JSON_COMPACT);
	enum rp_err err = text != NULL ? send_all(control->fd, bytes_of_str(text)) : RP_ERR_NOMEM;

	json_decref(request);
	free(text);
	if (err == RP_OK)
		err = send_all(control->fd, BYTES_LIT("\n"));
	if (err == RP_OK)
		err = send_all(control->fd, mail);
	while (err == RP_OK) {
		json_t *line;

		err = read_line(control, &line);
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
