/*
 * unbound-module/unbound_oe.c - addresses are answered after protection.
 */

/**
 * \file
 * The module: see unbound_oe.h for the life of a query.
 */

#include "ub_compat.h"
#include "unbound_oe.h"
#include "oe_answer.h"
#include "oe_cache.h"
#include "oe_client.h"
#include "oe_gateway.h"
#include "oe_guard.h"
#include "oe_lookup.h"
#include "oe_pause.h"
#include "oe_policy.h"
#include "oe_reply.h"
#include "oe_request.h"

#include "util/fptr_wlist.h"
#include "services/modstack.h"

/** Parts of the deadline, in percent, that the IPSECKEY lookup and then the
 * request get at least, even if what came before took all of it: the servers
 * of a zone may be slow. */
#define OE_LOOKUP_FLOOR 50
/** see above */
#define OE_REQUEST_FLOOR 25
/** and those about gateways; half of what is left, if that is more */
#define OE_GATEWAY_FLOOR 20
/** most rounds of requests for one query */
#define OE_ROUNDS_MAX 3

struct oe_qstate*
oe_qstate_get(struct module_qstate* qstate, int id)
{
	struct oe_qstate* oq = (struct oe_qstate*)qstate->minfo[id];
	if(oq)
		return oq;
	oq = (struct oe_qstate*)regional_alloc_zero(qstate->region,
		sizeof(*oq));
	if(!oq)
		return NULL;
	oq->qstate = qstate;
	oq->start = *qstate->env->now_tv;
	qstate->minfo[id] = oq;
	return oq;
}

/** the helper has a message about cached answers, or is gone */
static void
down_func(struct module_env* env, void* arg, const struct rp_down* down)
{
	struct oe_env* oe = (struct oe_env*)arg;
	if(!down || down->tells_pause)
		oe_pause_told(oe, *env->now, down);
	if(down && down->tells_groups)
		oe_policy_told(oe, env, down->groups_digest);
	oe_cache_forget(oe->cache, env, down ? &down->owner : NULL);
}

struct oe_client*
oe_worker_client(struct oe_env* oe, struct module_env* env)
{
	struct oe_client* client = NULL;
	size_t i;
	lock_basic_lock(&oe->lock);
	for(i = 0; i < oe->num_clients; i++) {
		if(oe_client_is_for(oe->clients[i], env)) {
			client = oe->clients[i];
			break;
		}
	}
	if(!client && oe->num_clients < OE_WORKERS_MAX) {
		client = oe_client_create(env, &oe->cfg, down_func, oe);
		if(client)
			oe->clients[oe->num_clients++] = client;
	}
	lock_basic_unlock(&oe->lock);
	return client;
}

void
oe_count(struct oe_env* oe, struct module_env* env, int stat)
{
	struct oe_client* client = oe_worker_client(oe, env);
	if(client)
		oe_client_stats(client)->n[stat]++;
}

/** a verdict has come in */
static void
verdict_done(void* arg, const struct rp_verdict* verdict)
{
	struct oe_target* t = (struct oe_target*)arg;
	struct oe_qstate* oq = t->query;
	struct module_qstate* qstate = oq->qstate;
	oe_target_take_verdict(t, verdict);
	t->job = NULL;
	/* this may end and delete the query */
	if(--oq->waiting == 0)
		mesh_run(qstate->env->mesh, qstate->mesh_info,
			module_event_reply, NULL);
}

/** milliseconds until the deadline of a query, but not less than a part of
 * the whole time, in percent */
static int
time_left(struct oe_env* oe, struct oe_qstate* oq, int floor_percent)
{
	struct timeval* now = oq->qstate->env->now_tv;
	int deadline = oe->cfg.deadline_ms;
	int floor = deadline*floor_percent/100;
	int64_t used = ((int64_t)now->tv_sec - oq->start.tv_sec)*1000 +
		(now->tv_usec - oq->start.tv_usec)/1000;
	if(used < 0)
		used = 0; /* the clock was set back */
	if(used > deadline - floor)
		return floor;
	return deadline - (int)used;
}

