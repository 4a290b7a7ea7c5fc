#include "core/lmtp/lmtp.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/imap/mailbox_name.h"
#include "core/lmtp/lmtp_data.h"
#include "core/lmtp/lmtp_param.h"
#include "core/lmtp/lmtp_path.h"
#include "core/session/intake.h"
#include "io/base/clock.h"

enum {
	LMTP_ARENA_BYTES_MAX = 512 * 1024, /* of one transaction: a hundred long addresses */
	LMTP_DROP_BYTES_MAX = 1024 * 1024, /* of one line: beyond, its end is not waited for */
};

enum lmtp_state {
	LMTP_GREETED,
	LMTP_READY,
	LMTP_MAIL,
	LMTP_CHUNKS, /* BDAT has begun: only BDAT, RSET, NOOP and QUIT from here */
};

struct lmtp_rcpt {
	struct bytes address;
	struct userid userid;
	struct bytes mailbox; /* what "+detail" names; .n == 0: INBOX */
};

struct lmtp {
	const struct lmtp_settings *settings;
	const struct lmtp_io *io;
	void *arg;
	enum lmtp_state state;
	unsigned bad_count;
	bool over;
	size_t dropped_bytes; /* of a too long line that is being thrown away; 0: none is */
	bool refused;         /* the last MAIL was: RCPT and DATA that were sent along with it are no fault */

	/* the transaction */
	struct arena arena;
	struct bytes from; /* as it was written, between the angle brackets */
	bool utf8;         /* MAIL has SMTPUTF8 */
	struct lmtp_rcpt *rcpt; /* LMTP_RCPT_MAX of them */
	size_t rcpt_count;
	struct intake intake;
	struct spool spool;
	bool taking;         /* intake and spool hold something */
	enum rp_err failed; /* of taking in, so far */
};

static void reply(struct lmtp *lmtp, const char *text)
{
	struct rope *out = lmtp->io->output(lmtp->arg);

	rope_put_str(out, text);
	rope_put(out, BYTES_LIT("\r\n"));
}

static void bad(struct lmtp *lmtp, const char *text)
{
	reply(lmtp, text);
	if (++lmtp->bad_count >= LMTP_BAD_MAX && !lmtp->over) {
		reply(lmtp, "421 4.7.0 Too many bad commands");
		lmtp->over = true;
	}
}

static void end_transaction(struct task *task, struct lmtp *lmtp)
{
	if (lmtp->taking) {
		intake_end(&lmtp->intake);
		spool_fini(task, &lmtp->spool);
	}
	lmtp->taking = false;
	lmtp->refused = false;
	lmtp->failed = RP_OK;
	lmtp->rcpt_count = 0;
	lmtp->rcpt = NULL;
	lmtp->from = bytes_of(NULL, 0);
	arena_reset(&lmtp->arena);
	if (lmtp->state != LMTP_GREETED)
		lmtp->state = LMTP_READY;
}

struct lmtp *lmtp_open(const struct lmtp_settings *settings, const struct lmtp_io *io, void *arg)
{
	struct lmtp *lmtp = calloc(1, sizeof(*lmtp));

	if (lmtp == NULL)
		return NULL;
	lmtp->settings = settings;
	lmtp->io = io;
	lmtp->arg = arg;
	arena_init(&lmtp->arena, LMTP_ARENA_BYTES_MAX);
	spool_init(&lmtp->spool);
	return lmtp;
}

void lmtp_close(struct lmtp *lmtp)
{
	if (lmtp == NULL)
		return;
	RP_ASSERT(!lmtp->taking); /* lmtp_run() ends its transaction before it says that it is over */
	arena_fini(&lmtp->arena);
	free(lmtp);
}

bool lmtp_is_taking(const struct lmtp *lmtp)
{
	return lmtp->taking;
}

void lmtp_greet(struct lmtp *lmtp, struct rope *out)
{
	rope_put_str(out, "220 ");
	rope_put_str(out, lmtp->settings->host);
	rope_put_str(out, " LMTP ringpost ready\r\n");
}

/* ---- LHLO, MAIL, RCPT ---- */

