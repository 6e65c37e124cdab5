/*
 * unbound-module/oe_request.h - from an answer to what the helper is asked.
 */

/**
 * \file
 * A target is a name with addresses that must be protected before the client
 * gets them. An A or AAAA answer has one, the owner of the address RRset. An
 * HTTPS or SVCB answer has one for each name that its address hints belong
 * to. Here targets are found in an answer, their IPSECKEY records are taken
 * from a finished lookup, and the verdict is kept for them.
 */

#ifndef OE_REQUEST_H
#define OE_REQUEST_H

#include "proto/resolver_proto.h"

struct module_qstate;
struct oe_gateways;
struct oe_job;
struct oe_qstate;
struct regional;
struct reply_info;
struct ub_packed_rrset_key;

/** Most targets of one answer. Only HTTPS and SVCB have more than one. */
#define OE_TARGETS_MAX 8

/** what is known about the IPSECKEY records of a target */
enum oe_keys {
	/** not looked up yet */
	oe_keys_unknown = 0,
	/** proven that there are none: the name is not protected */
	oe_keys_none,
	/** validated ones are here */
	oe_keys_found,
	/** not known, and not proven that there are none: fails closed */
	oe_keys_failed,
	/** an alias was asked, and its answer says nothing about the owner */
	oe_keys_elsewhere
};

/** a name and its addresses; all pointers into the region of the query */
struct oe_target {
	/** next in list */
	struct oe_target* next;
	/** the owner of the addresses, and of the IPSECKEY records */
	struct dnsname owner;
	/** where IPSECKEY is asked: the owner, or an alias of it */
	uint8_t* asked;
	/** length of asked */
	size_t asked_len;
	/** class of the address records */
	uint16_t dclass;
	/** not the owner of the answer, but a TargetName in it. Its zone may
	 * be unsigned although the answer is secure. */
	int foreign;
	/** addresses to protect */
	struct ip_addr addresses[RP_ADDRESSES_MAX];
	/** number of addresses */
	unsigned n_addresses;
	/** There are more, too many for a request: if it has keys it is
	 * refused. */
	int too_many;
	/** result of the IPSECKEY lookup */
	enum oe_keys keys_status;
	/** IPSECKEY RDATA if found */
	struct span keys[RP_KEYS_MAX];
	/** number of keys */
	unsigned n_keys;
	/** TTL of the keys, seconds */
	time_t keys_ttl;
	/** what is known about the gateways in them; NULL if none is named */
	struct oe_gateways* gateways;
	/** the query that it is for */
	struct oe_qstate* query;
	/** the request at the helper, NULL if there is none under way */
	struct oe_job* job;
	/** the verdict; allow, unless there was a reason against it */
	enum rp_verdict_kind kind;
	/** the reason if the lookup failed or the helper refused */
	enum rp_reason reason;
	/** the helper's words for it */
	char detail[RP_REASON_TEXT_MAX+1];
	/** the answer may live this long, seconds */
	time_t ttl_cap;
	/** per address: does the verdict exclude it */
	uint8_t refused[RP_ADDRESSES_MAX];
	/** number of excluded addresses */
	unsigned n_refused;
};

/** Are these records of a type that tells addresses to connect to */
int oe_type_is_address(uint16_t type);

/**
 * Find the targets in the answer section of a secure answer.
 * @param rep: the answer.
 * @param region: for the targets.
 * @param list: receives the list; empty if the answer tells no address.
 * @param reason: if it fails, why.
 * @return 0 if the answer cannot be handled: it must be refused.
 */
int oe_targets_find(struct reply_info* rep, struct regional* region,
	struct oe_target** list, enum rp_reason* reason);

/**
 * Take the outcome of a finished IPSECKEY lookup.
 * @param list: targets; keys_status, and keys or reason, are set for those
 *	that it was for.
 * @param sub: the lookup.
 * @param region: to copy keys into; the lookup is deleted soon.
 */
void oe_targets_take_keys(struct oe_target* list, struct module_qstate* sub,
	struct regional* region);

/** The target with this owner, or NULL */
struct oe_target* oe_targets_owner(struct oe_target* list,
	struct ub_packed_rrset_key* rrset);

/**
 * Make the request for a target that has keys.
 * @param target: the target.
 * @param ttl: of the answer, seconds.
 * @param deadline_ms: time left for it.
 * @param ask: receives the request, with views into the target.
 */
void oe_target_request(struct oe_target* target, time_t ttl, int deadline_ms,
	struct rp_establish* ask);

/** Keep a verdict. A verdict that does not fit the request is a refusal. */
void oe_target_take_verdict(struct oe_target* target,
	const struct rp_verdict* verdict);

#endif /* OE_REQUEST_H */
