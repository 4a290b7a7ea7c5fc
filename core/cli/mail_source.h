/* mail_source.h -- mail in files: mbox, Maildir (with flags and folders), .eml, and folders of any of them.
 *
 *   an mbox file        its messages, into the mailbox asked for; "From " dates; Status and X-Status as flags
 *   a Maildir           cur and new; flags from the names; Maildir++ folders ".A.B" become A/B
 *   an .eml file        one message (any other single file that is no mbox too)
 *   a folder            all of it, in order of names; a folder below becomes a mailbox below
 */
#ifndef RP_CORE_CLI_MAIL_SOURCE_H
#define RP_CORE_CLI_MAIL_SOURCE_H

#include "core/cli/mail_sink.h"

/* item->mailbox is what lies below the mailbox asked for ("" itself). RP_OK: go on. */
typedef enum rp_err mail_source_fn(void *arg, const struct mail_item *item, const char *path);

/* Call fn with every message of path. RP_ERR_NOTFOUND and others: *what cannot be read. fn's error ends it. */
RP_MUST_USE enum rp_err mail_source_walk(const char *path, mail_source_fn *fn, void *arg, char *what, size_t what_size);

#endif