static void do_lhlo(struct task *task, struct lmtp *lmtp, struct bytes args)
{
	struct rope *out = lmtp->io->output(lmtp->arg);
	char size[64];

	if (args.n == 0) {
		bad(lmtp, "501 5.5.4 LHLO needs a name");
		return;
	}
	lmtp->state = LMTP_READY;
	end_transaction(task, lmtp);
	rope_put_str(out, "250-");
	rope_put_str(out, lmtp->settings->host);
	snprintf(size, sizeof(size), "\r\n250-SIZE %llu\r\n", (unsigned long long)lmtp->settings->size_bytes_max);
	rope_put_str(out, size);
	rope_put_str(out, "250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"
			  "250 ENHANCEDSTATUSCODES\r\n");
}

/* Bad syntax counts as a bad command; asking in good form for what cannot be had does not. */
static void refuse(struct lmtp *lmtp, const char *text)
{
	if (bytes_starts_with(bytes_of_str(text), BYTES_LIT("501")) ||
	    bytes_starts_with(bytes_of_str(text), BYTES_LIT("555")))
		bad(lmtp, text);
	else
		reply(lmtp, text);
}

/* A command of a pipeline whose earlier part was refused, which the client could not know yet (RFC 2920): it does not count. */
static void out_of_order(struct lmtp *lmtp, const char *text)
{
	if (lmtp->refused || (lmtp->state == LMTP_MAIL && lmtp->rcpt_count == 0))
		reply(lmtp, text);
	else
		bad(lmtp, text);
}

/* "FROM:<path>" or "TO:<path>", with blanks before the path; *args moves behind it. */
static enum rp_err take_path(struct bytes *args, struct bytes word, struct lmtp_path *path)
{
	if (!bytes_starts_with_fold(*args, word))
		return RP_ERR_NOTFOUND;
	*args = bytes_from(*args, word.n);
	while (args->n > 0 && args->p[0] == ' ')
		*args = bytes_from(*args, 1);
	return lmtp_path_parse(args, path);
}

/* NULL: it is accepted; else the reply. */
static const char *begin_transaction(struct lmtp *lmtp, struct bytes args)
{
	struct lmtp_path path;
	enum rp_err err = take_path(&args, BYTES_LIT("FROM:"), &path);
	const char *wrong;

	if (err != RP_OK)
		return err == RP_ERR_NOTFOUND ? "501 5.5.4 MAIL FROM:<address>" : "501 5.1.7 Bad sender address";
	wrong = lmtp_param_mail(args, lmtp->settings->size_bytes_max, &lmtp->utf8);
	if (wrong != NULL)
		return wrong;
	if (!path.ascii && !lmtp->utf8)
		return "550 5.6.7 A sender that is not ASCII needs SMTPUTF8";
	lmtp->from = arena_copy(&lmtp->arena, path.written);
	lmtp->rcpt = arena_calloc(&lmtp->arena, LMTP_RCPT_MAX, sizeof(*lmtp->rcpt));
	return lmtp->from.p != NULL && lmtp->rcpt != NULL ? NULL : "451 4.3.0 Out of memory";
}

static void do_mail(struct task *task, struct lmtp *lmtp, struct bytes args)
{
	const char *wrong;

	if (lmtp->state != LMTP_READY) {
		bad(lmtp, lmtp->state == LMTP_GREETED ? "503 5.5.1 LHLO first" : "503 5.5.1 A message is under way");
		return;
	}
	wrong = begin_transaction(lmtp, args);
	if (wrong == NULL) {
		lmtp->state = LMTP_MAIL;
		reply(lmtp, "250 2.1.0 Sender accepted");
		return;
	}
	refuse(lmtp, wrong);
	end_transaction(task, lmtp);
	lmtp->refused = true;
}

/* Keep an accepted recipient. cut: "+detail" is not a part of his name; it names a folder, if it can be a name at all. */
static enum rp_err keep_rcpt(struct lmtp *lmtp, const struct lmtp_path *path, const struct userid *userid, bool cut)
{
	struct lmtp_rcpt rcpt = { .userid = *userid };
	struct bytes detail = arena_copy(&lmtp->arena, lmtp_path_detail(path));

