/* choose.h - our proposals, and the choice among a peer's (RFC 7296 2.7, 3.3; RFC 5282 8). Pure functions over wire/.
 *
 * IKE:  1: {AES-GCM-256, AES-GCM-128, ChaCha20-Poly1305} x PRF SHA2-{256, 384, 512} x the group of our KE payload
 *       2: the same x groups {31, 19, 20, 14, 15}
 *       3: {AES-CBC-256} x HMAC-SHA2-256-128 x the same PRFs and groups
 *       Hybrid, before these: 1 with ML-KEM-768 as additional key exchange. So it is when an SA is rekeyed.
 * ESP:  1: the AEADs, ESN or not;  2: {AES-CBC-256} x HMAC-SHA2-256-128, ESN or not; when it is rekeyed the same two with
 *       the groups of IKE before them
 *
 * The order of transforms is our order of preference.
 */
#ifndef OE_IKE_CHOOSE_H
#define OE_IKE_CHOOSE_H

#include "base/err.h"
#include "crypto/suite.h"
#include "wire/payloads.h"

enum { OFFER_MAX = 5 };             /* proposals that we ever offer in one SA payload */

/* What we offer. Kept by the initiator until the answer has been checked against it. */
struct offer {
	struct pl_proposal proposal[OFFER_MAX];
	unsigned n;
};

/* spi: empty in IKE_SA_INIT, our new 8 byte SPI when an IKE SA is rekeyed. first_group: goes to the head of the groups
 * (the one in our KE payload); 0, or one that we do not do, leaves our own order. The set is always the whole one:
 * INVALID_KE_PAYLOAD is unauthenticated and must not make us offer less (RFC 7296 1.2). */
void offer_ike(struct offer *out, uint16_t first_group, struct span spi);
/* Put the hybrid proposal before those of offer_ike(), or of offer_esp_anew(). */
void offer_hybrid(struct offer *offer);
/* For a CHILD SA without a key exchange of its own. spi_in: host byte order. */
void offer_esp(struct offer *out, uint32_t spi_in);
/* For one that is made by CREATE_CHILD_SA, with the KE payload of first_group: with a key exchange, or as above where the
 * peer does without. */
void offer_esp_anew(struct offer *out, uint32_t spi_in, uint16_t first_group);

/* pl_sa_write(m, offer->proposal, offer->n), for symmetry. */
void offer_write(struct msg_wr *m, const struct offer *offer);

/* Is this group one that we offered? To be asked before an INVALID_KE_PAYLOAD is obeyed. */
bool offer_has_group(const struct offer *offer, uint16_t group);

struct ike_choice {
	struct ike_suite suite;
	uint8_t peer_spi[IKE_SPI_LEN];  /* the SPI in the chosen proposal; zero in IKE_SA_INIT */
	struct pl_proposal answer;      /* responder: what to send back, with our SPI put in where spi_len is 8 */
};

struct esp_choice {
	struct esp_suite suite;
	uint16_t group;                 /* of its own key exchange; 0 = none */
	uint16_t addke1;                /* additional key exchange; 0 = none */
	uint32_t peer_spi;              /* host byte order: our outbound SPI */
	struct pl_proposal answer;      /* responder: as above, without SPI: see choice_set_esp_spi() */
};

/* Responder: the first proposal of the peer that we accept, in the peer's order; inside it our own preference.
 *   ke_group: group of the peer's KE payload; taken when it is acceptable, to save a round trip. The caller compares it
 *     with out->suite.group: when they differ, answer INVALID_KE_PAYLOAD with out->suite.group.
 *   with_spi: rekeying, the proposal must carry an 8 byte SPI; otherwise it must carry none.
 * Proposals with an unknown transform type, a missing or wrong one, another protocol or too many transforms are passed
 * over; transforms with unknown attributes are never chosen (3.3.6).
 * IKE_E_SYNTAX: malformed (INVALID_SYNTAX). IKE_E_NO_PROPOSAL: nothing in common (NO_PROPOSAL_CHOSEN). */
IKE_CHECKED enum ike_err choose_ike(struct span sa_body, uint16_t ke_group, bool with_spi, struct ike_choice *out);
/* The same, and the peer and we can do an additional key exchange: a proposal may ask for ML-KEM-768, or none, as the
 * first and only one. */
IKE_CHECKED enum ike_err choose_ike_hybrid(struct span sa_body, uint16_t ke_group, bool with_spi, struct ike_choice *out);
/* The same for ESP in IKE_AUTH: SPI of 4 bytes, not one of the reserved ones below 256; a key exchange method other
 * than NONE makes a proposal unacceptable there (RFC 7296 1.2). */
IKE_CHECKED enum ike_err choose_esp(struct span sa_body, struct esp_choice *out);

/* The same in CREATE_CHILD_SA, where a key exchange is acceptable: ke_group as in choose_ike(), 0 = no KE payload, and then no
 * proposal that needs one is acceptable. */
IKE_CHECKED enum ike_err choose_esp_anew(struct span sa_body, uint16_t ke_group, struct esp_choice *out);
/* As choose_ike_hybrid(): only beside a key exchange of its own. */
IKE_CHECKED enum ike_err choose_esp_hybrid(struct span sa_body, uint16_t ke_group, struct esp_choice *out);

/* Put our own SPI into the answer. */
void choice_set_ike_spi(struct ike_choice *c, const uint8_t spi[IKE_SPI_LEN]);
void choice_set_esp_spi(struct esp_choice *c, uint32_t spi_in);

/* Initiator: the peer's answer must be exactly one proposal with a number that we offered, and exactly one transform of
 * each type of that proposal, each one that we offered there. INTEG NONE beside an AEAD and KE NONE in ESP are the
 * same as leaving them out. with_spi as above. answer is not set.
 * IKE_E_SYNTAX: malformed. IKE_E_NO_PROPOSAL: not what we offered. Either ends the exchange. */
IKE_CHECKED enum ike_err offer_check_ike(const struct offer *offer, struct span sa_body, bool with_spi,
					 struct ike_choice *out);
IKE_CHECKED enum ike_err offer_check_esp(const struct offer *offer, struct span sa_body, struct esp_choice *out);

#endif
