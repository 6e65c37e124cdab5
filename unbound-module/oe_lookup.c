/*
 * unbound-module/oe_lookup.c - lookups for IPSECKEY.
 */

/**
 * \file
 * Lookups for IPSECKEY.
 */

#include "ub_compat.h"
#include "oe_lookup.h"
#include "oe_request.h"
#include "unbound_oe.h"

#include "iterator/iter_delegpt.h"
#include "iterator/iterator.h"
#include "services/cache/rrset.h"
#include "services/modstack.h"
#include "util/data/dname.h"
#include "util/fptr_wlist.h"
#include "validator/val_kcache.h"
#include "validator/val_kentry.h"
#include "validator/val_utils.h"

/**
 * Let the iterator ask for the whole name at once. QNAME minimisation would
 * ask for A of this name first, to hide the type; but that is what has just
 * been asked. For other queries the answer to it is in the message cache; the
 * guard keeps it out, and so every lookup would cost two questions.
 * This is what the iterator does for its own subqueries: it starts them with
 * their state filled in.
 */
static int
ask_whole_name(struct module_qstate* newq)
{
	int id = modstack_find(&newq->env->mesh->mods, "iterator");
	struct iter_qstate* iq;
	if(id == -1 || !newq->env->cfg->qname_minimisation)
		return 1;
	iq = (struct iter_qstate*)regional_alloc_zero(newq->region,
		sizeof(*iq));
	if(!iq)
		return 0;
	iq->state = INIT_REQUEST_STATE;
	iq->final_state = FINISHED_STATE;
	iq->qchase = newq->qinfo;
	iq->chase_flags = newq->query_flags;
	iq->minimisation_state = DONOT_MINIMISE_STATE;
	outbound_list_init(&iq->outlist);
	newq->minfo[id] = iq;
	return 1;
}

/** attach a subquery; *newq is NULL if somebody asks already. Returns 0 if it
 * cannot be done. */
static int
attach(struct module_qstate* qstate, uint8_t* name, size_t len, uint16_t type,
	uint16_t dclass, struct module_qstate** newq)
{
	struct query_info ask;
	memset(&ask, 0, sizeof(ask));
	ask.qname = name;
	ask.qname_len = len;
	ask.qtype = type;
	ask.qclass = dclass;
	*newq = NULL;
	fptr_ok(fptr_whitelist_modenv_detect_cycle(qstate->env->detect_cycle));
	if((*qstate->env->detect_cycle)(qstate, &ask, BIT_RD, 0, 0))
		return 0;
	fptr_ok(fptr_whitelist_modenv_attach_sub(qstate->env->attach_sub));
	return oe_attach_sub(qstate, &ask, BIT_RD, newq);
}

int
oe_lookup_attach_other(struct module_qstate* qstate, int id, uint8_t* name,
	size_t len, uint16_t type, uint16_t dclass)
{
	struct module_qstate* newq;
	struct oe_qstate* oq;
	if(!attach(qstate, name, len, type, dclass, &newq))
		return 0;
	if(!newq || type == LDNS_RR_TYPE_IPSECKEY)
		return 1;
	if(!(oq = oe_qstate_get(newq, id)))
		return 0;
	oq->internal = 1;
	return 1;
}

int
oe_lookup_attach(struct module_qstate* qstate, struct oe_target* target)
{
	struct module_qstate* newq;
	if(!attach(qstate, target->asked, target->asked_len,
		LDNS_RR_TYPE_IPSECKEY, target->dclass, &newq))
		return 0;
	/* what is foreign may have servers that were not asked about this
	 * name before */
	return !newq || target->foreign || ask_whole_name(newq);
}

