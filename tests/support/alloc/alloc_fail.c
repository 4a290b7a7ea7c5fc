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

static _Thread_local size_t before; /* allocations that still go well, + 1; 0: nothing is to fail */
static _Thread_local size_t left;   /* to fail, behind them */
static _Thread_local bool failed;
static _Thread_local unsigned held;

void alloc_fail_at(size_t first, size_t count)
{
	before = first;
	left = count;
	failed = false;
}

bool alloc_fail_over(void)
{
	bool was = failed;

	alloc_fail_at(0, 0);
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
	if (held > 0 || before == 0 || left == 0)
		return false;
	if (before > 1) {
		before--;
		return false;
	}
	left--;
	failed = true;
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
