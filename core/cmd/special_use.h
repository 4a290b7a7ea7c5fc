/* special_use.h -- RFC 6154's attributes: names and bits. */
#ifndef RP_CORE_CMD_SPECIAL_USE_H
#define RP_CORE_CMD_SPECIAL_USE_H

#include "core/imap/resp.h"
#include "index/volume.h"

/* The bit of "Sent" (without its backslash, in any case); 0: not known. */
unsigned special_use_of(struct bytes name);

/* " \Sent \Archive" behind other attributes, or *started false: without the first space. */
void special_use_write(struct resp *resp, unsigned special_use, bool *started);

#endif
