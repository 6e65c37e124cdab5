/* proof.h - who we say that we are, our signature for it, and the check of the peer's (RFC 7296 2.15; RFC 7427). Both roles:
 * each end signs its own IKE_SA_INIT message | the peer's nonce | prf(SK_p, its own identity), and IntAuth (RFC 9242 3.3.1).
 */
#ifndef OE_IKE_PROOF_H
#define OE_IKE_PROOF_H

#include "ike/steps.h"
#include "wire/payloads.h"

/* IDi or IDr of ours; value may be a view into text. */
struct own_id {
	uint8_t type;
	struct span value;
	char text[DNSNAME_TEXT_MAX];
};

/* A client that has not been asked to say its name is nobody; else our name, or the address if we have none. */
void proof_own_id(const struct ike_sa *sa, struct own_id *out);

/* Ask for the signature over our octets (OUT_SIGN), and keep what comes of it in the handshake. When it cannot be used the SA
 * is blamed for it: IKE_E_UNSUPPORTED when the peer takes no signature of our kind of key. */
IKE_CHECKED enum ike_err proof_ask(struct ike_sa *sa);
IKE_CHECKED enum ike_err proof_take(struct ike_sa *sa, const struct stimulus *s);

/* IKE_OK: the peer has signed its octets with one of keys, which is now sa->key_index. maced_id: of the peer. IKE_E_AUTH: it
 * has not, and the SA is blamed for it. Others: nothing is known. */
IKE_CHECKED enum ike_err proof_check(struct ike_sa *sa, const struct keyset *keys, const struct pl_auth *auth,
				     const struct secret *maced_id);

#endif
