/* dump_core.h -- what dump*.c share. */
#ifndef RP_INDEX_DUMP_CORE_H
#define RP_INDEX_DUMP_CORE_H

#include "index/dump.h"
#include "index/format.h"

struct dump {
	dump_line_fn *fn;
	void *arg;
	enum rp_err err; /* of fn: nothing more is said */
};

void dump_say(struct dump *dump, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A name that can do no harm on a terminal, NUL behind it; cut where it is too long. */
enum { DUMP_NAME_BYTES_MAX = 600 };
const char *dump_name(struct bytes name, char text[DUMP_NAME_BYTES_MAX]);

/* Records one after the other, from that offset of the file on. journal: of the journal with this first LSN; 0: of a commit log's
 * write, with bodies. */
void dump_records(
    struct dump *dump, struct bytes in, uint64_t offset, uint64_t nonce, uint64_t journal);

/* An index behind its header. */
void dump_index(struct dump *dump, struct bytes file, const struct format_header *header);

#endif
