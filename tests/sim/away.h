/* away.h -- the disk, or one file, gives EIO for some seconds; a journal takes nothing more, till a life ends. Nothing may be lost by that.
 *
 * What is drawn here has a stream of its own: a seed without it goes as it always did.
 */
#ifndef RP_TESTS_SIM_AWAY_H
#define RP_TESTS_SIM_AWAY_H

#include <stdbool.h>

struct machine;

/* In a life in four the one, in a life in six the other, once: at the start or later. Sets what the life's faults may show. */
void away_draw(struct machine *machine);

/* Between steps. */
void away_step(struct machine *machine);

/* Just now? Then steps are waiting, mostly. */
bool away_is_on(const struct machine *machine);

/* The life is over: all is sound. */
void away_end(struct machine *machine);

#endif
