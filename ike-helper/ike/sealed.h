/* sealed.h - protected messages: inner payloads to datagrams and back, in one SK or in SKF
 * fragments (RFC 7383). */
#ifndef OE_IKE_SEALED_H
#define OE_IKE_SEALED_H

#include "ike/sa.h"

/* The header of a message of ours; its length and next payload are not set. */
struct ike_hdr sealed_header(const struct ike_sa *sa, uint8_t exchange, uint32_t message_id, bool response);

/* Seal inner (first: type of its first payload) into one datagram, or into fragments when that
 * would be longer than datagram_max and both sides can. IKE_E_NOSPACE: too long even so.
 * IKE_E_NOMEM, IKE_E_CRYPTO. out: a chain with one reference. */
IKE_CHECKED enum ike_err sealed_make(struct ike_sa *sa, uint8_t exchange, uint32_t message_id,
				     bool response, uint8_t first, struct span inner,
				     const struct ip_path *path, struct packet **out);

/* The inside of a protected message, as the AUTH of RFC 9242 3.3.2 covers it. */
struct sealed_text {
	uint8_t first;              /* type of the first payload */
	uint8_t reserved;           /* critical bit and RESERVED of SK; of SKF in the first fragment */
	struct span payloads;       /* without padding */
};

/* Check and decrypt one datagram of the peer, whose payloads outside are outer. plain: at least
 * as long as the datagram. IKE_OK: the whole message is there, in *text and its payloads in
 * *inner (views into plain or into sa->frags: valid until these change). IKE_E_STATE: nothing to do: a
 * fragment, and others are missing; or a copy. Nothing changes but the fragments collected.
 * IKE_E_INTEGRITY: drop it, nothing changed. IKE_E_SYNTAX: authentic, but its inside is
 * malformed. */
IKE_CHECKED enum ike_err sealed_open(struct ike_sa *sa, const struct ike_hdr *hdr,
				     struct span datagram, const struct msg_chain *outer,
				     uint8_t *plain, size_t max, struct msg_chain *inner,
				     struct sealed_text *text);

/* Is this an authentic copy of a message that was handled before, and worth repeating the
 * answer? Of fragments only the first is (RFC 7383 2.6.1). Changes nothing. */
bool sealed_is_authentic(const struct ike_sa *sa, const struct ike_hdr *hdr, struct span datagram,
			 const struct msg_chain *outer, uint8_t *plain, size_t max);

#endif
