/* Any bytes in any charset, whole or cut, give the same well-formed text within the bound; so do
 * encoded words. The first byte is the charset, the second the cut. */
#include "core/mail/charset.h"
#include "core/mail/encoded_word.h"
#include "core/mail/fold.h"

#include <stdlib.h>

static struct charset_set set;

static size_t convert(enum charset charset, struct bytes in, size_t cut, uint8_t *out)
{
	struct charset_conv conv;
	size_t n = 0;

	charset_begin(&conv, &set, charset);
	for (size_t at = 0; at < in.n; at += cut) {
		size_t end = at + cut < in.n ? at + cut : in.n;
		size_t got = charset_feed(&conv, bytes_slice(in, at, end), out + n);

		RP_ASSERT(got <= CHARSET_OUT_BYTES(end - at));
		n += got;
	}
	return n + charset_finish(&conv, out + n);
}

static void check_words(struct bytes in)
{
	struct encoded_word_reader reader;
	uint8_t piece[ENCODED_WORD_OUT_BYTES];
	struct arena arena;
	struct text out, folded;
	uint8_t *again;
	size_t got;

	arena_init(&arena, 256 << 20);
	text_init(&out, &arena);
	text_init(&folded, &arena);
	encoded_word_begin(&reader, &set, in);
	while (encoded_word_next(&reader, piece, &got)) {
		RP_ASSERT(got <= sizeof(piece));
		text_put(&out, bytes_of(piece, got));
	}
	encoded_word_end(&reader);
	RP_ASSERT(!out.full);
	again = malloc(CHARSET_OUT_BYTES(out.n));
	size_t n = convert(CHARSET_UTF8, text_bytes(&out), out.n + 1, again);

	RP_ASSERT(bytes_eq(bytes_of(again, n), text_bytes(&out)));
	fold_text(&folded, text_bytes(&out));
	RP_ASSERT(!folded.full);
	free(again);
	arena_fini(&arena);
}

/* Is it the same however it is cut? iconv's converters with shift states do not keep theirs alike when something ill-formed
 * comes in the midst of a call, and at the beginning of one: then what stands for it may differ, nothing else. */
static bool same_when_cut(enum charset charset, struct bytes whole, struct bytes cut)
{
	static const char replacement[] = "\xef\xbf\xbd";

	if (bytes_eq(whole, cut))
		return true;
	return charset >= CHARSET_STATE_FIRST && charset < CHARSET_COUNT &&
	       memmem(whole.p, whole.n, replacement, 3) != NULL &&
	       memmem(cut.p, cut.n, replacement, 3) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static bool ready;
	const char *name;

	if (!ready)
		RP_ASSERT(charset_init(&set, &name) == RP_OK);
	ready = true;
	if (n < 2)
		return 0;
	enum charset charset = (enum charset)(p[0] % (CHARSET_COUNT + 1));
	struct bytes in = bytes_of(p + 2, n - 2);
	uint8_t *whole = malloc(CHARSET_OUT_BYTES(in.n) + CHARSET_OUT_BYTES(0));
	uint8_t *cut = malloc(in.n * CHARSET_OUT_BYTES(1) + CHARSET_OUT_BYTES(0));
	size_t whole_n = convert(charset, in, in.n + 1, whole);
	size_t cut_n = convert(charset, in, 1 + p[1] % 16, cut);

	RP_ASSERT(same_when_cut(charset, bytes_of(whole, whole_n), bytes_of(cut, cut_n)));
	cut_n = convert(CHARSET_UTF8, bytes_of(whole, whole_n), whole_n + 1,
	    cut = realloc(cut, CHARSET_OUT_BYTES(whole_n) + CHARSET_OUT_BYTES(0)));
	RP_ASSERT(bytes_eq(bytes_of(whole, whole_n), bytes_of(cut, cut_n)));
	free(whole);
	free(cut);
	check_words(in);
	return 0;
}
