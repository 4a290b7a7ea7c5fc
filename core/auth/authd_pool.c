#include "core/auth/authd_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct authd_pool {
	pthread_mutex_t lock; /* of queue, done and ending */
	pthread_cond_t more;
	struct list queue;
	struct list done;
	bool ending;
	int wake_fd;
	struct list free; /* the owner's */
	struct authd_job *jobs;
	size_t jobs_count;
	unsigned threads_count;
	struct worker {
		pthread_t thread;
		struct authd_pool *pool;
		struct password_work *work;
	} workers[];
};

/* The next job, waited for; NULL: the pool ends. */
static struct authd_job *next_job(struct authd_pool *pool)
{
	struct list *link = NULL;

	pthread_mutex_lock(&pool->lock);
	while (!pool->ending && (link = list_pop_front(&pool->queue)) == NULL)
		pthread_cond_wait(&pool->more, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	return link != NULL ? RP_CONTAINER_OF(link, struct authd_job, link) : NULL;
}

static void finish_job(struct authd_pool *pool, struct authd_job *job)
{
	uint64_t one = 1;

	pthread_mutex_lock(&pool->lock);
	list_push_back(&pool->done, &job->link);
	pthread_mutex_unlock(&pool->lock);
	/* It can fail only when the counter is full, and then the owner has long been woken. */
	ssize_t written = write(pool->wake_fd, &one, sizeof(one));

	(void)written;
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	for (struct authd_job *job; (job = next_job(worker->pool)) != NULL;) {
		job->verdict = password_verify(worker->work, bytes_of(job->hash, job->hash_n),
		    bytes_of(job->password, job->password_n));
		bytes_wipe(job->password, job->password_n);
		finish_job(worker->pool, job);
	}
	return NULL;
}

static bool start_workers(struct authd_pool *pool, unsigned threads)
{
	while (pool->threads_count < threads) {
		struct worker *worker = &pool->workers[pool->threads_count];

		worker->pool = pool;
		worker->work = password_work_open();
		if (worker->work == NULL)
			return false;
		if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
			password_work_close(worker->work);
			return false;
		}
		pool->threads_count++;
	}
	return true;
}

struct authd_pool *authd_pool_open(unsigned threads, unsigned queue, int wake_fd)
{
	RP_ASSERT(threads > 0 && queue > 0);
	struct authd_pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(struct worker));

	if (pool == NULL)
		return NULL;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->more, NULL);
	list_init(&pool->queue);
	list_init(&pool->done);
	list_init(&pool->free);
	pool->wake_fd = wake_fd;
	pool->jobs_count = (size_t)threads + queue;
	pool->jobs = calloc(pool->jobs_count, sizeof(struct authd_job));
	if (pool->jobs == NULL || !start_workers(pool, threads)) {
		authd_pool_close(pool);
		return NULL;
	}
	for (size_t i = 0; i < pool->jobs_count; i++)
		list_push_back(&pool->free, &pool->jobs[i].link);
	return pool;
}

void authd_pool_close(struct authd_pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->more);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->threads_count; i++) {
		pthread_join(pool->workers[i].thread, NULL);
		password_work_close(pool->workers[i].work);
	}
	pthread_cond_destroy(&pool->more);
	pthread_mutex_destroy(&pool->lock);
	if (pool->jobs != NULL)
		bytes_wipe(pool->jobs, pool->jobs_count * sizeof(struct authd_job));
	free(pool->jobs);
	free(pool);
}

struct authd_job *authd_pool_take(struct authd_pool *pool)
{
	struct list *link = list_pop_front(&pool->free);

	return link != NULL ? RP_CONTAINER_OF(link, struct authd_job, link) : NULL;
}

void authd_pool_put(struct authd_pool *pool, struct authd_job *job)
{
	pthread_mutex_lock(&pool->lock);
	list_push_back(&pool->queue, &job->link);
	pthread_cond_signal(&pool->more);
	pthread_mutex_unlock(&pool->lock);
}

struct authd_job *authd_pool_next_done(struct authd_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	struct list *link = list_pop_front(&pool->done);

	pthread_mutex_unlock(&pool->lock);
	return link != NULL ? RP_CONTAINER_OF(link, struct authd_job, link) : NULL;
}

void authd_pool_give(struct authd_pool *pool, struct authd_job *job)
{
	bytes_wipe(job->hash, job->hash_n);
	bytes_wipe(job->password, job->password_n);
	job->hash_n = job->password_n = 0;
	list_push_front(&pool->free, &job->link);
}
