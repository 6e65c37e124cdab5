#include "base/timers.h"

#include <assert.h>
#include <stdlib.h>

void timers_clear(struct timers *t)
{
	free(t->heap);
	*t = (struct timers){ 0 };
}

enum ike_err timers_reserve(struct timers *t, size_t n)
{
	struct timer **heap;
	size_t max = t->max ? t->max : 16;

	while (max < n)
		max *= 2;
	while (max > 16 && max / 8 > n)
		max /= 2;
	if (max == t->max)
		return IKE_OK;
	heap = realloc(t->heap, max * sizeof(struct timer *));
	if (!heap)
		return max < t->max ? IKE_OK : IKE_E_NOMEM;
	t->heap = heap;
	t->max = max;
	return IKE_OK;
}

static void place(struct timers *t, size_t i, struct timer *timer)
{
	t->heap[i] = timer;
	timer->at = i + 1;
}

static void sift_up(struct timers *t, size_t i)
{
	struct timer *timer = t->heap[i];

	while (i > 0 && t->heap[(i - 1) / 2]->due_ms > timer->due_ms) {
		place(t, i, t->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(t, i, timer);
}

static void sift_down(struct timers *t, size_t i)
{
	struct timer *timer = t->heap[i];
	size_t child;

	while ((child = 2 * i + 1) < t->n) {
		if (child + 1 < t->n && t->heap[child + 1]->due_ms < t->heap[child]->due_ms)
			child++;
		if (t->heap[child]->due_ms >= timer->due_ms)
			break;
		place(t, i, t->heap[child]);
		i = child;
	}
	place(t, i, timer);
}

static void take_out(struct timers *t, struct timer *timer)
{
	size_t i = timer->at - 1;
	struct timer *last = t->heap[--t->n];

	timer->at = 0;
	if (last == timer)
		return;
	place(t, i, last);
	sift_up(t, i);
	sift_down(t, last->at - 1);
}

void timer_set(struct timers *t, struct timer *timer, uint64_t due_ms)
{
	if (timer->at > 0 && timer->due_ms == due_ms)
		return;
	if (timer->at > 0)
		take_out(t, timer);
	timer->due_ms = due_ms;
	if (due_ms == NEVER_MS)
		return;
	assert(t->n < t->max);
	place(t, t->n++, timer);
	sift_up(t, t->n - 1);
}

struct timer *timers_first(const struct timers *t)
{
	return t->n > 0 ? t->heap[0] : NULL;
}
