/* followup.h - the additional key exchange (ML-KEM-768) of an SA that is rekeyed: IKE_FOLLOWUP_KE (RFC 9370 2.2.4). Like rekeying itself it
 * is for the CHILD SA and for the IKE SA.
 *
 *	CREATE_CHILD_SA { SA, Ni, KEi, ... }                          -->
 *	                  <--  { SA, Nr, KEr, ..., N(ADDITIONAL_KEY_EXCHANGE)(link) }      nothing is made yet
 *	IKE_FOLLOWUP_KE { KEi(1), N(ADDITIONAL_KEY_EXCHANGE)(link) }  -->
 *	                  <--  { KEr(1) }                                                  now it is
 *
 * Who asks keeps what it knows in sa->rekey, who answers in sa->due, and only for FOLLOWUP_MS. When both ask at once (RFC 7296 2.8.1, 2.8.2)
 * the one whose exchange had the lowest nonce does not go on: there is nothing to delete.
 */
#ifndef OE_IKE_FOLLOWUP_H
#define OE_IKE_FOLLOWUP_H

#include "ike/steps.h"

enum { FOLLOWUP_MS = 20000 };

/* We ask --------------------------------------------------------------------------------------- */

/* The answer to CREATE_CHILD_SA chose method: keep what the keys will be made of, and send our public key. IKE_E_SYNTAX: not a
 * method of ours, or the link is missing or too long. */
IKE_CHECKED enum ike_err followup_send(struct ike_sa *sa, const struct stimulus *s, uint16_t method, const struct dh_shared *shared,
				       struct span nr);
/* The secret of the answer to that. IKE_E_SYNTAX: it is malformed. */
IKE_CHECKED enum ike_err followup_take(const struct ike_sa *sa, const struct stimulus *s, struct secret *more);
struct span followup_nonce(const struct rekey *rk);

/* The peer asks -------------------------------------------------------------------------------- */

/* What was agreed on by its CREATE_CHILD_SA. */
struct followup {
	uint8_t link[8];
	struct child *fresh;            /* what is to be made, or */
	struct ike_sa *fresh_ike;       /* this; it does not go before it is let go of here */
	struct dh_shared shared;
	uint8_t ni[NONCE_MAX], nr[NONCE_LEN];
	size_t ni_len;
	uint64_t until_ms;
};

/* One more of the peer's takes the place of the one before. NULL without memory. */
struct followup *followup_expect(struct ike_sa *sa, const struct dh_shared *shared, struct span ni, struct span nr, uint64_t now_ms);
void followup_write_link(struct msg_wr *m, const struct followup *due);
/* It will not come any more: what was to be made is gone. Nothing if there is none. */
void followup_drop(struct ike_sa *sa);
/* Take the request: its secret, and the ciphertext for the answer. IKE_E_SYNTAX: it is malformed. */
IKE_CHECKED enum ike_err followup_receive(const struct ike_sa *sa, const struct stimulus *s, uint8_t ciphertext[KEM_CIPHERTEXT_LEN],
					  struct secret *more);

#endif
