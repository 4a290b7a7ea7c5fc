#include <criterion/criterion.h>

#include "core/mail/address.h"

#include <stdio.h>
#include <time.h>

static void put_field(struct text *out, struct bytes b)
{
	text_put(out, b.p == NULL ? BYTES_LIT("-") : b);
}

/* "name|route|mailbox|host" each, groups as "{name" and "}". */
static const char *read_all(struct arena *arena, struct bytes value)
{
	struct address_reader reader;
	struct address address;
	struct text out;

	text_init(&out, arena);
	address_reader_init(&reader, arena);
	address_read(&reader, value);
	while (address_next(&reader, &address)) {
		if (out.n != 0)
			text_put_byte(&out, ' ');
		if (address.kind == ADDRESS_GROUP_END) {
			text_put_byte(&out, '}');
			continue;
		}
		if (address.kind == ADDRESS_GROUP_START) {
			text_put_byte(&out, '{');
			text_put(&out, address.name);
			continue;
		}
		put_field(&out, address.name);
		text_put_byte(&out, '|');
		put_field(&out, address.route);
		text_put_byte(&out, '|');
		text_put(&out, address.mailbox);
		text_put_byte(&out, '|');
		text_put(&out, address.host);
	}
	text_put_byte(&out, 0);
	return (const char *)out.p;
}

struct address_case {
	const char *value;
	const char *want;
};

static void check_cases(const struct address_case *cases, size_t count)
{
	struct arena arena;

	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < count; i++)
		cr_expect_str_eq(read_all(&arena, bytes_of_str(cases[i].value)), cases[i].want,
		    "%s", cases[i].value);
	arena_fini(&arena);
}

Test(address, the_forms_of_the_standard)
{
	static const struct address_case cases[] = {
	    {"a@b", "-|-|a|b"},
	    {" Anna Berg <anna@example.com> ", "Anna Berg|-|anna|example.com"},
	    {"\"Berg, Anna\" <anna@example.com>, b@c", "Berg, Anna|-|anna|example.com -|-|b|c"},
	    {"\"a \\\"b\\\"\" <a@b>", "a \"b\"|-|a|b"},
	    {"John Q. Public <j@x>", "John Q. Public|-|j|x"},
	    {"<a@b>", "-|-|a|b"},
	    {"\"john doe\"@x", "-|-|john doe|x"},
	    {"a@b (Anna \\(B\\) (inner))", "Anna (B) (inner)|-|a|b"},
	    {"a . b @ c . d", "-|-|a.b|c.d"},
	    {"x <@r1,@r2:a@b>", "x|@r1,@r2|a|b"},
	    {"a@[IPv6:::1]", "-|-|a|[IPv6:::1]"},
	    {"=?utf-8?q?M=C3=BC?= =?utf-8?q?ller?= <m@x>",
	        "=?utf-8?q?M=C3=BC?= =?utf-8?q?ller?=|-|m|x"},
	    {"Team: a@b, C <c@d>;, e@f", "{Team -|-|a|b C|-|c|d } -|-|e|f"},
	    {"undisclosed-recipients:;", "{undisclosed-recipients }"},
	    {"undisclosed recipients: ;", "{undisclosed recipients }"},
	    {"a@b\r\n , c@d", "-|-|a|b -|-|c|d"},
	};

	check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

Test(address, whatever_else_stands_there)
{
	static const struct address_case cases[] = {
	    {"", ""},
	    {" , ,, ", ""},
	    {"(only a comment)", ""},
	    {"root", "-|-|root|"},
	    {"MAILER-DAEMON <>", "MAILER-DAEMON|-||"},
	    {"<@host>", "-|-||host"},
	    {"a@b; c@d", "-|-|a|b -|-|c|d"},
	    {"a@b <a@b>", "a@b|-|a|b"},
	    {"a@b@c", "-|-|a@b|c"},
	    {"Anna <a@b", "Anna|-|a|b"},
	    {"Anna <a@b>> x, c@d", "Anna|-|a|b -|-|c|d"},
	    {"\"open <a@b>, c@d", "-|-|open <a@b>, c@d|"},
	    {"Team: a@b", "{Team -|-|a|b }"},
	    {"Team: x: a@b;", "{Team -|-|x:a|b }"},
	    {";", ""},
	    {"(((( a@b", ""},
	    {"a@b)", "-|-|a|b)"},
	    {"<a@b> \"x, y\" , c@d", "-|-|a|b -|-|c|d"},
	};

	check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

static uint64_t time_of(struct arena *arena, char c, size_t n)
{
	uint8_t *p = arena_alloc(arena, n);
	struct timespec from, to;

	memset(p, c, n);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	read_all(arena, bytes_of(p, n));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000u +
	       (uint64_t)(to.tv_nsec - from.tv_nsec);
}

/* 200,000 open comments, quotes, angles: no recursion, and no going back. */
Test(address, bombs_take_linear_time)
{
	static const char bombs[] = {'(', '"', '<', ',', '@', ':', ';', '\\', 'a'};

	for (size_t i = 0; i < sizeof(bombs); i++) {
		struct arena arena;

		arena_init(&arena, 64 << 20);
		uint64_t once = time_of(&arena, bombs[i], 200 * 1000);
		uint64_t eight = time_of(&arena, bombs[i], 8 * 200 * 1000);

		cr_expect_lt(
		    eight, 24 * once + 20 * 1000 * 1000, "%c: %lu, %lu", bombs[i], once, eight);
		arena_fini(&arena);
	}
}
