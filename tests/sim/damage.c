#include "tests/sim/damage.h"

void damage_run(struct machine *machine)
{
	(void)machine;
}
