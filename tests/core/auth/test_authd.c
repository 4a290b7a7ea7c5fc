/* The auth process itself, as the supervisor starts it, with the test in the place of supervisor
 * and shard. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/auth/auth_wire.h"
#include "core/auth/authd_wire.h"
#include "core/auth/password.h"
#include "core/auth/userfile.h"
#include "io/base/clock.h"

#define ID(n) "0000000000000000000000000000000" #n
#define FAST  "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW" /* "secret" */

enum { ANSWER_TIMEOUT_MS = 20000 };

static char folder[64];
static char path[128];
static pid_t child;
static int supervisor;
static int shard;
static char status_text[AUTHD_WIRE_TEXT_BYTES_MAX];

static void write_users(const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	fputs(text, f);
	cr_assert_eq(fclose(f), 0);
}

static void set_up(void)
{
	snprintf(folder, sizeof(folder), "/tmp/test_authd.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/passwd", folder);
	child = 0;
	supervisor = shard = -1;
}

static void wait_readable(int fd)
{
	struct pollfd p = {fd, POLLIN, 0};

	cr_assert_eq(poll(&p, 1, ANSWER_TIMEOUT_MS), 1, "no answer");
}

static void start(void)
{
	int pair[2];
	const char *program = getenv("RINGPOST_AUTH");

	cr_assert_not_null(program, "RINGPOST_AUTH must name the executable");
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		char fd[16];

		close(pair[0]);
		snprintf(fd, sizeof(fd), "%d", pair[1]);
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		execl(program, program, "--fd", fd, (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	supervisor = pair[0];
}

/* Send settings with one shard's end, and read the status. */
static bool configure(struct authd_wire_settings settings)
{
	struct authd_wire_status status;
	uint8_t answer[4096];
	int pair[2];
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(sizeof(int))];
	} control = {0};

	settings.passwd = path;
	struct bytes message = authd_wire_put_settings(&settings);
	struct iovec iov = {(void *)(uintptr_t)message.p, message.n};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (shard < 0) {
		cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
		shard = pair[0];
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pair[1], sizeof(int));
		cr_assert_eq(sendmsg(supervisor, &header, 0), (ssize_t)message.n);
		close(pair[1]);
	} else {
		cr_assert_eq(sendmsg(supervisor, &header, 0), (ssize_t)message.n);
	}
	authd_wire_free(message);
	wait_readable(supervisor);
	ssize_t n = recv(supervisor, answer, sizeof(answer), 0);

	cr_assert_eq(authd_wire_get_status(bytes_of(answer, (size_t)n), &status), RP_OK);
	memcpy(status_text, status.text, sizeof(status_text));
	return status.ready;
}

static void tear_down(void)
{
	char lock[200];
	int status = -1;

	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(lock);
	unlink(path);
	rmdir(folder);
	if (supervisor >= 0)
		close(supervisor);
	if (shard >= 0)
		close(shard);
	if (child > 0) {
		/* The supervisor's end has closed: it ends by itself, in order, and a leak would be
		 * told. */
		cr_assert_eq(waitpid(child, &status, 0), child);
		cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
	}
}

TestSuite(authd, .init = set_up, .fini = tear_down, .timeout = 120);

static void ask(uint64_t id, enum auth_wire_kind kind, const char *name, const char *authzid,
    const char *password)
{
	uint8_t room[AUTH_WIRE_REQUEST_BYTES_MAX];
	struct auth_wire_request request = {
	    .id = id,
	    .kind = kind,
	    .peer = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1},
	    .name = bytes_of_str(name),
	    .authzid = bytes_of_str(authzid),
	    .password = bytes_of_str(password),
	    .service = BYTES_LIT("imap"),
	};
	size_t n = auth_wire_put_request(&request, room);

	cr_assert_eq(send(shard, room, n, MSG_NOSIGNAL), (ssize_t)n);
}

static struct auth_wire_answer get(void)
{
	static uint8_t room[AUTH_WIRE_ANSWER_BYTES_MAX];
	struct auth_wire_answer answer;

	wait_readable(shard);
	ssize_t n = recv(shard, room, sizeof(room), 0);

	cr_assert_gt(n, 0);
	cr_assert_eq(auth_wire_get_answer(bytes_of(room, (size_t)n), &answer), RP_OK);
	return answer;
}

