#include "bench/blocking/lmtp_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load/die.h"
#include "bench/blocking/wire.h"
#include "io/base/clock.h"

enum {
	LMTP_SESSIONS = 64,
	LMTP_MESSAGE_BYTES = 4096,
	LMTP_ANSWER_BYTES_MAX = 8192,
	LMTP_DATA_LINE_BYTES = 72,
};

enum lmtp_step {
	LMTP_STEP_GREETING,
	LMTP_STEP_LHLO,
	LMTP_STEP_ENVELOPE,
	LMTP_STEP_BODY,
	LMTP_STEP_RESTS,
};

struct lmtp_session {
	int fd;
	enum lmtp_step step;
	uint64_t number; /* of its message */
	unsigned answers_awaited;
	size_t have; /* of an answer that is not whole */
	char answer[LMTP_ANSWER_BYTES_MAX];
};

struct lmtp_load {
	const struct work *work;
	struct lmtp_session session[LMTP_SESSIONS];
	int epoll;
	uint64_t run; /* no run's messages are another's: the server would take them for retries */
	uint64_t wanted_count;
	uint64_t begun_count;
	uint64_t done_count;
	char message[LMTP_MESSAGE_BYTES + 64];
};

static void send_all(const struct lmtp_session *session, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(session->fd, text, n, MSG_NOSIGNAL);

		if (sent <= 0)
			die("LMTP: the server closed a session: %s", strerror(errno));
		text += sent;
		n -= (size_t)sent;
	}
}

static void send_envelope(struct lmtp_load *load, struct lmtp_session *session)
{
	char text[WIRE_TEXT_BYTES_MAX];

	if (load->begun_count == load->wanted_count) {
		session->step = LMTP_STEP_RESTS;
		return;
	}
	session->number = load->begun_count++;
	int n = snprintf(text, sizeof(text),
	    "MAIL FROM:<load@example.org>\r\nRCPT TO:<%s%llu@example.org>\r\nDATA\r\n",
	    load->work->users, (unsigned long long)(session->number % load->work->users_count));

	session->step = LMTP_STEP_ENVELOPE;
	session->answers_awaited = 3;
	send_all(session, text, (size_t)n);
}

/* 4 KiB, each with a Message-ID of its own. */
static void send_message(struct lmtp_load *load, struct lmtp_session *session)
{
	int n = snprintf(load->message, sizeof(load->message),
	    "From: Load <load@example.org>\r\nTo: Someone <someone@example.org>\r\nSubject: "
	    "message %llu of a load test\r\n"
	    "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%llu.%llu.load@example.org>\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
	    (unsigned long long)session->number, (unsigned long long)session->number,
	    (unsigned long long)load->run);

	size_t at = (size_t)n;

	while (at < LMTP_MESSAGE_BYTES) {
		memset(load->message + at, 'a' + (int)(at % 26), LMTP_DATA_LINE_BYTES - 2);
		memcpy(load->message + at + LMTP_DATA_LINE_BYTES - 2, "\r\n", 2);
		at += LMTP_DATA_LINE_BYTES;
		if (at + LMTP_DATA_LINE_BYTES > sizeof(load->message) - 4)
			break;
	}
	memcpy(load->message + at, ".\r\n", 3);
	session->step = LMTP_STEP_BODY;
	session->answers_awaited = 1;
	send_all(session, load->message, at + 3);
}

/* All answers of a step have come: the next one. */
static void go_on(struct lmtp_load *load, struct lmtp_session *session)
{
	switch (session->step) {
	case LMTP_STEP_GREETING:
		session->step = LMTP_STEP_LHLO;
		session->answers_awaited = 1;
		send_all(session, "LHLO load.example.org\r\n", 23);
		break;
	case LMTP_STEP_ENVELOPE:
		send_message(load, session);
		break;
	case LMTP_STEP_BODY:
		load->done_count++;
		send_envelope(load, session);
		break;
	case LMTP_STEP_LHLO:
		send_envelope(load, session);
		break;
	case LMTP_STEP_RESTS:
		die("LMTP: an answer that nobody awaits");
	}
}

static void read_answers(struct lmtp_load *load, struct lmtp_session *session)
{
	ssize_t n = recv(session->fd, session->answer + session->have,
	    sizeof(session->answer) - session->have, 0);

	if (n <= 0)
		die("LMTP: the server closed a session");
	session->have += (size_t)n;
	for (;;) {
		char *lf = memchr(session->answer, '\n', session->have);

		if (lf == NULL)
			return;
		size_t line = (size_t)(lf - session->answer) + 1;

		if (session->answer[0] != '2' && session->answer[0] != '3')
			die("LMTP: the server answered: %.*s", (int)line - 1, session->answer);
		if (line > 4 && session->answer[3] == ' ')
			session->answers_awaited--;
		session->have -= line;
		memmove(session->answer, session->answer + line, session->have);
		if (session->answers_awaited == 0)
			go_on(load, session);
	}
}

static void turn(struct lmtp_load *load)
{
	struct epoll_event event[LMTP_SESSIONS];
	int n = epoll_wait(load->epoll, event, LMTP_SESSIONS, 10000);

	if (n == 0)
		die("LMTP: no answer for ten seconds");
	for (int i = 0; i < n; i++)
		read_answers(load, &load->session[event[i].data.u32]);
}

struct lmtp_load *lmtp_load_open(const struct work *work)
{
	struct lmtp_load *load = calloc(1, sizeof(*load));

	if (load == NULL)
		die("no memory");
	load->work = work;
	load->run = clock_wall_ns();
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (uint32_t i = 0; i < LMTP_SESSIONS; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
		struct lmtp_session *session = &load->session[i];

		session->fd = wire_connect(work->lmtp);
		session->answers_awaited = 1;
		if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, session->fd, &event) != 0)
			die("epoll: %s", strerror(errno));
	}
	return load;
}

void lmtp_load_close(struct lmtp_load *load)
{
	for (size_t i = 0; i < LMTP_SESSIONS; i++)
		close(load->session[i].fd);
	close(load->epoll);
	free(load);
}

static void want(struct lmtp_load *load, uint64_t count)
{
	load->wanted_count = count;
	for (size_t i = 0; i < LMTP_SESSIONS; i++)
		if (load->session[i].step == LMTP_STEP_RESTS)
			send_envelope(load, &load->session[i]);
}

void lmtp_load_deliver(struct lmtp_load *load, uint64_t count)
{
	want(load, load->begun_count + count);
	while (load->done_count < load->wanted_count)
		turn(load);
}

uint64_t lmtp_load_run(struct lmtp_load *load, double seconds)
{
	uint64_t before = load->done_count;
	uint64_t start_ns = clock_monotonic_ns();

	want(load, UINT64_MAX);
	while ((double)(clock_monotonic_ns() - start_ns) < seconds * 1e9)
		turn(load);
	return load->done_count - before;
}
