/* room.h -- a disk that is full, gets room again, and is full once more: in half of the lives whose disk is small.
 *
 *   small --> endless for some seconds --> small ...
 *
 * DATA/reserve is there whenever new mail is taken again, and that is soon when there is room.
 */
#ifndef RP_TESTS_SIM_ROOM_H
#define RP_TESTS_SIM_ROOM_H

struct machine;

/* After the life's faults are drawn. */
void room_draw(struct machine *machine);

/* After each step. */
void room_step(struct machine *machine);

#endif
