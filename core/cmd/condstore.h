/* condstore.h -- a session begins to hear of MODSEQs (RFC 7162, section 3.1).
 *
 * Many commands can be the first that shows the client to know CONDSTORE; from then on each FETCH that tells of a change has UID and
 * MODSEQ (section 3.2.4), till the connection ends.
 */
#ifndef RP_CORE_CMD_CONDSTORE_H
#define RP_CORE_CMD_CONDSTORE_H

#include "core/cmd/cmd.h"
#include "index/mailbox.h"

static inline bool condstore_is_on(const struct session *session)
{
	return (session->enabled & SESSION_CONDSTORE) != 0;
}

/* On. The first time, with a mailbox selected, its HIGHESTMODSEQ is told. */
void condstore_enable(struct cmd *cmd);

/* "* OK [HIGHESTMODSEQ n] Highest" */
void condstore_tell(struct resp *resp, const struct mailbox *mailbox);

#endif
