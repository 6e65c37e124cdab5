#include "base/table.h"

#include <stdlib.h>

enum { BUCKETS_MIN = 64 };

/* Keys may be small consecutive numbers or chosen by a stranger: spread them over all bits
 * (Fibonacci hashing). */
static size_t slot_of(const struct table *t, uint64_t hash)
{
	hash ^= hash >> 32;
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(hash >> 32) & (t->buckets - 1);
}

enum ike_err table_init(struct table *t)
{
	*t = (struct table){ .bucket = calloc(BUCKETS_MIN, sizeof *t->bucket) };
	if (!t->bucket)
		return IKE_E_NOMEM;
	t->buckets = BUCKETS_MIN;
	return IKE_OK;
}

void table_clear(struct table *t)
{
	free(t->bucket);
	*t = (struct table){ 0 };
}

static void put(struct table *t, struct table_link *link)
{
	struct table_link **head = &t->bucket[slot_of(t, link->hash)];

	link->next = *head;
	*head = link;
}

static void resize(struct table *t, size_t buckets)
{
	struct table_link **old = t->bucket, *link, *next;
	size_t n_old = t->buckets, i;

	struct table_link **fresh = calloc(buckets, sizeof *fresh);
	if (!fresh)
		return;
	t->bucket = fresh;
	t->buckets = buckets;
	for (i = 0; i < n_old; i++) {
		for (link = old[i]; link; link = next) {
			next = link->next;
			put(t, link);
		}
	}
	free(old);
}

void table_insert(struct table *t, struct table_link *link, uint64_t hash)
{
	if (t->n >= t->buckets)
		resize(t, t->buckets * 2);
	link->hash = hash;
	link->linked = true;
	put(t, link);
	t->n++;
}

void table_remove(struct table *t, struct table_link *link)
{
	struct table_link **at;

	if (!link->linked)
		return;
	at = &t->bucket[slot_of(t, link->hash)];
	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	link->next = NULL;
	link->linked = false;
	t->n--;
	/* Memory is given back when tunnels go. */
	if (t->buckets > BUCKETS_MIN && t->n < t->buckets / 8)
		resize(t, t->buckets / 2);
}

static struct table_link *same_hash(struct table_link *link, uint64_t hash)
{
	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct table_link *table_first(const struct table *t, uint64_t hash)
{
	return same_hash(t->bucket[slot_of(t, hash)], hash);
}

struct table_link *table_next(const struct table_link *link)
{
	return same_hash(link->next, link->hash);
}
