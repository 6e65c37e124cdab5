/*
 * unbound-module/oe_request.c - from an answer to what the helper is asked.
 */

/**
 * \file
 * Targets: names with addresses to protect.
 */

#include "ub_compat.h"
#include "oe_gateway.h"
#include "oe_request.h"

/** SvcParamKeys of the address hints, RFC 9460 14.3.2 */
#define OE_SVCPARAM_IPV4HINT 4
#define OE_SVCPARAM_IPV6HINT 6

int
oe_type_is_address(uint16_t type)
{
	return type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA ||
		type == LDNS_RR_TYPE_HTTPS || type == LDNS_RR_TYPE_SVCB;
}

/** the owner of an rrset; 0 if it is not a name */
static int
rrset_owner(struct ub_packed_rrset_key* rrset, struct dnsname* owner)
{
	struct rd r = rd_over(span_of(rrset->rk.dname, rrset->rk.dname_len));
	return dnsname_read(&r, owner) == IKE_OK;
}

/** find the target of a name, make it if it is new; NULL if one too many */
static struct oe_target*
target_get(struct oe_target** list, struct regional* region,
	const struct dnsname* owner, uint16_t dclass, int foreign)
{
	struct oe_target* t;
	int n = 0;
	for(t = *list; t; t = t->next) {
		if(t->dclass == dclass && dnsname_equal(&t->owner, owner)) {
			if(!foreign)
				t->foreign = 0;
			return t;
		}
		n++;
	}
	if(n >= OE_TARGETS_MAX)
		return NULL;
	t = (struct oe_target*)regional_alloc_zero(region, sizeof(*t));
	if(!t)
		return NULL;
	t->owner = *owner;
	t->asked = t->owner.b;
	t->asked_len = t->owner.n;
	t->dclass = dclass;
	t->foreign = foreign;
	t->kind = RP_ALLOW;
	t->next = *list;
	*list = t;
	return t;
}

/** add an address, once, if there is room; what is wrong, or REASON_NONE */
static enum rp_reason
target_add_address(struct oe_target* target, struct span bytes)
{
	struct ip_addr address;
	unsigned i;
	if(ip_from_bytes(bytes, &address) != IKE_OK)
		return REASON_RECORD_MALFORMED;
	for(i = 0; i < target->n_addresses; i++)
		if(ip_equal(&target->addresses[i], &address))
			return REASON_NONE;
	if(target->n_addresses < RP_ADDRESSES_MAX)
		target->addresses[target->n_addresses++] = address;
	else	target->too_many = 1;
	return REASON_NONE;
}

/** RDATA of one RR, without the length in front of it */
static struct span
rr_rdata(struct packed_rrset_data* d, size_t i)
{
	return span_of(d->rr_data[i] + 2, d->rr_len[i] - 2);
}

/** the addresses of an A or AAAA rrset; what is wrong, or REASON_NONE */
static enum rp_reason
find_in_addresses(struct ub_packed_rrset_key* rrset, struct regional* region,
	struct oe_target** list)
{
	struct packed_rrset_data* d =
		(struct packed_rrset_data*)rrset->entry.data;
	struct dnsname owner;
	struct oe_target* t;
	enum rp_reason wrong = REASON_NONE;
	size_t i;
	if(!rrset_owner(rrset, &owner) || !(t = target_get(list, region,
		&owner, ntohs(rrset->rk.rrset_class), 0)))
		return REASON_TOO_MANY_RECORDS;
	for(i = 0; i < d->count && wrong == REASON_NONE; i++)
		wrong = target_add_address(t, rr_rdata(d, i));
	return wrong;
}

/** the hints in one HTTPS or SVCB record, RFC 9460 2.2; what is wrong, or
 * REASON_NONE */
