#include "core/server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mail/charset.h"
#include "core/server/calls.h"
#include "core/server/child.h"
#include "core/server/config.h"
#include "core/server/order.h"
#include "core/server/reload.h"
#include "core/server/sandbox.h"
#include "core/server/shard_thread.h"
#include "core/server/version.h"
#include "io/base/clock.h"
#include "tls/tls_ctx.h"

enum {
	SERVER_LOG_RING_BYTES = 256 * 1024, /* of each shard; a burst of a few thousand lines */
	MAPPINGS_MAX_DEFAULT = 32765, /* half of what kernels have who say nothing else */
	SERVER_LOG_PAUSE_MS = 10, /* between two writes: who logs much wakes this thread a hundred times a second, not per line */
};

struct server {
	struct config *config;
	struct shared *shared;
	struct shard_group *group;
	struct log *log; /* the main thread's own */
	int supervisor;  /* CHILD_FD */
	int log_wake;    /* eventfd: some shard has logged */
	uint64_t log_pause_ns; /* till then it is not looked at */
	unsigned count;
	struct shard_thread_settings *shard; /* count of them */
	struct log **shard_log;
	int *boss; /* our ends */
	pthread_t *thread;
	struct charset_set *charsets; /* one each: converters have a state */
	int listen_fds[CONFIG_LISTEN_MAX];
	unsigned answered; /* to the order that is under way, by so many shards */
	unsigned stopped;  /* so many shards have */
	bool failed;
	bool stopping;
};

/* There is one; what the shards' threads call when they cannot start needs it. */
static struct server *the_server;

static void flush_logs(struct server *server)
{
	uint64_t woken;

	(void)!read(server->log_wake, &woken, sizeof(woken));
	log_flush_fd(server->log, STDERR_FILENO);
	for (unsigned i = 0; i < server->count && server->shard_log != NULL; i++)
		if (server->shard_log[i] != NULL)
			log_flush_fd(server->shard_log[i], STDERR_FILENO);
}

static void say(struct server *server, const char *text)
{
	(void)!child_send(server->supervisor, bytes_of_str(text), NULL, 0);
}

static _Noreturn void refuse(struct server *server, const char *reason)
{
	char text[CHILD_TEXT_BYTES_MAX];

	snprintf(text, sizeof(text), "failed %s", reason);
	say(server, text);
	flush_logs(server);
	_exit(SERVER_EXIT_REFUSED);
}

static void cannot_start(const struct shard_thread_settings *settings, const char *reason)
{
	(void)settings;
	refuse(the_server, reason);
}

static void wake_logger(void *arg)
{
	struct server *server = arg;
	uint64_t one = 1;

	(void)!write(server->log_wake, &one, sizeof(one));
}

static void order(struct server *server, unsigned shard, enum order_kind kind, uint64_t number, const void *pointer)
{
	struct order o = { .kind = kind, .number = number, .pointer = pointer };

	RP_ASSERT(send(server->boss[shard], &o, sizeof(o), MSG_NOSIGNAL) == sizeof(o) || server->failed);
}

static void order_all(struct server *server, enum order_kind kind, uint64_t number)
{
	server->answered = 0;
	for (unsigned i = 0; i < server->count; i++)
		order(server, i, kind, number, NULL);
}

/* ---- starting ---- */

static enum rp_err make_tls(struct server *server, const struct config *config, struct tls_ctx **out,
    char text[TLS_CTX_TEXT_BYTES])
{
	enum rp_err err = reload_tls(config, out, text);

	if (err != RP_OK || *out == NULL)
		return err;
	tls_ctx_set_ticket_keys(*out, &server->shared->tickets);
	if (text[0] != '\0')
		LOG(server->log, LOG_WARN, "tls.certificate", LOG_STR("warning", text));
	return RP_OK;
}

static void read_settings(struct server *server, int fd, struct config **out)
{
	char *text;
	size_t n;

	if (child_read_memfd(fd, &text, &n) != RP_OK)
		refuse(server, "the settings cannot be read");
	enum rp_err err = config_of_json(bytes_of(text, n), out);

	bytes_wipe(text, n);
	free(text);
	close(fd);
	if (err != RP_OK)
		refuse(server, "the settings cannot be read");
}

static unsigned cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

