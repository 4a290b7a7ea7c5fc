/* logfile.h -- what lies in a file of the commit log, byte by byte.
 *
 *   block 0: header | block 1: the same header | write | write | ...       each at a multiple of 4,096
 *
 *   write: struct logfile_write | record | record | ... | zeroes to 4,096
 *
 * The two headers are written one after the other, so one is always whole. A new nonce at each use makes what the
 * uses before have left behind invalid. Writes bear numbers that count up through all files of a shard and epoch.
 */
#ifndef RP_INDEX_LOGFILE_H
#define RP_INDEX_LOGFILE_H

#include <assert.h>

#include "index/format.h"
#include "io/file.h"

enum {
	LOGFILE_VERSION = 1,
	LOGFILE_BLOCK_BYTES = 4096,
	LOGFILE_FIRST_OFFSET = 2 * LOGFILE_BLOCK_BYTES,
	LOGFILE_WRITE_MAGIC = 0x574c5052, /* "RPLW" */
	LOGFILE_WRITE_BYTES_MAX = 1024 * 1024,
	LOGFILE_PATH_BYTES = 64,
};

/* extra[] of a log file's format_header. number: n of <n>.log. */
enum logfile_extra {
	LOGFILE_EXTRA_SHARD,
	LOGFILE_EXTRA_USE,     /* counts this server run's uses of files: the higher of two headers is the newer */
	LOGFILE_EXTRA_STATE,   /* enum logfile_state */
	LOGFILE_EXTRA_DURABLE, /* number of the write up to which all were durable then */
	LOGFILE_EXTRA_BYTES,   /* the file's size */
	LOGFILE_EXTRA_FILES,   /* bit n - 1: <n>.log was there too, of this shard; LOGFILE_FILES_TOLD of them */
	LOGFILE_EXTRA_LOST,    /* logs of this epoch, and perhaps of earlier ones, had lost what was durable: log_loss.h; 0: none ever had */
};

enum { LOGFILE_FILES_TOLD = 64 }; /* files with higher names no header tells of */

enum logfile_state {
	LOGFILE_FREE = 1, /* says that nothing is in it */
	LOGFILE_USED = 2,
};

/* At the begin of each write. */
struct logfile_write {
	uint32_t magic;
	uint16_t version;
	uint16_t header_bytes;
	uint32_t bytes; /* of all, with this, without the zeroes behind */
	uint32_t records;
	uint64_t number;
	uint64_t durable; /* all writes up to this number were durable when this one was sent */
	uint64_t nonce;   /* the file's */
	uint64_t reserved;
	uint64_t payload_xxh3; /* of what follows, seeded with the nonce */
	uint64_t header_xxh3;  /* of all before, seeded with the nonce */
};

static_assert(sizeof(struct logfile_write) == 64, "format");
static_assert(offsetof(struct logfile_write, number) == 16, "format");
static_assert(offsetof(struct logfile_write, header_xxh3) == 56, "format");

/* Begin a write of `bytes` (with this header) at p; the rest of it is there. */
void logfile_put_write(
    uint8_t *p, uint32_t bytes, uint32_t records, uint64_t number, uint64_t durable, uint64_t nonce);

/* Is there a sound header at in.p[0]? Its payload is not looked at. RP_ERR_END, RP_ERR_CORRUPT. */
RP_MUST_USE enum rp_err logfile_check_write(
    struct bytes in, uint64_t nonce, struct logfile_write *out);

/* The payload of a sound header, in.p[0] being its first byte; in may be cut short: false. */
bool logfile_write_is_whole(struct bytes in, const struct logfile_write *write);

/* "<shard>/<n>.log" below FILE_ROOT_COMMIT. */
void logfile_path(unsigned shard, uint64_t number, char path[LOGFILE_PATH_BYTES]);
RP_MUST_USE bool logfile_parse_name(struct bytes name, uint64_t *number);

/* The newer sound header of the two. RP_ERR_END: none and the file is blank; RP_ERR_CORRUPT; RP_ERR_CANNOT: newer version;
 * RP_ERR_IO: both are lost; RP_ERR_UNAVAILABLE: the disk is away (file_read_retry()). */
RP_MUST_USE enum rp_err logfile_read_header(
    struct task *task, struct file *file, struct format_header *out);

/* Is it another shard's, another file's, or from a time that has not come? */
bool logfile_is_foreign(
    const struct format_header *header, unsigned shard, uint64_t number, uint64_t epoch);

/* Are both as logfile_write_header() writes this one, and is the file as long as it says? */
RP_MUST_USE enum rp_err logfile_is_whole(
    struct task *task, struct file *file, const struct format_header *header, bool *whole);

/* Are there zeroes alone behind the first copy of the header, to the end of the file? Then nothing
 * was ever in it. behind_bytes: how many of these LOGFILE_FIRST_OFFSET bytes it has: all, once there was a header, for the file has its size,
 * durable, before. RP_ERR_UNAVAILABLE; what the disk has lost is no zeroes, and no error. */
RP_MUST_USE enum rp_err logfile_is_unwritten(
    struct task *task, struct file *file, bool *unwritten, size_t *behind_bytes);

/* Does no block of it begin a write of this header's nonce? Then nothing was written to it since. What cannot be read is an error. */
RP_MUST_USE enum rp_err logfile_is_unused(
    struct task *task, struct file *file, const struct format_header *header, bool *unused);

/* Both, durable, one after the other. block: 4,096 bytes, aligned to that, for the call. */
RP_MUST_USE enum rp_err logfile_write_header(
    struct task *task, struct file *file, struct format_header *header, uint8_t *block);

#endif