/** A target turns out to have a key: what of it is cached from before goes,
 * also hints in records of another owner, if those are in this answer. */
static void
forget_plain(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_target* t)
{
	struct reply_info* rep = qstate->return_msg->rep;
	size_t i;
	oe_cache_forget_plain(oe->cache, qstate->env, &t->owner, t->dclass);
	for(i = 0; i < rep->an_numrrsets && t->foreign; i++)
		if(oe_type_is_address(ntohs(rep->rrsets[i]->rk.type)))
			oe_cache_forget_plain_rrset(oe->cache, qstate->env,
				rep->rrsets[i], &t->owner);
}

/** ask the helper about all targets with keys */
static enum oe_next
establish(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq)
{
	struct oe_client* client = oe_worker_client(oe, qstate->env);
	struct oe_target* t;
	if(oe->cfg.error[0])
		return oe_reply_refuse(oe, oq, LDNS_EDE_OTHER, REASON_INTERNAL,
			oe->cfg.error);
	if(!client)
		return oe_reply_refuse(oe, oq, LDNS_EDE_OTHER, REASON_INTERNAL,
			"no connection for this worker");
	/* no stale answer while we wait, serve-expired */
	qstate->no_cache_lookup = 1;
	oq->rounds++;
	oq->asked = 0;
	oq->downs = oe_client_downs(client);
	for(t = oq->targets; t; t = t->next) {
		struct rp_establish ask;
		enum rp_reason refused;
		if(t->keys_status != oe_keys_found)
			continue;
		forget_plain(oe, qstate, t);
		oe_target_request(t, qstate->return_msg->rep->ttl,
			time_left(oe, oq, OE_REQUEST_FLOOR), &ask);
		t->job = oe_client_establish(client, &ask, verdict_done, t,
			&refused);
		if(!t->job)
			return oe_reply_refuse(oe, oq, LDNS_EDE_OTHER, refused, "");
		oq->waiting++;
		oq->asked++;
		oe_client_stats(client)->n[OE_STAT_ASKED]++;
	}
	return oe_next_verdict;
}

/** the lookups take too long */
static void
alarm_done(void* arg, const struct rp_verdict* ATTR_UNUSED(verdict))
{
	struct oe_qstate* oq = (struct oe_qstate*)arg;
	oq->alarm = NULL;
	oq->late = 1;
	mesh_run(oq->qstate->env->mesh, oq->qstate->mesh_info,
		module_event_noreply, NULL);
}

/** a secure answer with addresses: are there keys for them */
static enum oe_next
look_up_keys(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq)
{
	struct oe_client* client = oe_worker_client(oe, qstate->env);
	struct oe_target* t;
	for(t = oq->targets; t; t = t->next) {
		t->query = oq;
		if(oq->early && !t->foreign) {
			/* this may be an alias of the owner; it has the same
			 * chain for IPSECKEY, and no second question */
			t->asked = qstate->qinfo.qname;
			t->asked_len = qstate->qinfo.qname_len;
			if(query_dname_compare(t->asked, t->owner.b) == 0)
				t->asked = t->owner.b;
		}
		if(!oe_lookup_attach(qstate, t))
			return oe_reply_refuse(oe, oq, LDNS_EDE_OTHER,
				REASON_KEY_LOOKUP_FAILED, "internal error");
	}
	oq->looking_up = 1;
	if(client)
		oq->alarm = oe_client_alarm(client, time_left(oe, oq,
			OE_LOOKUP_FLOOR), alarm_done, oq);
	return oe_next_subquery;
}

/** give up the lookups; they go on, for the next time that somebody asks */
static void
leave_lookups(struct module_qstate* qstate)
{
	fptr_ok(fptr_whitelist_modenv_detach_subs(qstate->env->detach_subs));
	(*qstate->env->detach_subs)(qstate);
}

/** nobody has to end the wait for lookups any more */
static void
cancel_alarm(struct oe_qstate* oq)
{
	if(oq->alarm)
		oe_job_cancel(oq->alarm);
	oq->alarm = NULL;
	oq->late = 0;
}

