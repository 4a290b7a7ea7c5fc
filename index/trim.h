/* trim.h -- the room that uploads have taken which were not ended is given back: what they left behind the ends of dbox files is cut
 * off, in the background.
 */
#ifndef RP_INDEX_TRIM_H
#define RP_INDEX_TRIM_H

#include "index/volume_state.h"

/* unknown_too: what a crash has left as well, for which files must be looked into: on a disk that is full. Where nothing is known to be
 * left nothing is begun. */
void trim_start(struct volume *volume, bool unknown_too);

#endif