	rcpt.address = arena_copy(&lmtp->arena, bytes_of(path->address, path->address_bytes));
	if (rcpt.address.p == NULL || detail.p == NULL)
		return RP_ERR_NOMEM;
	if (cut && detail.n > 0 && mailbox_name_decode(detail, &lmtp->arena, true, &rcpt.mailbox) != RP_OK)
		rcpt.mailbox = bytes_of(NULL, 0);
	lmtp->rcpt[lmtp->rcpt_count++] = rcpt;
	return RP_OK;
}

/* Whose mailbox: the whole address, or the one before "+detail", which may have bytes that no name has ("Lists/dev"). */
static enum rp_err look_up(
    struct task *task, struct lmtp *lmtp, const struct lmtp_path *path, struct userid *userid, bool *cut)
{
	struct bytes all = bytes_of(path->address, path->address_bytes);
	struct bytes detail = lmtp_path_detail(path);
	enum rp_err err = lmtp->io->lookup(task, lmtp->arg, all, userid, cut);

	if (err != RP_ERR_NOTFOUND || detail.n == 0 || detail.n + 1 >= path->local_bytes)
		return err;
	size_t name_bytes = path->local_bytes - detail.n - 1;
	uint8_t plain[LMTP_PATH_BYTES_MAX];

	memcpy(plain, all.p, name_bytes);
	memcpy(plain + name_bytes, all.p + path->local_bytes, all.n - path->local_bytes);
	err = lmtp->io->lookup(task, lmtp->arg, bytes_of(plain, all.n - detail.n - 1), userid, cut);
	*cut = true;
	return err;
}

/* What the line itself says. NULL: it can be looked up; else the reply. */
static const char *read_rcpt(struct lmtp *lmtp, struct bytes args, struct lmtp_path *path)
{
	enum rp_err err = take_path(&args, BYTES_LIT("TO:"), path);
	const char *wrong;

	if (err == RP_ERR_NOTFOUND)
		return "501 5.5.4 RCPT TO:<address>";
	if (err != RP_OK || path->address_bytes == 0)
		return "501 5.1.3 Bad recipient address";
	wrong = lmtp_param_rcpt(args);
	if (wrong != NULL)
		return wrong;
	if (!path->ascii && !lmtp->utf8)
		return "553 5.6.7 A recipient that is not ASCII needs SMTPUTF8";
	return lmtp->rcpt_count < LMTP_RCPT_MAX ? NULL : "452 4.5.3 Too many recipients";
}

static enum rp_err do_rcpt(struct task *task, struct lmtp *lmtp, struct bytes args)
{
	struct lmtp_path path;
	struct userid userid;
	const char *wrong;
	bool cut = false;
	enum rp_err err;

	if (lmtp->state != LMTP_MAIL) {
		out_of_order(lmtp, "503 5.5.1 MAIL first");
		return RP_OK;
	}
	wrong = read_rcpt(lmtp, args, &path);
	if (wrong != NULL) {
		refuse(lmtp, wrong);
		return RP_OK;
	}
	err = look_up(task, lmtp, &path, &userid, &cut);
	if (err == RP_OK)
		err = keep_rcpt(lmtp, &path, &userid, cut);
	switch (err) {
	case RP_OK:
		reply(lmtp, "250 2.1.5 Recipient accepted");
		return RP_OK;
	case RP_ERR_NOTFOUND:
		reply(lmtp, "550 5.1.1 No such user here");
		return RP_OK;
	case RP_ERR_CANCELED:
		return err;
	default:
		reply(lmtp, "451 4.3.0 Recipients cannot be looked up now");
		return RP_OK;
	}
}

/* ---- the message ---- */

/* Begin to take in. What fails is told at the message's end. */
static void begin_message(struct task *task, struct lmtp *lmtp)
{
	spool_init(&lmtp->spool);
	spool_asks(&lmtp->spool, lmtp->io->has_room, lmtp->arg);
	lmtp->taking = true;
	lmtp->failed = intake_begin(&lmtp->intake, lmtp->settings->size_bytes_max, spool_sink, &lmtp->spool);
	if (lmtp->failed == RP_OK && lmtp->settings->return_path) {
		const struct bytes line[] = { BYTES_LIT("Return-Path: <"), lmtp->from, BYTES_LIT(">\r\n") };

		for (size_t i = 0; i < 3 && lmtp->failed == RP_OK; i++)
			lmtp->failed = intake_write(task, &lmtp->intake, line[i]);
	}
}