/** a lookup about a gateway is done, perhaps all of them are */
static enum oe_next
handle_gateways(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq, int id)
{
	struct oe_target* t;
	int wait = 0;
	for(t = oq->targets; t; t = t->next) {
		if(!oq->late)
			oe_gateways_attach_others(qstate, id, t,
				&oq->gateway_lookups);
		wait |= oe_gateways_wait(t);
	}
	if(wait && !oq->late)
		return oe_next_subquery;
	if(wait)
		leave_lookups(qstate);
	for(t = oq->targets; t; t = t->next)
		oe_gateways_late(t);
	oq->gateway_lookups = 0;
	cancel_alarm(oq);
	return establish(oe, qstate, oq);
}

/** There are keys: what is to be known about gateways in them? */
static enum oe_next
look_up_gateways(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq, int id)
{
	struct oe_client* client = oe_worker_client(oe, qstate->env);
	struct oe_target* t;
	for(t = oq->targets; t; t = t->next)
		if(t->keys_status == oe_keys_found && !oe_gateways_attach(
			qstate, id, t, &oq->gateway_lookups))
			return oe_reply_refuse(oe, oq, LDNS_EDE_OTHER, REASON_INTERNAL,
				"out of memory");
	if(oq->gateway_lookups > 0 && client)
		oq->alarm = oe_client_alarm(client, time_left(oe, oq,
			OE_GATEWAY_FLOOR*2)/2, alarm_done, oq);
	return handle_gateways(oe, qstate, oq, id);
}

/** no target has keys: does the operator want that to be answered */
static enum oe_next
reply_unkeyed(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq)
{
	struct oe_client* client = oe_worker_client(oe, qstate->env);
	/* that may change, and is told to whoever is connected */
	if(client)
		oe_client_greet(client);
	if(oe_policy_judge_all(oe, qstate, oq->targets))
		return oe_reply_allowed(oe, qstate, oq);
	return oe_reply_clear(oe, qstate, oq);
}

/** an IPSECKEY lookup is done, perhaps all of them are */
static enum oe_next
handle_keys(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq, int id)
{
	struct oe_target* t;
	int found = 0;
	for(t = oq->targets; t; t = t->next) {
		if(t->keys_status != oe_keys_elsewhere)
			continue;
		t->keys_status = oe_keys_unknown;
		t->asked = t->owner.b;
		t->asked_len = t->owner.n;
		if(!oe_lookup_attach(qstate, t))
			return oe_reply_refuse(oe, oq, LDNS_EDE_OTHER,
				REASON_KEY_LOOKUP_FAILED, "internal error");
	}
	for(t = oq->targets; t && t->keys_status != oe_keys_unknown;
		t = t->next)
		;
	if(t && !oq->late)
		return oe_next_subquery;
	oq->looking_up = 0;
	if(t) {
		leave_lookups(qstate);
		return oe_reply_unknown(oe, oq, LDNS_EDE_OTHER,
			REASON_KEY_LOOKUP_FAILED, "no answer in time");
	}
	cancel_alarm(oq);
	for(t = oq->targets; t; t = t->next) {
		if(t->keys_status == oe_keys_failed)
			return oe_reply_unknown(oe, oq,
				t->reason == REASON_KEY_BOGUS ?
				LDNS_EDE_DNSSEC_BOGUS : LDNS_EDE_OTHER,
				t->reason, t->detail);
		if(t->keys_status != oe_keys_found)
			continue;
		if(t->too_many)
			return oe_reply_refuse(oe, oq, LDNS_EDE_OTHER,
				REASON_TOO_MANY_RECORDS, "");
		found = 1;
	}
	if(!found)
		return reply_unkeyed(oe, qstate, oq);
	(void)oe_policy_judge_all(oe, qstate, oq->targets);
	return look_up_gateways(oe, qstate, oq, id);
}

/** The iterator's own lookup is done: what it found is for the RRset cache
 * only. */
static enum oe_next
handle_internal(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq)
{
	if(oq && oq->withheld && qstate->return_msg)
		oe_guard_store_rrsets(oe, qstate, qstate->return_msg->rep);
	return oe_next_finished;
}

