/* dbox.h -- one user's message bodies, in append-only files <n>.dbox of up to 64 MiB.
 *
 * A record describes itself (dbox_format.h). A place is given out when a message is numbered; small bodies travel in
 * the commit log and are written here when settled; larger ones are streamed into a file of their own place and made
 * durable before the change that refers to them. A file has one streaming writer at a time.
 */
#ifndef RP_INDEX_DBOX_H
#define RP_INDEX_DBOX_H

#include "index/settle.h"
#include "io/base/arena.h"
#include "io/file.h"

enum {
	DBOX_FILE_BYTES_MAX = 64 * 1024 * 1024, /* sealed beyond; one larger message may go over it */
	DBOX_INLINE_BYTES_MAX = 64 * 1024,      /* bodies up to this travel in the commit log */
	DBOX_BLOCK_BYTES = 64 * 1024,           /* of body under one checksum */
	DBOX_FILES_MAX = 65536,                 /* of one user: 4 TiB */
	DBOX_NAMES_BYTES_MAX = 1024 * 1024,     /* the text that a file begins with; longer: left out */
};

struct dbox;
struct dbox_body;
struct dbox_stream;

/* Where a body's record begins. */
struct dbox_ref {
	uint32_t file;   /* from 1; 0: no body */
	uint32_t offset; /* in units of 16 bytes */
};

/* What a body's record says about its message, so that repair can rebuild a mailbox from bodies alone. */
struct dbox_message {
	uint64_t mailboxid;
	uint32_t uid; /* 0: not numbered yet when it was written (streamed bodies) */
	uint32_t flags; /* system flags at save */
	int64_t internaldate_s;
	int16_t internaldate_zone_min;
	uint64_t emailid;
	uint32_t uidvalidity_last; /* the greatest that the user had given out by then; 0: not told, as in files of before */
};

/* The text that a new file begins with (names, special uses and ids of the mailboxes then there), in arena memory. */
typedef enum rp_err dbox_names_fn(void *arg, struct arena *arena, struct bytes *names);

/* dir: the volume's directory under DATA, copied. Makes nothing; a directory that is not there is an empty dbox. names may
 * be NULL (recovery: the new file then has no text). */
RP_MUST_USE enum rp_err dbox_open(struct task *task, const char *dir, const struct userid *userid,
    uint64_t epoch, dbox_names_fn *names, void *names_arg, struct dbox **out);

/* Files take no more at this size, not at DBOX_FILE_BYTES_MAX. For tests, which meet several then. */
void dbox_set_file_bytes(struct dbox *dbox, uint64_t bytes);

/* Open bodies stay readable; streams must have ended. NULL is fine. */
void dbox_close(struct dbox *dbox);

/* A small body. dbox_reserve() suspends: it sees to it that a file with room for it is there. Then, in the breath of
 * the change: dbox_place_inline() gives it a place and makes its whole record in arena memory. RP_ERR_BUSY: the room
 * is gone (another change took it): reserve again. Several bodies of one change: reserve their sum (each counted with
 * DBOX_RECORD_BYTES_MORE); their records are adjacent. */
enum { DBOX_RECORD_BYTES_MORE = 128 + 16 }; /* what a small body's record takes besides it, at most */
RP_MUST_USE enum rp_err dbox_reserve(struct task *task, struct dbox *dbox, uint64_t body_bytes);
RP_MUST_USE enum rp_err dbox_place_inline(struct dbox *dbox, const struct dbox_message *message,
    struct bytes body, struct arena *arena, struct bytes *record, struct dbox_ref *ref);

/* A settled record, or several adjacent ones, goes to its place. Unflushed. The file is made if it is not there. */
RP_MUST_USE enum rp_err dbox_write_settled(
    struct task *task, struct dbox *dbox, uint64_t file, uint64_t offset, struct bytes record);

/* Is this, as it is to be settled at this offset, the whole record of a body of this user's? Whoever reads it from a log asks: it
 * would be written over one that is sound, and names the nonce that a new file gets. */
bool dbox_record_is_sound(struct bytes record, const struct userid *userid, uint64_t offset);

/* Flush what was settled into this file, or into what stands in for it. */
RP_MUST_USE enum rp_err dbox_sync_settled(struct task *task, struct dbox *dbox, uint64_t file);

/* This file cannot be written: it is sealed, and what is still settled into it goes to a file that stands in for it; references
 * stay as they are. RP_ERR_LIMIT: too many have. */
RP_MUST_USE enum rp_err dbox_give_up(struct dbox *dbox, uint64_t file);

