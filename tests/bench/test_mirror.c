/* Transcripts of servers, right ones and wrong ones: each wrong one is found where it is wrong. */
#include "bench/load/mirror.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* One line that the server says, told to the mirror as a client does. */
static bool tell(struct mirror *mirror, const char *line)
{
	char text[512];
	struct response response;
	struct response_fetch fetch;

	snprintf(text, sizeof(text), "%s\r\n", line);
	cr_assert(response_parse(bytes_of_str(text), &response), "%s", line);
	if (response.status == RESPONSE_OK)
		return mirror_code(mirror, &response);
	if (bytes_eq(response.name, BYTES_LIT("EXISTS")))
		return mirror_exists(mirror, response.number);
	if (bytes_eq(response.name, BYTES_LIT("EXPUNGE")))
		return mirror_expunge(mirror, response.number);
	cr_assert(response_fetch_parse(&response, &fetch), "%s", line);
	return mirror_fetch(mirror, &fetch);
}

static bool select_with(struct mirror *mirror, const char *const *lines)
{
	mirror_select_begin(mirror);
	for (; *lines != NULL; lines++)
		if (!tell(mirror, *lines))
			return false;
	return mirror_select_end(mirror);
}

#define LINES(...) (const char *const[]){ __VA_ARGS__, NULL }
#define SELECT_5                                                                                   \
	LINES("* 5 EXISTS", "* OK [UIDVALIDITY 9] x", "* OK [UIDNEXT 20] x", "* OK [HIGHESTMODSEQ 100] x")

static void open_5(struct mirror *mirror)
{
	*mirror = (struct mirror){.sole = true};
	cr_assert(select_with(mirror, SELECT_5), "%s", mirror->fault);
	for (unsigned i = 1; i <= 5; i++) {
		char line[80];

		snprintf(line, sizeof(line), "* %u FETCH (UID %u FLAGS (\\Seen) MODSEQ (%u))", i, i * 3, 50 + i);
		cr_assert(tell(mirror, line), "%s", mirror->fault);
	}
}

static void expect_fault(const char *line, const char *fault)
{
	struct mirror mirror;

	open_5(&mirror);
	cr_assert_not(tell(&mirror, line), "%s", line);
	cr_assert_not_null(strstr(mirror.fault, fault), "%s: %s", line, mirror.fault);
	mirror_fini(&mirror);
}

Test(mirror, a_right_session_is_right)
{
	struct mirror mirror;

	open_5(&mirror);
	cr_assert_eq(mirror_seqno_of(&mirror, 9), 3);
	cr_assert_eq(mirror_seqno_of(&mirror, 10), 0);
	cr_assert_eq(mirror_count(&mirror, RESPONSE_SEEN, 0), 5);
	mirror_set_flags(&mirror, 2, RESPONSE_DELETED, 0);
	cr_assert(tell(&mirror, "* 2 FETCH (UID 6 FLAGS (\\Seen \\Deleted \\Recent) MODSEQ (101))"), "%s", mirror.fault);
	cr_assert(tell(&mirror, "* 2 EXPUNGE"));
	cr_assert(tell(&mirror, "* 2 FETCH (UID 9 FLAGS (\\Seen))"), "%s", mirror.fault);
	cr_assert(tell(&mirror, "* 5 EXISTS"));
	cr_assert_eq(mirror_count(&mirror, RESPONSE_SEEN, 0), UINT32_MAX);
	cr_assert(tell(&mirror, "* 5 FETCH (UID 20 FLAGS ())"), "%s", mirror.fault);
	cr_assert_eq(mirror_count(&mirror, 0, RESPONSE_SEEN), 1);
	mirror_leave(&mirror);
	cr_assert(select_with(&mirror, LINES("* 5 EXISTS", "* OK [UIDVALIDITY 9] x", "* OK [UIDNEXT 21] x",
	                                   "* OK [HIGHESTMODSEQ 104] x")), "%s", mirror.fault);
	cr_assert_eq(mirror_at(&mirror, 5)->uid, 20);
	mirror_fini(&mirror);
}