/* As many descriptors as we may have: connections are direct descriptors under the same bound. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)!setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Of each shard, before files of users who are idle are closed. The rest is for those who are not, and for what is written on
 * behalf of all. */
static size_t files_max(const struct server *server)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
		return 0;
	return (size_t)limit.rlim_cur / 2 / server->count;
}

/* The kernel lets a process have so many; threads, libraries and the allocator have some, and a page that went missing splits one. */
static size_t mappings_max(void)
{
	char text[32] = "";
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	size_t got = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;

	if (file != NULL)
		(void)fclose(file);
	return got > 0 ? strtoul(text, NULL, 10) / 2 : MAPPINGS_MAX_DEFAULT;
}

static void make_shards(struct server *server, const struct child_message *start)
{
	const struct config *config = server->config;
	const int *auth_fds = start->fd + CHILD_START_LISTENERS + config->listen_count;
	char tls_text[TLS_CTX_TEXT_BYTES];

	server->shard = calloc(server->count, sizeof(*server->shard));
	server->shard_log = calloc(server->count, sizeof(*server->shard_log));
	server->boss = calloc(server->count, sizeof(*server->boss));
	server->thread = calloc(server->count, sizeof(*server->thread));
	server->charsets = calloc(server->count, sizeof(*server->charsets));
	if (server->charsets == NULL || server->shard == NULL || server->shard_log == NULL || server->boss == NULL || server->thread == NULL)
		refuse(server, "out of memory");
	for (unsigned i = 0; i < server->count; i++) {
		int pair[2];
		const char *charset = "";
		struct tls_ctx *tls;

		if (make_tls(server, config, &tls, tls_text) != RP_OK)
			refuse(server, tls_text);
		if (charset_init(&server->charsets[i], &charset) != RP_OK) {
			snprintf(tls_text, sizeof(tls_text), "this machine cannot convert %s: install libc-bin, or the package with "
				"the C library's gconv modules", charset);
			refuse(server, tls_text);
		}
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
			refuse(server, "no descriptor is free");
		server->shard_log[i] = log_open("shard", i, SERVER_LOG_RING_BYTES);
		if (server->shard_log[i] == NULL)
			refuse(server, "out of memory");
		log_set_wake(server->shard_log[i], wake_logger, server);
		server->boss[i] = pair[0];
		server->shard[i] = (struct shard_thread_settings){
		    .number = i,
		    .count = server->count,
		    .version = RP_VERSION,
		    .config = config,
		    .shared = server->shared,
		    .group = server->group,
		    .log = server->shard_log[i],
		    .tls_ctx = tls,
		    .charsets = &server->charsets[i],
		    .files_max = files_max(server),
		    .mappings_max = mappings_max(),
		    .boss_fd = pair[1],
		    .auth_fd = auth_fds[i],
		    .data_fd = start->fd[CHILD_START_DATA],
		    .commit_fd = start->fd[CHILD_START_COMMIT],
		    .control_fd = start->fd[CHILD_START_CONTROL],
		    .listen_fds = server->listen_fds,
		    .cannot_start = cannot_start,
		};
	}
}

static void set_log(struct server *server)
{
	static const char *const levels[] = { "debug", "info", "warn", "error" };
	enum log_level level = LOG_INFO;
	enum log_format format = strcmp(server->config->log_format, "json") == 0 ? LOG_JSON : LOG_TEXT;

	for (unsigned i = 0; i < 4; i++)
		if (strcmp(server->config->log_level, levels[i]) == 0)
			level = (enum log_level)i;
	log_set(server->log, level, format);
	for (unsigned i = 0; i < server->count; i++)
		log_set(server->shard_log[i], level, format);
}

static void start_threads(struct server *server)
{
	cpu_set_t allowed;
	unsigned cpu = 0;
	bool pin = sched_getaffinity(0, sizeof(allowed), &allowed) == 0 && (unsigned)CPU_COUNT(&allowed) >= server->count;

	for (unsigned i = 0; i < server->count; i++) {
		pthread_attr_t attr;
		cpu_set_t one;

		pthread_attr_init(&attr);
		if (pin) {
			while (!CPU_ISSET(cpu, &allowed))
				cpu++;
			CPU_ZERO(&one);
			CPU_SET(cpu++, &one);
			pthread_attr_setaffinity_np(&attr, sizeof(one), &one);
		}
		if (pthread_create(&server->thread[i], &attr, shard_thread_run, &server->shard[i]) != 0)
			refuse(server, "no thread can be started");
		pthread_attr_destroy(&attr);
	}
}

