#include "core/server/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "core/auth/authd_wire.h"
#include "core/cli/exit_code.h"
#include "core/server/child.h"
#include "core/server/child_spawn.h"
#include "core/server/config.h"
#include "core/server/listeners.h"
#include "core/server/owner.h"
#include "core/server/reload.h"
#include "core/server/server.h"
#include "core/server/shared.h"
#include "io/base/clock.h"
#include "io/base/log.h"
#include "io/base/num.h"

enum {
	SUPERVISOR_STOP_MS = 15000,      /* a child that has not ended by then is killed */
	SUPERVISOR_BACKOFF_MIN_MS = 200, /* the second quick death waits so long, each further one twice as long */
	SUPERVISOR_BACKOFF_MAX_MS = 5000,
	SUPERVISOR_BACKOFF_READY_MS = 200, /* the most for one that had been ready: its users wait no second */
	SUPERVISOR_QUICK_MS = 10000,     /* a child that lived longer starts over at once */
	SUPERVISOR_RETRY_MS = 1000,      /* no process or descriptor was to be had */
	SUPERVISOR_LOOK_MS = 30000,      /* ticket keys are looked at this often */
};

struct child {
	pid_t pid; /* 0: not running */
	int sock;  /* our end; -1: none */
	uint64_t started_ns;
	uint64_t start_at_ns; /* not running: when to start it */
	uint64_t backoff_ms;
	bool ready;
};

struct supervisor {
	const char *config_path;
	struct config *config;
	struct log *log;
	struct shared *shared;
	int shared_fd;
	int settings_fd;
	int control_fd;
	int listen_fds[CONFIG_LISTEN_MAX];
	unsigned shards;
	struct owner owner;
	struct child child[CHILD_COUNT];
	int signals;
	bool stopping;
	bool said_ready;
	bool said_failed;
	uint64_t kill_at_ns;
	int exit_code;
	void (*ready)(void *arg);
	void *ready_arg;
};

static void complain(const char *reason)
{
	fprintf(stderr, "ringpost: %s\n", reason);
}

static uint64_t wall_s(void)
{
	return clock_wall_ns() / CLOCK_NS_PER_S;
}

/* ---- settings ---- */

static enum rp_err make_settings(const struct config *config, int *fd)
{
	char *text;
	enum rp_err err = config_to_json(config, &text);

	if (err != RP_OK)
		return err;
	*fd = child_memfd("ringpost-settings", bytes_of_str(text));
	bytes_wipe(text, strlen(text));
	free(text);
	return *fd >= 0 ? RP_OK : RP_ERR_NOMEM;
}

static enum rp_err load(struct supervisor *s, struct config **config, int *fd, char *reason, size_t reason_size)
{
	enum rp_err err = config_read(s->config_path, config, reason, reason_size);

	if (err != RP_OK)
		return err;
	err = config_read_tls(*config, reason, reason_size);
	if (err == RP_OK) {
		err = make_settings(*config, fd);
		if (err != RP_OK)
			snprintf(reason, reason_size, "out of memory or descriptors");
	}
	if (err != RP_OK) {
		config_free(*config);
		*config = NULL;
	}
	return err;
}

static enum rp_err open_all(struct supervisor *s, char *reason, size_t reason_size)
{
	char control[CONFIG_TEXT_BYTES_MAX + 16];
	cpu_set_t set;
	enum rp_err err = load(s, &s->config, &s->settings_fd, reason, reason_size);

	if (err == RP_OK)
		err = owner_open(s->config, &s->owner, reason, reason_size);
	if (err == RP_OK) {
		err = shared_make(&s->shared, &s->shared_fd);
		if (err == RP_OK)
			err = tls_ticket_rotate(&s->shared->tickets, wall_s());
		if (err != RP_OK)
			snprintf(reason, reason_size, "out of memory");
	}
	if (err == RP_OK)
		err = listeners_open(s->config, s->listen_fds, reason, reason_size);
	if (err != RP_OK)
		return err;
	snprintf(control, sizeof(control), "%s%s", s->config->control[0] != '\0' ? s->config->control : s->config->data,
		s->config->control[0] != '\0' ? "" : "/control");
	err = listeners_open_owned(
	    control, 0600, s->owner.uid, s->owner.gid, &s->control_fd, reason, reason_size);
	s->shards = (unsigned)s->config->shards;
	if (s->shards == 0)
		s->shards = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
	return err;
}

