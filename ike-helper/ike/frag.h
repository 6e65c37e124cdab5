/* frag.h - IKE message fragments (RFC 7383): put together what came, cut what goes. No crypto: plaintexts only.
 *
 * One struct frag_in holds one message being received. It is empty until the first fragment, allocates then, and is
 * cleared by its owner when the exchange moves on. At most FRAG_MAX fragments and FRAG_BYTES_MAX bytes.
 */
#ifndef OE_IKE_FRAG_H
#define OE_IKE_FRAG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cursor.h"
#include "base/err.h"

enum { FRAG_MAX = 64, FRAG_BYTES_MAX = 16384 };

/* Receiving ------------------------------------------------------------------------------------ */

struct frag_store;

struct frag_in {
	struct frag_store *store;       /* NULL = no fragment yet; {0} is an empty frag_in */
};

/* A message put together. */
struct frag_message {
	bool complete;
	uint8_t first;                  /* type of the first inner payload: next-payload field of fragment 1 */
	struct span inner;              /* all inner payloads; valid until frag_clear() or the next frag_add() */
};

/* Worth decrypting? Not when it is a copy of one that we have, belongs to an attempt with fewer fragments than the one
 * being collected (RFC 7383 2.6), or breaks 1 <= number <= total <= FRAG_MAX. Nothing changes: the fragment is not
 * authenticated yet. */
bool frag_wanted(const struct frag_in *f, uint16_t number, uint16_t total);

/* Add an authenticated, decrypted fragment. A larger total than before starts anew: the peer has cut the message into
 * smaller pieces. next_payload counts in fragment 1 only. plain is copied.
 * IKE_OK: out->complete says whether all are there. IKE_E_STATE: not wanted, see above: ignore it. IKE_E_LIMIT: the whole
 * would be larger than FRAG_BYTES_MAX: everything collected is dropped. IKE_E_NOMEM: likewise. */
IKE_CHECKED enum ike_err frag_add(struct frag_in *f, uint16_t number, uint16_t total, uint8_t next_payload,
				  struct span plain, struct frag_message *out);

/* Forget and free. */
void frag_clear(struct frag_in *f);

/* Sending -------------------------------------------------------------------------------------- */

/* What limits a datagram of ours. */
struct frag_limit {
	uint8_t family;                 /* enum ip_family */
	bool marker;                    /* non-ESP marker of port 4500 */
	unsigned datagram_max;          /* whole IP datagram, in bytes; IP header without options */
};

/* Bytes left for IV, ciphertext and checksum in one SKF message that has no payload before SKF; 0 when none are. */
size_t frag_sealed_room(const struct frag_limit *limit);
/* Does a message whose SK payload has sealed_len bytes (seal_len()) go as one datagram? */
bool frag_fits_whole(const struct frag_limit *limit, size_t sealed_len);

/* How many pieces of at most chunk bytes (seal_room(suite, frag_sealed_room(limit))) inner_len bytes make; 0 when that
 * cannot be done: chunk is 0 or there would be more than FRAG_MAX. */
unsigned frag_count(size_t inner_len, size_t chunk);
/* Piece number 1 ... frag_count(); empty outside of that. */
struct span frag_piece(struct span inner, size_t chunk, unsigned number);

#endif
