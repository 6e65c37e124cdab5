#include "ike/out.h"

#include <stdlib.h>

void out_init(struct out_queue *q)
{
	q->first = NULL;
	q->tail = &q->first;
}

void out_put(struct out_queue *q, struct out_slot *slot, enum out_slot_kind kind)
{
	if (slot->queued)
		return;
	slot->next = NULL;
	slot->kind = kind;
	slot->queued = true;
	*q->tail = slot;
	q->tail = &slot->next;
}

struct out_slot *out_take(struct out_queue *q)
{
	struct out_slot *slot = q->first;

	if (!slot)
		return NULL;
	q->first = slot->next;
	if (!q->first)
		q->tail = &q->first;
	slot->next = NULL;
	slot->queued = false;
	return slot;
}

struct packet *packet_new(const struct ip_path *path, size_t n)
{
	struct packet *p = malloc(sizeof *p + n);

	if (!p)
		return NULL;
	*p = (struct packet){ .path = *path, .refs = 1, .n = n };
	return p;
}

/* Each packet of a chain counts its own references: the one of the chain before it (or of its
 * owner), and the queue's. */
void packet_unref(struct packet *p)
{
	while (p && --p->refs == 0) {
		struct packet *next = p->next;

		free(p);
		p = next;
	}
}

void packet_send(struct out_queue *q, struct packet *p, const struct ip_path *path)
{
	for (; p; p = p->next) {
		p->path = *path;
		if (p->slot.queued)
			continue;
		p->refs++;
		out_put(q, &p->slot, SLOT_SEND);
	}
}
