/* quickstart_config.h -- the config of a quickstart folder: made once, kept with what a person has changed in it. */
#ifndef RP_CORE_CLI_QUICKSTART_CONFIG_H
#define RP_CORE_CLI_QUICKSTART_CONFIG_H

#include <limits.h>
#include <stdbool.h>

enum { QUICKSTART_CONFIG_UNASKED = UINT_MAX };

struct quickstart_config {
	unsigned imap; /* ports of 127.0.0.1 */
	unsigned imaps;
	unsigned lmtp;
	unsigned shards;
	unsigned plaintext_login; /* 0 or 1 */
};

/* What was asked for goes before what was there, that before the defaults: *asked becomes what counts; a port that the config does
 * not have is 0. *text is a config to be written, for free(); NULL where the one there stays as it is. A config that a person has
 * changed is never written anew: asking for something else then is refused. dir is absolute, without quotes. Returns the exit code;
 * what is wrong goes to standard error. */
int quickstart_config_decide(
    const char *dir, bool there, struct quickstart_config *asked, char **text);

#endif
