/* Index files that lose pages or turn out to be damaged while the mailbox is open: the journal has it all, and no answer is
 * wrong meanwhile. */
#include "index/checkpoint.h"
#include "index/msgset.h"
#include "index/view_state.h"
#include "index/volume_state.h"
#include "tests/index/model.h"
#include "tests/index/open_store.h"
#include "tests/io/io_fixture.h"

enum {
	MANY = 512 * MAILBOX_APPEND_MAX, /* an index that is mapped */
};

static const struct userid user = {{0x14, 0x22, 0x33}};

struct lost {
	struct store *store;
	struct volume *volume;
	struct mailbox *inbox;
	struct mailbox *trash;
	struct view *view;
	uint32_t left; /* 1/left of an index is left when it is cut */
	bool cuts; /* a file that is cut short loses pages of its mapping: not in the simulator */
};

static void open_lost(struct task *task, struct lost *lost, uint64_t epoch)
{
	struct store_settings settings = small_store();

	settings.volumes_bytes_max = 64 * 1024 * 1024;
	lost->store = open_recovered(task, &settings, epoch);
	cr_assert_eq(volume_open(task, lost->store, &user, &lost->volume), RP_OK);
	cr_assert_eq(mailbox_open(task, lost->volume, BYTES_LIT("INBOX"), &lost->inbox), RP_OK);
	cr_assert_eq(mailbox_open(task, lost->volume, BYTES_LIT("Trash"), &lost->trash), RP_OK);
	cr_assert_eq(view_open(task, lost->inbox, NULL, &lost->view), RP_OK);
}

static void close_lost(struct task *task, struct lost *lost)
{
	view_close(lost->view);
	mailbox_close(lost->inbox);
	mailbox_close(lost->trash);
	volume_close(lost->volume);
	cr_assert_eq(store_close(task, lost->store), RP_OK);
}

static void append_some(struct task *task, struct mailbox *mailbox)
{
	struct bytes keyword = BYTES_LIT("every");
	struct append message[MAILBOX_APPEND_MAX];
	uint32_t first_uid;

	for (unsigned i = 0; i < MAILBOX_APPEND_MAX; i++) {
		message[i] = (struct append){.flags = i % 2 ? MAIL_SEEN : 0,
		    .keywords = &keyword,
		    .keywords_count = i % 3 == 0,
		    .internaldate = {1700000000 + (int64_t)i * 7919, 60}};
		cr_assert_eq(body_begin(task, mailbox_volume(mailbox), &message[i].body), RP_OK);
		cr_assert_eq(body_write(task, message[i].body, BYTES_LIT("a: b\r\n\r\n")), RP_OK);
	}
	cr_assert_eq(mailbox_append(task, mailbox, message, MAILBOX_APPEND_MAX, &first_uid), RP_OK);
}

/* Until it has MANY messages: each copy doubles them. */
static void fill(struct task *task, struct mailbox *mailbox)
{
	append_some(task, mailbox);
	while (mailbox_entry(mailbox)->messages_count < MANY) {
		struct runs out = RUNS_EMPTY;
		uint32_t first_uid;

		cr_assert_eq(mailbox_copy(task, mailbox, NULL, mailbox, &out, &first_uid), RP_OK);
		runs_fini(&out);
	}
}

static void checkpoint(struct task *task, struct volume *volume)
{
	enum rp_err err;

	while ((err = checkpoint_now(task, volume)) == RP_ERR_BUSY)
		cr_assert_eq(task_sleep(task, 1000 * 1000), RP_OK);
	cr_assert_eq(err, RP_OK, "%s", err_name(err));
}

static void begin(struct task *task, struct lost *lost, struct io_fixture *fixture)
{
	open_lost(task, lost, 1);
	lost->left = 30;
	lost->cuts = fixture->kind == IO_FIXTURE_URING;
	fill(task, lost->inbox);
	(void)view_take_exists(lost->view);
	checkpoint(task, lost->volume);
}

static struct file *index_of(struct task *task, struct mailbox *mailbox)
{
	const struct catalog_node *node =
	    catalog_by_id(&mailbox->volume->catalog, mailbox->mailboxid);
	char path[VOLUME_PATH_BYTES];
	struct file *file;

