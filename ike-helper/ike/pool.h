/* pool.h - addresses that a responder assigns, each to one peer at a time (RFC 7296 2.19). */
#ifndef OE_IKE_POOL_H
#define OE_IKE_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum { POOL_MAX = 65536 };

struct pool {
	struct ip_addr first;
	unsigned n, next;
	bool used[POOL_MAX];
};

/* first and the n - 1 addresses behind it; IP_NONE: an empty pool. More than POOL_MAX are not used. */
void pool_init(struct pool *p, const struct ip_addr *first, unsigned n);

/* wish, if it is of the pool and free; else in turn, so that one that was given back rests for as long as possible. False: all are in
 * use; *out is then IP_NONE. */
bool pool_take(struct pool *p, const struct ip_addr *wish, struct ip_addr *out);
/* One that is not of the pool is fine. */
void pool_give(struct pool *p, const struct ip_addr *a);

#endif
