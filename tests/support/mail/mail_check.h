/* mail_check.h -- what must hold for any message; used by unit tests and fuzz targets.
 *
 * Each returns NULL when all is well, else a sentence about what is not.
 */
#ifndef RP_TESTS_SUPPORT_MAIL_CHECK_H
#define RP_TESTS_SUPPORT_MAIL_CHECK_H

#include "core/mail/mime.h"

/* Children lie inside their parents' bodies, in order, without overlap; links and depths agree;
 * every container has a child; every field that is never empty is not. */
const char *mail_check_tree(const struct mime *mime);

/* The text is one `envelope` / one `body` of the strict grammar (RFC 9051, section 9), and no more.
 */
const char *mail_check_envelope(struct bytes text);
const char *mail_check_body(struct bytes text, bool extended);

/* The types of the tree: "multipart/mixed(text/plain,message/rfc822(text/plain))". */
struct bytes mail_check_outline(struct arena *arena, const struct mime *mime);

#endif
