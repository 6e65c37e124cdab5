/* ts.h - traffic selectors, host to host only: one address at each end, every protocol, every port (RFC 7296 2.9).
 *
 * Behind a NAT the two ends know different addresses for the same host. In transport mode the selectors on the wire
 * are what the initiator sees; the responder translates them (RFC 7296 2.23.1) and puts them back into its answer.
 * The kernel then gets the addresses of the path, not those of the selectors. In tunnel mode the selectors are the
 * addresses inside, whatever the NAT does to those outside.
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

/* How the responder sees the two ends. */
struct ts_ends {
	struct ip_addr peer, us;            /* addresses of the datagram */
	bool peer_behind_nat, us_behind_nat;
};

/* Responder: narrow TSi to the peer and TSr to us. Each list must have a selector for any protocol and any port
 * that contains that address. Behind a NAT a selector of exactly one address of the same family stands for it as well
 * (the first such one), and is what goes into the answer.
 * IKE_E_SYNTAX: malformed. IKE_E_NO_PROPOSAL: TS_UNACCEPTABLE. *out is zero on failure. */
IKE_CHECKED enum ike_err ts_narrow(struct span tsi_body, struct span tsr_body, const struct ts_ends *ends, struct ts_pair *out);

/* Initiator: the answer must hold ts_host(local) and ts_host(remote), and nothing outside of them. local: our own address,
 * or the one that the host assigned.
 * IKE_E_SYNTAX: malformed. IKE_E_NO_PROPOSAL: narrower (some packets would not be protected) or wider (traffic that is
 * not this host's): delete the CHILD SA, fail. */
IKE_CHECKED enum ike_err ts_check_answer(struct span tsi_body, struct span tsr_body,
					 const struct ip_addr *local, const struct ip_addr *remote);

#endif