/* The first message has all that the server needs; it is taken before anything is given up. */
static void start(struct server *server)
{
	static struct child_message message;
	struct sandbox_settings sandbox = { 0 };
	const char *reason = "";

	if (child_recv(server->supervisor, &message) != RP_OK || strcmp(message.text, "start") != 0 ||
	    message.fds_count < CHILD_START_LISTENERS)
		refuse(server, "no start message");
	read_settings(server, message.fd[CHILD_START_SETTINGS], &server->config);
	if (shared_map(message.fd[CHILD_START_SHARED], &server->shared) != RP_OK)
		refuse(server, "the shared memory cannot be mapped");
	server->count = server->config->shards != 0 ? (unsigned)server->config->shards : cores();
	if (message.fds_count != CHILD_START_LISTENERS + server->config->listen_count + server->count)
		refuse(server, "the start message does not fit the settings");
	memcpy(server->listen_fds, message.fd + CHILD_START_LISTENERS, server->config->listen_count * sizeof(int));
	struct shard_group_settings group = {
		.shards_count = server->count,
		.calls = calls_table,
		.hold_answer = calls_hold_answer,
	};

	if (shard_group_open(&group, &server->group) != RP_OK)
		refuse(server, "out of memory");
	make_shards(server, &message);
	set_log(server);
	sandbox.data_fd = message.fd[CHILD_START_DATA];
	sandbox.commit_fd = message.fd[CHILD_START_COMMIT];
	if (sandbox_enter(&sandbox, &reason) != RP_OK)
		refuse(server, reason);
	if (reason[0] != '\0')
		LOG(server->log, LOG_WARN, "sandbox", LOG_STR("reason", reason));
	shared_watch(server->shared);
	start_threads(server);
	shard_group_wait(server->group); /* each has its ring and its helpers */
	if (sandbox_tighten(&reason) != RP_OK)
		refuse(server, "out of memory");
	if (reason[0] != '\0')
		LOG(server->log, LOG_WARN, "sandbox", LOG_STR("reason", reason));
	order(server, 0, ORDER_CLAIM, 0, NULL);
}

/* ---- running ---- */

static void stop(struct server *server)
{
	if (server->stopping)
		return;
	server->stopping = true;
	for (unsigned i = 0; i < server->count; i++)
		order(server, i, ORDER_STOP, 0, NULL);
}

static void on_answer(struct server *server, const struct order *answer)
{
	switch (answer->kind) {
	case ORDER_CLAIMED:
		order_all(server, ORDER_OPEN, answer->number);
		break;
	case ORDER_READY:
		if (++server->answered == server->count)
			order_all(server, ORDER_LISTEN, 0);
		break;
	case ORDER_LISTENING:
		if (++server->answered == server->count) {
			atomic_fetch_add(&server->shared->starts, 1);
			say(server, "ready");
			order_all(server, ORDER_RECOVER, 0);
		}
		break;
	case ORDER_RECOVERED:
		if (++server->answered == server->count && !server->stopping)
			order(server, 0, ORDER_VOID, 0, NULL);
		break;
	case ORDER_VOIDED:
		if (!server->stopping)
			order_all(server, ORDER_REUSE, 0);
		break;
	case ORDER_FAILED:
		if (!server->failed)
			LOG(server->log, LOG_ERROR, "server.failed", LOG_STR("reason", answer->pointer));
		server->failed = true;
		if (atomic_load(&server->shared->starts) == 0)
			refuse(server, answer->pointer);
		/* It ran: the commit log has failed. What is promised is in it; recovery is the way on. */
		flush_logs(server);
		_exit(EXIT_FAILURE);
	case ORDER_STOPPED:
		server->stopped++;
		break;
	default:
		assert_panic("a shard answers %llu, which is no answer", (unsigned long long)answer->kind);
	}
}