	cr_assert_neq(node->index_lsn, 0);
	volume_path(mailbox->volume, path, "%llu.%llu.index",
	    (unsigned long long)mailbox->mailboxid, (unsigned long long)node->index_lsn);
	cr_assert_eq(file_open(task, FILE_ROOT_DATA, path, FILE_READ | FILE_WRITE, &file), RP_OK);
	return file;
}

/* Much of the mailbox's index goes, under its mapping. */
static void cut_index(struct task *task, const struct lost *lost, struct mailbox *mailbox)
{
	struct file *file = index_of(task, mailbox);
	uint64_t n;

	cr_assert_eq(file_size(task, file, &n), RP_OK);
	cr_assert_eq(file_truncate(task, file, n / lost->left / 4096 * 4096 + 100), RP_OK);
	file_close(file);
}

static bool was_mended(const struct lost *lost, const struct mailbox *mailbox)
{
	return !lost->cuts ||
	       catalog_by_id(&lost->volume->catalog, mailbox->mailboxid)->index_lsn == 0;
}

/* A number that stands for what a walk tells; the index is cut short before message cut_at. */
static uint64_t walk(struct task *task, struct lost *lost, uint32_t cut_at)
{
	struct view_cursor cursor;
	uint64_t digest = 0;
	uint32_t met = 0;
	enum rp_err err;

	view_cursor_init(&cursor, lost->view, NULL);
	for (;;) {
		if (met == cut_at)
			cut_index(task, lost, lost->inbox);
		err = view_cursor_next(task, &cursor);
		if (err != RP_OK)
			break;
		met++;
		cr_assert_eq(cursor.seqno, met);
		cr_assert_eq(cursor.message.uid, met);
		cr_assert_neq(cursor.message.modseq, 0);
		digest = digest * 31 + cursor.message.modseq;
		digest = digest * 31 + (uint64_t)cursor.message.internaldate.seconds;
		digest = digest * 31 + cursor.message.rfc822_size_bytes;
		digest = digest * 31 + cursor.message.emailid;
		digest = digest * 31 + cursor.message.flags;
		digest = digest * 31 + (cursor.keyword_words > 0 ? cursor.keywords[0] : 0);
	}
	cr_assert_eq(err, RP_ERR_END, "%s", err_name(err));
	cr_assert_eq(met, MANY);
	return digest;
}

IO_TASK_TEST(volume_lost, a_walk_goes_on_rightly_when_pages_go)
{
	static const uint32_t cuts[] = {0, 1, 100, 100, MANY / 2 + 33, MANY - 1};
	struct lost lost;
	uint64_t digest;

	begin(task, &lost, arg);
	digest = walk(task, &lost, UINT32_MAX);
	for (unsigned i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		lost.left = i % 2 ? 2 : 30;
		cr_assert_eq(walk(task, &lost, cuts[i]), digest, "cut before %u", cuts[i]);
		cr_assert(was_mended(&lost, lost.inbox));
		checkpoint(task, lost.volume);
		cr_assert_eq(walk(task, &lost, UINT32_MAX), digest);
	}
	close_lost(task, &lost);
}

/* How many have a MODSEQ greater than that. */
static uint32_t count_newer(struct task *task, struct lost *lost, uint64_t modseq)
{
	struct msgset *set;
	uint32_t count;

	cr_assert_eq(
	    msgset_range(task, lost->view, MSGSET_MODSEQ, (int64_t)modseq + 1, INT64_MAX, &set),
	    RP_OK);
	count = msgset_count(set);
	msgset_free(set);
	return count;
}

IO_TASK_TEST(volume_lost, a_search_finds_what_is_there_when_pages_go)
{
	struct lost lost;
	uint64_t modseq;
	uint32_t count;

	begin(task, &lost, arg);
	modseq = mailbox_entry(lost.inbox)->highestmodseq - 1;
	count = count_newer(task, &lost, modseq);
	cr_assert(count > 0 && count < MANY);
	cut_index(task, &lost, lost.inbox);
	cr_assert_eq(count_newer(task, &lost, modseq), count);
	cr_assert(was_mended(&lost, lost.inbox));
	close_lost(task, &lost);
}