/** A lookup of ours is done, which nobody else asks for. */
static enum oe_next
handle_own(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq)
{
	struct reply_info* rep = qstate->return_msg ?
		qstate->return_msg->rep : NULL;
	if(!rep || rep->security != sec_status_bogus)
		return handle_internal(oe, qstate, oq);
	oe_guard_store_bogus(oe, qstate, oq, rep);
	return oe_next_finished;
}

/** Is the validator in front of us? Then we see answers before they are
 * validated, and all of them look insecure. */
static void
check_order(struct oe_env* oe, struct module_qstate* qstate, int id)
{
	struct module_stack* mods = &qstate->env->mesh->mods;
	int i;
	for(i = id+1; i < mods->num; i++)
		if(strcmp(mods->mod[i]->name, "validator") == 0)
			return;
	if(!oe->order_logged)
		log_err("unbound-oe: module-config: \"%s\" must be in "
			"front of \"validator\"; nothing is protected",
			mods->mod[id]->name);
	oe->order_logged = 1;
}

/** a new query from a client or from another module */
static enum oe_next
handle_new(struct oe_env* oe, struct module_qstate* qstate, int id)
{
	struct oe_qstate* oq = oe_qstate_get(qstate, id);
	if(!oq) {
		log_err("unbound-oe: out of memory");
		qstate->return_rcode = LDNS_RCODE_SERVFAIL;
		return oe_next_finished;
	}
	oq->started = 1;
	oq->paused = oe_pause_is_on(oe, *qstate->env->now);
	check_order(oe, qstate, id);
	if(oe_guard_raise(qstate, oq) && !oq->internal)
		oe_lookup_early(oe, qstate, oq);
	return oe_next_module;
}

/** Is this a validated answer. The names of RFC 8509 fail on purpose after
 * that, but not for a client that sets CD. */
static int
is_secure(struct reply_info* rep)
{
	return rep->security == sec_status_secure ||
		rep->security == sec_status_secure_sentinel_fail;
}

/** There are addresses in an answer to a client: may they go out? */
static enum oe_next
handle_addresses(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq)
{
	struct reply_info* rep = qstate->return_msg->rep;
	char detail[RP_REASON_TEXT_MAX+1];
	enum rp_reason reason;
	if(rep->security == sec_status_bogus) {
		oe_guard_store_bogus(oe, qstate, oq, rep);
		if(!(qstate->query_flags&BIT_CD) || qstate->env->cfg->ignore_cd)
			return oe_next_finished; /* the mesh sees to it */
		return oe_reply_refuse(oe, oq, LDNS_EDE_DNSSEC_BOGUS,
			REASON_NOT_SECURE, "the addresses are bogus");
	}
	/* Class ANY is put together from lookups of each class, which are not
	 * validated if the client sets CD; so it is with what the subnetcache
	 * module looks up. Nobody knows what is insecure. */
	if(!is_secure(rep) && (qstate->is_valrec ||
		qstate->qinfo.qclass == LDNS_RR_CLASS_ANY))
		return oe_reply_refuse(oe, oq, LDNS_EDE_OTHER,
			REASON_NOT_SECURE, qstate->is_valrec ?
			"not validated" : "class ANY");
	if(!is_secure(rep) && !oe_policy_is_there(oe))
		return reply_unkeyed(oe, qstate, oq);
	if(!oe_targets_find(rep, qstate->region, &oq->targets, &reason))
		return oe_reply_refuse(oe, oq, LDNS_EDE_OTHER, reason, "");
	if(oe_policy_blocks(oe, qstate, oq->targets, detail))
		return oe_reply_refuse(oe, oq, LDNS_EDE_BLOCKED,
			REASON_POLICY_FORBIDS, detail);
	if(!oq->targets)
		return oe_reply_clear(oe, qstate, oq);
	if(!is_secure(rep))
		return reply_unkeyed(oe, qstate, oq);
	oe_lookup_note_zone(oe, rep);
	return look_up_keys(oe, qstate, oq);
}

