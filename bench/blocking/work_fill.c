/* Fill the large mailbox: APPENDs with non-synchronising literals, many under way at once. */
#include <stdio.h>

#include "bench/load/die.h"
#include "bench/blocking/wire.h"
#include "bench/blocking/work.h"

enum { FILL_UNDER_WAY = 256 }; /* APPENDs whose answer is awaited: bounds what both sides hold */

static void append_start(const struct work *work, struct wire *wire, unsigned i)
{
	char message[WIRE_TEXT_BYTES_MAX];
	char command[2 * WIRE_TEXT_BYTES_MAX];
	int n = snprintf(message, sizeof(message),
	    "From: Writer %u <a%u@example.org>\r\nTo: demo@example.org\r\nSubject: message %u\r\n"
	    "Date: Sat, 21 Nov 2026 10:00:%02u +0000\r\nMessage-ID: <%u@example.org>\r\n\r\nThe "
	    "text of message %u.\r\n",
	    i % 97, i % 97, i, i % 60, i, i);
	/* One in five unread, as in a mailbox that somebody uses. */
	int all = snprintf(command, sizeof(command), "b%u APPEND \"%s\" (%s) {%d+}\r\n%s\r\n",
	    ++wire->tag, work->mailbox, i % 5 == 0 ? "" : "\\Seen", n, message);

	if (all < 0 || (size_t)all >= sizeof(command))
		die("the mailbox's name is too long");
	wire_send(wire, bytes_of(command, (size_t)all));
}

/* The next answer, whichever it is: only the last one's tag is known to wire.h. */
static void append_finish(struct wire *wire)
{
	for (;;) {
		struct bytes line = wire_line(wire);
		size_t space = bytes_find(line, 0, ' ');

		if (line.n == 0 || line.p[0] == '*')
			continue;
		if (space == line.n ||
		    !bytes_starts_with(bytes_from(line, space + 1), BYTES_LIT("OK")))
			die("the server answered an APPEND: %.*s", BYTES_FMT(line));
		return;
	}
}

void work_append(const struct work *work, struct wire *wire, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		append_start(work, wire, i);
		if (i >= FILL_UNDER_WAY)
			append_finish(wire);
	}
	for (unsigned i = 0; i < count && i < FILL_UNDER_WAY; i++)
		append_finish(wire);
}

void work_fill(struct work *work)
{
	unsigned messages_count = work->fill_count;
	struct wire wire;

	wire_login(&wire, work->imap, false, work->user, work->password);
	struct work_clock start = work_clock_start(work);

	work_append(work, &wire, messages_count);
	struct work_clock spent = work_clock_since(work, start);

	wire_logout(&wire);
	report_add(&work->report, (struct report_row){.key = "append_rate",
	                              .work = "APPEND of small messages, pipelined, durable, wall",
	                              .unit = "/s",
	                              .value = messages_count * 1e9 / (double)spent.wall_ns,
	                              .more_is_better = true});
	if (work->procs.count > 0)
		report_add(
		    &work->report, (struct report_row){.key = "append",
		                       .work = "the same, per message",
		                       .unit = "us CPU",
		                       .value = (double)spent.cpu_ns / 1000 / messages_count});
}
