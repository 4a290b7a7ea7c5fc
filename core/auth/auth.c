#include "core/auth/auth.h"

#include "io/base/clock.h"

void auth_init(struct auth *auth, const struct hash_key key[2], uint64_t keep_ns)
{
	*auth = (struct auth){0};
	auth_cache_init(&auth->cache, key, keep_ns);
	list_init(&auth->waiting);
	list_init(&auth->free);
	for (size_t i = 0; i < AUTH_REQUESTS_MAX; i++)
		list_push_back(&auth->free, &auth->request[i].link);
}

void auth_fini(struct auth *auth)
{
	RP_ASSERT(list_empty(&auth->waiting));
	auth_cache_fini(&auth->cache);
}

/* Out of the table; returns who waited. */
static void *end(struct auth *auth, struct auth_request *request)
{
	void *waiter = request->waiter;

	list_del(&request->link);
	*request = (struct auth_request){0};
	list_push_front(&auth->free, &request->link);
	return waiter;
}

static struct auth_request *oldest(const struct auth *auth)
{
	return RP_CONTAINER_OF(auth->waiting.next, struct auth_request, link);
}

/* The row is in the id, so that it is found without looking for it. */
static struct auth_request *find(struct auth *auth, uint64_t id)
{
	struct auth_request *request = &auth->request[id % AUTH_REQUESTS_MAX];

	return id != 0 && request->id == id ? request : NULL;
}

enum auth_ask_verdict auth_ask(struct auth *auth, const struct auth_wire_request *request,
    uint64_t now_ns, void *waiter, uint8_t message[AUTH_WIRE_REQUEST_BYTES_MAX], size_t *message_n,
    uint64_t *id, struct auth_wire_answer *known)
{
	RP_ASSERT(waiter != NULL);
	struct auth_wire_request asked = *request;
	struct auth_cache_key key = {0};
	bool keep = request->kind == AUTH_WIRE_VERIFY;

	if (keep) {
		key = auth_cache_key_of(&auth->cache, request);
		if (auth_cache_find(&auth->cache, key, now_ns, known))
			return AUTH_ASK_KNOWN;
	}
	struct list *link = list_pop_front(&auth->free);

	if (link == NULL)
		return AUTH_ASK_FULL;
	struct auth_request *row = RP_CONTAINER_OF(link, struct auth_request, link);

	row->id = ++auth->next_id * AUTH_REQUESTS_MAX + (size_t)(row - auth->request);
	row->asked_ns = now_ns;
	row->generation = auth->generation;
	row->keep = keep;
	row->key = key;
	row->waiter = waiter;
	list_push_back(&auth->waiting, &row->link);
	asked.id = row->id;
	*message_n = auth_wire_put_request(&asked, message);
	*id = row->id;
	return AUTH_ASK_SEND;
}

enum rp_err auth_answer(struct auth *auth, struct bytes message, uint64_t now_ns, void **waiter,
    struct auth_wire_answer *answer)
{
	struct auth_wire_answer came;
	enum rp_err err = auth_wire_get_answer(message, &came);

	if (err != RP_OK)
		return err;
	auth->heard_ns = now_ns;
	struct auth_request *request = find(auth, came.id);

	if (request == NULL)
		return RP_ERR_NOTFOUND;
	if (request->keep && came.result == AUTH_WIRE_OK && request->generation == auth->generation)
		auth_cache_add(&auth->cache, request->key, &came, now_ns);
	*waiter = end(auth, request);
	*answer = came;
	return RP_OK;
}

void auth_forget(struct auth *auth, uint64_t id)
{
	struct auth_request *request = find(auth, id);

	if (request != NULL)
		end(auth, request);
}

void *auth_next_late(struct auth *auth, uint64_t now_ns)
{
	if (list_empty(&auth->waiting))
		return NULL;
	struct auth_request *request = oldest(auth);

	uint64_t since_ns = request->asked_ns > auth->heard_ns ? request->asked_ns : auth->heard_ns;

	if (now_ns < since_ns + AUTH_TIMEOUT_S * CLOCK_NS_PER_S &&
	    now_ns < request->asked_ns + AUTH_WAIT_S * CLOCK_NS_PER_S)
		return NULL;
	return end(auth, request);
}

void *auth_next_lost(struct auth *auth)
{
	return list_empty(&auth->waiting) ? NULL : end(auth, oldest(auth));
}

void auth_changed(struct auth *auth)
{
	auth->generation++;
	auth_cache_clear(&auth->cache);
}
