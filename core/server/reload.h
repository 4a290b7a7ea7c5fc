/* reload.h -- SIGHUP: what of new settings a running server takes.
 *
 *   supervisor   reads and checks all of it, certificates included: else nothing changes
 *                what needs a restart stays as it was, and is named                        reload_keep()
 *   shards       certificates, limits, lmtp, auth.plaintext_login                          reload_take()
 *   auth         auth.passwd, domains, master_users
 *
 * All else needs a restart: sockets, folders and memory are made once, by who has the rights.
 */
#ifndef RP_CORE_SERVER_RELOAD_H
#define RP_CORE_SERVER_RELOAD_H

#include "core/server/config.h"
#include "tls/tls_ctx.h"

/* What needs a restart and differs goes from old into config (old gets the new value in exchange). names: which, "" if nothing. */
void reload_keep(struct config *config, struct config *old, char *names, size_t names_size);

/* On a shard, whose own copy this is: numbers and switches that may change while it runs. */
void reload_take(struct config *config, const struct config *from);

/* The certificates as TLS takes them; RP_OK with NULL if there are none. text: what is wrong, or to be warned of. */
RP_MUST_USE enum rp_err reload_tls(const struct config *config, struct tls_ctx **out, char text[TLS_CTX_TEXT_BYTES]);

#endif
