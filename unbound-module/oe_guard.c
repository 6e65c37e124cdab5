/*
 * unbound-module/oe_guard.c - what enters the message cache, and when.
 */

/**
 * \file
 * Nothing that tells an address, before it is decided about.
 */

#include "ub_compat.h"
#include "unbound_oe.h"
#include "oe_answer.h"
#include "oe_cache.h"
#include "oe_client.h"
#include "oe_guard.h"
#include "oe_request.h"

#include "validator/val_neg.h"

/** is this a lookup that the validator makes for itself */
static int
validator_asks(struct module_qstate* qstate)
{
	return qstate->is_valrec &&
		(qstate->qinfo.qtype == LDNS_RR_TYPE_DNSKEY ||
		qstate->qinfo.qtype == LDNS_RR_TYPE_DS);
}

int
oe_guard_raise(struct module_qstate* qstate, struct oe_qstate* oq)
{
	if(qstate->no_cache_store || validator_asks(qstate))
		return 0;
	oq->guarding = 1;
	qstate->no_cache_store = 1;
	return 1;
}

int
oe_query_response(struct module_qstate* qstate, struct dns_msg* response,
	int id, void* ATTR_UNUSED(arg))
{
	struct oe_qstate* oq = (struct oe_qstate*)qstate->minfo[id];
	int withhold = (oq && oq->paused) || (response &&
		(oe_answer_tells_address(response->rep) ||
		oe_answer_has_alias(response->rep)));
	/* Others do not want this query to be stored at all, forward-no-cache
	 * for example: they set both flags. */
	if(qstate->no_cache_lookup)
		return 1;
	if(!oq && withhold && !qstate->no_cache_store) {
		if(!(oq = oe_qstate_get(qstate, id)))
			log_err("unbound-oe: out of memory");
		else	oq->guarding = 1;
		qstate->no_cache_store = 1;
	}
	if(oq && oq->guarding) {
		oq->for_subnet = oe_got_client_subnet(qstate);
		qstate->no_cache_store = withhold || oq->for_subnet;
	}
	return 1;
}

void
oe_guard_answered(struct module_qstate* qstate, struct oe_qstate* oq)
{
	oq->withheld = oq->guarding && qstate->no_cache_store &&
		!qstate->no_cache_lookup;
}

/** store what the guard kept from the cache */
static void
store_answer(struct module_qstate* qstate, struct oe_qstate* oq,
	struct reply_info* rep)
{
	int is_referral = !(qstate->query_flags&BIT_RD);
	if(!oq->withheld || oq->for_subnet)
		return;
	if(rep->security == sec_status_secure && qstate->env->neg_cache)
		val_neg_addreply(qstate->env->neg_cache, rep);
	if(!oe_dns_cache_store(qstate, rep, is_referral))
		log_err("unbound-oe: out of memory storing an answer");
}

void
oe_guard_store_plain(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq, struct reply_info* rep)
{
	oe_cache_replaced(oe->cache, qstate->env, rep);
	store_answer(qstate, oq, rep);
}

void
oe_guard_store_rrsets(struct oe_env* oe, struct module_qstate* qstate,
	struct reply_info* rep)
{
	oe_cache_replaced(oe->cache, qstate->env, rep);
	if(!oe_dns_cache_store(qstate, rep, 1))
		log_err("unbound-oe: out of memory storing RRsets");
}

/** time for the list of cached addresses */
static time_t
expire_func(struct module_env* env, void* arg)
{
	return oe_cache_expire(((struct oe_env*)arg)->cache, env);
}

void
oe_guard_store_bogus(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq, struct reply_info* rep)
{
	struct oe_client* client = oe_worker_client(oe, qstate->env);
	struct reply_info err;
	memset(&err, 0, sizeof(err));
	err.flags = (uint16_t)(BIT_QR | BIT_RA);
	FLAGS_SET_RCODE(err.flags, LDNS_RCODE_SERVFAIL);
	err.qdcount = 1;
	err.ttl = rep->ttl;
	err.prefetch_ttl = PREFETCH_TTL_CALC(err.ttl);
	err.serve_expired_ttl = err.ttl;
	err.security = sec_status_bogus;
	err.reason_bogus = rep->reason_bogus;
	store_answer(qstate, oq, &err);
	/* the pause is told to whoever is connected */
	if(client && oe_cache_note_bogus(oe->cache, qstate->env,
		&qstate->qinfo, rep->ttl))
		oe_client_wake(client, rep->ttl, expire_func, oe);
	if(client)
		oe_client_greet(client);
}

/** note the address rrsets of an answer before they are stored; 0 if that
 * failed and they must not be */
static int
note_answer(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq, struct reply_info* rep)
{
	struct oe_client* client = oe_worker_client(oe, qstate->env);
	struct oe_target* t;
	size_t i;
	if(!client)
		return 0;
	for(i = 0; i < rep->an_numrrsets; i++) {
		if(!oe_type_is_address(ntohs(rep->rrsets[i]->rk.type)))
			continue;
		for(t = oq->targets; t; t = t->next)
			if(!oe_cache_note(oe->cache, qstate->env,
				rep->rrsets[i], &t->owner, rep->ttl))
				return 0;
	}
	oe_client_wake(client, rep->ttl > 0 ? rep->ttl : 1, expire_func, oe);
	return 1;
}

void
oe_guard_store_protected(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq, struct reply_info* rep)
{
	if(!note_answer(oe, qstate, oq, rep))
		return;
	store_answer(qstate, oq, rep);
	/* Another worker may have heard DOWN for this owner in between, and
	 * have taken it off the list. We are yet to hear it, and then it must
	 * be there. */
	(void)note_answer(oe, qstate, oq, rep);
}
