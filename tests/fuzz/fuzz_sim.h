/* fuzz_sim.h -- files with these bytes on a simulated machine, and a task that looks at them. */
#ifndef RP_TESTS_FUZZ_FUZZ_SIM_H
#define RP_TESTS_FUZZ_FUZZ_SIM_H

#include "io/file.h"
#include "tests/fuzz/fuzz.h"

struct fuzz_sim_file {
	enum file_root root;
	const char *dir;
	const char *path;
	struct bytes content;
};

/* Make the files, run fn, and see to it that nothing of it is left. */
void fuzz_sim_run(const struct fuzz_sim_file *files, size_t count, task_fn *fn);

#endif