/* ---- children ---- */

static enum rp_err spawn(struct supervisor *s, enum child_kind kind)
{
	struct child *child = &s->child[kind];
	enum rp_err err = child_spawn(kind, s->owner.uid, s->owner.gid, &child->pid, &child->sock);

	if (err != RP_OK)
		return err;
	child->ready = false;
	child->started_ns = clock_monotonic_ns();
	child->start_at_ns = 0;
	return RP_OK;
}

static struct bytes auth_settings(const struct supervisor *s)
{
	struct bytes *words[2] = { NULL, NULL };
	const struct config_list *lists[2] = { &s->config->domains, &s->config->master_users };
	struct authd_wire_settings settings = {
		.passwd = s->config->passwd,
		.threads = (unsigned)s->config->auth_threads,
		.queue = (unsigned)s->config->auth_queue,
		.uid = geteuid() == 0 ? s->owner.uid : 0,
		.gid = geteuid() == 0 ? s->owner.gid : 0,
		.log_level = LOG_INFO,
		.log_format = strcmp(s->config->log_format, "json") == 0 ? LOG_JSON : LOG_TEXT,
	};
	struct bytes message = { NULL, 0 };

	for (size_t l = 0; l < 2; l++) {
		words[l] = calloc(lists[l]->count + 1, sizeof(struct bytes));
		if (words[l] == NULL)
			goto free_words;
		for (size_t i = 0; i < lists[l]->count; i++)
			words[l][i] = bytes_of_str(lists[l]->word[i]);
	}
	settings.domains = (struct authd_wire_list){ words[0], lists[0]->count };
	settings.masters = (struct authd_wire_list){ words[1], lists[1]->count };
	message = authd_wire_put_settings(&settings);
free_words:
	free(words[0]);
	free(words[1]);
	return message;
}

/* The auth message may be longer than a child message's text. */
static enum rp_err send_auth(struct supervisor *s, const int *fds, size_t fds_count)
{
	struct bytes message = auth_settings(s);
	enum rp_err err = RP_ERR_NOMEM;

	if (message.p != NULL)
		err = child_send_long(s->child[CHILD_AUTH].sock, message, fds, fds_count);
	authd_wire_free(message);
	return err;
}

/* Pairs between shards and the auth process: [0] the server's ends, [1] the auth process's. */
static enum rp_err make_pairs(unsigned count, int (*ends)[SHARED_SHARDS_MAX])
{
	for (unsigned i = 0; i < count; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
			for (unsigned k = 0; k < i; k++) {
				close(ends[0][k]);
				close(ends[1][k]);
			}
			return err_of_errno(errno);
		}
		ends[0][i] = pair[0];
		ends[1][i] = pair[1];
	}
	return RP_OK;
}

static void close_pairs(unsigned count, int (*ends)[SHARED_SHARDS_MAX])
{
	for (unsigned i = 0; i < count; i++) {
		close(ends[0][i]);
		close(ends[1][i]);
	}
}

static enum rp_err send_start(struct supervisor *s, const int *auth_fds)
{
	int fds[CHILD_FDS_MAX];
	size_t n = CHILD_START_LISTENERS;

	fds[CHILD_START_SETTINGS] = s->settings_fd;
	fds[CHILD_START_SHARED] = s->shared_fd;
	fds[CHILD_START_CONTROL] = s->control_fd;
	fds[CHILD_START_DATA] = s->owner.data_fd;
	fds[CHILD_START_COMMIT] = s->owner.commit_fd;
	for (size_t i = 0; i < s->config->listen_count; i++)
		fds[n++] = s->listen_fds[i];
	for (unsigned i = 0; i < s->shards; i++)
		fds[n++] = auth_fds[i];
	return child_send(s->child[CHILD_SERVER].sock, BYTES_LIT("start"), fds, n);
}

/* The child, and what it needs; the other one gets its ends of the new pairs. */
static enum rp_err start_with(struct supervisor *s, enum child_kind kind, int (*ends)[SHARED_SHARDS_MAX])
{
	struct child *other = &s->child[kind == CHILD_SERVER ? CHILD_AUTH : CHILD_SERVER];
	enum rp_err err = spawn(s, kind);

