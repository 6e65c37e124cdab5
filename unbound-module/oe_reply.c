/*
 * unbound-module/oe_reply.c - how a query ends.
 */

/**
 * \file
 * Allowed, in clear, or refused.
 */

#include "ub_compat.h"
#include "unbound_oe.h"
#include "oe_answer.h"
#include "oe_cache.h"
#include "oe_guard.h"
#include "oe_pause.h"
#include "oe_policy.h"
#include "oe_reply.h"
#include "oe_request.h"

#include "sldns/wire2str.h"

/** An answer that left out addresses lives this long: the client should ask
 * again soon, and get all. Seconds. */
#define OE_PARTIAL_TTL 5
/** refusals logged in one second */
#define OE_LOG_MAX 10

void
oe_log_query(struct oe_env* oe, struct module_qstate* qstate,
	const char* what, const char* text)
{
	char name[LDNS_MAX_DOMAINLEN+1], type[16];
	int count;
	lock_basic_lock(&oe->lock);
	if(oe->log_second != *qstate->env->now) {
		oe->log_second = *qstate->env->now;
		oe->log_count = 0;
	}
	count = ++oe->log_count;
	lock_basic_unlock(&oe->lock);
	if(count > OE_LOG_MAX)
		return;
	dname_str(qstate->qinfo.qname, name);
	(void)sldns_wire2str_type_buf(qstate->qinfo.qtype, type, sizeof(type));
	log_info("unbound-oe: %s %s %s: %s", name, type, what, text);
}

enum oe_next
oe_reply_refuse(struct oe_env* oe, struct oe_qstate* oq, sldns_ede_code code,
	enum rp_reason reason, const char* detail)
{
	struct module_qstate* qstate = oq->qstate;
	char text[RP_REASON_TEXT_MAX*2];
	if(detail && *detail)
		snprintf(text, sizeof(text), "ipsec: %s: %s",
			rp_reason_text(reason), detail);
	else	snprintf(text, sizeof(text), "ipsec: %s",
			rp_reason_text(reason));
	oe_log_query(oe, qstate, "refused", text);
	oe_count(oe, qstate->env, OE_STAT_REFUSED);
	oe_count(oe, qstate->env, OE_STAT_CAUSE + ((int)reason < OE_CAUSES ?
		(int)reason : 0));
	errinf(qstate, text);
	oq->reason_code = code;
	oq->reason = regional_strdup(qstate->region, text);
	/* no stale answer instead, serve-expired */
	qstate->no_cache_lookup = 1;
	qstate->return_msg = NULL;
	qstate->return_rcode = LDNS_RCODE_SERVFAIL;
	return oe_next_finished;
}

int
oe_reply_servfail(struct query_info* ATTR_UNUSED(qinfo),
	struct module_qstate* qstate, struct reply_info* ATTR_UNUSED(rep),
	int ATTR_UNUSED(rcode), struct edns_data* ATTR_UNUSED(edns),
	struct edns_option** opt_list_out,
	struct comm_reply* ATTR_UNUSED(repinfo), struct regional* region,
	struct timeval* ATTR_UNUSED(start_time), int id,
	void* ATTR_UNUSED(arg))
{
	struct oe_qstate* oq = qstate ?
		(struct oe_qstate*)qstate->minfo[id] : NULL;
	if(oq && oq->reason && !edns_opt_list_append_ede(opt_list_out, region,
		oq->reason_code, oq->reason))
		log_err("unbound-oe: out of memory");
	return 1;
}

enum oe_next
oe_reply_clear(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq)
{
	oe_guard_store_plain(oe, qstate, oq, qstate->return_msg->rep);
	return oe_next_finished;
}

