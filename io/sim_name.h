/* sim_name.h -- names on the simulated disk; sim_disk.c's other half.
 */
#ifndef RP_IO_SIM_NAME_H
#define RP_IO_SIM_NAME_H

#include "io/sim_disk.h"

/* A new node, with no reference yet. */
struct sim_node *sim_disk_node(struct sim_disk *disk, bool is_dir);

/* Empty it; nodes that lose their last reference are put into `dead`. */
void sim_name_drop_all(struct sim_names *names, struct list *dead);

/* Make the changes of one directory durable; of all with NULL. */
void sim_name_flush(struct sim_disk *disk, struct sim_node *dir);

/* Without making them durable. */
void sim_name_forget_changes(struct sim_disk *disk);

/* Which of the changes survive: none, all, a first part of them (in_order), or any. */
void sim_name_crash(struct sim_disk *disk, bool none, bool all, bool in_order);

#endif
