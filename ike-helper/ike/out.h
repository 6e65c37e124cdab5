/* out.h - what waits to be taken by ike_next_output(): datagrams, and slots inside of the IKE
 * SAs.
 *
 * The links live in the packets and in the SAs, so that queueing cannot fail: an SA that ends
 * can always say so.
 */
#ifndef OE_IKE_OUT_H
#define OE_IKE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cursor.h"

enum out_slot_kind {
	SLOT_SEND,
	SLOT_AUTHORIZE, SLOT_SIGN, SLOT_PROTECT,        /* the SA waits for the answer */
	SLOT_ADD_SAS, SLOT_REMAP_SAS, SLOT_DELETE_SAS,  /* of a CHILD SA */
	SLOT_UP, SLOT_NEWS, SLOT_END,
};

struct out_slot {
	struct out_slot *next;
	enum out_slot_kind kind;
	bool queued;
};

struct out_queue {
	struct out_slot *first, **tail;
};

void out_init(struct out_queue *q);
/* Put at the end; does nothing when it waits already. */
void out_put(struct out_queue *q, struct out_slot *slot, enum out_slot_kind kind);
/* The first one, taken out; NULL when there is none. */
struct out_slot *out_take(struct out_queue *q);

/* A datagram: sent once, or kept to be sent again. Fragments of one message are a chain. */
struct packet {
	struct out_slot slot;       /* first: a slot of SLOT_SEND is its packet */
	struct packet *next;        /* next fragment; owned */
	struct ip_path path;
	unsigned refs;
	size_t n;
	uint8_t bytes[];
};

/* n bytes, not filled in, one reference; NULL without memory. */
struct packet *packet_new(const struct ip_path *path, size_t n);
/* Give up one reference to the whole chain; NULL is fine. */
void packet_unref(struct packet *p);
/* Queue the whole chain for path; the queue holds a reference until each one was taken. */
void packet_send(struct out_queue *q, struct packet *p, const struct ip_path *path);

#endif
