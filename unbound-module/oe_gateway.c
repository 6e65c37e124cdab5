/*
 * unbound-module/oe_gateway.c - gateways in IPSECKEY records.
 */

/**
 * \file
 * Gateways: what has to be looked up, and what came of it.
 */

#include "ub_compat.h"
#include "oe_gateway.h"
#include "oe_lookup.h"
#include "oe_request.h"

/** Gateway types, RFC 4025 2.3 */
enum oe_gateway_type {
	oe_gateway_none = 0,
	oe_gateway_ip4 = 1,
	oe_gateway_ip6 = 2,
	oe_gateway_name = 3
};

/** an IPSECKEY record, as far as gateways go; RFC 4025 2 */
struct oe_record {
	/** its gateway type */
	uint8_t type;
	/** its algorithm */
	uint8_t algorithm;
	/** the gateway, by type */
	struct ip_addr address;
	/** the gateway, by type; in lower case */
	struct dnsname name;
	/** the public key */
	struct span key;
};

/** read RDATA; 0 if it is malformed */
static int
record_read(struct span rdata, struct oe_record* out)
{
	struct rd r = rd_over(rdata);
	memset(out, 0, sizeof(*out));
	(void)rd_u8(&r); /* precedence */
	out->type = rd_u8(&r);
	out->algorithm = rd_u8(&r);
	if(!rd_ok(&r) || out->type > oe_gateway_name)
		return 0;
	if(out->type == oe_gateway_name && dnsname_read(&r, &out->name)
		!= IKE_OK)
		return 0;
	if((out->type == oe_gateway_ip4 || out->type == oe_gateway_ip6) &&
		ip_from_bytes(rd_bytes(&r, out->type == oe_gateway_ip4 ? 4 :
		16), &out->address) != IKE_OK)
		return 0;
	out->key = rd_rest(&r);
	return rd_ok(&r);
}

/** the same gateway and the same key */
static int
record_same(const struct oe_record* a, const struct oe_record* b)
{
	if(a->type != b->type || a->algorithm != b->algorithm ||
		!span_equal(a->key, b->key))
		return 0;
	if(a->type == oe_gateway_name)
		return dnsname_equal(&a->name, &b->name);
	return a->type == oe_gateway_none || ip_equal(&a->address, &b->address);
}

/** does a record send packets for this address elsewhere */
static int
names_gateway(const struct oe_record* record, const struct oe_target* target,
	const struct ip_addr* address)
{
	if(record->type == oe_gateway_none)
		return 0;
	if(record->type == oe_gateway_name)
		return !dnsname_equal(&record->name, &target->owner);
	return !ip_equal(&record->address, address);
}

/** does one of the records */
static int
address_has_gateway(const struct oe_target* target,
	const struct ip_addr* address)
{
	struct oe_record record;
	unsigned k;
	for(k = 0; k < target->n_keys; k++)
		if(record_read(target->keys[k], &record) &&
			names_gateway(&record, target, address))
			return 1;
	return 0;
}

/** note the name in a record; one too many is left alone */
static void
add_name(struct oe_gateways* g, const struct dnsname* name, unsigned record)
{
	unsigned i = 0;
	while(i < g->n_names && !dnsname_equal(&g->names[i].name, name))
		i++;
	if(i == RP_GATEWAYS_MAX)
		return;
	if(i == g->n_names)
		g->names[g->n_names++].name = *name;
	g->names[i].keys |= (uint16_t)(1u<<record);
}

/** the name of an address below in-addr.arpa or ip6.arpa (RFC 1035 3.5,
 * RFC 3596 2.5) */
static int
reverse_name(const struct ip_addr* address, struct dnsname* out)
{
	struct span b = ip_bytes(address);
	char text[LDNS_MAX_DOMAINLEN+1];
	size_t i = b.n, n = 0;
	if(b.n == 4)
		n = (size_t)snprintf(text, sizeof(text),
			"%u.%u.%u.%u.in-addr.arpa", b.p[3], b.p[2], b.p[1],
			b.p[0]);
	while(b.n == 16 && i-- > 0)
		n += (size_t)snprintf(text+n, sizeof(text)-n, "%x.%x.",
			b.p[i]&0xf, b.p[i]>>4);
	if(b.n == 16)
		snprintf(text+n, sizeof(text)-n, "ip6.arpa");
	return n > 0 && dnsname_from_text(text, out) == IKE_OK;
}

/** note an address for which a record names a gateway */
static void
add_address(struct oe_gateways* g, const struct oe_target* target,
	unsigned address)
{
	struct oe_reverse* r = &g->reverse[g->n_reverse];
	if(g->n_reverse == OE_REVERSE_MAX ||
		!reverse_name(&target->addresses[address], &r->name))
		return;
	r->address = address;
	g->n_reverse++;
}

