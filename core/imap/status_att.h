/* status_att.h -- status-att: what STATUS, and LIST's RETURN (STATUS ...), are asked for. */
#ifndef RP_CORE_IMAP_STATUS_ATT_H
#define RP_CORE_IMAP_STATUS_ATT_H

#include "core/imap/lex.h"

enum status_att {
	STATUS_MESSAGES = 1 << 0,
	STATUS_RECENT = 1 << 1,
	STATUS_UIDNEXT = 1 << 2,
	STATUS_UIDVALIDITY = 1 << 3,
	STATUS_UNSEEN = 1 << 4,
	STATUS_SIZE = 1 << 5,          /* RFC 8438 */
	STATUS_DELETED = 1 << 6,       /* RFC 9051 */
	STATUS_HIGHESTMODSEQ = 1 << 7, /* RFC 7162: a CONDSTORE enabling command */
	STATUS_END = 1 << 8,
};

/* "(" status-att *(SP status-att) ")": the bits of enum status_att. */
RP_MUST_USE enum rp_err status_att_parse(struct lex *lex, unsigned *out);

/* The name of one bit: "MESSAGES". */
const char *status_att_name(enum status_att att);

#endif
