/* list.h -- an intrusive, doubly linked list. The link lies in the object; the list owns nothing. */
#ifndef RP_IO_BASE_LIST_H
#define RP_IO_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "io/base/assert.h"

/* The head of a list and the link in an object are the same thing: a ring. */
struct list {
	struct list *next;
	struct list *prev;
};

static inline void list_init(struct list *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

/* Is this link in a list? For links that were list_init'ed or taken out with list_del. */
static inline bool list_linked(const struct list *link)
{
	return link->next != link;
}

static inline void list_insert_before(struct list *at, struct list *link)
{
	link->next = at;
	link->prev = at->prev;
	at->prev->next = link;
	at->prev = link;
}

static inline void list_push_back(struct list *list, struct list *link)
{
	list_insert_before(list, link);
}

static inline void list_push_front(struct list *list, struct list *link)
{
	list_insert_before(list->next, link);
}

/* Take it out, and leave it as a list of its own: taking it out twice does no harm. */
static inline void list_del(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* The first link, taken out; NULL: the list is empty. */
static inline struct list *list_pop_front(struct list *list)
{
	struct list *first = list->next;

	if (first == list)
		return NULL;
	list_del(first);
	return first;
}

/* Move all links of `from` behind those of `to`. */
static inline void list_splice_back(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define LIST_FOR_EACH(link, head)                                                                  \
	for (struct list *link = (head)->next; link != (head); link = link->next)

/* The same where the body may take `link` out of the list, or free its object. */
#define LIST_FOR_EACH_SAFE(link, head)                                                             \
	for (struct list *link = (head)->next, *link##_next = link->next; link != (head);          \
	     link = link##_next, link##_next = link->next)

#endif
