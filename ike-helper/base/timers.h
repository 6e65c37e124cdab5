/* timers.h - who is due next: a binary heap of timers that live in the things they belong to. */
#ifndef OE_BASE_TIMERS_H
#define OE_BASE_TIMERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define NEVER_MS UINT64_MAX

struct timer {
	uint64_t due_ms;
	size_t at;                  /* place in the heap + 1; 0 = not set */
};

struct timers {
	struct timer **heap;
	size_t n, max;
};

void timers_clear(struct timers *t);

/* Make room for n timers in all, so that timer_set() cannot fail. IKE_E_NOMEM. */
IKE_CHECKED enum ike_err timers_reserve(struct timers *t, size_t n);

/* Set, move, or with NEVER_MS stop a timer. O(log n). */
void timer_set(struct timers *t, struct timer *timer, uint64_t due_ms);

/* The one that is due first; NULL when none is set. */
struct timer *timers_first(const struct timers *t);

#endif
