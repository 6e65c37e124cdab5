/* judge.h - what the process that parses the network may ask of the kernel. Pure.
 *
 * Whoever takes that process over can ask for anything. So the kernel's process keeps books of its own, which the other one
 * cannot write into: for which addresses the resolver has asked (it reads the resolver's socket itself), and which of our reqids
 * protects what. A request that they do not account for is refused.
 *
 *	PROTECT           the packets are for an address that the resolver has asked for lately, or that is protected since it did. Or
 *	                  they are a client's, if this host serves clients: without a shield, and so many of them at once
 *	                  at most. The local end is an address of this host, or one that only lives inside of tunnels; where the tunnel
 *	                  is of another family than the packets, both have an address of this host
 *	ADD_SAS, REMAP    the reqid protects something
 *	PASS              to an address that is protected since the resolver asked, from one that is certainly somebody else's
 *	all others        take away what is ours by its reqid (plan.h)
 *
 * It does not judge when a protection may end: that is for tunnel/ to know.
 */
#ifndef OE_KERNEL_JUDGE_H
#define OE_KERNEL_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "ike/kernel_req.h"

struct judge;

/* How long an address counts as asked for: the longest deadline and the longest attempt that oe.conf allows, and some. */
enum { JUDGE_ASKED_MS = 300000 };

struct judge_config {
	unsigned asked_max;         /* addresses remembered, those with a protection among them */
	unsigned clients_max;       /* protections for addresses that nobody asked for; 0: this host serves no clients */
	/* Addresses that this host assigns to clients: first to first + n - 1; IP_NONE: none. */
	struct ip_addr pool_v4, pool_v6;
	uint32_t pool_v4_size, pool_v6_size;
	/* What the routing table says now, as in daemon/route.h. */
	void *arg;
	bool (*is_own)(void *arg, const struct ip_addr *a);
	bool (*is_behind)(void *arg, const struct ip_addr *a);
};

/* IKE_E_NOMEM. config is copied. */
IKE_CHECKED enum ike_err judge_new(const struct judge_config *config, struct judge **out);
void judge_free(struct judge *j);       /* NULL is fine */

/* The resolver asks for this address. That counts until the last protection that came of it is released. When all that are remembered are protected, it is not: PROTECT will be refused. */
void judge_asked(struct judge *j, const struct ip_addr *address, uint64_t now_ms);

/* May it be carried out? *why (static) says why not. IKE_E_SYNTAX: no request that the core makes. IKE_E_REFUSED: not for this
 * address. IKE_E_LIMIT: no more clients. */
IKE_CHECKED enum ike_err judge_request(struct judge *j, const struct kernel_request *r, uint64_t now_ms, const char **why);
/* It was, and has come about. */
void judge_note(struct judge *j, const struct kernel_request *r, uint64_t now_ms);

/* Is it asked for, lately or since it has been protected? */
bool judge_is_asked(const struct judge *j, const struct ip_addr *address, uint64_t now_ms);
/* May a host or client be reached by this inner address: is it of those that only live inside of tunnels, or of our pool? */
bool judge_is_inner(const struct ip_addr *address);
bool judge_is_pool(const struct judge *j, const struct ip_addr *address);

struct judge_counts {
	unsigned asked;             /* addresses remembered */
	unsigned pairs, clients;    /* reqids with a protection, and how many of them nobody asked for */
};
struct judge_counts judge_counts(const struct judge *j);

#endif