void
oe_lookup_note_zone(struct oe_env* oe, struct reply_info* rep)
{
	uint8_t* signer = NULL;
	size_t i, len = 0;
	hashvalue_type h;
	for(i = 0; i < rep->an_numrrsets && !signer; i++)
		if(oe_type_is_address(ntohs(rep->rrsets[i]->rk.type)))
			val_find_rrset_signer(rep->rrsets[i], &signer, &len);
	if(!signer)
		return;
	h = dname_query_hash(signer, 0);
	lock_basic_lock(&oe->lock);
	oe->zones[h%OE_ZONES] = h;
	lock_basic_unlock(&oe->lock);
}

/** is this a zone that had an address before, and whose keys we have */
static int
holds_hosts_and_is_signed(struct oe_env* oe, struct module_env* env,
	uint8_t* zone, size_t len, uint16_t dclass)
{
	struct key_entry_key* key;
	hashvalue_type h = dname_query_hash(zone, 0);
	int known;
	lock_basic_lock(&oe->lock);
	known = oe->zones[h%OE_ZONES] == h;
	lock_basic_unlock(&oe->lock);
	if(!known || !env->key_cache)
		return 0;
	key = key_cache_obtain(env->key_cache, zone, len, dclass,
		env->scratch, *env->now);
	return key && key_entry_isgood(key) &&
		query_dname_compare(key->name, zone) == 0;
}

/** Is the zone of a name known to be signed and to hold hosts: it is the one
 * whose servers will be asked, or, where those are configured (stub-zone,
 * forward-zone) and no delegation is cached, the closest one above the name.
 * Without a host before, the zone could as well be one that only delegates,
 * and the name in an unsigned one below it. */
static int
zone_is_signed(struct oe_env* oe, struct module_env* env,
	struct query_info* qinfo)
{
	uint8_t* name = qinfo->qname;
	size_t len = qinfo->qname_len;
	struct delegpt* dp = dns_cache_find_delegation(env, qinfo->qname,
		qinfo->qname_len, qinfo->qtype, qinfo->qclass, env->scratch,
		NULL, *env->now, 0, NULL, 0);
	for(;;) {
		if(holds_hosts_and_is_signed(oe, env, name, len,
			qinfo->qclass))
			return 1;
		if(dname_is_root(name) || (dp &&
			query_dname_compare(dp->name, name) == 0))
			return 0;
		dname_remove_label(&name, &len);
	}
}

/** is there something in the cache that makes an early lookup needless: the
 * answer to it, or the knowledge that the name is an alias */
static int
early_is_needless(struct module_env* env, struct query_info* qinfo)
{
	struct msgreply_entry* e;
	struct ub_packed_rrset_key* cname;
	if((e = msg_cache_lookup(env, qinfo->qname, qinfo->qname_len,
		LDNS_RR_TYPE_IPSECKEY, qinfo->qclass, BIT_RD, *env->now, 0))) {
		lock_rw_unlock(&e->entry.lock);
		return 1;
	}
	if((cname = rrset_cache_lookup(env->rrset_cache, qinfo->qname,
		qinfo->qname_len, LDNS_RR_TYPE_CNAME, qinfo->qclass, 0,
		*env->now, 0))) {
		lock_rw_unlock(&cname->entry.lock);
		return 1;
	}
	return 0;
}

void
oe_lookup_early(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq)
{
	struct query_info ask = qstate->qinfo;
	struct module_qstate* newq = NULL;
	if(!oe_type_is_address(ask.qtype) || ask.qclass != LDNS_RR_CLASS_IN ||
		!(qstate->query_flags&BIT_RD) || qstate->no_cache_lookup ||
		early_is_needless(qstate->env, &ask) ||
		!zone_is_signed(oe, qstate->env, &ask))
		return;
	ask.qtype = LDNS_RR_TYPE_IPSECKEY;
	ask.local_alias = NULL;
	fptr_ok(fptr_whitelist_modenv_add_sub(qstate->env->add_sub));
	if(!oe_add_sub(qstate, &ask, BIT_RD, &newq))
		return;
	oq->early = 1;
	if(newq)
		(void)ask_whole_name(newq);
}
