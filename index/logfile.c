#include "index/logfile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "io/base/num.h"
#include "io/task.h"

enum { LOGFILE_READ_BYTES = 256 * 1024 }; /* at a time, to look at all of it */

static uint64_t header_checksum(const struct logfile_write *write)
{
	return XXH3_64bits_withSeed(
	    write, offsetof(struct logfile_write, header_xxh3), write->nonce);
}

void logfile_put_write(
    uint8_t *p, uint32_t bytes, uint32_t records, uint64_t number, uint64_t durable, uint64_t nonce)
{
	struct logfile_write write = {
		.magic = LOGFILE_WRITE_MAGIC,
		.version = LOGFILE_VERSION,
		.header_bytes = sizeof(write),
		.bytes = bytes,
		.records = records,
		.number = number,
		.durable = durable,
		.nonce = nonce,
	};

	RP_ASSERT(bytes > sizeof(write) && bytes <= LOGFILE_WRITE_BYTES_MAX);
	RP_ASSERT(records > 0 && number > durable);
	write.payload_xxh3 = XXH3_64bits_withSeed(p + sizeof(write), bytes - sizeof(write), nonce);
	write.header_xxh3 = header_checksum(&write);
	memcpy(p, &write, sizeof(write));
}

enum rp_err logfile_check_write(struct bytes in, uint64_t nonce, struct logfile_write *out)
{
	struct logfile_write write;

	if (in.n < sizeof(write))
		return RP_ERR_END;
	if (num_get_u32(in.p) != LOGFILE_WRITE_MAGIC)
		return num_get_u32(in.p) == 0 ? RP_ERR_END : RP_ERR_CORRUPT;
	memcpy(&write, in.p, sizeof(write));
	if (write.nonce != nonce || write.header_xxh3 != header_checksum(&write))
		return RP_ERR_CORRUPT;
	if (write.version != LOGFILE_VERSION || write.header_bytes != sizeof(write) ||
	    write.bytes <= sizeof(write) || write.bytes > LOGFILE_WRITE_BYTES_MAX ||
	    write.records == 0 || write.number <= write.durable)
		return RP_ERR_CORRUPT;
	*out = write;
	return RP_OK;
}

bool logfile_write_is_whole(struct bytes in, const struct logfile_write *write)
{
	if (in.n < write->bytes)
		return false;
	return XXH3_64bits_withSeed(in.p + sizeof(*write), write->bytes - sizeof(*write),
		   write->nonce) == write->payload_xxh3;
}

void logfile_path(unsigned shard, uint64_t number, char path[LOGFILE_PATH_BYTES])
{
	snprintf(path, LOGFILE_PATH_BYTES, "%u/%" PRIu64 ".log", shard, number);
}

bool logfile_parse_name(struct bytes name, uint64_t *number)
{
	static const char suffix[] = ".log";
	size_t n = sizeof(suffix) - 1;

	if (name.n <= n || memcmp(name.p + name.n - n, suffix, n) != 0 || name.p[0] == '0')
		return false;
	return bytes_to_u64(bytes_slice(name, 0, name.n - n), UINT64_MAX - 1, number);
}

/* Each copy by itself: one that cannot be read leaves the other. */
enum rp_err logfile_read_header(
    struct task *task, struct file *file, struct format_header *out)
{
	uint8_t *p = aligned_alloc(LOGFILE_BLOCK_BYTES, LOGFILE_BLOCK_BYTES);
	struct format_header header[2];
	enum rp_err read[2];
	enum rp_err err = RP_OK;

	if (p == NULL)
		return RP_ERR_NOMEM;
	for (unsigned i = 0; i < 2 && err == RP_OK; i++) {
		size_t got;

		read[i] = file_read_retry(
		    task, file, p, LOGFILE_BLOCK_BYTES, (uint64_t)i * LOGFILE_BLOCK_BYTES, &got);
		if (read[i] == RP_OK)
			read[i] = format_check(
			    bytes_of(p, got), FORMAT_LOG, LOGFILE_VERSION, &header[i]);
		/* The disk is away: which copy is the newer one cannot be told. */
		if (read[i] == RP_ERR_CANCELED || read[i] == RP_ERR_UNAVAILABLE)
			err = read[i];
	}
	free(p);
	if (err != RP_OK)
		return err;
	if (read[0] == RP_ERR_CANNOT || read[1] == RP_ERR_CANNOT)
		return RP_ERR_CANNOT;
	if (read[0] != RP_OK && read[1] != RP_OK)
		return read[0] == RP_ERR_END ? read[1] : read[0];

	bool second = read[0] != RP_OK;

