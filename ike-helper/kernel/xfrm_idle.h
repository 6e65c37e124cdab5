/* xfrm_idle.h - since when an SA has been idle, on kernels that do not tell (Linux before 6.2 keeps no time of last use for
 * ESP): remembered from one look at its counters to the next. What is not known counts as not idle, so that nobody
 * releases a protection that carries packets.
 */
#ifndef OE_KERNEL_XFRM_IDLE_H
#define OE_KERNEL_XFRM_IDLE_H

#include <stdint.h>

#include "ike/kernel_req.h"

struct idle_entry;

/* Begins as { 0 }. Grows by an entry for each pair that was asked about. */
struct idle_table {
	struct idle_entry *buckets[256];
};

/* Set idle_in_s and idle_out_s in t, whose packet counts are as now, at now_s of a clock that is never set. Without memory
 * both are 0. */
void idle_update(struct idle_table *table, uint32_t reqid, uint32_t spi_in, uint32_t spi_out, uint64_t now_s,
		 struct sa_traffic *t);

/* spi_in 0: all of this reqid. */
void idle_forget(struct idle_table *table, uint32_t reqid, uint32_t spi_in);
void idle_clear(struct idle_table *table);

#endif
