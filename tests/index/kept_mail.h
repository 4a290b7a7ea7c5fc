/* kept_mail.h -- a user whose mail is expunged, and kept for a while, for tests of what becomes of it. Each step must say RP_OK. */
#ifndef RP_TESTS_INDEX_KEPT_MAIL_H
#define RP_TESTS_INDEX_KEPT_MAIL_H

#include "index/store.h"
#include "index/view.h"
#include "index/volume.h"

enum { KEPT_S = 3600, KEPT_MESSAGES = 120, KEPT_TEXT_BYTES = 3000 };

/* Journals of 8 KiB, files of bodies of 32 KiB. rows_max: 0: as many as there may be. */
struct store *kept_open_bounded(struct task *task, uint64_t epoch, uint64_t keep_s, size_t rows_max);
struct store *kept_open_store(struct task *task, uint64_t epoch, uint64_t keep_s);
struct volume *kept_open_user(struct task *task, struct store *store);
struct mailbox *kept_open_box(struct task *task, struct volume *volume, const char *name);

void kept_wait(struct task *task, const bool *busy);

/* All that runs by itself now and then. */
void kept_clear_up(struct task *task, struct volume *volume);

/* Add flags, and a keyword (or NULL), as STORE does it. */
void kept_flag(struct task *task, struct mailbox *mailbox, uint32_t first, uint32_t last, uint32_t flags, const char *keyword);
void kept_expunge(struct task *task, struct volume *volume, const char *name, uint32_t first, uint32_t last);

/* Expunged while nothing is kept. */
void kept_drop(struct task *task, struct volume *volume, const char *name, uint32_t first, uint32_t last);

/* Many changes of which none counts in the end: a merge is worth while. */
void kept_churn(struct task *task, struct mailbox *mailbox);

/* The text of the message with this number. */
void kept_text(unsigned number, char text[KEPT_TEXT_BYTES + 1]);

/* KEPT_MESSAGES of them, numbered from there on, every second one \Seen; or between others that nobody keeps, so that their files are
 * worth emptying. */
void kept_fill(struct task *task, struct volume *volume, const char *name, unsigned from);
void kept_fill_among_junk(struct task *task, struct volume *volume, const char *name, unsigned from);

/* The first merge, of what happens in another mailbox: all that is sealed is worth it after some rounds. */
void kept_merge(struct task *task, struct volume *volume);

/* How many can be brought back; bring them back: how many were. Of all mailboxes where `name` is empty; to where they were if `to` is. */
size_t kept_offered(struct task *task, struct volume *volume, const char *name);
size_t kept_bring_back(struct task *task, struct volume *volume, const char *name, const char *to);

/* So many messages from this UID on are those from this number on. */
void kept_bodies_are(struct task *task, struct volume *volume, const char *name, uint32_t uid, unsigned count, unsigned number);
struct message kept_message(struct task *task, struct mailbox *mailbox, uint32_t uid);

#endif