IO_TASK_TEST(volume_lost, flags_that_were_told_by_modseq_are_found_when_pages_go)
{
	struct run last = {MANY, MANY};
	struct runs uids = {.run = &last, .count = 1};
	struct mail_store flag = {.mode = MAIL_STORE_ADD, .flags = MAIL_FLAGGED};
	struct view_cursor cursor;
	struct lost lost;

	begin(task, &lost, arg);
	cr_assert_eq(mailbox_store(task, lost.inbox, &uids, &flag, NULL, NULL), RP_OK);
	checkpoint(task, lost.volume);
	view_flags_cursor(&cursor, lost.view);
	cr_assert_eq(view_cursor_next(task, &cursor), RP_OK);
	cut_index(task, &lost, lost.inbox);
	view_flags_cursor(&cursor, lost.view);
	cr_assert_eq(view_cursor_next(task, &cursor), RP_OK);
	cr_assert_eq(cursor.message.uid, MANY);
	cr_assert_eq(view_cursor_next(task, &cursor), RP_ERR_END);
	close_lost(task, &lost);
}

IO_TASK_TEST(volume_lost, a_store_is_not_let_through_by_a_modseq_that_went)
{
	struct mail_store store = {
	    .mode = MAIL_STORE_ADD, .flags = MAIL_FLAGGED, .has_unchangedsince = true};
	struct runs modified = RUNS_EMPTY;
	struct runs changed = RUNS_EMPTY;
	struct run every = {1, MANY};
	struct runs all = {.run = &every, .count = 1};
	struct lost lost;
	uint32_t count;

	begin(task, &lost, arg);
	store.unchangedsince = mailbox_entry(lost.inbox)->highestmodseq - 1;
	count = count_newer(task, &lost, store.unchangedsince);
	cr_assert(count > 0 && count < MANY);
	cut_index(task, &lost, lost.inbox);
	cr_assert_eq(mailbox_store(task, lost.inbox, &all, &store, &changed, &modified), RP_OK);
	cr_assert_eq(runs_total(&modified), count);
	cr_assert_eq(runs_total(&changed), MANY - count);
	runs_fini(&modified);
	runs_fini(&changed);
	close_lost(task, &lost);
}

/* Of a mailbox that is deleted nothing can be mended, and nobody waits for it. */
IO_TASK_TEST(volume_lost, a_walk_of_a_deleted_mailbox_ends_when_pages_go)
{
	struct view_cursor cursor;
	struct lost lost;
	struct view *view;
	enum rp_err err;

	begin(task, &lost, arg);
	fill(task, lost.trash);
	checkpoint(task, lost.volume);
	cr_assert_eq(view_open(task, lost.trash, NULL, &view), RP_OK);
	view_cursor_init(&cursor, view, NULL);
	cr_assert_eq(view_cursor_next(task, &cursor), RP_OK);
	cut_index(task, &lost, lost.trash);
	cr_assert_eq(volume_delete(task, lost.volume, BYTES_LIT("Trash")), RP_OK);
	while ((err = view_cursor_next(task, &cursor)) == RP_OK)
		cr_assert_neq(cursor.message.modseq, 0);
	cr_assert_eq(err, lost.cuts ? RP_ERR_CORRUPT : RP_ERR_END, "%s", err_name(err));
	view_close(view);
	close_lost(task, &lost);
}

IO_TASK_TEST(volume_lost, a_target_that_lost_pages_takes_copies_and_moves)
{
	struct run run = {2, 3};
	struct runs two = {.run = &run, .count = 1};
	struct runs done = RUNS_EMPTY;
	struct lost lost;
	uint32_t first_uid;

	begin(task, &lost, arg);
	fill(task, lost.trash);
	checkpoint(task, lost.volume);
	cut_index(task, &lost, lost.trash);
	cr_assert_eq(mailbox_copy(task, lost.inbox, &two, lost.trash, &done, &first_uid), RP_OK);
	cr_assert(was_mended(&lost, lost.trash));
	checkpoint(task, lost.volume);
	runs_fini(&done);
	/* Both at once. */
	cut_index(task, &lost, lost.trash);
	cut_index(task, &lost, lost.inbox);
	cr_assert_eq(mailbox_move(task, lost.inbox, &two, lost.trash, &done, &first_uid), RP_OK);
	cr_assert_eq(runs_total(&done), 2);
	cr_assert_eq(mailbox_entry(lost.inbox)->messages_count, MANY - 2);
	cr_assert_eq(mailbox_entry(lost.trash)->messages_count, MANY + 4);
	runs_fini(&done);
	close_lost(task, &lost);
}