static void on_reload(struct server *server, int fd)
{
	struct order_reload *reload[SHARED_SHARDS_MAX];
	struct config *config;
	char text[TLS_CTX_TEXT_BYTES] = "out of memory";
	enum rp_err err = RP_OK;
	unsigned made = 0;

	read_settings(server, fd, &config);
	for (; made < server->count && err == RP_OK; made++) {
		reload[made] = calloc(1, sizeof(*reload[made]));
		err = reload[made] != NULL ? make_tls(server, config, &reload[made]->tls, text) : RP_ERR_NOMEM;
		if (err == RP_OK)
			reload[made]->config = *config;
	}
	/* All shards or none. */
	for (unsigned i = 0; i < made; i++) {
		if (err == RP_OK)
			order(server, i, ORDER_RELOAD, 0, reload[i]);
		else if (reload[i] != NULL)
			tls_ctx_close(reload[i]->tls);
		if (err != RP_OK)
			free(reload[i]);
	}
	config_free(config);
	if (err == RP_OK)
		LOG(server->log, LOG_INFO, "server.reloaded");
	else
		LOG(server->log, LOG_ERROR, "server.reload_failed", LOG_STR("reason", text));
}

static void on_message(struct server *server)
{
	static struct child_message message;
	enum rp_err err = child_recv(server->supervisor, &message);

	if (err != RP_OK || strcmp(message.text, "stop") == 0) {
		stop(server);
	} else if (strcmp(message.text, "reload") == 0 && message.fds_count == 1) {
		on_reload(server, message.fd[0]);
	} else if (strcmp(message.text, "auth") == 0 && message.fds_count == server->count) {
		for (unsigned i = 0; i < server->count; i++)
			order(server, i, ORDER_AUTH, (uint64_t)message.fd[i], NULL);
	}
}

/* One turn: orders, answers, logs. */
static void look(struct server *server)
{
	struct pollfd fds[2 + SHARED_SHARDS_MAX];
	nfds_t n = 0;

	uint64_t now_ns = clock_monotonic_ns();
	bool pause = now_ns < server->log_pause_ns;

	fds[n++] = (struct pollfd){ .fd = pause ? -1 : server->log_wake, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = server->stopping ? -1 : server->supervisor, .events = POLLIN };
	for (unsigned i = 0; i < server->count; i++)
		fds[n++] = (struct pollfd){ .fd = server->boss[i], .events = POLLIN };
	if (poll(fds, n, pause ? (int)((server->log_pause_ns - now_ns) / CLOCK_NS_PER_MS) + 1 : -1) < 0)
		return;
	if (fds[0].revents != 0) {
		flush_logs(server);
		server->log_pause_ns = clock_monotonic_ns() + SERVER_LOG_PAUSE_MS * CLOCK_NS_PER_MS;
	}
	if (fds[1].revents != 0)
		on_message(server);
	for (unsigned i = 0; i < server->count; i++) {
		struct order answer;

		if (fds[2 + i].revents != 0 && recv(server->boss[i], &answer, sizeof(answer), 0) == sizeof(answer))
			on_answer(server, &answer);
	}
}

static void finish(struct server *server)
{
	for (unsigned i = 0; i < server->count; i++)
		close(server->boss[i]); /* the end of the pair ends the shard's loop */
	for (unsigned i = 0; i < server->count; i++)
		pthread_join(server->thread[i], NULL);
	flush_logs(server);
	for (unsigned i = 0; i < server->count; i++) {
		log_close(server->shard_log[i]);
		charset_fini(&server->charsets[i]);
	}
	shard_group_close(server->group);
	log_close(server->log);
	config_free(server->config);
	free(server->shard);
	free(server->shard_log);
	free(server->boss);
	free(server->thread);
	free(server->charsets);
}

int server_run(void)
{
	struct server server = { .supervisor = CHILD_FD };
	sigset_t none;

	/* Ctrl-C reaches the whole foreground group; the supervisor alone decides what it means. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	the_server = &server;
	raise_limits();
	server.log_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	server.log = log_open(NULL, 0, SERVER_LOG_RING_BYTES);
	if (server.log_wake < 0 || server.log == NULL)
		refuse(&server, "out of memory or descriptors");
	log_set_wake(server.log, wake_logger, &server);
	start(&server);
	while (!server.stopping || server.stopped < server.count)
		look(&server);
	say(&server, "stopped");
	finish(&server);
	return EXIT_SUCCESS;
}
