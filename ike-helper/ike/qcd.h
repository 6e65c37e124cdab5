/* qcd.h - Quick Crash Detection (RFC 6290): a token by which a peer that has lost an IKE SA proves that to us, and we to it.
 *
 * Each end that makes tokens sends the other one, inside of the SA, what it would send in clear for an unknown IKE SA with the
 * same SPIs. Whoever gets it then, with INVALID_IKE_SPI, knows that it comes from the peer, and that the peer has no such SA.
 *
 *	I --> R  IKE_AUTH { ..., N(QCD_TOKEN) }              and R to I in the answer
 *	R restarts
 *	I --> R  INFORMATIONAL                               is it alive?
 *	I <-- R  N(INVALID_IKE_SPI), N(QCD_TOKEN)            in clear: the SA is over
 *
 * A new IKE SA has other SPIs, and needs a new token (RFC 6290 4.3): who was asked for it sends its own with the answer, who asked
 * in an INFORMATIONAL of its own, if the peer has shown that it knows tokens.
 *
 * A token is HMAC-SHA-256 under a secret that outlives the process, over both addresses and both SPIs (5.2), cut to 16 bytes. It
 * must never leave the host while the SA is there: whoever had it could end the SA, though not read it. The addresses keep hosts
 * that have the same secret (from a key that several use) from giving away each other's tokens; not hosts that share an address, too.
 */
#ifndef OE_IKE_QCD_H
#define OE_IKE_QCD_H

#include "ike/sa.h"
#include "wire/payloads.h"

enum { QCD_TOKEN_LEN = 16, QCD_TOKEN_MIN = 16, QCD_TOKEN_MAX = 128 };

/* What the peer has sent. */
struct qcd_token {
	uint8_t n;
	uint8_t b[];
};

/* Our token for these SPIs, and this way to the peer. IKE_E_CONFIG: we make none. IKE_E_CRYPTO. */
IKE_CHECKED enum ike_err qcd_make(const struct ike *ike, const uint8_t spi_i[IKE_SPI_LEN], const uint8_t spi_r[IKE_SPI_LEN],
				  const struct ip_path *path, struct secret *out);
/* N(QCD_TOKEN) of this SA into a message that its keys protect, or those of the one that it replaces; nothing if we make none. */
void qcd_write(const struct ike_sa *sa, struct msg_wr *m);
/* Keep the peer's for this SA, if one came in such a message. Without memory it is as if none had come. */
void qcd_take(struct ike_sa *sa, const struct msg_chain *chain);
/* Does the peer's token for this SA stand in clear here? */
bool qcd_proves(const struct ike_sa *sa, const struct msg_chain *chain);

#endif
