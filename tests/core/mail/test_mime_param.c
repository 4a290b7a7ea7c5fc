#include <criterion/criterion.h>

#include "core/mail/mime_param.h"

#include <stdio.h>

static const char *read_value(struct arena *arena, struct bytes value)
{
	struct mime_value parsed;
	struct text out;

	cr_assert(mime_value_parse(arena, value, &parsed));
	text_init(&out, arena);
	text_put(&out, parsed.type);
	text_put_byte(&out, '/');
	text_put(&out, parsed.subtype);
	for (size_t i = 0; i < parsed.params.count; i++) {
		text_put_byte(&out, ';');
		text_put(&out, parsed.params.param[i].name);
		text_put_byte(&out, '=');
		text_put(&out, parsed.params.param[i].value);
	}
	text_put_byte(&out, 0);
	return (const char *)out.p;
}

Test(mime_param, good_and_bad_values)
{
	static const char *const cases[][2] = {
	    {"text/plain", "text/plain"},
	    {" text / plain ; charset = \"utf-8\" ", "text/plain;charset=utf-8"},
	    {"text/plain; charset=us-ascii (Plain text)", "text/plain;charset=us-ascii"},
	    {"text/plain (a (b)); x=y", "text/plain;x=y"},
	    {"", "/"},
	    {"text", "text/"},
	    {"a/b; name=my file.txt; x=1", "a/b;name=my file.txt;x=1"},
	    {"a/b; name=\"a\\\"b\\\\c;d\"", "a/b;name=a\"b\\c;d"},
	    {"a/b; name=\"no end", "a/b;name=no end"},
	    {"a/b; name=\"fol\r\n ded\"", "a/b;name=fol ded"},
	    {"a/b; boundary=----=_Part", "a/b;boundary=----=_Part"},
	    {"a/b; name; x=", "a/b;name=;x="},
	    {"a/b;;; x=1;", "a/b;x=1"},
	    {"a/b charset=x", "a/b;charset=x"},
	    {"a/b; x=\"1\" y=2", "a/b;x=1;y=2"},
	    {"a/b; f*0=one; f*1=two; f*2=three", "a/b;f=onetwothree"},
	    {"a/b; f*2=three; f*1=two; f*0=one", "a/b;f=onetwothree"},
	    {"a/b; f*0=one; f*2=three", "a/b;f=one"},
	    {"a/b; f*1=two", "a/b"},
	    {"a/b; f*=utf-8''%e2%82%ac", "a/b;f*=utf-8''%e2%82%ac"},
	    {"a/b; f*0*=utf-8''%e2; f*1=\" a%\"; f*2*=%20b", "a/b;f*=utf-8''%e2%20a%25%20b"},
	    {"a/b; f*0=a; f*0=b; f*1=c; f*1=d", "a/b;f=ac"},
	    {"a/b; F*0=a; f*1=b", "a/b;F=ab"},
	    {"a/b; f*00=a", "a/b;f=a"},
	    {"a/b; f*x=a; *=b; **=c", "a/b;f*x=a;*=b;*"
	                              "*=c"},
	};
	struct arena arena;

	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(
		    read_value(&arena, bytes_of_str(cases[i][0])), cases[i][1], "%s", cases[i][0]);
	arena_fini(&arena);
}

/* The last parameter that is read is the hundredth; the last section is 99. */
Test(mime_param, a_hundred_of_each_and_no_more)
{
	for (int count = 99; count <= 101; count++) {
		struct arena arena;
		struct text in;
		struct mime_value out;
		char part[32];

		arena_init(&arena, 1 << 20);
		text_init(&in, &arena);
		text_put_str(&in, "a/b");
		for (int i = 0; i < count; i++) {
			snprintf(part, sizeof(part), "; p%d=%d", i, i);
			text_put_str(&in, part);
		}
		cr_assert(mime_value_parse(&arena, text_bytes(&in), &out));
		cr_assert_eq(out.params.count, (size_t)(count < 100 ? count : 100));

		text_clear(&in);
		text_put_str(&in, "a/b");
		for (int i = 0; i < count; i++) {
			snprintf(part, sizeof(part), "; f*%d=x", i);
			text_put_str(&in, part);
		}
		cr_assert(mime_value_parse(&arena, text_bytes(&in), &out));
		cr_assert_eq(out.params.count, 1);
		cr_assert_eq(out.params.param[0].value.n, (size_t)(count < 100 ? count : 100));
		arena_fini(&arena);
	}
}

Test(mime_param, fifty_thousand_continuations_fit_in_little_memory)
{
	struct arena big, small;
	struct text in;
	struct mime_value out;

	arena_init(&big, 16 << 20);
	arena_init(&small, 64 << 10);
	text_init(&in, &big);
	text_put_str(&in, "a/b");
	for (unsigned i = 0; i < 50000; i++) {
		text_put_str(&in, "; f*");
		text_put_number(&in, i);
		text_put_str(&in, "=x");
	}
	cr_assert(mime_value_parse(&small, text_bytes(&in), &out));
	cr_assert_eq(out.params.param[0].value.n, 100);
	arena_fini(&small);
	arena_fini(&big);
}