static enum rp_err take_in(struct task *task, struct lmtp *lmtp, struct bytes b)
{
	if (lmtp->failed == RP_OK && b.n > 0)
		lmtp->failed = intake_write(task, &lmtp->intake, b);
	return lmtp->failed == RP_ERR_CANCELED ? RP_ERR_CANCELED : RP_OK;
}

/* RCPT found the user: whatever is missing now may be there when the MTA tries again, so nothing here bounces mail but its size. */
static const char *reply_of(enum rp_err err)
{
	switch (err) {
	case RP_OK:
		return "250 2.0.0 Delivered";
	case RP_ERR_TOOBIG:
		return "552 5.3.4 Message too big";
	case RP_ERR_QUOTA:
		return "452 4.2.2 Mailbox full (over quota)";
	case RP_ERR_NOSPACE:
		return "452 4.3.1 No space left";
	case RP_ERR_UNKNOWN:
		return "451 4.3.0 It is not known whether it was stored; send it again";
	default:
		return "451 4.3.0 Not now; send it again";
	}
}

static void answer_all(struct lmtp *lmtp, const enum rp_err *result)
{
	for (size_t i = 0; i < lmtp->rcpt_count; i++) {
		reply(lmtp, reply_of(result[i]));
		lmtp->io->tell(lmtp->arg, lmtp->from, lmtp->rcpt[i].address, lmtp->spool.bytes, result[i]);
	}
}

/* The message is complete: deliver it to everybody, one answer each. */
static enum rp_err finish_message(struct task *task, struct lmtp *lmtp)
{
	static const struct deliver_in none;
	struct deliver_in *in = arena_calloc(&lmtp->arena, LMTP_RCPT_MAX, sizeof(*in));
	enum rp_err result[LMTP_RCPT_MAX];
	struct append append = { 0 };
	struct mail_date now = { (int64_t)(loop_wall_ns(task_loop(task)) / CLOCK_NS_PER_S), 0 };
	enum rp_err err = in != NULL ? lmtp->failed : RP_ERR_NOMEM;

	if (err == RP_OK)
		err = intake_finish(task, &lmtp->intake, &append);
	if (err == RP_OK)
		err = spool_finish(task, &lmtp->spool);
	if (err == RP_ERR_CANCELED)
		return err;
	for (size_t i = 0; i < lmtp->rcpt_count; i++) {
		result[i] = err;
		if (err != RP_OK)
			continue;
		in[i] = none;
		in[i].userid = lmtp->rcpt[i].userid;
		in[i].mailbox = lmtp->rcpt[i].mailbox;
		in[i].recipient = lmtp->rcpt[i].address;
		in[i].spool = &lmtp->spool;
		in[i].cache_entry = append.cache_entry;
		in[i].internaldate = now;
		in[i].sent = append.sent;
	}
	if (err == RP_OK)
		lmtp->io->deliver(task, lmtp->arg, in, lmtp->rcpt_count, result);
	answer_all(lmtp, result);
	end_transaction(task, lmtp);
	return RP_OK;
}

static enum rp_err do_data(struct task *task, struct lmtp *lmtp)
{
	struct lmtp_data data = { .state = LMTP_DATA_START };
	enum rp_err err;

	if (lmtp->state != LMTP_MAIL || lmtp->rcpt_count == 0) {
		out_of_order(lmtp, lmtp->state == LMTP_CHUNKS ? "503 5.5.1 BDAT has begun" : "503 5.5.1 No valid recipients");
		return RP_OK;
	}
	begin_message(task, lmtp);
	reply(lmtp, "354 Go on; end with a line that has only a dot");
	err = lmtp->io->flush(task, lmtp->arg);
	while (err == RP_OK && data.state != LMTP_DATA_END) {
		struct bytes in = lmtp->io->input(lmtp->arg);
		struct bytes before = in;
		struct bytes span;

		if (in.n == 0) {
			err = lmtp->io->wait(task, lmtp->arg, 0);
			continue;
		}
		while (err == RP_OK && (span = lmtp_data_next(&data, &in)).n > 0)
			err = take_in(task, lmtp, span);
		lmtp->io->take(lmtp->arg, before.n - in.n);
		if (err == RP_OK)
			err = task_pause(task);
	}
	return err == RP_OK ? finish_message(task, lmtp) : err;
}