/** the modules behind us are finished */
static enum oe_next
handle_answer(struct oe_env* oe, struct module_qstate* qstate, int id)
{
	struct oe_qstate* oq = (struct oe_qstate*)qstate->minfo[id];
	struct reply_info* rep = qstate->return_msg ?
		qstate->return_msg->rep : NULL;
	int has_client = qstate->mesh_info->reply_list != NULL ||
		qstate->mesh_info->cb_list != NULL;
	if(oq)
		oe_guard_answered(qstate, oq);
	/* a client may ask for what the iterator already looks for, and is
	 * then added to the same state */
	if((!oq || !oq->started) && !has_client)
		return handle_internal(oe, qstate, oq);
	if(oq && oq->internal && !has_client)
		return handle_own(oe, qstate, oq);
	if(qstate->return_rcode != LDNS_RCODE_NOERROR || !rep)
		return oe_next_finished;
	if(!(oq = oe_qstate_get(qstate, id))) {
		log_err("unbound-oe: out of memory");
		qstate->return_msg = NULL;
		qstate->return_rcode = LDNS_RCODE_SERVFAIL;
		return oe_next_finished;
	}
	if(rep->an_numrrsets > 0)
		oe_answer_strip_additional(rep);
	if(rep->security == sec_status_bogus &&
		oe_pause_is_on(oe, *qstate->env->now) &&
		!oe_policy_is_private(oe, qstate, rep)) {
		oe_pause_answer(oe, qstate, LDNS_EDE_DNSSEC_BOGUS);
		oe_count(oe, qstate->env, OE_STAT_CLEAR);
		return oe_next_finished;
	}
	if(!oe_answer_has_address(rep))
		return oe_reply_clear(oe, qstate, oq);
	return handle_addresses(oe, qstate, oq);
}

/** All verdicts are in, but the first ones may have been withdrawn (DOWN) while
 * the last ones were waited for. */
static int
may_be_withdrawn(struct oe_env* oe, struct oe_qstate* oq)
{
	struct oe_client* client = oe_worker_client(oe, oq->qstate->env);
	struct oe_target* t;
	for(t = oq->targets; t; t = t->next)
		if(t->kind == RP_REFUSE)
			return 0; /* this decides */
	return oq->asked > 1 && client && oe_client_downs(client) != oq->downs;
}

/** something that we waited for has happened */
static enum oe_next
handle_progress(struct oe_env* oe, struct module_qstate* qstate, int id)
{
	struct oe_qstate* oq = (struct oe_qstate*)qstate->minfo[id];
	if(oq->looking_up)
		return handle_keys(oe, qstate, oq, id);
	if(oq->gateway_lookups)
		return handle_gateways(oe, qstate, oq, id);
	if(oq->waiting > 0)
		return oe_next_verdict;
	if(!may_be_withdrawn(oe, oq))
		return oe_reply_allowed(oe, qstate, oq);
	if(oq->rounds < OE_ROUNDS_MAX)
		return establish(oe, qstate, oq);
	return oe_reply_refuse(oe, oq, LDNS_EDE_OTHER, REASON_SA_GONE,
		"withdrawn while it was asked about");
}

void
oe_operate(struct oe_env* oe, struct module_qstate* qstate,
	enum module_ev event, int id)
{
	struct oe_qstate* oq = (struct oe_qstate*)qstate->minfo[id];
	enum oe_next next;
	verbose(VERB_QUERY, "unbound-oe[module %d] operate: extstate:%s "
		"event:%s", id, strextstate(qstate->ext_state[id]),
		strmodulevent(event));
	if(event == module_event_moddone) {
		next = handle_answer(oe, qstate, id);
	} else if(event == module_event_error) {
		qstate->return_msg = NULL;
		qstate->return_rcode = LDNS_RCODE_SERVFAIL;
		next = oe_next_finished;
	} else if(!oq || !oq->started) {
		next = handle_new(oe, qstate, id);
	} else {
		next = handle_progress(oe, qstate, id);
	}
	switch(next) {
	case oe_next_module:
		qstate->ext_state[id] = module_wait_module;
		break;
	case oe_next_subquery:
		qstate->ext_state[id] = module_wait_subquery;
		break;
	case oe_next_verdict:
		qstate->ext_state[id] = module_wait_reply;
		break;
	case oe_next_finished:
		oe_clear(qstate, id);
		qstate->ext_state[id] = module_finished;
		break;
	}
}