Test(mirror, what_cannot_be_true_is_found_and_told)
{
	expect_fault("* 4 EXISTS", "4 EXISTS where there were 5");
	expect_fault("* 6 EXPUNGE", "EXPUNGE of 6 of 5");
	expect_fault("* 0 EXPUNGE", "EXPUNGE of 0");
	expect_fault("* 1 EXPUNGE", "which is not \\Deleted");
	expect_fault("* 6 FETCH (UID 18)", "FETCH of 6 of 5");
	expect_fault("* 2 FETCH (UID 7)", "has UID 7 and had 6");
	expect_fault("* 2 FETCH (FLAGS ())", "has flags 0 and must have 0x1");
	expect_fault("* 2 FETCH (MODSEQ (51))", "has MODSEQ 51 and had 52");
}

Test(mirror, uids_must_rise)
{
	struct mirror mirror;

	open_5(&mirror);
	cr_assert(tell(&mirror, "* 7 EXISTS"));
	cr_assert_not(tell(&mirror, "* 6 FETCH (UID 15)"));
	cr_assert(tell(&mirror, "* 7 FETCH (UID 40)"));
	cr_assert_not(tell(&mirror, "* 6 FETCH (UID 40)"));
	cr_assert_not_null(strstr(mirror.fault, "does not rise"));
	cr_assert(tell(&mirror, "* 6 FETCH (UID 39)"));
	mirror_fini(&mirror);
}

Test(mirror, flags_that_others_may_change_need_a_greater_modseq)
{
	struct mirror mirror;

	open_5(&mirror);
	mirror.sole = false;
	cr_assert(tell(&mirror, "* 2 FETCH (FLAGS (\\Flagged) MODSEQ (60))"), "%s", mirror.fault);
	cr_assert_not(tell(&mirror, "* 2 FETCH (FLAGS (\\Seen) MODSEQ (60))"));
	cr_assert_not_null(strstr(mirror.fault, "other flags with the MODSEQ 60"));
	cr_assert(tell(&mirror, "* 1 EXPUNGE"));
	mirror_fini(&mirror);
}

Test(mirror, what_a_later_connection_is_told_must_go_with_it)
{
	const struct {
		const char *const *lines;
		const char *fault;
	} wrong[] = {
	    {LINES("* 4 EXISTS", "* OK [UIDVALIDITY 9] x"), "4 EXISTS at SELECT where 5 were left"},
	    {LINES("* 5 EXISTS", "* OK [UIDVALIDITY 10] x"), "UIDVALIDITY 10, it was 9"},
	    {LINES("* 5 EXISTS", "* OK [UIDNEXT 19] x"), "UIDNEXT 19, it was 20"},
	    {LINES("* 5 EXISTS", "* OK [HIGHESTMODSEQ 99] x"), "HIGHESTMODSEQ 99, it was 100"},
	    {LINES("* OK [UIDVALIDITY 9] x"), "no EXISTS"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct mirror mirror;

		open_5(&mirror);
		mirror_leave(&mirror);
		cr_assert_not(select_with(&mirror, wrong[i].lines), "%s", wrong[i].fault);
		cr_assert_not_null(strstr(mirror.fault, wrong[i].fault), "%s", mirror.fault);
		mirror_fini(&mirror);
	}
}

Test(mirror, a_select_that_never_ended_leaves_what_was_known)
{
	struct mirror mirror;

	open_5(&mirror);
	mirror_leave(&mirror);
	mirror_select_begin(&mirror);
	mirror_leave(&mirror);
	cr_assert_eq(mirror.exists, 5);
	cr_assert_not(tell(&mirror, "* 5 EXISTS"));
	mirror_fini(&mirror);
}

Test(mirror, a_message_keeps_its_content)
{
	struct mirror mirror;

	open_5(&mirror);
	cr_assert(mirror_set_number(&mirror, 2, 8));
	cr_assert(mirror_set_number(&mirror, 2, 8));
	cr_assert_not(mirror_set_number(&mirror, 2, 9));
	cr_assert_not_null(strstr(mirror.fault, "is content 9, it was 8"));
	mirror_fini(&mirror);
}
