#include "bench/load/profile.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/load/op.h"

static char path[64];

static enum rp_err read_text(const char *text, struct profile *profile, char fault[PROFILE_TEXT_BYTES])
{
	snprintf(path, sizeof(path), "/tmp/rp_profile.XXXXXX");
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	enum rp_err err = profile_read(path, profile, fault);

	unlink(path);
	return err;
}

Test(profile, all_of_a_file_is_read)
{
	static const char text[] = "about = \"two kinds\"\n"
	                           "loop = closed\n"
	                           "seed = 77\n"
	                           "warmup = 0.5\n"
	                           "seconds = 3\n"
	                           "group a {\n"
	                           "  clients = 5\n"
	                           "  tls = resumed\n"
	                           "  session = each\n"
	                           "  messages = 100\n"
	                           "  size = 2048\n"
	                           "  begin = {\"connect\", \"login\"}\n"
	                           "  act x { weight = 3  do = {\"select\", \"fetch-envelope 50\"} }\n"
	                           "  act y { do = {\"fetch-envelope\"} }\n"
	                           "  end = {\"logout\"}\n"
	                           "}\n"
	                           "group b {\n"
	                           "  speaks = lmtp\n"
	                           "  clients = 9\n"
	                           "  mail_of = a\n"
	                           "  loop = open\n"
	                           "  rate = 2\n"
	                           "  pace = even\n"
	                           "  begin = {\"lmtp-connect\"}\n"
	                           "  act z { do = {\"lmtp-deliver 3\"} }\n"
	                           "}\n";
	struct profile profile;
	char fault[PROFILE_TEXT_BYTES];

	cr_assert_eq(read_text(text, &profile, fault), RP_OK, "%s", fault);
	cr_assert(profile.closed);
	cr_assert_eq(profile.seed, 77);
	cr_assert_eq(profile.groups_count, 2);
	cr_assert_eq(profile.clients, 14);
	cr_assert_eq(profile.users, 5);
	cr_assert_eq(profile.words_count, 8);
	cr_assert_eq(profile.acts_count, 3);
	const struct profile_group *a = &profile.group[0];
	const struct profile_group *b = &profile.group[1];

	cr_assert_eq(a->tls, PROFILE_TLS_RESUMED);
	cr_assert(a->each && a->grows && !a->shares && !a->lmtp && a->closed);
	cr_assert_eq(a->act[0].weight, 3);
	cr_assert_eq(a->act[0].steps.count, 2);
	const struct profile_word *word = &profile.word[a->act[0].steps.word[1]];

	cr_assert_str_eq(word->op->name, "fetch-envelope");
	cr_assert_eq(word->number, 50);
	cr_assert_neq(a->act[0].steps.word[1], a->act[1].steps.word[0]);
	cr_assert(b->lmtp && !b->closed);
	cr_assert_eq(b->user_first, 0);
	cr_assert_eq(b->pace, SCHEDULE_EVEN);
	cr_assert_eq(b->act_first, 2);
	profile_bound_messages(&profile, 30);
	cr_assert_eq(a->messages, 30);
	cr_assert(profile_set_clients(&profile, 50));
	cr_assert(profile.clients == 59 && profile.users == 50 && a->clients == 50 && b->user_first == 0);
	cr_assert_not(profile_set_clients(&profile, PROFILE_CLIENTS_MAX));
	profile_fini(&profile);
}

#define GROUP "group g {\n rate = 1\n act a { do = {\"noop\"} }\n"

/* What is wrong is told with its line, and its key or word. */
Test(profile, what_is_wrong_is_named_with_its_line)
{
	static const struct {
		const char *text;
		const char *line;
		const char *says;
	} wrong[] = {
	    {"sed = 1\n" GROUP "}\n", ":1:", "sed"},
	    {GROUP "}\n\nseconds = 0\n", ":6:", "seconds = 0"},
	    {"loop = ajar\n" GROUP "}\n", ":1:", "loop = ajar"},
	    {GROUP " clients = 0\n}\n", ":4:", "clients = 0"},
	    {GROUP " tls = some\n}\n", ":4:", "tls = some"},
	    {GROUP " size = 12\n}\n", ":4:", "size = 12"},
	    {GROUP " begin = {\"conect\"}\n}\n", ":4:", "conect"},
	    {GROUP " begin = {\"noop 5\"}\n}\n", ":4:", "noop 5"},
	    {GROUP " begin = {\"fetch-envelope x\"}\n}\n", ":4:", "fetch-envelope x"},
	    {GROUP " act b { weight = 2 }\n}\n", ":4:", "act b"},
	    {GROUP " act b { weight = 0 do = {\"noop\"} }\n}\n", ":4:", "weight = 0"},
	    {GROUP " act b { do = {\"noop\"} ", ":4:", "no closing brace"},
	    {GROUP "}\nseed = x\n", ":5:", "seed"},
	    {GROUP "}\n" GROUP "}\n", ":5:", "'g'"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct profile profile;
		char fault[PROFILE_TEXT_BYTES];

		cr_expect_eq(read_text(wrong[i].text, &profile, fault), RP_ERR_SYNTAX, "%s", wrong[i].text);
		cr_expect_not_null(strstr(fault, wrong[i].line), "%s: %s", wrong[i].text, fault);
		cr_expect_not_null(strstr(fault, wrong[i].says), "%s: %s", wrong[i].text, fault);
	}
}

Test(profile, what_does_not_go_together_is_named)
{
	static const struct {
		const char *text;
		const char *says;
	} wrong[] = {
	    {"seed = 1\n", "there is no group"},
	    {"group g { act a { do = {\"noop\"} } }\n", "group g: acts of an open loop need a rate"},
	    {"group g { begin = {\"lmtp-connect\"} }\n", "lmtp-connect"},
	    {"group g { speaks = lmtp begin = {\"noop\"} }\n", "noop"},
	    {"group g { speaks = lmtp tls = full }\n", "without TLS"},
	    {"group g { mail_of = h }\n", "mail_of = h"},
	    {"group g { }\ngroup h { clients = 2 mail_of = g }\n", "group h"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct profile profile;
		char fault[PROFILE_TEXT_BYTES];

		cr_expect_eq(read_text(wrong[i].text, &profile, fault), RP_ERR_SYNTAX, "%s", wrong[i].text);
		cr_expect_not_null(strstr(fault, wrong[i].says), "%s: %s", wrong[i].text, fault);
	}
	struct profile profile;
	char fault[PROFILE_TEXT_BYTES];

	cr_assert_eq(profile_read("/nowhere/x.profile", &profile, fault), RP_ERR_NOTFOUND);
	cr_assert_not_null(strstr(fault, "/nowhere/x.profile"));
}

Test(profile, each_word_is_found_by_its_name_and_its_name_alone)
{
	for (size_t i = 0; i < op_table_count; i++)
		cr_assert_eq(op_find(bytes_of_str(op_table[i].name)), &op_table[i]);
	cr_assert_null(op_find(BYTES_LIT("noo")));
	cr_assert_null(op_find(BYTES_LIT("")));
	cr_assert_eq(op_capabilities(BYTES_LIT("IMAP4rev1 idle SORT SORT=DISPLAY")), OP_CAN_IDLE | OP_CAN_SORT);
}
