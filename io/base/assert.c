#include "io/base/assert.h"

#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BACKTRACE_FRAMES_MAX = 48 };

/* Straight to the descriptor: the log's queue may be what is broken. */
static _Noreturn void say_and_abort(const char *line, size_t n)
{
	void *frames[BACKTRACE_FRAMES_MAX];
	ssize_t written = write(STDERR_FILENO, line, n);

	(void)written;
	backtrace_symbols_fd(frames, backtrace(frames, BACKTRACE_FRAMES_MAX), STDERR_FILENO);
	abort();
}

_Noreturn void assert_failed(const char *cond, const char *file, int line, const char *func)
{
	assert_panic("%s:%d: %s: assertion failed: %s", file, line, func, cond);
}

_Noreturn void assert_panic(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text, sizeof(text) - 1, format, args);
	va_end(args);
	if (n < 0)
		n = 0;
	if ((size_t)n > sizeof(text) - 2)
		n = sizeof(text) - 2;
	text[n++] = '\n';
	say_and_abort(text, (size_t)n);
}
