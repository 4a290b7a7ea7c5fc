/* config.h -- the settings: read once from a small file, checked once, then read-only.
 *
 * The file is read with libconfuse: sections, units (64MiB, 5m), includes. Every key has a default; only a certificate
 * must be there. All keys stand in one table (config_table.c), which also makes `ringpost config explain` and the form
 * in which the supervisor hands the settings to its children.
 */
#ifndef RP_CORE_SERVER_CONFIG_H
#define RP_CORE_SERVER_CONFIG_H

#include <stdio.h>

#include "io/base/bytes.h"
#include "io/base/err.h"

enum {
	CONFIG_LISTEN_MAX = 16, /* listening sockets; each costs every shard an armed accept */
	CONFIG_TLS_MAX = 256,   /* certificates */
	CONFIG_LIST_MAX = 1024, /* words in one list */
	CONFIG_TEXT_BYTES_MAX = 4096,
	CONFIG_LISTEN_MODE = 0666, /* of a unix socket: who is on this machine may deliver by TCP and the MTA too */
};

enum config_protocol {
	CONFIG_IMAP,  /* plain, with STARTTLS */
	CONFIG_IMAPS, /* TLS from the first byte */
	CONFIG_LMTP,
	CONFIG_PROTOCOL_COUNT
};

struct config_listen {
	char *name;
	enum config_protocol protocol;
	char *address; /* an IP address, or NULL with path */
	uint16_t port;
	char *path;          /* a unix socket */
	unsigned mode;       /* its; the supervisor's business, as is the group: no child is told */
	char *group;         /* its; NULL: ours */
	bool proxy_protocol; /* PROXY v2 header first, from trusted networks only */
};

/* One certificate. Paths in the file; the supervisor fills in the bytes. */
struct config_tls {
	char *name;
	char *cert_path;
	char *key_path;
	char *cert_pem; /* NUL-terminated; NULL: not read */
	char *key_pem;
};

struct config_list {
	char **word;
	size_t count;
};

struct config {
	/* where things are */
	char *data;
	char *commit_dir; /* "": DATA/commit */
	char *user;       /* "": DATA's owner */
	char *control;    /* "": DATA/control */
	char *hostname; /* "": of this machine; config_read() fills it in */
	/* shards */
	uint64_t shards; /* 0: the cores this process may use */
	/* who may */
	char *passwd;
	struct config_list domains;
	struct config_list master_users;
	struct config_list trusted_networks; /* whose PROXY header is believed and who are not counted per address */
	bool plaintext_login;                /* LOGIN without TLS, from loopback */
	uint64_t auth_threads;               /* 0: the cores */
	uint64_t auth_queue;
	uint64_t auth_cache_ms;
	/* storage */
	uint64_t commit_file_bytes;
	uint64_t unsettled_bytes_max;
	uint64_t volumes_bytes_max;
	uint64_t keep_expunged_ms;
	uint64_t background_bytes_per_s;
	uint64_t background_share;
	/* limits */
	uint64_t appendlimit_bytes;
	uint64_t search_cpu_ms;
	uint64_t connections_max; /* a shard */
	uint64_t connections_per_address_max;
	uint64_t connections_per_user_address_max;
	uint64_t handshake_ms;
	uint64_t login_ms;
	uint64_t idle_ms;
	uint64_t stalled_ms;
	uint64_t keepalive_ms;
	/* lmtp */
	bool lmtp_return_path;
	uint64_t lmtp_idle_ms;
	/* log */
	char *log_level;
	char *log_format;
	/* sections that repeat */
	struct config_listen listen[CONFIG_LISTEN_MAX];
	size_t listen_count;
	struct config_tls tls[CONFIG_TLS_MAX];
	size_t tls_count;
};

/* Read and check a file. RP_ERR_NOTFOUND, RP_ERR_SYNTAX: one line for a person is in `reason` (file, line, what to do). */
RP_MUST_USE enum rp_err config_read(
    const char *path, struct config **out, char *reason, size_t reason_size);

void config_free(struct config *config);

/* Read the certificates and keys into config->tls[]. */
RP_MUST_USE enum rp_err config_read_tls(struct config *config, char *reason, size_t reason_size);

/* The settings as JSON text (with certificates and keys, if read), and back. The text is malloc'ed. */
RP_MUST_USE enum rp_err config_to_json(const struct config *config, char **text); /* RP_ERR_SYNTAX: a text is no UTF-8 */
RP_MUST_USE enum rp_err config_of_json(struct bytes text, struct config **out);

/* Every key with its default, unit, bounds and meaning. */
void config_explain(FILE *to);

#endif
