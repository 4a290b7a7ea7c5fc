#include <criterion/criterion.h>

#include "core/mail/header.h"

Test(header, every_byte_belongs_to_one_field)
{
	static const char text[] = "From x@y Mon Jan  1 10:00:00 2024\n"
	                           "To: a\r\n b\r\n"
	                           "no colon here\r\n\tgoes on\r\n"
	                           "Subject : old\r\n"
	                           ": no name\r\n"
	                           "bad name: x\r\n"
	                           "Last:no end\r\n"
	                           "\r\nbody: no\r\n";
	struct bytes rest = bytes_of_str(text);
	static const char *const names[] = {"", "To", "", "Subject", "", "", "Last"};
	struct header_field field;
	size_t count = 0;
	size_t bytes = 0;

	while (header_next(&rest, &field)) {
		cr_assert_lt(count, 7);
		cr_assert(bytes_eq(field.name, bytes_of_str(names[count])), "field %zu", count);
		cr_assert_eq(field.whole.p, (const uint8_t *)text + bytes);
		bytes += field.whole.n;
		count++;
	}
	cr_assert_eq(count, 7);
	cr_assert(bytes_eq(rest, BYTES_LIT("\r\nbody: no\r\n")));
}

Test(header, unfolding_takes_off_line_ends_and_outer_blanks)
{
	struct arena arena;

	arena_init(&arena, 1 << 20);
	cr_assert(bytes_eq(header_unfolded(&arena, BYTES_LIT("  one\r\n two\n\tthree \r\n ")),
	    BYTES_LIT("one two\tthree")));
	struct bytes empty = header_unfolded(&arena, BYTES_LIT("  \r\n "));

	cr_assert_not_null(empty.p);
	cr_assert_eq(empty.n, 0);
	arena_fini(&arena);
}

Test(header, the_first_field_of_a_name_is_found_whatever_its_case)
{
	struct bytes block = BYTES_LIT("A: 1\r\nsubJECT:x\r\nSubject: y");

	cr_assert(bytes_eq(header_find(block, BYTES_LIT("Subject")), BYTES_LIT("x")));
	cr_assert_null(header_find(block, BYTES_LIT("Date")).p);
}
