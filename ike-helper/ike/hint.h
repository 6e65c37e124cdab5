/* hint.h - what anybody may say about an SA without proof (RFC 7296 1.5, 2.21.4): INVALID_SPI for one of ESP, INVALID_IKE_SPI for
 * one of IKE.
 *
 * A hint ends nothing, and a flood of them costs next to nothing: INVALID_SPI makes us ask the peer whether it lives, at most
 * once in HINT_PAUSE_MS for each SA, and as often for all as a bucket of tokens allows; INVALID_IKE_SPI counts only where the
 * answer to a request of ours is due, and has EV_SILENT come with the next repetition of that, if the peer does not answer
 * before. Only together with the token that the peer has sent us in the SA itself (RFC 6290) INVALID_IKE_SPI is the end of it.
 */
#ifndef OE_IKE_HINT_H
#define OE_IKE_HINT_H

#include "ike/engine.h"

enum { HINT_PAUSE_MS = 10000 };

/* An INFORMATIONAL request in clear that belongs to no IKE SA. */
void hint_esp_spi(struct ike *ike, const struct stimulus *s);
/* INVALID_IKE_SPI in clear, where the answer to our request is due. sa may be freed by it. */
void hint_ike_spi(struct ike_sa *sa, struct stimulus *s);
/* A protected request for an IKE SA that we do not have: say so, and prove it if we can. Bounded as all unprotected errors; hosts
 * that answer nobody and make no tokens say nothing. */
void hint_unknown_sa(struct ike *ike, const struct stimulus *s);

#endif
