/* die.h -- a load tool that cannot go on says why in one line and ends. */
#ifndef RP_BENCH_LOAD_DIE_H
#define RP_BENCH_LOAD_DIE_H

/* The program's name and this on standard error, then exit(1). */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
