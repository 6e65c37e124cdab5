/* follow.h - the peer's NAT has another address or port for it (RFC 7296 2.23): it was restarted, or has forgotten.
 *
 * Where an authentic message comes from, and no repeated one, is where the peer is; ESP counts as well as IKE, by what the kernel tells of
 * it. Only who is not behind a NAT himself may conclude that (it takes one packet that somebody has delayed and sent on from
 * elsewhere to turn him away), and only of a peer that is behind one.
 *
 *	another port        we send there, and so does the kernel, with the SAs that there are; nothing is said about it. Not
 *	                    more often than once in FOLLOW_PAUSE_MS
 *	another address     of a peer that has one of our pool: new SAs are made between the new addresses, by rekeying the CHILD SA there,
 *	                    and until then nothing passes. One with MOBIKE says itself that it has moved (RFC 4555 3.8).
 *	                    In transport mode it is another pair of addresses: the tunnel ends, and the peer, who is told there, comes again
 */
#ifndef OE_IKE_FOLLOW_H
#define OE_IKE_FOLLOW_H

#include "ike/sa.h"

enum { FOLLOW_PAUSE_MS = 100 };

/* An authentic message of the peer's, not repeated, came from there. May end sa, and free it. */
void follow_peer(struct ike_sa *sa, const struct ip_endpoint *from, uint64_t now_ms);

#endif