static enum rp_reason
find_in_svcb(struct ub_packed_rrset_key* rrset, struct span rdata,
	struct regional* region, struct oe_target** list)
{
	struct rd r = rd_over(rdata);
	struct dnsname owner, name;
	uint16_t priority = rd_u16(&r);
	enum rp_reason wrong = REASON_NONE;
	int foreign;
	if(!rrset_owner(rrset, &owner) || dnsname_read(&r, &name) != IKE_OK)
		return REASON_RECORD_MALFORMED;
	if(priority == 0)
		return REASON_NONE; /* AliasMode: has no parameters (2.4.2) */
	/* TargetName "." is the owner itself (2.5.2) */
	foreign = name.n > 1 && !dnsname_equal(&name, &owner);
	while(rd_left(&r) > 0) {
		uint16_t key = rd_u16(&r);
		uint16_t len = rd_u16(&r);
		struct rd value = rd_sub(&r, len);
		size_t size = key == OE_SVCPARAM_IPV4HINT ? 4 : 16;
		struct oe_target* t;
		if(key != OE_SVCPARAM_IPV4HINT && key != OE_SVCPARAM_IPV6HINT)
			continue;
		t = target_get(list, region, foreign ? &name : &owner,
			ntohs(rrset->rk.rrset_class), foreign);
		if(!t)
			return REASON_TOO_MANY_RECORDS;
		while(rd_left(&value) > 0 && wrong == REASON_NONE)
			wrong = target_add_address(t, rd_bytes(&value, size));
		if(wrong != REASON_NONE)
			return wrong;
	}
	return rd_done(&r) ? REASON_NONE : REASON_RECORD_MALFORMED;
}

int
oe_targets_find(struct reply_info* rep, struct regional* region,
	struct oe_target** list, enum rp_reason* reason)
{
	size_t i, j;
	*list = NULL;
	*reason = REASON_NONE;
	for(i = 0; i < rep->an_numrrsets; i++) {
		struct ub_packed_rrset_key* rrset = rep->rrsets[i];
		struct packed_rrset_data* d =
			(struct packed_rrset_data*)rrset->entry.data;
		uint16_t type = ntohs(rrset->rk.type);
		if(type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA) {
			*reason = find_in_addresses(rrset, region, list);
			if(*reason != REASON_NONE)
				return 0;
			continue;
		}
		if(!oe_type_is_address(type))
			continue;
		for(j = 0; j < d->count; j++) {
			*reason = find_in_svcb(rrset, rr_rdata(d, j), region,
				list);
			if(*reason != REASON_NONE)
				return 0;
		}
	}
	return 1;
}

struct oe_target*
oe_targets_owner(struct oe_target* list, struct ub_packed_rrset_key* rrset)
{
	struct oe_target* t;
	for(t = list; t; t = t->next)
		if(query_dname_compare(t->owner.b, rrset->rk.dname) == 0)
			return t;
	return NULL;
}

/** the lookup failed, for this reason */
static void
keys_failed(struct oe_target* target, enum rp_reason reason,
	const char* detail)
{
	target->keys_status = oe_keys_failed;
	target->reason = reason;
	snprintf(target->detail, sizeof(target->detail), "%s", detail);
}

/** copy the records of a validated rrset */
static void
keys_copy(struct oe_target* target, struct ub_packed_rrset_key* rrset,
	struct regional* region)
{
	struct packed_rrset_data* d =
		(struct packed_rrset_data*)rrset->entry.data;
	size_t i;
	if(d->count > RP_KEYS_MAX) {
		keys_failed(target, REASON_TOO_MANY_RECORDS, "");
		return;
	}
	for(i = 0; i < d->count; i++) {
		struct span rdata = rr_rdata(d, i);
		void* copy = regional_alloc_init(region, rdata.p, rdata.n);
		if(!copy) {
			keys_failed(target, REASON_INTERNAL, "out of memory");
			return;
		}
		target->keys[i] = span_of(copy, rdata.n);
	}
	target->n_keys = (unsigned)d->count;
	target->keys_ttl = d->ttl;
	target->keys_status = oe_keys_found;
}

/** the IPSECKEY rrset in the answer section, or NULL */
static struct ub_packed_rrset_key*
ipseckey_rrset(struct reply_info* rep)
{
	size_t i;
	for(i = 0; i < rep->an_numrrsets; i++)
		if(ntohs(rep->rrsets[i]->rk.type) == LDNS_RR_TYPE_IPSECKEY)
			return rep->rrsets[i];
	return NULL;
}

/** take a validated answer to the IPSECKEY lookup */
static void
take_secure(struct oe_target* target, struct reply_info* rep,
	struct regional* region)
{
	struct ub_packed_rrset_key* rrset = ipseckey_rrset(rep);
	int rcode = (int)FLAGS_GET_RCODE(rep->flags);
	if(rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN) {
		keys_failed(target, REASON_KEY_LOOKUP_FAILED, "");
		return;
	}
	if(rrset && (target->foreign || query_dname_compare(rrset->rk.dname,
		target->owner.b) == 0)) {
		keys_copy(target, rrset, region);
		return;
	}
	/* The owner of addresses has no alias (RFC 1034 3.6.2); a zone that
	 * says so in one answer and not in the other proves nothing. */
	if(rep->an_numrrsets > 0 && !target->foreign &&
		target->asked == target->owner.b) {
		keys_failed(target, REASON_KEY_LOOKUP_FAILED,
			"the name is an alias for IPSECKEY only");
		return;
	}
	target->keys_status = oe_keys_none;
}