	s->said_failed &= kind != CHILD_SERVER; /* a new one may have another reason */
	if (err != RP_OK)
		return err;
	if (kind == CHILD_AUTH || other->pid != 0)
		err = send_auth(s, ends[1], s->shards);
	if (err == RP_OK && kind == CHILD_SERVER)
		err = send_start(s, ends[0]);
	else if (err == RP_OK && other->pid != 0)
		err = child_send(other->sock, BYTES_LIT("auth"), ends[0], s->shards);
	if (err != RP_OK)
		kill(s->child[kind].pid, SIGKILL); /* it waits for what has not come; its end is the next try's beginning */
	return err;
}

/* Start one that is not running; if that fails, again after a while. */
static void start_child(struct supervisor *s, enum child_kind kind)
{
	static int ends[2][SHARED_SHARDS_MAX];
	const char *name = kind == CHILD_SERVER ? "server" : "auth";
	enum rp_err err = make_pairs(s->shards, ends);

	if (err == RP_OK) {
		err = start_with(s, kind, ends);
		close_pairs(s->shards, ends);
	}
	if (err == RP_OK) {
		LOG(s->log, LOG_INFO, "child.started", LOG_STR("child", name), LOG_U64("pid", (uint64_t)s->child[kind].pid));
		return;
	}
	LOG(s->log, LOG_ERROR, "child.start_failed", LOG_STR("child", name), LOG_STR("reason", err_name(err)));
	s->child[kind].start_at_ns = clock_monotonic_ns() + SUPERVISOR_RETRY_MS * CLOCK_NS_PER_MS;
}

/* Did it end itself? What came from outside (a person, the kernel short of memory) is no user's doing. */
static bool by_own_fault(int status)
{
	switch (WIFSIGNALED(status) ? WTERMSIG(status) : 0) {
	case SIGABRT:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGSEGV:
	case SIGSYS:
	case SIGTRAP:
		return true;
	default:
		return false;
	}
}

static void blame(struct supervisor *s)
{
	static struct userid blamed[SHARED_SHARDS_MAX];
	size_t count = shared_blame(s->shared, wall_s(), blamed);

	for (size_t i = 0; i < count; i++) {
		char text[USERID_TEXT_BYTES + 1];

		userid_format(&blamed[i], text);
		LOG(s->log, LOG_ERROR, "server.ended_while", LOG_STR("userid", text),
			LOG_U64("shut_out_s", shared_poisoned_s(s->shared, &blamed[i], wall_s())));
	}
}

static void on_child_end(struct supervisor *s, enum child_kind kind, int status)
{
	struct child *child = &s->child[kind];
	uint64_t now_ns = clock_monotonic_ns();
	bool quick = now_ns - child->started_ns < SUPERVISOR_QUICK_MS * CLOCK_NS_PER_MS;

	close(child->sock);
	child->sock = -1;
	child->pid = 0;
	if (s->stopping)
		return;
	LOG(s->log, LOG_ERROR, "child.ended", LOG_STR("child", kind == CHILD_SERVER ? "server" : "auth"),
		LOG_U64("signal", WIFSIGNALED(status) ? (uint64_t)WTERMSIG(status) : 0),
		LOG_U64("exit", WIFEXITED(status) ? (uint64_t)WEXITSTATUS(status) : 0));
	if (kind == CHILD_SERVER && by_own_fault(status))
		blame(s);
	else if (kind == CHILD_SERVER)
		shared_forget(s->shared);
	if (!s->said_ready && (WIFEXITED(status) || !child->ready)) {
		/* It never worked: trying again would only fill the log. */
		s->stopping = true;
		s->exit_code = WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : EXIT_FAILURE;
		return;
	}
	child->start_at_ns = now_ns;
	if (quick && child->backoff_ms > 0)
		child->start_at_ns += child->backoff_ms * CLOCK_NS_PER_MS;
	child->backoff_ms = !quick ? 0 : num_min(num_max(child->backoff_ms * 2, SUPERVISOR_BACKOFF_MIN_MS),
		child->ready ? SUPERVISOR_BACKOFF_READY_MS : SUPERVISOR_BACKOFF_MAX_MS);
}

/* ---- events ---- */