static struct auth_wire_answer verify(const char *name, const char *authzid, const char *password)
{
	ask(42, AUTH_WIRE_VERIFY, name, authzid, password);
	struct auth_wire_answer answer = get();

	cr_assert_eq(answer.id, 42);
	return answer;
}

Test(authd, tells_right_from_wrong_and_from_unknown)
{
	static const struct {
		const char *name, *password;
		enum auth_wire_result result;
	} cases[] = {
	    {"demo", "secret", AUTH_WIRE_OK},
	    {"DEMO@any.example", "secret", AUTH_WIRE_OK},
	    {"demo+folder", "secret", AUTH_WIRE_OK},
	    {"demo", "Secret", AUTH_WIRE_WRONG},
	    {"demo", "", AUTH_WIRE_WRONG},
	    {"nobody", "secret", AUTH_WIRE_WRONG},
	    {"", "secret", AUTH_WIRE_WRONG},
	    {"de mo", "secret", AUTH_WIRE_WRONG},
	    {"\xff\xfe", "secret", AUTH_WIRE_WRONG},
	    {"locked", "secret", AUTH_WIRE_WRONG},
	    {"locked", "!", AUTH_WIRE_WRONG},
	};

	write_users("demo:" FAST ":" ID(1) "\nlocked:!" FAST ":" ID(2) "\n");
	start();
	cr_assert(configure((struct authd_wire_settings){.threads = 2}));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct auth_wire_answer answer = verify(cases[i].name, "", cases[i].password);

		cr_assert_eq(answer.result, cases[i].result, "case %zu", i);
		cr_assert_eq(answer.userid.p[15], answer.result == AUTH_WIRE_OK ? 1 : 0);
		cr_assert(bytes_eq(answer.name,
		    answer.result == AUTH_WIRE_OK ? BYTES_LIT("demo") : (struct bytes){0}));
	}
}

Test(authd, looks_users_up_without_a_password)
{
	write_users("demo:" FAST ":" ID(1) "\nlocked:!:" ID(2) "\n");
	start();
	struct bytes domain = BYTES_LIT("x.org");

	cr_assert(configure((struct authd_wire_settings){.domains = {&domain, 1}}));
	ask(1, AUTH_WIRE_LOOKUP, "demo@x.org", "", "");
	cr_assert_eq(get().userid.p[15], 1);
	ask(2, AUTH_WIRE_LOOKUP, "locked@X.org", "", ""); /* he cannot log in, but gets his mail */
	cr_assert_eq(get().userid.p[15], 2);
	ask(3, AUTH_WIRE_LOOKUP, "demo+work@x.org", "", "");
	struct auth_wire_answer answer = get();

	cr_assert_eq(answer.result, AUTH_WIRE_OK);
	cr_assert_eq(answer.flags, AUTH_WIRE_WITHOUT_DETAIL);
	ask(4, AUTH_WIRE_LOOKUP, "demo@y.org", "", "");
	cr_assert_eq(get().result, AUTH_WIRE_NOBODY);
}

Test(authd, only_a_master_opens_anothers_mail)
{
	write_users("demo:" FAST ":" ID(1) "\nboss:" FAST ":" ID(2) "\n");
	start();
	struct bytes master = BYTES_LIT("boss");

	cr_assert(configure((struct authd_wire_settings){.masters = {&master, 1}}));
	struct auth_wire_answer answer = verify("boss", "demo", "secret");

	cr_assert_eq(answer.result, AUTH_WIRE_OK);
	cr_assert_eq(answer.flags, AUTH_WIRE_MASTER);
	cr_assert_eq(answer.userid.p[15], 1);
	cr_assert(bytes_eq(answer.name, BYTES_LIT("demo")));
	cr_assert_eq(verify("boss", "demo", "wrong").result, AUTH_WIRE_WRONG);
	cr_assert_eq(verify("boss", "nobody", "secret").result, AUTH_WIRE_MAY_NOT);
	cr_assert_eq(verify("boss", "nobody", "wrong").result, AUTH_WIRE_WRONG);
	cr_assert_eq(verify("demo", "boss", "secret").result, AUTH_WIRE_MAY_NOT);
	cr_assert_eq(verify("demo", "boss", "wrong").result, AUTH_WIRE_WRONG);
	answer = verify("demo", "Demo@x.org", "secret");
	cr_assert_eq(answer.result, AUTH_WIRE_OK);
	cr_assert_eq(answer.flags, 0);
}