/* Read a chunk; keep: into the message. */
static enum rp_err read_chunk(struct task *task, struct lmtp *lmtp, uint64_t bytes, bool keep)
{
	enum rp_err err = RP_OK;

	while (err == RP_OK && bytes > 0) {
		struct bytes in = lmtp->io->input(lmtp->arg);

		if (in.n == 0) {
			err = lmtp->io->wait(task, lmtp->arg, 0);
			continue;
		}
		if (in.n > bytes)
			in.n = (size_t)bytes;
		if (keep)
			err = take_in(task, lmtp, in);
		bytes -= in.n;
		lmtp->io->take(lmtp->arg, in.n);
		if (err == RP_OK)
			err = task_pause(task);
	}
	return err;
}

/* BDAT (RFC 3030). The chunk follows whatever we think of it. */
static enum rp_err do_bdat(struct task *task, struct lmtp *lmtp, struct bytes args)
{
	size_t space = bytes_find(args, 0, ' ');
	struct bytes word = space < args.n ? bytes_from(args, space + 1) : bytes_of(args.p, 0);
	bool last = bytes_eq_fold(word, BYTES_LIT("LAST"));
	bool ready = (lmtp->state == LMTP_MAIL || lmtp->state == LMTP_CHUNKS) && lmtp->rcpt_count > 0;
	uint64_t bytes;
	char text[64];
	enum rp_err err;

	if (!bytes_to_u64(bytes_slice(args, 0, space), UINT32_MAX, &bytes) || (word.n > 0 && !last)) {
		/* Where the chunk ends cannot be told: nothing behind it can be trusted. */
		reply(lmtp, "501 5.5.4 BDAT size [LAST]");
		reply(lmtp, "421 4.7.0 Cannot go on");
		lmtp->over = true;
		return RP_OK;
	}
	if (ready && lmtp->state == LMTP_MAIL) {
		begin_message(task, lmtp);
		lmtp->state = LMTP_CHUNKS;
	}
	err = read_chunk(task, lmtp, bytes, ready);
	if (err != RP_OK)
		return err;
	if (!ready) {
		out_of_order(lmtp, "503 5.5.1 No valid recipients");
		return RP_OK;
	}
	if (last)
		return finish_message(task, lmtp);
	snprintf(text, sizeof(text), "250 2.0.0 %llu octets received", (unsigned long long)bytes);
	reply(lmtp, lmtp->failed == RP_OK ? text : reply_of(lmtp->failed));
	return RP_OK;
}

/* ---- lines ---- */

/* The verbs that stand alone (RFC 5321, section 4.1.1), and those that are none. */
static enum rp_err do_plain_verb(struct task *task, struct lmtp *lmtp, struct bytes verb, struct bytes args)
{
	bool data = bytes_eq_fold(verb, BYTES_LIT("DATA"));
	bool rset = bytes_eq_fold(verb, BYTES_LIT("RSET"));

	if (!data && !rset && !bytes_eq_fold(verb, BYTES_LIT("QUIT"))) {
		bad(lmtp, "500 5.5.1 Unknown command");
	} else if (args.n > 0) {
		bad(lmtp, "501 5.5.4 No arguments here");
	} else if (data) {
		return do_data(task, lmtp);
	} else if (rset) {
		end_transaction(task, lmtp);
		reply(lmtp, "250 2.0.0 Forgotten");
	} else {
		reply(lmtp, "221 2.0.0 Bye");
		lmtp->over = true;
	}
	return RP_OK;
}

static enum rp_err do_line(struct task *task, struct lmtp *lmtp, struct bytes line)
{
	size_t space = bytes_find(line, 0, ' ');
	struct bytes verb = bytes_slice(line, 0, space);
	struct bytes args = space < line.n ? bytes_from(line, space + 1) : bytes_of(line.p, 0);

