#include "tests/support/alloc/alloc_fail.h"

#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *text);

static size_t left;
static bool for_good;
static bool failed;
static unsigned held;

void alloc_fail_at(size_t n, bool and_all_behind)
{
	left = n;
	for_good = and_all_behind;
	failed = false;
}

bool alloc_fail_over(void)
{
	bool was = failed;

	alloc_fail_at(0, false);
	return was;
}

void alloc_fail_hold(void)
{
	held++;
}

void alloc_fail_go_on(void)
{
	held--;
}

static bool fails(void)
{
	if (held > 0 || left == 0)
		return false;
	if (failed || --left > 0)
		return failed;
	failed = true;
	left = for_good ? 1 : 0;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = __wrap_malloc(n);

	return copy != NULL ? memcpy(copy, text, n) : NULL;
}
