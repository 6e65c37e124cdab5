/* beside.h - a second IKE SA for a pair of addresses (one reqid) that has one already, and what becomes of the packets meanwhile. The
 * peer reauthenticates (RFC 7296 2.8.3), or has lost the first one and does not say so; or we have established anew.
 *
 *	the peer             we
 *	  IKE_AUTH        ->   the kernel gets the new half in; packets still leave with the old pair
 *	                  <-   the answer, and a question: an empty INFORMATIONAL request
 *	  whatever comes  ->   it has the new pair. The kernel gets the half out: packets leave with that, EV_ESTABLISHED
 *	  Delete of the   ->   what was sent before with the old pair is received for FADE_MS more
 *	  old IKE SA
 *
 * Nothing comes within LIVENESS_MS: the new one has failed, and the old one is as before. With INITIAL_CONTACT the peer has
 * nothing but the new one (RFC 7296 2.4), and gets it at once.
 */
#ifndef OE_IKE_BESIDE_H
#define OE_IKE_BESIDE_H

#include "ike/sa.h"
#include "ike/steps.h"

/* The peer, who has started, is about to get SAs: is there an IKE SA that it may be using until it has our answer? Then sa->beside is
 * that, and an earlier one that still waits beside it, ends. */
void beside_begin(struct ike_sa *sa, uint64_t now_ms);
/* Does sa wait to be sent with? */
bool beside_waits(const struct ike_sa *sa);
/* The kernel has what it was asked for by beside_begin(): the question is to be asked, or there is no old one any more. */
void beside_installed(struct ike_sa *sa);
/* An authentic message for sa, and not the last one: the peer has the new pair. */
void beside_heard(struct ike_sa *sa, const struct stimulus *s);
/* sa has ended, and its CHILD SAs are about to go. */
void beside_ended(struct ike_sa *sa, uint64_t now_ms);

#endif
