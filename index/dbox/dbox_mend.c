/* What is spoilt in a dbox file beside bodies, and can be written again from what is there: dbox_mend(), and the beginning of a file
 * that a crash may have torn. */
#include <stdlib.h>
#include <string.h>

#include "index/dbox/dbox_core.h"
#include "index/dbox/dbox_scan.h"
#include "io/base/num.h"

enum { BEGIN_BYTES_MAX = FORMAT_AREA_BYTES + DBOX_NAMES_BYTES_MAX + DBOX_RECORD_ALIGN };

/* A file's beginning as it is, and what its header says; free(p). */
struct beginning {
	uint8_t *p; /* BEGIN_BYTES_MAX of them, zeroes behind the file's end */
	size_t got;
	struct format_header header;
	unsigned bad; /* copies of the header: FORMAT_FIRST_BAD, FORMAT_SECOND_BAD */
	size_t
	    names_end; /* with the zeroes behind them; FORMAT_AREA_BYTES: there are none, or they are not sound */
	bool names_sound;
};

/* RP_ERR_CORRUPT, RP_ERR_END: both copies of the header are lost. */
static enum rp_err read_beginning(
    struct task *task, const struct dbox_file *file, struct beginning *begin)
{
	uint64_t n;
	enum rp_err err;

	*begin = (struct beginning){.names_end = FORMAT_AREA_BYTES, .names_sound = true};
	begin->p = calloc(1, BEGIN_BYTES_MAX);
	if (begin->p == NULL)
		return RP_ERR_NOMEM;
	err = file_read(task, file->file, begin->p, BEGIN_BYTES_MAX, 0, &begin->got);
	if (err == RP_OK)
		err = format_look_area(bytes_of(begin->p, begin->got), FORMAT_DBOX, DBOX_VERSION,
		    &begin->header, &begin->bad);
	if (err != RP_OK)
		return err;
	n = begin->header.extra[DBOX_EXTRA_NAMES_BYTES];
	if (n == 0 || n > DBOX_NAMES_BYTES_MAX)
		return RP_OK;
	begin->names_sound = begin->got >= FORMAT_AREA_BYTES + n &&
	                     dbox_format_xxh3(bytes_of(begin->p + FORMAT_AREA_BYTES, (size_t)n),
	                         begin->header.nonce) == begin->header.extra[DBOX_EXTRA_NAMES_XXH3];
	if (begin->names_sound)
		begin->names_end = num_round_up(FORMAT_AREA_BYTES + n, DBOX_RECORD_ALIGN);
	return RP_OK;
}

enum rp_err dbox_core_is_begun(struct task *task, const struct dbox_file *file, bool *whole, uint64_t *first)
{
	struct beginning begin;
	enum rp_err err = read_beginning(task, file, &begin);

	*whole = err == RP_OK && begin.bad == 0 && begin.names_sound;
	*first = begin.names_end;
	free(begin.p);
	return err == RP_ERR_CORRUPT || err == RP_ERR_END || err == RP_ERR_CANNOT ? RP_OK : err;
}

enum rp_err dbox_core_begin_again(struct task *task, struct dbox_file *file)
{
	struct beginning begin;
	enum rp_err err = read_beginning(task, file, &begin);

	if (err == RP_OK && !begin.names_sound) { /* the bytes stay: records may lie there */
		begin.header.extra[DBOX_EXTRA_NAMES_BYTES] = 0;
		begin.header.extra[DBOX_EXTRA_NAMES_XXH3] =
		    dbox_format_xxh3(bytes_of(NULL, 0), begin.header.nonce);
		format_sign(&begin.header, FORMAT_DBOX, DBOX_VERSION);
	}
	if (err == RP_OK) {
		size_t names = (size_t)begin.header.extra[DBOX_EXTRA_NAMES_BYTES];

		format_put_area(&begin.header, begin.p);
		memset(begin.p + FORMAT_AREA_BYTES + names, 0,
		    begin.names_end - FORMAT_AREA_BYTES - names);
		err = file_write(task, file->file, begin.p, begin.names_end, 0, false);
	}
	free(begin.p);
	return err;
}

/* Both copies are lost; the records tell the nonce. Where its end is was not looked for. */
static enum rp_err renew_header(struct task *task, struct dbox *dbox, struct dbox_file *file)
{
	file->full = true;
	return dbox_core_renew(task, dbox, file, file->nonce);
}

static enum rp_err put_zeroes(
    struct task *task, struct dbox_file *file, const struct dbox_oddity *oddity)
{
	static const uint8_t zeroes[DBOX_RECORD_ALIGN];

	RP_ASSERT(oddity->bytes <= sizeof(zeroes));
	return file_write(task, file->file, zeroes, (size_t)oddity->bytes, oddity->offset, false);
}

static enum rp_err mend_used(
    struct task *task, struct dbox *dbox, struct dbox_file *file, const struct dbox_oddity *oddity)
{
	enum rp_err err;

	switch (oddity->what) {
	case DBOX_ODD_GAP:
		return RP_OK;
	case DBOX_ODD_BEGIN_ZEROES:
	case DBOX_ODD_ZEROES:
		err = put_zeroes(task, file, oddity);
		break;
	default:
		err = file->header_lost ? renew_header(task, dbox, file)
		                        : dbox_core_begin_again(task, file);
	}
	return err == RP_OK ? file_sync(task, file->file) : err;
}

enum rp_err dbox_mend(struct task *task, struct dbox *dbox, const struct dbox_oddity *oddity)
{
	struct dbox_file *file = dbox_core_find(dbox, oddity->file);
	enum rp_err err;

	while (file != NULL && file->standin != oddity->standin)
		file = file->next;
	if (file == NULL)
		return RP_ERR_NOTFOUND;
	err = dbox_core_use(task, file);
	if (err != RP_OK)
		return err;
	err = mend_used(task, dbox, file, oddity);
	dbox_core_release(file);
	return err;
}