/** has the target an address of this family */
static int
has_family(const struct oe_target* target, enum ip_family family)
{
	unsigned i;
	for(i = 0; i < target->n_addresses; i++)
		if(target->addresses[i].family == family)
			return 1;
	return 0;
}

/** attach one lookup; if that cannot be done, it has failed */
static void
ask(struct module_qstate* qstate, int id, struct oe_target* target,
	struct dnsname* name, uint16_t type, struct oe_finding* f, int* lookups)
{
	if(*lookups >= OE_GATEWAY_LOOKUPS_MAX)
		return;
	(*lookups)++;
	f->asked = 1;
	if(!oe_lookup_attach_other(qstate, id, name->b, name->n, type,
		target->dclass))
		f->finding = RP_FOUND_FAILED;
}

int
oe_gateways_attach(struct module_qstate* qstate, int id,
	struct oe_target* target, int* lookups)
{
	struct oe_gateways* g = NULL;
	unsigned i, k;
	for(k = 0; k < target->n_keys; k++) {
		struct oe_record record;
		if(!record_read(target->keys[k], &record) ||
			record.type == oe_gateway_none)
			continue;
		if(!g && !(g = (struct oe_gateways*)regional_alloc_zero(
			qstate->region, sizeof(*g))))
			return 0;
		if(record.type == oe_gateway_name && !dnsname_equal(
			&record.name, &target->owner))
			add_name(g, &record.name, k);
	}
	if(!g)
		return 1;
	g->ttl = target->keys_ttl;
	target->gateways = g;
	for(i = 0; i < target->n_addresses; i++)
		if(address_has_gateway(target, &target->addresses[i]))
			add_address(g, target, i);
	for(i = 0; i < g->n_reverse; i++)
		ask(qstate, id, target, &g->reverse[i].name,
			LDNS_RR_TYPE_IPSECKEY, &g->reverse[i].keys, lookups);
	for(i = 0; i < g->n_names; i++) {
		if(has_family(target, IP_V4))
			ask(qstate, id, target, &g->names[i].name,
				LDNS_RR_TYPE_A, &g->names[i].a, lookups);
		if(has_family(target, IP_V6))
			ask(qstate, id, target, &g->names[i].name,
				LDNS_RR_TYPE_AAAA, &g->names[i].aaaa, lookups);
	}
	return 1;
}

void
oe_gateways_attach_others(struct module_qstate* qstate, int id,
	struct oe_target* target, int* lookups)
{
	struct oe_gateways* g = target->gateways;
	unsigned i;
	for(i = 0; g && i < g->n_names; i++) {
		struct oe_gateway* n = &g->names[i];
		if(n->a.finding == RP_FOUND_NONE && !n->aaaa.asked)
			ask(qstate, id, target, &n->name, LDNS_RR_TYPE_AAAA,
				&n->aaaa, lookups);
		if(n->aaaa.finding == RP_FOUND_NONE && !n->a.asked)
			ask(qstate, id, target, &n->name, LDNS_RR_TYPE_A,
				&n->a, lookups);
	}
}

/** is it under way */
static int
waits(const struct oe_finding* f)
{
	return f->asked && !f->finding;
}

int
oe_gateways_wait(struct oe_target* target)
{
	struct oe_gateways* g = target->gateways;
	unsigned i;
	for(i = 0; g && i < g->n_names; i++)
		if(waits(&g->names[i].a) || waits(&g->names[i].aaaa))
			return 1;
	for(i = 0; g && i < g->n_reverse; i++)
		if(waits(&g->reverse[i].keys))
			return 1;
	return 0;
}

/** it is late if it is under way */
static void
end(struct oe_finding* f)
{
	if(waits(f))
		f->finding = RP_FOUND_LATE;
}

void
oe_gateways_late(struct oe_target* target)
{
	struct oe_gateways* g = target->gateways;
	unsigned i;
	for(i = 0; g && i < g->n_names; i++) {
		end(&g->names[i].a);
		end(&g->names[i].aaaa);
	}
	for(i = 0; g && i < g->n_reverse; i++)
		end(&g->reverse[i].keys);
}

/** what a finished lookup has come to, and the RRset if it is a validated
 * one of this type */
static enum rp_finding
finding_of(struct module_qstate* sub, uint16_t type,
	struct packed_rrset_data** d)
{
	struct reply_info* rep = sub->return_rcode == LDNS_RCODE_NOERROR &&
		sub->return_msg ? sub->return_msg->rep : NULL;
	size_t i;
	int rcode = rep ? (int)FLAGS_GET_RCODE(rep->flags) : 0;
	*d = NULL;
	if(rep && rep->security == sec_status_bogus)
		return RP_FOUND_BOGUS;
	if(!rep || (rcode != LDNS_RCODE_NOERROR &&
		rcode != LDNS_RCODE_NXDOMAIN))
		return RP_FOUND_FAILED;
	/* that the message is secure says that every alias is */
	if(rep->security != sec_status_secure)
		return RP_FOUND_INSECURE;
	for(i = 0; i < rep->an_numrrsets; i++)
		if(ntohs(rep->rrsets[i]->rk.type) == type)
			*d = (struct packed_rrset_data*)
				rep->rrsets[i]->entry.data;
	return *d ? RP_FOUND : RP_FOUND_NONE;
}

