/* quickstart_owner.h -- whose the files of a quickstart are when root starts it, so that the server runs without root.
 *
 *   DIR/data        the user's that called sudo; else `ringpost`, if the machine has that user, else `nobody`
 *   DIR/passwd, DIR/tls/key.pem       root's alone: read by the auth process and the supervisor
 *   the rest of DIR                   the caller's: root, or who called sudo
 *
 * DIR may lie where only root comes to: the server gets DATA open.
 */
#ifndef RP_CORE_CLI_QUICKSTART_OWNER_H
#define RP_CORE_CLI_QUICKSTART_OWNER_H

#include "core/server/config.h"

/* Before anything is stored. What an earlier start left to root is given away too, unless a server runs on it. Where it cannot be,
 * a line on standard error says why, and the server stays root's. */
void quickstart_owner_give_data(const struct config *config);

/* At the end: what the caller is to read, and may remove. */
void quickstart_owner_give_rest(const char *dir);

#endif