static void on_server_message(struct supervisor *s)
{
	static struct child_message message;

	if (child_recv(s->child[CHILD_SERVER].sock, &message) != RP_OK)
		return; /* its end is told by SIGCHLD */
	if (strcmp(message.text, "ready") == 0) {
		s->child[CHILD_SERVER].ready = true;
		LOG(s->log, LOG_INFO, "server.ready", LOG_U64("shards", s->shards));
		if (!s->said_ready) {
			s->said_ready = true;
			sd_notify(0, "READY=1");
			if (s->ready != NULL)
				s->ready(s->ready_arg);
		}
	} else if (strncmp(message.text, "failed ", 7) == 0 && !s->said_failed) {
		s->said_failed = true; /* other shards say the same */
		if (!s->said_ready)
			complain(message.text + 7);
		else
			LOG(s->log, LOG_ERROR, "server.refused", LOG_STR("reason", message.text + 7));
	}
}

static void on_auth_message(struct supervisor *s)
{
	static char text[AUTHD_WIRE_BYTES_MAX];
	struct authd_wire_status status;
	ssize_t n = recv(s->child[CHILD_AUTH].sock, text, sizeof(text), 0);

	if (n <= 0 || authd_wire_get_status(bytes_of(text, (size_t)n), &status) != RP_OK)
		return;
	s->child[CHILD_AUTH].ready = true;
	if (!status.ready)
		LOG(s->log, LOG_ERROR, "auth.not_ready", LOG_STR("reason", status.text));
}

static void begin_stop(struct supervisor *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	s->kill_at_ns = clock_monotonic_ns() + SUPERVISOR_STOP_MS * CLOCK_NS_PER_MS;
	sd_notify(0, "STOPPING=1");
	LOG(s->log, LOG_INFO, "server.stopping");
	if (s->child[CHILD_SERVER].pid != 0)
		(void)!child_send(s->child[CHILD_SERVER].sock, BYTES_LIT("stop"), NULL, 0);
}

/* New settings, checked to the last; what needs a restart is as before, and named. */
static enum rp_err load_anew(struct supervisor *s, struct config **config, char *reason, size_t reason_size)
{
	char tls_text[TLS_CTX_TEXT_BYTES];
	struct tls_ctx *tls;
	enum rp_err err = config_read(s->config_path, config, reason, reason_size);

	if (err != RP_OK)
		return err;
	err = config_read_tls(*config, reason, reason_size);
	if (err == RP_OK) {
		err = reload_tls(*config, &tls, tls_text);
		if (err == RP_OK)
			tls_ctx_close(tls);
		else
			snprintf(reason, reason_size, "%s", tls_text);
	}
	if (err != RP_OK)
		config_free(*config);
	return err;
}

static void reload(struct supervisor *s)
{
	char reason[1024];
	char kept[1024];
	struct config *config;
	int fd;

	if (load_anew(s, &config, reason, sizeof(reason)) != RP_OK) {
		LOG(s->log, LOG_ERROR, "config.reload_failed", LOG_STR("reason", reason));
		return;
	}
	reload_keep(config, s->config, kept, sizeof(kept));
	if (make_settings(config, &fd) != RP_OK) {
		reload_keep(s->config, config, reason, sizeof(reason)); /* back to where it was */
		LOG(s->log, LOG_ERROR, "config.reload_failed", LOG_STR("reason", "out of memory or descriptors"));
		config_free(config);
		return;
	}
	if (kept[0] != '\0')
		LOG(s->log, LOG_WARN, "config.kept", LOG_STR("settings", kept), LOG_STR("remedy", "they need a restart"));
	config_free(s->config);
	close(s->settings_fd);
	s->config = config;
	s->settings_fd = fd;
	if (s->child[CHILD_SERVER].pid != 0)
		(void)!child_send(s->child[CHILD_SERVER].sock, BYTES_LIT("reload"), &fd, 1);
	if (s->child[CHILD_AUTH].pid != 0)
		(void)!send_auth(s, NULL, 0);
	LOG(s->log, LOG_INFO, "config.reloaded");
}

static void on_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			begin_stop(s);
		else if (info.ssi_signo == SIGHUP && !s->stopping)
			reload(s);
	}
	/* SIGCHLD: several may have come as one. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		/* What it said last is still to be read. */
		if (pid == s->child[CHILD_SERVER].pid)
			on_server_message(s);
		for (unsigned kind = 0; kind < CHILD_COUNT; kind++)
			if (pid == s->child[kind].pid)
				on_child_end(s, (enum child_kind)kind, status);
	}
}

