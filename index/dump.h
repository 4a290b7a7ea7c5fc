/* dump.h -- any of our files, as lines for a person.
 *
 * Pure: the whole file's bytes in, lines out; nothing is believed, damage is shown and passed over. Message text is never
 * shown, names are escaped.
 */
#ifndef RP_INDEX_DUMP_H
#define RP_INDEX_DUMP_H

#include "index/record.h"

enum { DUMP_LINE_BYTES_MAX = 1024 }; /* of a line; what is longer is cut */

/* One line without its end. An error ends the dump. */
typedef enum rp_err dump_line_fn(void *arg, struct bytes line);

/* RP_ERR_CORRUPT: neither header copy is one of ours, and nothing was said but that. */
RP_MUST_USE enum rp_err dump_file(struct bytes file, dump_line_fn *fn, void *arg);

#endif
