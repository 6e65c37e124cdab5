/* rekey.h - what rekeying of the CHILD SA and of the IKE SA have in common. */
#ifndef OE_IKE_REKEY_H
#define OE_IKE_REKEY_H

#include "ike/steps.h"

enum { REKEY_TRIES_MAX = 6 };

/* Begin: sa->rekey with a nonce and a key pair of this group. On failure there is none. */
IKE_CHECKED enum ike_err rekey_begin(struct ike_sa *sa, uint16_t group);
/* Which group an INVALID_KE_PAYLOAD asks for; 0: that is not to be had, because it is not in what we offered, is the one that we
 * have sent, or the peer has had its way too often. */
uint16_t rekey_group_wanted(const struct ike_sa *sa, const struct stimulus *s, const struct offer *offer);
/* The request is over; another key pair of the group that is wanted. The caller sends it anew. */
IKE_CHECKED enum ike_err rekey_take_group(struct ike_sa *sa, const struct stimulus *s, const struct offer *offer);
/* What the KE payload of the answer gives with ours, when this is the group that the peer has chosen; 0: none, and our KE payload was for
 * nothing. */
IKE_CHECKED enum ike_err rekey_read_shared(const struct ike_sa *sa, const struct stimulus *s, uint16_t group, struct dh_shared *out);
/* Answer with this. IKE_E_SYNTAX: so it was, and since it is INVALID_SYNTAX the IKE SA is over at both ends (RFC 7296 2.21.3). */
IKE_CHECKED enum ike_err rekey_refuse(struct ike_sa *sa, const struct stimulus *s, uint16_t notify, struct span value);
/* When to try again after TEMPORARY_FAILURE: not at the moment at which the other end tries again too. */
uint64_t rekey_again_ms(struct ike_sa *sa, uint64_t now_ms);
/* One end has moved: the pair that we send with is for where it was, or the peer may think so. Ask for another one then, also if the peer
 * is making one. */
void rekey_child_after_move(struct ike_sa *sa, uint64_t at_ms);

/* The lower one: octet by octet; what is a beginning of the other one is the lower (RFC 7296 2.8). */
struct span nonce_lower(struct span a, struct span b);

/* The peer has made something for the same purpose, by an exchange with these nonces. */
void rekey_remember_rival(struct rekey *rk, struct span ni, struct span nr);
/* RFC 7296 2.8.1, 2.8.2: of the two exchanges the one with the lowest of the four nonces was for nothing. Is that the peer's? nr: of
 * the answer to ours. Without a rival, yes. */
bool rekey_ours_stays(const struct rekey *rk, struct span nr);

#endif
