/*
 * unbound-module/oe_gateway.h - gateways in IPSECKEY records.
 */

/**
 * \file
 * An IPSECKEY record may name a gateway (RFC 4025 2.5). To judge that, the
 * helper has to know two more things, which are looked up here when such a
 * record is found: the validated addresses of a gateway that is given by
 * name, and whether the address's own name in the reverse tree has the same
 * record. docs/gateways.md says why. Nothing is decided here: what the
 * lookups come to is reported, and a lookup that fails is no reason to refuse.
 */

#ifndef OE_GATEWAY_H
#define OE_GATEWAY_H

#include "proto/resolver_proto.h"

struct module_qstate;
struct oe_target;
struct regional;

/** Most reverse names of one target that are looked up */
#define OE_REVERSE_MAX 8
/** Most lookups about gateways of one query */
#define OE_GATEWAY_LOOKUPS_MAX 16

/** one lookup: under way while finding is 0 */
struct oe_finding {
	/** it was begun */
	int asked;
	/** what it has come to */
	enum rp_finding finding;
};

/** a name that records of a target have as their gateway */
struct oe_gateway {
	/** the name, in lower case */
	struct dnsname name;
	/** bit i: record number i of the target has it */
	uint16_t keys;
	/** its A and its AAAA records; first the host's family, and the other
	 * one if there are none */
	struct oe_finding a, aaaa;
	/** its validated addresses */
	struct ip_addr addresses[RP_GATEWAY_ADDRESSES_MAX];
	/** number of addresses */
	unsigned n_addresses;
};

/** the reverse name of an address of a target */
struct oe_reverse {
	/** the name */
	struct dnsname name;
	/** number of the address */
	unsigned address;
	/** its IPSECKEY records */
	struct oe_finding keys;
	/** bit i: it has record number i of the target, whatever its
	 * precedence */
	uint16_t same;
};

/** what there is to know about the gateways of a target */
struct oe_gateways {
	/** names of gateways */
	struct oe_gateway names[RP_GATEWAYS_MAX];
	/** number of names */
	unsigned n_names;
	/** addresses with a gateway */
	struct oe_reverse reverse[OE_REVERSE_MAX];
	/** number of them */
	unsigned n_reverse;
	/** smallest TTL of the records that were used, seconds */
	time_t ttl;
};

/**
 * Look for gateways in the records of a target, and attach the lookups that
 * they need to the query.
 * @param qstate: the query.
 * @param id: our number in the module stack.
 * @param target: has keys.
 * @param lookups: how many were attached for this query; counted up.
 * @return 0 if out of memory.
 */
int oe_gateways_attach(struct module_qstate* qstate, int id,
	struct oe_target* target, int* lookups);

/**
 * Attach lookups for the other family's addresses of gateways that turned out
 * to have none of the host's family.
 * @param qstate: the query.
 * @param id: our number in the module stack.
 * @param target: whose gateways they are.
 * @param lookups: how many were attached for this query; counted up.
 */
void oe_gateways_attach_others(struct module_qstate* qstate, int id,
	struct oe_target* target, int* lookups);

/** Is one of the lookups for this target under way */
int oe_gateways_wait(struct oe_target* target);

/** Take the outcome of a finished lookup, for all targets of the list. */
void oe_gateways_take(struct oe_target* list, struct module_qstate* sub);

/** The time is over: what is under way is late. */
void oe_gateways_late(struct oe_target* target);

/** Add what was found to the request for a target, and let its keys live no
 * longer than that. */
void oe_gateways_report(struct oe_target* target, struct rp_establish* ask);

#endif /* OE_GATEWAY_H */
