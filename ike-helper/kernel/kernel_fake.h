/* kernel_fake.h - looking into the kernel in memory, and arranging what it meets: for tests, simulation and benchmarks.
 * Opening and fail_at are in kernel.h. Every function is for the fake only.
 */
#ifndef OE_KERNEL_KERNEL_FAKE_H
#define OE_KERNEL_KERNEL_FAKE_H

#include <stddef.h>

#include "kernel/kernel.h"

/* What would become of a packet that is neither exempt nor IKE's. */
enum kernel_fate {
	FATE_CLEAR,                 /* no policy: it passes as it is */
	FATE_ESP,                   /* out: leaves encrypted. in: accepted if it came as ESP, dropped in clear */
	FATE_DROP,                  /* a policy, and no SA for it */
	FATE_FOREIGN,               /* somebody else's policy decides */
};
enum kernel_fate kernel_fake_fate_out(const struct kernel *k, const struct ip_addr *local, const struct ip_addr *remote);
enum kernel_fate kernel_fake_fate_in(const struct kernel *k, const struct ip_addr *local, const struct ip_addr *remote);

/* SPI that a packet out would carry; 0: none. */
uint32_t kernel_fake_spi_out(const struct kernel *k, const struct ip_addr *local, const struct ip_addr *remote);
/* Would a packet with this SPI, between these two, be taken? */
bool kernel_fake_accepts(const struct kernel *k, const struct ip_addr *local, const struct ip_addr *remote,
			 uint32_t spi_in);

struct kernel_fake_counts {
	unsigned sas, policies, exemptions;     /* ours */
	unsigned foreign_sas, foreign_policies;
};
void kernel_fake_count(const struct kernel *k, struct kernel_fake_counts *out);

/* Do a and b hold the two ends of one SA pair: a's SA out is b's SA in with the same suite and keys, and the reverse? */
bool kernel_fake_pair(const struct kernel *a, const struct kernel *b, const struct ip_addr *addr_a,
		      const struct ip_addr *addr_b);

/* The whole content as text, a line an object, sorted, without keys; at most max bytes with the NUL, returns to. Two equal
 * texts are two equal states. */
const char *kernel_fake_describe(const struct kernel *k, char *to, size_t max);

/* Called after each single step, also those that undo: for invariants that must hold at every moment. NULL: none. */
void kernel_fake_watch(struct kernel *k, void (*step_done)(void *arg, const struct kernel *k), void *arg);
/* Single steps and lookups so far, as kernel_fake_fail_at() counts them (from the moment it was called). */
unsigned kernel_fake_steps(const struct kernel *k);

/* Somebody else's objects. */
IKE_CHECKED enum ike_err kernel_fake_foreign_policy(struct kernel *k, bool in, const struct ip_addr *local,
						    const struct ip_addr *remote);
IKE_CHECKED enum ike_err kernel_fake_foreign_sa(struct kernel *k, bool in, const struct ip_addr *local,
						const struct ip_addr *remote, uint32_t spi);
/* What a packet out without an SA leaves behind: a larval SA and an acquire event. IKE_E_STATE: it would not. */
IKE_CHECKED enum ike_err kernel_fake_acquire(struct kernel *k, const struct ip_addr *local, const struct ip_addr *remote);
/* The SA with this SPI reaches a limit; the hard one removes it. IKE_E_STATE: there is none. */
IKE_CHECKED enum ike_err kernel_fake_expire(struct kernel *k, uint32_t spi, bool hard);
/* Somebody deletes every policy, every SA of this machine: kernel_guard() finds that out. */
void kernel_fake_flush(struct kernel *k, bool policies, bool sas);
/* Or one policy; local: IP_NONE in a shield. IKE_E_STATE: there is none. */
IKE_CHECKED enum ike_err kernel_fake_lose_policy(struct kernel *k, bool in, const struct ip_addr *local,
						 const struct ip_addr *remote);
/* What kernel_traffic() reports for an SA pair of this reqid. */
void kernel_fake_set_traffic(struct kernel *k, uint32_t reqid, const struct sa_traffic *traffic);
/* This kernel has no such cipher (enum ike_encr); 0: no ESP at all for this family. */
void kernel_fake_without(struct kernel *k, uint16_t encr, enum ip_family family);

#endif
