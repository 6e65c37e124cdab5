/*
 * unbound-module/oe_answer.c - changes to answers.
 */

/**
 * \file
 * Changes to answers.
 */

#include "ub_compat.h"
#include "oe_answer.h"
#include "oe_request.h"

/** is there an address in rrsets begin to end-1 */
static int
section_has_address(struct reply_info* rep, size_t begin, size_t end)
{
	size_t i;
	for(i = begin; i < end; i++)
		if(oe_type_is_address(ntohs(rep->rrsets[i]->rk.type)))
			return 1;
	return 0;
}

int
oe_answer_has_address(struct reply_info* rep)
{
	return section_has_address(rep, 0, rep->an_numrrsets);
}

int
oe_answer_has_alias(struct reply_info* rep)
{
	size_t i;
	for(i = 0; i < rep->an_numrrsets; i++) {
		uint16_t type = ntohs(rep->rrsets[i]->rk.type);
		if(type == LDNS_RR_TYPE_CNAME || type == LDNS_RR_TYPE_DNAME)
			return 1;
	}
	return 0;
}

int
oe_answer_tells_address(struct reply_info* rep)
{
	return oe_answer_has_address(rep) || (rep->an_numrrsets > 0 &&
		section_has_address(rep, rep->an_numrrsets +
			rep->ns_numrrsets, rep->rrset_count));
}

void
oe_answer_strip_additional(struct reply_info* rep)
{
	size_t from, to = rep->an_numrrsets + rep->ns_numrrsets;
	for(from = to; from < rep->rrset_count; from++)
		if(!oe_type_is_address(ntohs(rep->rrsets[from]->rk.type)))
			rep->rrsets[to++] = rep->rrsets[from];
	rep->rrset_count = to;
	rep->ar_numrrsets = to - rep->an_numrrsets - rep->ns_numrrsets;
}

void
oe_answer_cap_ttl(struct reply_info* rep, time_t ttl)
{
	size_t i, j;
	for(i = 0; i < rep->rrset_count; i++) {
		struct packed_rrset_data* d = (struct packed_rrset_data*)
			rep->rrsets[i]->entry.data;
		if(d->ttl > ttl)
			d->ttl = ttl;
		for(j = 0; j < d->count + d->rrsig_count; j++)
			if(d->rr_ttl[j] > ttl)
				d->rr_ttl[j] = ttl;
	}
	if(rep->ttl > ttl)
		rep->ttl = ttl;
	rep->prefetch_ttl = PREFETCH_TTL_CALC(rep->ttl);
	/* never to be served stale */
	rep->serve_expired_ttl = rep->ttl;
}

/** is this RR one of the excluded addresses of its target */
static int
rr_refused(struct oe_target* target, struct packed_rrset_data* d, size_t i)
{
	struct ip_addr address;
	unsigned n;
	if(ip_from_bytes(span_of(d->rr_data[i]+2, d->rr_len[i]-2), &address)
		!= IKE_OK)
		return 1;
	for(n = 0; n < target->n_addresses; n++)
		if(ip_equal(&target->addresses[n], &address))
			return target->refused[n];
	return 1;
}

/** copy an rrset without excluded addresses and signatures; NULL if nothing
 * is left or out of memory */
static struct ub_packed_rrset_key*
rrset_leave_out(struct ub_packed_rrset_key* rrset, struct regional* region,
	struct oe_target* target)
{
	struct packed_rrset_data* d =
		(struct packed_rrset_data*)rrset->entry.data;
	struct packed_rrset_data* kept;
	struct ub_packed_rrset_key* copy;
	size_t i, n = 0, size = sizeof(*kept);
	for(i = 0; i < d->count; i++) {
		if(rr_refused(target, d, i))
			continue;
		size += sizeof(size_t) + sizeof(uint8_t*) + sizeof(time_t) +
			d->rr_len[i];
		n++;
	}
	kept = (struct packed_rrset_data*)regional_alloc_zero(region, size);
	copy = (struct ub_packed_rrset_key*)regional_alloc_init(region, rrset,
		sizeof(*rrset));
	if(n == 0 || !kept || !copy)
		return NULL;
	kept->ttl = d->ttl;
	kept->count = n;
	kept->trust = d->trust;
	kept->security = sec_status_insecure;
	kept->rr_len = (size_t*)((uint8_t*)kept + sizeof(*kept));
	for(i = 0, n = 0; i < d->count; i++)
		if(!rr_refused(target, d, i))
			kept->rr_len[n++] = d->rr_len[i];
	packed_rrset_ptr_fixup(kept);
	for(i = 0, n = 0; i < d->count; i++) {
		if(rr_refused(target, d, i))
			continue;
		kept->rr_ttl[n] = d->rr_ttl[i];
		memcpy(kept->rr_data[n], d->rr_data[i], d->rr_len[i]);
		n++;
	}
	copy->entry.key = copy;
	copy->entry.data = kept;
	return copy;
}

int
oe_answer_leave_out(struct reply_info* rep, struct regional* region,
	struct oe_target* list)
{
	size_t i;
	for(i = 0; i < rep->an_numrrsets; i++) {
		uint16_t type = ntohs(rep->rrsets[i]->rk.type);
		struct oe_target* target;
		if(!oe_type_is_address(type))
			continue;
		target = oe_targets_owner(list, rep->rrsets[i]);
		if(!target || (type != LDNS_RR_TYPE_A &&
			type != LDNS_RR_TYPE_AAAA))
			return 0;
		if(!(rep->rrsets[i] = rrset_leave_out(rep->rrsets[i], region,
			target)))
			return 0;
	}
	rep->security = sec_status_insecure;
	return 1;
}