Test(authd, a_reload_takes_effect_when_it_is_answered)
{
	struct userdb_fault fault;
	struct auth_wire_userid id = {{[15] = 9}};

	write_users("demo:" FAST ":" ID(1) "\n");
	start();
	cr_assert(configure((struct authd_wire_settings){0}));
	cr_assert_eq(
	    userfile_change(path, USERFILE_ADD, BYTES_LIT("new"), BYTES_LIT(FAST), &id, &fault),
	    RP_OK);
	cr_assert_eq(verify("new", "", "secret").result, AUTH_WIRE_WRONG);
	ask(1, AUTH_WIRE_RELOAD, "", "", "");
	cr_assert_eq(get().result, AUTH_WIRE_OK);
	cr_assert_eq(verify("new", "", "secret").userid.p[15], 9);
	cr_assert_eq(
	    userfile_change(path, USERFILE_DEL, BYTES_LIT("new"), BYTES_LIT(""), NULL, &fault),
	    RP_OK);
	ask(1, AUTH_WIRE_RELOAD, "", "", "");
	cr_assert_eq(get().result, AUTH_WIRE_OK);
	cr_assert_eq(verify("new", "", "secret").result, AUTH_WIRE_WRONG);
}

Test(authd, a_bad_file_leaves_the_old_users_and_is_told)
{
	char expected[300];

	start();
	cr_assert_not(configure((struct authd_wire_settings){0}));
	snprintf(expected, sizeof(expected), "%s: cannot be read: notfound; `ringpost user add NAME` makes it", path);
	cr_assert_str_eq(status_text, expected);
	cr_assert_eq(verify("demo", "", "secret").result, AUTH_WIRE_UNAVAILABLE);
	write_users("demo:" FAST ":" ID(1) "\n");
	ask(1, AUTH_WIRE_RELOAD, "", "", "");
	cr_assert_eq(get().result, AUTH_WIRE_OK);
	write_users("demo:" FAST ":" ID(1) "\nother:{PLAIN}x:" ID(2) "\n");
	ask(2, AUTH_WIRE_RELOAD, "", "", "");
	cr_assert_eq(get().result, AUTH_WIRE_UNAVAILABLE);
	cr_assert_eq(verify("demo", "", "secret").result, AUTH_WIRE_OK);
	cr_assert_not(configure((struct authd_wire_settings){0}));
	snprintf(expected, sizeof(expected),
	    "%s:2: plaintext passwords are refused; `ringpost user passwd NAME` makes a hash",
	    path);
	cr_assert_str_eq(status_text, expected);
}

Test(authd, garbage_is_ignored_and_the_next_request_served)
{
	static uint8_t junk[AUTHD_WIRE_BYTES_MAX / 2];

	write_users("demo:" FAST ":" ID(1) "\n");
	start();
	cr_assert(configure((struct authd_wire_settings){0}));
	for (size_t n = 1; n <= sizeof(junk); n = n * 3 + 1) {
		memset(junk, (int)n, n);
		cr_assert_eq(send(shard, junk, n, MSG_NOSIGNAL), (ssize_t)n);
	}
	cr_assert_eq(verify("demo", "", "secret").result, AUTH_WIRE_OK);
	cr_assert_eq(send(supervisor, "junk", 4, MSG_NOSIGNAL), 4);
	wait_readable(supervisor);
	cr_assert_gt(recv(supervisor, junk, sizeof(junk), 0), 0);
	cr_assert_eq(verify("demo", "", "secret").result, AUTH_WIRE_OK);
}