	if (read[0] == RP_OK && read[1] == RP_OK)
		second = header[1].epoch > header[0].epoch ||
		    (header[1].epoch == header[0].epoch &&
			header[1].extra[LOGFILE_EXTRA_USE] > header[0].extra[LOGFILE_EXTRA_USE]);
	*out = header[second];
	return RP_OK;
}

bool logfile_is_foreign(
    const struct format_header *header, unsigned shard, uint64_t number, uint64_t epoch)
{
	return header->extra[LOGFILE_EXTRA_SHARD] != shard || header->number != number ||
	       header->epoch > epoch;
}

enum rp_err logfile_is_whole(
    struct task *task, struct file *file, const struct format_header *header, bool *whole)
{
	uint64_t bytes = 0;
	uint8_t *p = aligned_alloc(LOGFILE_BLOCK_BYTES, 2 * LOGFILE_BLOCK_BYTES);
	enum rp_err err = RP_ERR_NOMEM;

	*whole = p != NULL;
	if (p != NULL) {
		memset(p + LOGFILE_BLOCK_BYTES, 0, LOGFILE_BLOCK_BYTES);
		memcpy(p + LOGFILE_BLOCK_BYTES, header, sizeof(*header));
		err = file_size(task, file, &bytes);
	}
	*whole = *whole && bytes >= header->extra[LOGFILE_EXTRA_BYTES];
	for (unsigned i = 0; i < 2 && err == RP_OK; i++) {
		size_t got = 0;

		err = file_read_retry(
		    task, file, p, LOGFILE_BLOCK_BYTES, (uint64_t)i * LOGFILE_BLOCK_BYTES, &got);
		*whole = *whole && err == RP_OK && got == LOGFILE_BLOCK_BYTES &&
		         memcmp(p, p + LOGFILE_BLOCK_BYTES, LOGFILE_BLOCK_BYTES) == 0;
	}
	free(p);
	return err == RP_ERR_IO ? RP_OK : err;
}

static bool is_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* Where anything was written the first piece tells most times. */
enum rp_err logfile_is_unwritten(
    struct task *task, struct file *file, bool *unwritten, size_t *behind_bytes)
{
	uint8_t *p = aligned_alloc(LOGFILE_BLOCK_BYTES, LOGFILE_READ_BYTES);
	enum rp_err err = p != NULL ? RP_OK : RP_ERR_NOMEM;
	uint64_t at = LOGFILE_BLOCK_BYTES;
	size_t want = LOGFILE_FIRST_OFFSET;
	size_t got = want;

	*behind_bytes = 0;
	*unwritten = err == RP_OK;
	while (err == RP_OK && *unwritten && got == want) {
		want = at == LOGFILE_BLOCK_BYTES ? LOGFILE_FIRST_OFFSET : LOGFILE_READ_BYTES;
		err = file_read_retry(task, file, p, want, at, &got);
		*unwritten = err == RP_OK && is_zero(p, got);
		if (err == RP_OK && at == LOGFILE_BLOCK_BYTES)
			*behind_bytes = got;
		at += want;
	}
	free(p);
	return err == RP_ERR_IO ? RP_OK : err;
}

enum rp_err logfile_write_header(
    struct task *task, struct file *file, struct format_header *header, uint8_t *block)
{
	format_sign(header, FORMAT_LOG, LOGFILE_VERSION);
	memset(block, 0, LOGFILE_BLOCK_BYTES);
	memcpy(block, header, sizeof(*header));

	enum rp_err err = file_write(task, file, block, LOGFILE_BLOCK_BYTES, 0, true);

	if (err == RP_OK)
		err = file_write(
		    task, file, block, LOGFILE_BLOCK_BYTES, LOGFILE_BLOCK_BYTES, true);
	return err;
}

enum rp_err logfile_is_unused(
    struct task *task, struct file *file, const struct format_header *header, bool *unused)
{
	uint8_t *block = aligned_alloc(LOGFILE_BLOCK_BYTES, LOGFILE_READ_BYTES);
	enum rp_err err = block != NULL ? RP_OK : RP_ERR_NOMEM;
	size_t got = LOGFILE_READ_BYTES;

	*unused = true;
	for (uint64_t at = LOGFILE_FIRST_OFFSET; err == RP_OK && *unused && got == LOGFILE_READ_BYTES; at += got) {
		err = file_read(task, file, block, LOGFILE_READ_BYTES, at, &got);
		for (size_t i = 0; err == RP_OK && i + LOGFILE_BLOCK_BYTES <= got; i += LOGFILE_BLOCK_BYTES) {
			struct logfile_write write;

			if (logfile_check_write(bytes_of(block + i, LOGFILE_BLOCK_BYTES), header->nonce, &write) == RP_OK)
				*unused = false;
		}
		if (err == RP_OK)
			err = task_pause(task);
	}
	free(block);
	return err;
}
