#include "io/shard_call.h"

#include "io/loop_core.h"

void shard_call_arrived(struct loop *loop, struct shard_message *first)
{
	(void)loop;
	(void)first;
}
