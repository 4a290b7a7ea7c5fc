/* The project's own mail: what the generator writes, sound and broken, and the sample that
 * quickstart imports. RP_SOURCE is the top of the source. */
#include <criterion/criterion.h>

#include "core/mail/bodystructure.h"
#include "tests/support/mail/mail_check.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct arena arena;

static void set_up(void)
{
	arena_init(&arena, 256 << 20);
}

static void tear_down(void)
{
	arena_fini(&arena);
}

TestSuite(generated, .init = set_up, .fini = tear_down, .timeout = 120);

static struct bytes read_file(const char *path)
{
	FILE *f = fopen(path, "rbe");

	cr_assert_not_null(f, "%s", path);
	cr_assert_eq(fseek(f, 0, SEEK_END), 0);
	size_t n = (size_t)ftell(f);
	uint8_t *p = arena_alloc(&arena, n);

	rewind(f);
	cr_assert_eq(fread(p, 1, n, f), n);
	fclose(f);
	return bytes_of(p, n);
}

static struct mime check_file(const char *path)
{
	struct mime mime;
	struct text text;

	cr_assert_eq(mime_parse(&arena, MIME_FOR_INDEX, read_file(path), &mime), RP_OK);
	const char *wrong = mail_check_tree(&mime);

	cr_expect_null(wrong, "%s: %s", path, wrong);
	wrong = mail_check_envelope(mime.part[0].envelope);
	cr_expect_null(wrong, "%s: ENVELOPE: %s", path, wrong);
	for (enum bodystructure_form form = BODYSTRUCTURE_BASIC; form <= BODYSTRUCTURE_EXTENDED;
	     form++) {
		text_init(&text, &arena);
		cr_expect(bodystructure_render(&text, &mime, form));
		wrong = mail_check_body(text_bytes(&text), form == BODYSTRUCTURE_EXTENDED);
		cr_expect_null(wrong, "%s: BODYSTRUCTURE: %s", path, wrong);
	}
	return mime;
}

static size_t check_folder(char *folder, bool and_remove)
{
	char *const paths[] = {folder, NULL};
	FTS *fts = fts_open(paths, FTS_PHYSICAL, NULL);
	size_t count = 0;

	for (FTSENT *entry; (entry = fts_read(fts)) != NULL;) {
		if (entry->fts_info != FTS_F)
			continue;
		check_file(entry->fts_path);
		arena_reset(&arena);
		if (and_remove)
			unlink(entry->fts_path);
		count++;
	}
	fts_close(fts);
	if (and_remove)
		rmdir(folder);
	return count;
}

Test(generated, every_generated_message_is_sound)
{
	char folder[] = "/tmp/rp-mailgen-XXXXXX";
	char command[4096];

	cr_assert_not_null(mkdtemp(folder));
	snprintf(command, sizeof(command),
	    "python3 '%s/tests/support/mailgen' --count 150 --seed 3 %s", getenv("RP_SOURCE"),
	    folder);
	cr_assert_eq(system(command), 0);
	cr_expect_eq(check_folder(folder, true), 150);
}

Test(generated, every_sample_is_sound)
{
	char folder[4096];

	snprintf(folder, sizeof(folder), "%s/core/cli/sample", getenv("RP_SOURCE"));
	cr_expect_geq(check_folder(folder, false), 12);
}

Test(generated, samples_have_the_structure_they_show)
{
	static const char *const want[][2] = {
	    {"01-welcome", "text/plain"},
	    {"02-two-faces", "multipart/alternative(text/plain,text/html)"},
	    {"03-attachment", "multipart/mixed(text/plain,text/csv)"},
	    {"04-picture", "multipart/related(text/html,image/png)"},
	    {"10-invitation", "multipart/alternative(text/plain,text/calendar)"},
	    {"12-forwarded", "multipart/mixed(text/plain,message/rfc822(multipart/alternative("
	                     "text/plain,text/html)))"},
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/core/cli/sample/%s.eml", getenv("RP_SOURCE"),
		    want[i][0]);
		struct mime mime = check_file(path);
		struct bytes got = mail_check_outline(&arena, &mime);

		cr_expect(bytes_eq(got, bytes_of_str(want[i][1])), "%s: %.*s", want[i][0],
		    BYTES_FMT(got));
	}
}