/** does the alias chain of an answer end at the owner of the addresses */
static int
chain_ends_at_owner(struct oe_target* target, struct reply_info* rep)
{
	uint8_t* name = target->asked;
	size_t i, len = target->asked_len;
	for(i = 0; i < rep->an_numrrsets; i++)
		if(ntohs(rep->rrsets[i]->rk.type) == LDNS_RR_TYPE_CNAME &&
			query_dname_compare(rep->rrsets[i]->rk.dname, name)
			== 0)
			get_cname_target(rep->rrsets[i], &name, &len);
	return query_dname_compare(name, target->owner.b) == 0;
}

/** take the outcome for one target */
static void
take_keys(struct oe_target* target, struct module_qstate* sub,
	struct regional* region)
{
	struct reply_info* rep = sub->return_rcode == LDNS_RCODE_NOERROR &&
		sub->return_msg ? sub->return_msg->rep : NULL;
	if(target->asked != target->owner.b && (!rep ||
		rep->security != sec_status_secure ||
		!chain_ends_at_owner(target, rep))) {
		target->keys_status = oe_keys_elsewhere;
		return;
	}
	if(!rep) {
		keys_failed(target, REASON_KEY_LOOKUP_FAILED, "");
		return;
	}
	/* a bogus answer comes with rcode NOERROR */
	if(rep->security == sec_status_bogus) {
		keys_failed(target, REASON_KEY_BOGUS, "");
		return;
	}
	if(rep->security == sec_status_secure) {
		take_secure(target, rep, region);
		return;
	}
	/* In the zone of a secure address only a secure answer counts.
	 * Insecure happens there for a denial that the validator gives up on
	 * (NSEC3 with too many iterations, RFC 9276 3.2), and anybody on the
	 * way could send one of those. */
	if(target->foreign)
		target->keys_status = oe_keys_none;
	else	keys_failed(target, REASON_KEY_LOOKUP_FAILED,
			"the zone is signed, but this answer is not secure");
}

void
oe_targets_take_keys(struct oe_target* list, struct module_qstate* sub,
	struct regional* region)
{
	struct oe_target* t;
	for(t = list; t; t = t->next)
		if(t->keys_status == oe_keys_unknown &&
			t->dclass == sub->qinfo.qclass &&
			query_dname_compare(t->asked, sub->qinfo.qname) == 0)
			take_keys(t, sub, region);
}

void
oe_target_request(struct oe_target* target, time_t ttl, int deadline_ms,
	struct rp_establish* ask)
{
	memset(ask, 0, sizeof(*ask));
	ask->owner = target->owner;
	memcpy(ask->addresses, target->addresses, sizeof(ask->addresses));
	ask->n_addresses = target->n_addresses;
	memcpy(ask->keys, target->keys, sizeof(ask->keys));
	ask->n_keys = target->n_keys;
	oe_gateways_report(target, ask);
	if(target->keys_ttl < ttl)
		ttl = target->keys_ttl;
	ask->ttl_s = ttl > 0 ? (uint32_t)ttl : 0;
	ask->deadline_ms = (uint32_t)deadline_ms;
}

void
oe_target_take_verdict(struct oe_target* target,
	const struct rp_verdict* verdict)
{
	unsigned i;
	target->kind = verdict->kind;
	target->reason = verdict->reason;
	target->ttl_cap = (time_t)verdict->ttl_cap_s;
	target->n_refused = 0;
	memset(target->refused, 0, sizeof(target->refused));
	snprintf(target->detail, sizeof(target->detail), "%.*s",
		(int)verdict->reason_text.n,
		verdict->reason_text.n ? (const char*)verdict->reason_text.p :
		"");
	if(verdict->kind != RP_ALLOW)
		return;
	if(verdict->n_addresses != target->n_addresses) {
		target->kind = RP_REFUSE;
		target->reason = REASON_HELPER_BROKEN;
		return;
	}
	for(i = 0; i < target->n_addresses; i++) {
		if(verdict->address[i].allowed)
			continue;
		target->refused[i] = 1;
		target->n_refused++;
		target->reason = verdict->address[i].reason;
	}
	if(target->n_refused == target->n_addresses)
		target->kind = RP_REFUSE;
}