static void on_time(struct supervisor *s)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (tls_ticket_due(&s->shared->tickets, wall_s()))
		(void)!tls_ticket_rotate(&s->shared->tickets, wall_s());
	if (s->stopping) {
		/* The auth process has nothing to finish; a server that does not end is ended. */
		if (s->child[CHILD_SERVER].pid == 0 && s->child[CHILD_AUTH].pid != 0)
			kill(s->child[CHILD_AUTH].pid, now_ns >= s->kill_at_ns && s->kill_at_ns != 0 ? SIGKILL : SIGTERM);
		else if (s->child[CHILD_SERVER].pid != 0 && now_ns >= s->kill_at_ns)
			kill(s->child[CHILD_SERVER].pid, SIGKILL);
		return;
	}
	for (unsigned kind = 0; kind < CHILD_COUNT; kind++)
		if (s->child[kind].pid == 0 && now_ns >= s->child[kind].start_at_ns)
			start_child(s, (enum child_kind)kind);
}

/* Until when nothing has to be done but what an event asks for. */
static int wait_ms(const struct supervisor *s)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t wait_ns = SUPERVISOR_LOOK_MS * CLOCK_NS_PER_MS;

	if (s->stopping)
		return 100;
	for (unsigned kind = 0; kind < CHILD_COUNT; kind++)
		if (s->child[kind].pid == 0)
			wait_ns = num_min(wait_ns, s->child[kind].start_at_ns > now_ns
				? s->child[kind].start_at_ns - now_ns : 0);
	return (int)(wait_ns / CLOCK_NS_PER_MS) + (wait_ns > 0);
}

static void look(struct supervisor *s)
{
	struct pollfd fds[] = {
		{ .fd = s->signals, .events = POLLIN },
		{ .fd = s->child[CHILD_SERVER].sock, .events = POLLIN },
		{ .fd = s->child[CHILD_AUTH].sock, .events = POLLIN },
	};

	/* A child's closed end stays readable until SIGCHLD tells why; no need to spin on it. */
	if (poll(fds, 3, wait_ms(s)) > 0) {
		if ((fds[1].revents & POLLIN) != 0)
			on_server_message(s);
		if ((fds[2].revents & POLLIN) != 0)
			on_auth_message(s);
		if (fds[0].revents != 0)
			on_signals(s);
	}
	on_time(s);
	log_flush_fd(s->log, STDERR_FILENO);
}

static int signal_descriptor(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int supervisor_run(const char *config_path, void (*ready)(void *arg), void *arg)
{
	struct supervisor s = {
		.config_path = config_path,
		.child = { { .sock = -1 }, { .sock = -1 } },
		.ready = ready,
		.ready_arg = arg,
	};
	char reason[1024] = "";

	s.log = log_open(NULL, 0, 64 * 1024);
	s.signals = signal_descriptor();
	if (s.log == NULL || s.signals < 0) {
		complain("out of memory or descriptors");
		return EXIT_FAILURE;
	}
	enum rp_err err = open_all(&s, reason, sizeof(reason));

	if (err != RP_OK) {
		complain(reason);
		log_close(s.log);
		/* Busy may be over soon; what the config asks for stays wrong. */
		int code = err == RP_ERR_BUSY ? EXIT_CODE_TRY_AGAIN : s.shared != NULL ? EXIT_FAILURE : EXIT_CODE_CONFIG;

		config_free(s.config);
		return code;
	}
	log_set(s.log, LOG_INFO, strcmp(s.config->log_format, "json") == 0 ? LOG_JSON : LOG_TEXT);
	if (s.owner.uid == 0)
		LOG(s.log, LOG_WARN, "server.as_root", LOG_STR("data", s.config->data),
			LOG_STR("remedy", "chown -R USER DATA: the server runs as who owns it"));
	start_child(&s, CHILD_AUTH);
	while (!s.stopping || s.child[CHILD_SERVER].pid != 0 || s.child[CHILD_AUTH].pid != 0)
		look(&s);
	log_flush_fd(s.log, STDERR_FILENO);
	log_close(s.log);
	config_free(s.config);
	return s.exit_code;
}
