/* ts.h - traffic selectors, host to host only: one address at each end, every protocol, every port (RFC 7296 2.9).
 *
 * Behind a NAT the two ends know different addresses for the same host. In transport mode each end reads the selector of an
 * end behind a NAT as the address that it knows for it itself, the one of the path (RFC 7296 2.23.1): the initiator asks for what
 * it sees, and the answer may have another one. In tunnel mode the selectors are the addresses inside, whatever the NAT does to
 * those outside.
 *
 * The RFC has the responder answer with what it sees. We answer with what the initiator sees: one that does as the RFC says puts
 * its own address in the place of either, and libreswan 4.10 takes only the one that it sent.
 *
 * What somebody on the path gains by that: nothing. He can always be a NAT, and so have any selector of one address read as the
 * address of the path; but that address, exactly one, is all that it can be read as. The kernel gets the addresses of the path
 * and never those of a selector, and which these are we know without the peer: where our packets go to and come from. They go
 * encrypted to whoever has proved its key, with or without a NAT.
 */
#ifndef OE_IKE_TS_H
#define OE_IKE_TS_H

#include "base/addr.h"
#include "base/err.h"
#include "wire/payloads.h"

/* The selector of one host. */
struct pl_selector ts_host(const struct ip_addr *a);
/* All addresses of this family: our end, when the host is to assign an address (RFC 7296 2.19). */
struct pl_selector ts_any(enum ip_family family);

/* Selectors for an answer. */
struct ts_pair {
	struct pl_selector i, r;
};

/* How we see the two ends. */
struct ts_ends {
	struct ip_addr peer, us;            /* addresses of the path; in tunnel mode those inside */
	bool peer_behind_nat, us_behind_nat;        /* NAT detection says so; false in tunnel mode */
};

/* Responder: narrow TSi to the peer and TSr to us. Each list must have a selector for any protocol and any port
 * that contains that address. Of an end behind a NAT one of exactly one address of the same family will do, too (the
 * first such one), and is what goes into the answer; what is granted are the addresses in ends.
 * IKE_E_SYNTAX: malformed. IKE_E_NO_PROPOSAL: TS_UNACCEPTABLE. *out is zero on failure. */
IKE_CHECKED enum ike_err ts_narrow(struct span tsi_body, struct span tsr_body, const struct ts_ends *ends, struct ts_pair *out);

/* Initiator, who asked for ts_host(us) and ts_host(peer): the answer must hold both, and nothing outside of them. The list of an
 * end behind a NAT may be about another address of the same family instead, about one only: the host's own name for that end.
 * IKE_E_SYNTAX: malformed. IKE_E_NO_PROPOSAL: narrower (some packets would not be protected) or wider (traffic that is
 * not this host's): delete the CHILD SA, fail. */
IKE_CHECKED enum ike_err ts_check_answer(struct span tsi_body, struct span tsr_body, const struct ts_ends *ends);

#endif