/* Recovery: write the beginning of the file that takes what is settled into this one again as it is. Where the last run's flush
 * failed the kernel may call it clean, and lose it in the next power cut. */
RP_MUST_USE enum rp_err dbox_touch(struct task *task, struct dbox *dbox, uint64_t number);

/* A large body, streamed: begin, any number of writes, finish (durable on RP_OK), or abort at any time. The end of a stream
 * is finish with RP_OK, or abort. */
RP_MUST_USE enum rp_err dbox_stream_begin(
    struct task *task, struct dbox *dbox, struct dbox_stream **out);
RP_MUST_USE enum rp_err dbox_stream_write(
    struct task *task, struct dbox_stream *stream, struct bytes b);
RP_MUST_USE enum rp_err dbox_stream_finish(struct task *task, struct dbox_stream *stream,
    const struct dbox_message *message, struct dbox_ref *ref);
void dbox_stream_abort(struct dbox_stream *stream);

/* A body that was finished, and that no change refers to: if nothing lies behind it, its room is to be had again. */
void dbox_take_back(struct dbox *dbox, struct dbox_ref ref, uint64_t body_bytes);

/* Cut off what ended streams, and bodies taken back, have left behind the ends of files. unknown_too: also what uploads have left that a
 * crash, or the server's end, cut short; how the newest files end is read from them, once. Is there anything to do? */
RP_MUST_USE enum rp_err dbox_trim(struct task *task, struct dbox *dbox, bool unknown_too);
bool dbox_may_trim(const struct dbox *dbox, bool unknown_too);

/* Read a body. Open checks the record's header (RP_ERR_CORRUPT; RP_ERR_EXPUNGED: the file is gone). A read checks each
 * 64 KiB block that it touches. settle (may be NULL): unsettled records, looked at first. An open body stays readable
 * whatever happens to its message or its file's name. One task at a time. */
RP_MUST_USE enum rp_err dbox_body_open(struct task *task, struct dbox *dbox, const struct settle *settle,
    struct dbox_ref ref, uint64_t emailid, struct dbox_body **out);
uint64_t dbox_body_bytes(const struct dbox_body *body);
const struct dbox_message *dbox_body_message(const struct dbox_body *body);
RP_MUST_USE enum rp_err dbox_body_read(
    struct task *task, struct dbox_body *body, uint64_t offset, void *p, size_t n, size_t *got);
struct dbox_ref dbox_body_ref(const struct dbox_body *body); /* file 0: it is not in its file yet */
void dbox_body_close(struct dbox_body *body);

/* Files. The newest number there ever was (here or told), 0: none; all files from `first` on are new from now on
 * (a destroyed user's next life: see RECORD_DROPS_DBOX); a file that is void is removed, open bodies live on (RP_ERR_BUSY: a stream is
 * writing to it). */
uint32_t dbox_last_file(const struct dbox *dbox);
/* The first file behind this one that is there, the last before it; 0: none. */
uint32_t dbox_next_file(const struct dbox *dbox, uint32_t after);
uint32_t dbox_file_before(const struct dbox *dbox, uint32_t number);
/* The first file behind this one that is there and takes nothing more; 0: none. Its bytes. To have it never take anything
 * again (RP_ERR_BUSY: a stream is writing to it). */
uint32_t dbox_next_sealed(const struct dbox *dbox, uint32_t after);
RP_MUST_USE enum rp_err dbox_file_bytes(
    struct task *task, struct dbox *dbox, uint32_t file, uint64_t *bytes);
RP_MUST_USE enum rp_err dbox_seal(struct dbox *dbox, uint32_t file);
/* Before it is told that a file is void: see to it that its number is not given out again, though the power goes. A file behind it
 * has a durable name. RP_ERR_BUSY: there is none. */
RP_MUST_USE enum rp_err dbox_keep_number(struct task *task, struct dbox *dbox, uint32_t file);

/* A body in this file is about to be referred to: until it is, or not, the file counts as one that is written to. Counted. */
void dbox_expect(struct dbox *dbox, uint32_t file);
void dbox_expect_no_more(struct dbox *dbox, uint32_t file);

/* How many files there are, and what one may take. */
size_t dbox_files_count(const struct dbox *dbox);
uint64_t dbox_file_bytes_max(const struct dbox *dbox);

void dbox_number_from(struct dbox *dbox, uint32_t first);
RP_MUST_USE enum rp_err dbox_remove(struct task *task, struct dbox *dbox, uint32_t file);

#endif
