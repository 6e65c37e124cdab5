/* kernel_req.h - what the pure layers ask of the kernel: flat values, without pointers, so that they can cross a process
 * boundary and be checked on the other side. kernel/ carries them out; ike/ and tunnel/ make them.
 *
 * The life of a policy is not the life of an SA. KERNEL_PROTECT installs SAs and policies together, rekeying (KERNEL_ADD_SAS)
 * changes SAs alone, and no request of the IKE core can remove a policy: KERNEL_DELETE_SAS leaves the address encrypted-or-dropped. Only tunnel/ says
 * KERNEL_UNPROTECT, when the last answer that was handed out has expired (promise 4).
 *
 * SAs, and the policies that use them, belong to a pair of addresses. What a host whose key was proved sends us, and what we
 * send it, from any other address of ours must not pass in clear either: that is what the shield of the remote address is for.
 */
#ifndef OE_IKE_KERNEL_REQ_H
#define OE_IKE_KERNEL_REQ_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "crypto/keymat.h"
#include "crypto/suite.h"

enum kernel_op {
	/* Add both SAs, then both policies (require ESP between exactly these two addresses, any protocol), in the order
	 * that never drops or leaks a packet that an earlier pair would have carried. spi_out 0: the SA in alone, beside an
	 * earlier pair that we go on to send with; its other half follows by ADD_SAS. All or nothing: on failure everything
	 * that this request added is gone again. A policy for the same addresses that is somebody else's, or ours with
	 * another reqid, is IKE_E_CONFLICT; an orphan is taken over. */
	KERNEL_PROTECT,
	/* Add the SAs whose SPI is not 0, beside those that are there; the policies are not looked at. With both: in before
	 * out. Linux sends with the newest SA of a reqid, and receives on each: the one in can be there before the peer uses it,
	 * and the one out turns our packets to the new pair. All or nothing. */
	KERNEL_ADD_SAS,
	/* Delete the SAs whose SPI is not 0. Absent ones are no error. The policies stay. */
	KERNEL_DELETE_SAS,
	/* ESP in UDP: the SAs whose SPI is not 0 have encap_remote_port at the other end from now on (its NAT has given it another one), and
	 * nothing else of them changes. Absent ones, and those with another reqid, are let be. */
	KERNEL_REMAP,
	/* Delete the policies of the address pair, and any SAs left of this reqid. Absent ones are no error. Those that PROTECT made of
	 * orphans whose time is not over become orphans again, unless for_good. */
	KERNEL_UNPROTECT,
	/* Delete the policies for the packets inside of a tunnel, and leave the SAs and the shield: the host has assigned
	 * another address, and what protects that one is in place. */
	KERNEL_RETIRE,
	/* Let packets pass from local, which is not an address of this host, to remote, whose shield they would meet: they
	 * are forwarded. One that is there is no error; a policy that protects the pair is IKE_E_CONFLICT. */
	KERNEL_PASS,
	/* The shield decides about these again. */
	KERNEL_UNPASS,
};

struct kernel_request {
	enum kernel_op op;
	uint32_t reqid;                 /* from our range, one for each address pair; names what is ours */
	struct ip_addr local, remote;   /* the two hosts: the ends of the SAs */
	/* Tunnel mode: between which addresses the packets inside go; policies are for these. inner_local is ours: local, or one
	 * that the host assigned and that lives nowhere else. inner_remote is the host's: remote; or the address of a host whose
	 * gateway remote is, with a shield; or one that we have assigned to a client, without. They may be of the other family than
	 * local and remote: then inner_remote is a host whose gateway remote is, and inner_local an address that this host has,
	 * not an assigned one. IP_NONE, both: transport mode. */
	struct ip_addr inner_local, inner_remote;
	/* PROTECT: close the remote address to all other addresses of ours too, after the pair has its policies: what has no
	 * SA of its own is dropped, and makes an acquire when it goes out. UNPROTECT: end that, before the pair loses its
	 * policies. One shield serves all pairs of a remote address. */
	bool shield;
	bool for_good;                  /* UNPROTECT: what a killed run has promised counts no more */
	uint32_t spi_in, spi_out;       /* host byte order; in: chosen by us, packets to us; 0: not this one (out of PROTECT, either one
					 * of ADD_SAS, DELETE_SAS and REMAP) */
	/* KERNEL_PROTECT and KERNEL_ADD_SAS; REMAP, without keys: */
	struct esp_suite suite;
	struct esp_keys keys_in, keys_out;
	uint16_t encap_local_port, encap_remote_port;   /* UDP encapsulation (RFC 3948); 0, 0 = none */
};

/* What an SA pair has carried, as the kernel counts it. */
struct sa_traffic {
	uint64_t bytes_in, bytes_out, packets_in, packets_out;
	uint32_t idle_in_s, idle_out_s;         /* since the last packet; since installation when there was none */
};

/* Our reqids: 0x6f000000 ... 0x6fffffff ("o"). Nothing outside this range is ever touched. */
enum { KERNEL_REQID_BASE = 0x6f000000, KERNEL_REQID_MASK = 0x00ffffff };

/* Orphans: policies that a run of ours left when it was killed. Nobody knows their keys, names and times any more, but the
 * answers that they protect are still out there (promise 4), so they stay and let nothing through, under this reqid, which
 * no request has, until their pair is protected anew, or so long that the last of those answers has expired; and again when that
 * protection ends before. */
enum { KERNEL_REQID_ORPHAN = KERNEL_REQID_BASE };

/* Of every shield: no SA has it, so nothing passes. */
enum { KERNEL_REQID_SHIELD = KERNEL_REQID_BASE + 1 };

/* No answer is promised protection for longer than this: Unbound's own cache-max-ttl. */
enum { PROMISE_MAX_S = 86400 };

#endif