/** RDATA of one RR, without the length in front of it */
static struct span
rr_rdata(struct packed_rrset_data* d, size_t i)
{
	return span_of(d->rr_data[i] + 2, d->rr_len[i] - 2);
}

/** the smallest TTL counts */
static void
note_ttl(struct oe_gateways* g, struct packed_rrset_data* d)
{
	if(d->ttl < g->ttl)
		g->ttl = d->ttl;
}

/** take addresses of a gateway */
static void
take_addresses(struct oe_gateways* g, struct oe_gateway* name,
	struct module_qstate* sub, struct oe_finding* f)
{
	struct packed_rrset_data* d;
	size_t i;
	f->finding = finding_of(sub, sub->qinfo.qtype, &d);
	for(i = 0; d && i < d->count && name->n_addresses <
		RP_GATEWAY_ADDRESSES_MAX; i++)
		if(ip_from_bytes(rr_rdata(d, i),
			&name->addresses[name->n_addresses]) == IKE_OK)
			name->n_addresses++;
	if(d)
		note_ttl(g, d);
}

/** take the records of a reverse name */
static void
take_reverse(struct oe_target* target, struct oe_reverse* reverse,
	struct module_qstate* sub)
{
	struct packed_rrset_data* d;
	struct oe_record own, other;
	size_t i;
	unsigned k;
	reverse->keys.finding = finding_of(sub, LDNS_RR_TYPE_IPSECKEY, &d);
	if(!d)
		return;
	note_ttl(target->gateways, d);
	for(i = 0; i < d->count; i++)
		for(k = 0; k < target->n_keys; k++)
			if(record_read(rr_rdata(d, i), &other) &&
				record_read(target->keys[k], &own) &&
				record_same(&own, &other))
				reverse->same |= (uint16_t)(1u<<k);
}

/** is this the question of a finished lookup */
static int
is_asked(struct module_qstate* sub, struct dnsname* name, uint16_t type)
{
	return sub->qinfo.qtype == type &&
		query_dname_compare(name->b, sub->qinfo.qname) == 0;
}

void
oe_gateways_take(struct oe_target* list, struct module_qstate* sub)
{
	struct oe_target* t;
	unsigned i;
	for(t = list; t; t = t->next) {
		struct oe_gateways* g = t->gateways;
		if(!g || t->dclass != sub->qinfo.qclass)
			continue;
		for(i = 0; i < g->n_names; i++) {
			struct oe_gateway* n = &g->names[i];
			if(waits(&n->a) && is_asked(sub, &n->name,
				LDNS_RR_TYPE_A))
				take_addresses(g, n, sub, &n->a);
			if(waits(&n->aaaa) && is_asked(sub, &n->name,
				LDNS_RR_TYPE_AAAA))
				take_addresses(g, n, sub, &n->aaaa);
		}
		for(i = 0; i < g->n_reverse; i++)
			if(waits(&g->reverse[i].keys) && is_asked(sub,
				&g->reverse[i].name, LDNS_RR_TYPE_IPSECKEY))
				take_reverse(t, &g->reverse[i], sub);
	}
}

/** report a name: what was found, or else the graver of two findings */
static void
report_name(const struct oe_gateway* name, struct rp_establish* ask)
{
	struct rp_gateway* to = &ask->gateways[ask->n_gateways];
	enum rp_finding finding = name->a.finding > name->aaaa.finding ?
		name->a.finding : name->aaaa.finding;
	if(!finding)
		return; /* one too many */
	to->keys = name->keys;
	to->finding = name->n_addresses > 0 ? RP_FOUND :
		finding == RP_FOUND ? RP_FOUND_NONE : finding;
	to->n_addresses = name->n_addresses;
	memcpy(to->addresses, name->addresses, sizeof(to->addresses));
	ask->n_gateways++;
}

void
oe_gateways_report(struct oe_target* target, struct rp_establish* ask)
{
	struct oe_gateways* g = target->gateways;
	unsigned i;
	if(!g)
		return;
	for(i = 0; i < g->n_names; i++)
		report_name(&g->names[i], ask);
	for(i = 0; i < g->n_reverse; i++) {
		struct rp_reverse* to = &ask->reverse[ask->n_reverse];
		if(!g->reverse[i].keys.finding)
			continue; /* one too many */
		to->address = (uint8_t)g->reverse[i].address;
		to->finding = g->reverse[i].keys.finding;
		to->keys = g->reverse[i].same;
		ask->n_reverse++;
	}
	target->keys_ttl = g->ttl;
}
