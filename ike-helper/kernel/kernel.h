/* kernel.h - carries out the requests of ike/kernel_req.h. Three backends with one contract: XFRM through netlink, one in memory for
 * tests and for measuring the daemon without a kernel, and one that has them carried out by another process (far.h).
 *
 * plan.c turns a request into single steps and undoes them on failure, the same for both backends, so that a failure
 * injected at any step of the one in memory tells about the other.
 */
#ifndef OE_KERNEL_KERNEL_H
#define OE_KERNEL_KERNEL_H

#include "base/addr.h"
#include "base/err.h"
#include "base/log.h"
#include "ike/kernel_req.h"

struct kernel;

/* Open the XFRM backend: needs CAP_NET_ADMIN. IKE_E_IO: netlink is not usable (*why says how). Of what an earlier run of
 * ours left (SAs and policies with a reqid of our range, and nothing else), SAs are removed and policies become orphans
 * (ike/kernel_req.h): a helper that was killed opens no cleartext window when it starts again. */
IKE_CHECKED enum ike_err kernel_xfrm_open(const struct log *log, struct kernel **out, const char **why);

/* The one in memory. fail_at: the n-th step fails with IKE_E_KERNEL (counted from 1; 0 = none). */
IKE_CHECKED enum ike_err kernel_fake_open(const struct log *log, struct kernel **out);
void kernel_fake_fail_at(struct kernel *k, unsigned step);
/* Let it tell how long SAs are idle: since they were installed, as no packet ever comes. Without a clock they never are. */
void kernel_fake_clock(struct kernel *k, uint64_t (*now_ms)(void));

/* Removes every SA and policy of ours, the exemptions last, and closes. */
void kernel_close(struct kernel *k);
/* Closes and leaves everything in place, as a killed process does. */
void kernel_leave(struct kernel *k);

/* Can this kernel do ESP with at least one of our ciphers? Tries each with a throw-away SA; *suites receives a bit set by
 * index in the list of kernel_suites(). IKE_E_UNSUPPORTED: none; *why (static) says what is missing and what to do. */
IKE_CHECKED enum ike_err kernel_check_esp(struct kernel *k, uint32_t *suites, const char **why);
const struct esp_suite *kernel_suites(unsigned *n);

/* Policies that let through, in both directions and at a higher priority than any of ours: ICMPv6 133-137 (ND), DHCP, DHCPv6, NTP,
 * DNS (ports 53 and 853 of other hosts), multicast, broadcast, loopback; serves: also our own ports of DNS and NTP, which others ask in
 * clear. IKE's own sockets carry a bypass policy of their own. */
IKE_CHECKED enum ike_err kernel_install_exemptions(struct kernel *k, bool serves);

/* Carry out one request; keys in it are the caller's to wipe. IKE_E_KERNEL, IKE_E_CONFLICT: nothing changed. */
IKE_CHECKED enum ike_err kernel_apply(struct kernel *k, const struct kernel_request *request);

/* As tunnel_env.traffic. Linux before 6.2 does not tell when an SA was last used: there the idle times are seen from one
 * call to the next, the first call says 0, and later ones are as exact as they are frequent. */
enum ike_err kernel_traffic(struct kernel *k, uint32_t reqid, uint32_t spi_in, uint32_t spi_out, const struct ip_addr *local,
			    const struct ip_addr *remote, struct sa_traffic *out);

/* Events of the kernel about our reqids: call kernel_next_event when the descriptor is readable; -1 for the fake. */
enum kernel_event_kind { KERNEL_EV_ACQUIRE, KERNEL_EV_SOFT_EXPIRE, KERNEL_EV_HARD_EXPIRE, KERNEL_EV_MAPPING };
struct kernel_event {
	enum kernel_event_kind kind;
	uint32_t reqid;
	uint32_t spi;               /* of an expired SA; MAPPING: of the SA in */
	struct ip_endpoint from;        /* MAPPING: an authentic packet in UDP came from here, and not from where the SA says */
	struct ip_addr local, remote;   /* of the packet that made an acquire; local need not be ours: it may be forwarded */
};
int kernel_event_fd(const struct kernel *k);
/* Next event; false when there is none (never blocks). Lost events (socket overrun) are not an error: liveness finds out. */
bool kernel_next_event(struct kernel *k, struct kernel_event *out);

/* Others can delete what is ours: `ip xfrm policy flush`, the scripts of another IKE daemon. */
enum { KERNEL_LOST_SAS_MAX = 32 };
struct kernel_lost_sas {
	bool all;                   /* any may be gone; otherwise these: */
	unsigned n;
	struct {
		uint32_t reqid, spi;
	} sa[KERNEL_LOST_SAS_MAX];
};
struct kernel_losses {
	unsigned policies;          /* that were missing and are there again */
	struct kernel_lost_sas sas;     /* nobody has their keys any more: they are for tunnel/ to replace */
};
/* Readable when others have deleted something of ours, at once; our own deletions do not count. -1: the fake. */
int kernel_guard_fd(const struct kernel *k);
/* Puts back every policy that others have removed, before it tells. Where the kernel has told too much to keep (socket overrun) all are.
 * IKE_E_KERNEL: some could not be: call again soon. */
IKE_CHECKED enum ike_err kernel_guard(struct kernel *k, struct kernel_losses *out);

/* Per-socket bypass for IKE (in and out), UDP_ENCAP for the NAT-T port. IKE_E_KERNEL: errno says why. */
IKE_CHECKED enum ike_err kernel_socket_bypass(int fd, enum ip_family family);
IKE_CHECKED enum ike_err kernel_socket_encap(int fd);

#endif
