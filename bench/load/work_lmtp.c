/* LMTP: 64 sessions at once, each with one message under way.
 *
 * A session:  GREETING -> LHLO -> ENVELOPE (MAIL, RCPT and DATA pipelined: three answers) -> BODY (one answer) -> ENVELOPE
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load/die.h"
#include "bench/load/wire.h"
#include "bench/load/work.h"
#include "io/base/clock.h"

enum {
	LMTP_SESSIONS = 64,
	LMTP_MESSAGE_BYTES = 4096,
	LMTP_ANSWER_BYTES_MAX = 8192,
	LMTP_DATA_LINE_BYTES = 72,
};

enum lmtp_step { LMTP_STEP_GREETING, LMTP_STEP_LHLO, LMTP_STEP_ENVELOPE, LMTP_STEP_BODY };

struct lmtp_session {
	int fd;
	enum lmtp_step step;
	unsigned answers_awaited;
	size_t have; /* of an answer that is not whole */
	char answer[LMTP_ANSWER_BYTES_MAX];
};

struct lmtp_load {
	const struct work *work;
	struct lmtp_session session[LMTP_SESSIONS];
	uint64_t run; /* no run's messages are another's: the server would take them for retries */
	uint64_t sent_count;
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
	int n = snprintf(text, sizeof(text),
	    "MAIL FROM:<load@example.org>\r\nRCPT TO:<%s%llu@example.org>\r\nDATA\r\n",
	    load->work->users, (unsigned long long)(load->sent_count % load->work->users_count));

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
	    (unsigned long long)load->sent_count, (unsigned long long)load->sent_count,
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
	load->sent_count++;
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

static void turn(struct lmtp_load *load, int epoll)
{
	struct epoll_event event[LMTP_SESSIONS];
	int n = epoll_wait(epoll, event, LMTP_SESSIONS, 10000);

	if (n == 0)
		die("LMTP: no answer for ten seconds");
	for (int i = 0; i < n; i++)
		read_answers(load, &load->session[event[i].data.u32]);
}

static int open_sessions(struct lmtp_load *load)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	for (uint32_t i = 0; i < LMTP_SESSIONS; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
		struct lmtp_session *session = &load->session[i];

		session->fd = wire_connect(load->work->lmtp);
		session->answers_awaited = 1;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, session->fd, &event) != 0)
			die("epoll: %s", strerror(errno));
	}
	return epoll;
}

void work_lmtp(struct work *work)
{
	struct lmtp_load *load = calloc(1, sizeof(*load));

	if (load == NULL)
		die("no memory");
	load->work = work;
	load->run = clock_wall_ns();
	int epoll = open_sessions(load);

	/* Every user's volume is opened once before the clock starts. */
	while (load->done_count < 2 * (uint64_t)work->users_count)
		turn(load, epoll);
	uint64_t before = load->done_count;
	struct work_clock start = work_clock_start(work);

	while ((double)(clock_monotonic_ns() - start.wall_ns) < work->seconds * 1e9)
		turn(load, epoll);
	struct work_clock spent = work_clock_since(work, start);
	double count = (double)(load->done_count - before);

	for (size_t i = 0; i < LMTP_SESSIONS; i++)
		close(load->session[i].fd);
	close(epoll);
	free(load);
	report_add(&work->report, (struct report_row){.key = "lmtp_rate",
	                              .work = "LMTP, 64 sessions, 4 KiB, durable, wall",
	                              .unit = "/s",
	                              .value = count * 1e9 / (double)spent.wall_ns,
	                              .more_is_better = true});
	if (work->procs.count > 0)
		report_add(&work->report, (struct report_row){.key = "lmtp_rate_core",
		                              .work = "LMTP, the same, per second of server CPU",
		                              .unit = "/s",
		                              .value = count * 1e9 / (double)spent.cpu_ns,
		                              .floor = 190000,
		                              .target = 20000,
		                              .more_is_better = true});
}
