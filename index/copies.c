#include "index/copies.h"

#include <stdlib.h>
#include <string.h>

enum {
	LOCK_TRIES = 100,
	LOCK_WAIT_NS = 10 * 1000 * 1000,
};

enum rp_err copies_lock(struct task *task, struct file *file)
{
	enum rp_err err;

	for (unsigned i = 0; (err = file_lock(task, file)) == RP_ERR_BUSY && i < LOCK_TRIES; i++)
		if (task_sleep(task, LOCK_WAIT_NS) != RP_OK)
			return RP_ERR_CANCELED;
	return err;
}

enum rp_err copies_read(struct task *task, struct file *file, enum format_magic magic,
    uint16_t version, struct format_header *header, unsigned *newer)
{
	uint8_t area[COPIES_COUNT][FORMAT_HEADER_BYTES];
	enum rp_err read[COPIES_COUNT];
	struct format_header copy[COPIES_COUNT];
	uint64_t size_bytes;
	enum rp_err err = file_size(task, file, &size_bytes);

	for (unsigned i = 0; err == RP_OK && i < COPIES_COUNT; i++) {
		size_t got;

		read[i] = RP_ERR_CORRUPT;
		err = file_read_retry(
		    task, file, area[i], sizeof(area[i]), (uint64_t)i * COPIES_BLOCK_BYTES, &got);
		if (err == RP_ERR_IO) /* this copy is lost; both say the same, but within a start that was cut short */
			err = RP_OK;
		else if (err == RP_OK)
			read[i] = format_check(bytes_of(area[i], got), magic, version, &copy[i]);
	}
	if (err != RP_OK)
		return err;
	if (read[0] == RP_ERR_CANNOT || read[1] == RP_ERR_CANNOT)
		return RP_ERR_CANNOT;
	if (read[0] != RP_OK && read[1] != RP_OK)
		/* The first start may have been cut short: then nothing but zeroes, or half of the first copy, is there. */
		return read[1] == RP_ERR_END ? RP_ERR_NOTFOUND : RP_ERR_CORRUPT;
	*newer = read[0] != RP_OK || (read[1] == RP_OK && copy[1].epoch > copy[0].epoch);
	*header = copy[*newer];
	return RP_OK;
}

static enum rp_err write_copy(
    struct task *task, struct file *file, const struct format_header *header, unsigned which)
{
	uint8_t *block = calloc(1, COPIES_BLOCK_BYTES);

	if (block == NULL)
		return RP_ERR_NOMEM;
	memcpy(block, header, sizeof(*header));

	enum rp_err err = file_write(
	    task, file, block, COPIES_BLOCK_BYTES, (uint64_t)which * COPIES_BLOCK_BYTES, true);

	free(block);
	return err;
}

enum rp_err copies_write(struct task *task, struct file *file, enum format_magic magic,
    uint16_t version, struct format_header *header, unsigned newer)
{
	while (header->nonce == 0)
		loop_random(task_loop(task), &header->nonce, sizeof(header->nonce));
	format_sign(header, magic, version);

	enum rp_err err = write_copy(task, file, header, 1 - newer);

	return err == RP_OK ? write_copy(task, file, header, newer) : err;
}