	while (args.n > 0 && args.p[args.n - 1] == ' ')
		args.n--;
	if (bytes_find(line, 0, 0) < line.n) {
		bad(lmtp, "500 5.5.2 NUL in a command");
	} else if (bytes_eq_fold(verb, BYTES_LIT("LHLO"))) {
		do_lhlo(task, lmtp, args);
	} else if (bytes_eq_fold(verb, BYTES_LIT("MAIL"))) {
		do_mail(task, lmtp, args);
	} else if (bytes_eq_fold(verb, BYTES_LIT("RCPT"))) {
		return do_rcpt(task, lmtp, args);
	} else if (bytes_eq_fold(verb, BYTES_LIT("BDAT"))) {
		return do_bdat(task, lmtp, args);
	} else if (bytes_eq_fold(verb, BYTES_LIT("NOOP"))) {
		reply(lmtp, "250 2.0.0 OK");
	} else if (bytes_eq_fold(verb, BYTES_LIT("VRFY"))) {
		reply(lmtp, "252 2.5.0 Try RCPT");
	} else if (bytes_eq_fold(verb, BYTES_LIT("HELP"))) {
		reply(lmtp, "214 2.0.0 LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT");
	} else if (bytes_eq_fold(verb, BYTES_LIT("HELO")) || bytes_eq_fold(verb, BYTES_LIT("EHLO"))) {
		bad(lmtp, "500 5.5.1 This is LMTP: LHLO");
	} else {
		return do_plain_verb(task, lmtp, verb, args);
	}
	return RP_OK;
}

/* A line that is too long, or the next piece of one, thrown away. */
static enum rp_err drop_line(struct lmtp *lmtp, size_t n, bool whole)
{
	if (n == 0)
		return RP_ERR_NOTFOUND;
	lmtp->io->take(lmtp->arg, n);
	lmtp->dropped_bytes += n;
	if (lmtp->dropped_bytes > LMTP_DROP_BYTES_MAX) {
		reply(lmtp, "500 5.5.2 Line too long");
		reply(lmtp, "421 4.7.0 Cannot go on");
		lmtp->over = true;
	} else if (whole) {
		lmtp->dropped_bytes = 0;
		bad(lmtp, "500 5.5.2 Line too long");
	}
	return RP_OK;
}

/* One line, or a piece of one that is too long. RP_ERR_NOTFOUND: not all of it is here. */
static enum rp_err step(struct task *task, struct lmtp *lmtp)
{
	struct bytes in = lmtp->io->input(lmtp->arg);
	size_t lf = bytes_find(in, 0, '\n');
	bool whole = lf < in.n;
	uint8_t copy[LMTP_LINE_BYTES_MAX];

	/* What is no longer than this may still be a line of the greatest length, without its LF. */
	if (!whole && lmtp->dropped_bytes == 0 && in.n <= LMTP_LINE_BYTES_MAX + 1)
		return RP_ERR_NOTFOUND;
	if (lmtp->dropped_bytes > 0 || lf > LMTP_LINE_BYTES_MAX + 1)
		return drop_line(lmtp, whole ? lf + 1 : in.n, whole);
	if (lf == 0 || in.p[lf - 1] != '\r') {
		lmtp->io->take(lmtp->arg, lf + 1);
		bad(lmtp, "500 5.5.2 LF without CR");
		return RP_OK;
	}
	if (lf > 1)
		memcpy(copy, in.p, lf - 1);
	lmtp->io->take(lmtp->arg, lf + 1);
	return do_line(task, lmtp, bytes_of(copy, lf - 1));
}

enum rp_err lmtp_run(struct task *task, struct lmtp *lmtp)
{
	enum rp_err err = RP_OK;

	while (err == RP_OK && !lmtp->over) {
		err = step(task, lmtp);
		/* Between the chunks of a message the task stays: what was taken in has a file that only a task can remove. */
		if (err == RP_ERR_NOTFOUND && lmtp->taking)
			err = lmtp->io->wait(task, lmtp->arg, lmtp->io->input(lmtp->arg).n);
		else if (err == RP_OK)
			err = lmtp->io->flush(task, lmtp->arg);
	}
	if (err == RP_ERR_NOTFOUND)
		return RP_OK;
	end_transaction(task, lmtp);
	return err == RP_OK ? RP_ERR_END : err;
}
