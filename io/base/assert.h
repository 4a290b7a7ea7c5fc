/* assert.h -- what must hold, stated where it must hold.
 *
 * An assertion is about ourselves: never about bytes from a client, a disk or a config. It stays on
 * in release builds; the process ends with a message and a backtrace, and the supervisor starts it
 * again. RP_ASSERT_SLOW is for checks that cost more than what they check; debug builds only.
 */
#ifndef RP_IO_BASE_ASSERT_H
#define RP_IO_BASE_ASSERT_H

#define RP_MUST_USE    __attribute__((warn_unused_result))
#define RP_LIKELY(x)   __builtin_expect(!!(x), 1)
#define RP_UNLIKELY(x) __builtin_expect(!!(x), 0)

#define RP_ASSERT(cond)                                                                            \
	(RP_LIKELY(cond) ? (void)0 : assert_failed(#cond, __FILE__, __LINE__, __func__))

#ifdef RP_SANITIZED
#define RP_ASSERT_SLOW(cond) RP_ASSERT(cond)
#else
#define RP_ASSERT_SLOW(cond) ((void)sizeof(cond))
#endif

/* The object that holds a member. */
#define RP_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Write the condition, the place and a backtrace to standard error, then abort(). Any thread. */
_Noreturn void assert_failed(const char *cond, const char *file, int line, const char *func);

/* The same for what is no condition: memory that cannot be had at start, a kernel that lies. */
_Noreturn void assert_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
