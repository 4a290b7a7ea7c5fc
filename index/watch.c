#include "index/watch.h"

void watch_init(struct watch *watch, void (*wake)(struct watch *watch))
{
	RP_ASSERT(wake != NULL);
	list_init(&watch->link);
	watch->wake = wake;
}

void watch_wake_all(struct list *watches)
{
	LIST_FOR_EACH_SAFE (link, watches) {
		struct watch *watch = RP_CONTAINER_OF(link, struct watch, link);

		watch->wake(watch);
	}
}
