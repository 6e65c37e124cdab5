#include "kernel/xfrm_idle.h"

#include <stdlib.h>

struct idle_entry {
	struct idle_entry *next;
	uint32_t reqid, spi_in, spi_out;
	uint64_t packets_in, packets_out;
	uint64_t in_s, out_s;       /* when the counter was first seen as it is */
};

/* By reqid alone: a reqid has few SAs, and they go together. */
static struct idle_entry **bucket_of(struct idle_table *table, uint32_t reqid)
{
	return &table->buckets[reqid % (sizeof table->buckets / sizeof table->buckets[0])];
}

static struct idle_entry *entry_of(struct idle_table *table, uint32_t reqid, uint32_t spi_in, uint32_t spi_out,
				   uint64_t now_s)
{
	struct idle_entry **bucket = bucket_of(table, reqid), *e;

	for (e = *bucket; e; e = e->next)
		if (e->reqid == reqid && e->spi_in == spi_in && e->spi_out == spi_out)
			return e;
	e = malloc(sizeof *e);
	if (!e)
		return NULL;
	*e = (struct idle_entry){ .next = *bucket, .reqid = reqid, .spi_in = spi_in, .spi_out = spi_out,
				  .in_s = now_s, .out_s = now_s };
	*bucket = e;
	return e;
}

void idle_update(struct idle_table *table, uint32_t reqid, uint32_t spi_in, uint32_t spi_out, uint64_t now_s,
		 struct sa_traffic *t)
{
	struct idle_entry *e = entry_of(table, reqid, spi_in, spi_out, now_s);

	t->idle_in_s = t->idle_out_s = 0;
	if (!e)
		return;
	if (e->packets_in != t->packets_in)
		e->in_s = now_s;
	if (e->packets_out != t->packets_out)
		e->out_s = now_s;
	e->packets_in = t->packets_in;
	e->packets_out = t->packets_out;
	t->idle_in_s = (uint32_t)(now_s - e->in_s);
	t->idle_out_s = (uint32_t)(now_s - e->out_s);
}

void idle_forget(struct idle_table *table, uint32_t reqid, uint32_t spi_in)
{
	struct idle_entry **at = bucket_of(table, reqid);

	while (*at) {
		struct idle_entry *e = *at;

		if (e->reqid != reqid || (spi_in != 0 && e->spi_in != spi_in)) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		free(e);
	}
}

void idle_clear(struct idle_table *table)
{
	for (unsigned i = 0; i < sizeof table->buckets / sizeof table->buckets[0]; i++)
		while (table->buckets[i])
			idle_forget(table, table->buckets[i]->reqid, 0);
}