/* One thread, two that may wait: of ten at once, some are refused, none is called wrong. */
Test(authd, beyond_its_queue_it_says_unavailable_at_once)
{
	char slow[PASSWORD_HASH_BYTES_MAX + 1], users[1000];
	struct password_work *work = password_work_open();
	unsigned ok = 0, unavailable = 0;

	cr_assert_eq(password_make(work, BYTES_LIT("secret"), 5, slow), RP_OK);
	password_work_close(work);
	snprintf(users, sizeof(users), "demo:%s:" ID(1) "\n", slow);
	write_users(users);
	start();
	cr_assert(configure((struct authd_wire_settings){.threads = 1, .queue = 2}));
	for (uint64_t i = 0; i < 10; i++)
		ask(i, AUTH_WIRE_VERIFY, "demo", "", "secret");
	for (int i = 0; i < 10; i++) {
		enum auth_wire_result result = get().result;

		ok += result == AUTH_WIRE_OK;
		unavailable += result == AUTH_WIRE_UNAVAILABLE;
	}
	cr_assert_eq(ok + unavailable, 10);
	cr_assert_geq(ok, 3);
	cr_assert_geq(unavailable, 1);
	cr_assert_eq(verify("demo", "", "secret").result, AUTH_WIRE_OK);
}

Test(authd, a_shard_that_goes_away_is_no_trouble)
{
	write_users("demo:" FAST ":" ID(1) "\n");
	start();
	cr_assert(configure((struct authd_wire_settings){.threads = 1}));
	for (uint64_t i = 0; i < 50; i++)
		ask(i, AUTH_WIRE_VERIFY, "demo", "", "secret");
	close(shard);
	shard = -1;
	cr_assert(configure((struct authd_wire_settings){.threads = 1}));
	cr_assert_eq(verify("demo", "", "secret").result, AUTH_WIRE_OK);
}

/* CPU time of the auth process, as a spectator would measure it if he were alone with it. */
static uint64_t child_cpu_ns(void)
{
	clockid_t clock;
	struct timespec t;

	cr_assert_eq(clock_getcpuclockid(child, &clock), 0);
	cr_assert_eq(clock_gettime(clock, &t), 0);
	return (uint64_t)t.tv_sec * CLOCK_NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint64_t cost_ns(const char *name)
{
	uint64_t before = child_cpu_ns();

	cr_assert_eq(verify(name, "", "wrong").result, AUTH_WIRE_WRONG);
	return child_cpu_ns() - before;
}

/* A busy machine makes single runs slower, never faster: the least of many tells. Rounds go on
 * until all names agree, and where the work truly differs they never do. */
Test(authd, an_unknown_name_costs_what_a_wrong_password_costs)
{
	enum { NAMES = 5, ROUNDS_MIN = 3, ROUNDS_MAX = 60 };
	static const char *const names[NAMES] = {"demo", "nobody", "locked", "no body", "x@y.z"};
	char hash[PASSWORD_HASH_BYTES_MAX + 1], users[1000];
	uint64_t least[NAMES];
	struct password_work *work = password_work_open();
	bool agree = false;

	memset(least, 0xff, sizeof(least));
	cr_assert_eq(password_make(work, BYTES_LIT("secret"), 5, hash), RP_OK);
	password_work_close(work);
	snprintf(users, sizeof(users), "demo:%s:" ID(1) "\nlocked:!%s:" ID(2) "\n", hash, hash);
	write_users(users);
	start();
	cr_assert(configure((struct authd_wire_settings){.threads = 1}));
	for (int round = 0; round < ROUNDS_MAX && !(agree && round >= ROUNDS_MIN); round++) {
		agree = true;
		for (int i = 0; i < NAMES; i++) {
			uint64_t cost = cost_ns(names[i]);

			least[i] = cost < least[i] ? cost : least[i];
		}
		for (int i = 1; i < NAMES; i++)
			agree &= least[i] * 20 > least[0] * 19 && least[i] * 20 < least[0] * 21;
	}
	cr_assert_gt(least[0], 2 * CLOCK_NS_PER_MS);
	for (int i = 1; i < NAMES; i++)
		cr_assert(agree, "%s costs %.3f of a known name", names[i],
		    (double)least[i] / (double)least[0]);
}

Test(authd, without_its_socket_it_says_how_it_is_started)
{
	const char *program = getenv("RINGPOST_AUTH");
	char command[300];

	snprintf(command, sizeof(command), "'%s' --fd 0 </dev/null 2>/dev/null", program);
	cr_assert_eq(WEXITSTATUS(system(command)), 64);
	snprintf(command, sizeof(command), "'%s' 2>/dev/null", program);
	cr_assert_eq(WEXITSTATUS(system(command)), 64);
}