enum oe_next
oe_reply_unknown(struct oe_env* oe, struct oe_qstate* oq, sldns_ede_code code,
	enum rp_reason reason, const char* detail)
{
	if(!oe_pause_is_on(oe, *oq->qstate->env->now) ||
		oe_policy_is_private(oe, oq->qstate,
		oq->qstate->return_msg->rep) ||
		oe_policy_judge_all(oe, oq->qstate, oq->targets))
		return oe_reply_refuse(oe, oq, code, reason, detail);
	oe_pause_answer(oe, oq->qstate, code);
	oe_count(oe, oq->qstate->env, OE_STAT_CLEAR);
	return oe_next_finished;
}

/** does a client of this query want DNSSEC records */
static int
has_do_client(struct module_qstate* qstate)
{
	struct mesh_reply* r;
	for(r = qstate->mesh_info->reply_list; r; r = r->next)
		if(r->edns.bits & EDNS_DO)
			return 1;
	return 0;
}

/** Say that a name with keys is answered in clear, and by whose word. */
static void
tell_clear(struct module_qstate* qstate, struct oe_target* t)
{
	char text[RP_REASON_TEXT_MAX+32];
	snprintf(text, sizeof(text), "ipsec: in clear: %s", t->detail);
	if(!edns_opt_list_append_ede(&qstate->edns_opts_front_out,
		qstate->region, LDNS_EDE_OTHER, text))
		log_err("unbound-oe: out of memory");
}

/** Some addresses of a target are refused: answer the others, for ttl seconds
 * at the most. */
static enum oe_next
reply_partial(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq, struct oe_target* partial, int protected,
	time_t ttl)
{
	struct reply_info* rep = qstate->return_msg->rep;
	/* a client that validates would reject the rest */
	if(has_do_client(qstate) || !oe_answer_leave_out(rep, qstate->region,
		oq->targets))
		return oe_reply_refuse(oe, oq, LDNS_EDE_OTHER, partial->reason,
			partial->detail);
	oe_answer_cap_ttl(rep, ttl < OE_PARTIAL_TTL ? ttl : OE_PARTIAL_TTL);
	oe_count(oe, qstate->env, protected ? OE_STAT_ALLOWED : OE_STAT_CLEAR);
	oe_count(oe, qstate->env, OE_STAT_PARTIAL);
	return oe_next_finished;
}

/** the code for what is not allowed, RFC 8914 */
static sldns_ede_code
code_of(enum rp_reason reason)
{
	return reason == REASON_POLICY_FORBIDS ? LDNS_EDE_BLOCKED :
		LDNS_EDE_OTHER;
}

enum oe_next
oe_reply_allowed(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq)
{
	struct reply_info* rep = qstate->return_msg->rep;
	time_t ttl = rep->ttl;
	struct oe_target* t, *partial = NULL;
	int protected = 0;
	for(t = oq->targets; t; t = t->next) {
		if(t->kind == RP_REFUSE) {
			/* a prefetch: the answer is still in the cache */
			oe_cache_forget(oe->cache, qstate->env, &t->owner);
			return oe_reply_refuse(oe, oq, code_of(t->reason),
				t->reason, t->detail);
		}
		if(t->n_refused > 0)
			partial = t;
		if(t->keys_status != oe_keys_found)
			continue;
		if(t->ttl_cap < ttl)
			ttl = t->ttl_cap;
		if(t->keys_ttl < ttl)
			ttl = t->keys_ttl;
		if(t->kind == RP_ALLOW)
			protected = 1;
		if(t->kind == RP_CLEAR)
			tell_clear(qstate, t);
	}
	if(partial)
		return reply_partial(oe, qstate, oq, partial, protected,
			ttl);
	oe_count(oe, qstate->env, protected ? OE_STAT_ALLOWED : OE_STAT_CLEAR);
	if(oq->for_subnet)
		ttl = 0;
	oe_answer_cap_ttl(rep, ttl);
	/* from the cache it would be told with its whole TTL to the end */
	if(qstate->env->cfg->serve_original_ttl)
		return oe_next_finished;
	if(ttl > 0)
		oe_guard_store_protected(oe, qstate, oq, rep);
	return oe_next_finished;
}