void
oe_inform_super(struct module_qstate* qstate, int id,
	struct module_qstate* super)
{
	struct oe_qstate* oq = (struct oe_qstate*)super->minfo[id];
	if(!oq)
		return;
	if(qstate->qinfo.qtype == LDNS_RR_TYPE_IPSECKEY)
		oe_targets_take_keys(oq->targets, qstate, super->region);
	oe_gateways_take(oq->targets, qstate);
}

void
oe_clear(struct module_qstate* qstate, int id)
{
	struct oe_qstate* oq = (struct oe_qstate*)qstate->minfo[id];
	struct oe_target* t;
	if(!oq)
		return;
	for(t = oq->targets; t; t = t->next) {
		if(t->job)
			oe_job_cancel(t->job);
		t->job = NULL;
	}
	if(oq->alarm)
		oe_job_cancel(oq->alarm);
	oq->alarm = NULL;
	oq->waiting = 0;
}

void
oe_warn_about_roads(struct config_file* cfg)
{
	struct config_auth* zone;
	if(cfg->serve_expired)
		log_warn("unbound-oe: serve-expired is on; protected "
			"addresses are never served expired");
	if(cfg->val_permissive_mode)
		log_warn("unbound-oe: val-permissive-mode is on; bogus "
			"addresses are answered without protection");
	for(zone = cfg->auths; zone; zone = zone->next)
		if(zone->for_downstream && !zone->isrpz)
			log_warn("unbound-oe: addresses in auth-zone %s are "
				"answered without protection, unless it has "
				"for-downstream: no", zone->name);
}

int
oe_init(struct module_env* env, int id, const struct oe_config* cfg,
	struct oe_env** result)
{
	struct oe_env* oe = (struct oe_env*)calloc(1, sizeof(*oe));
	*result = NULL;
	if(!oe || !(oe->cache = oe_cache_create())) {
		log_err("unbound-oe: out of memory");
		free(oe);
		return 0;
	}
	lock_basic_init(&oe->lock);
	oe->cfg = *cfg;
	if(!oe_policy_start(oe, env) || !oe_cache_adopt(env)) {
		log_err("unbound-oe: out of memory");
		oe_deinit(oe, env);
		return 0;
	}
	verbose(VERB_ALGO, "unbound-oe[module %d]: helper at %s, deadline "
		"%d ms", id, oe->cfg.socket, oe->cfg.deadline_ms);
	oe_warn_about_roads(env->cfg);
	*result = oe;
	return 1;
}

void
oe_deinit(struct oe_env* oe, struct module_env* env)
{
	size_t i;
	if(!oe)
		return;
	for(i = 0; i < oe->num_clients; i++)
		oe_client_delete(oe->clients[i]);
	oe_cache_forget(oe->cache, env, NULL);
	oe_cache_delete(oe->cache);
	lock_basic_destroy(&oe->lock);
	free(oe->groups);
	free(oe);
}

size_t
oe_get_mem(struct oe_env* oe)
{
	size_t i, sum = sizeof(*oe) + sizeof(*oe->groups) +
		oe_cache_get_mem(oe->cache);
	lock_basic_lock(&oe->lock);
	for(i = 0; i < oe->num_clients; i++)
		sum += oe_client_get_mem(oe->clients[i]);
	lock_basic_unlock(&oe->lock);
	return sum;
}

void
oe_get_stats(struct oe_env* oe, struct module_env* env,
	struct oe_stats* stats, int reset)
{
	struct oe_client* client = oe_worker_client(oe, env);
	if(!client) {
		memset(stats, 0, sizeof(*stats));
		return;
	}
	*stats = *oe_client_stats(client);
	stats->n[OE_STAT_WAITING] = (long long)oe_client_waiting(client);
	if(reset)
		memset(oe_client_stats(client), 0, sizeof(*stats));
}
