/*
 * unbound-module/oe_pause.c - the operator has paused what is new.
 */

/**
 * \file
 * Answers in clear by the operator's word.
 */

#include "ub_compat.h"
#include "unbound_oe.h"
#include "oe_answer.h"
#include "oe_pause.h"
#include "oe_reply.h"

#include "proto/resolver_proto.h"

/** An answer in clear lives this long, seconds: it may be a portal's. */
#define OE_PAUSE_TTL 5

void
oe_pause_told(struct oe_env* oe, time_t now, const struct rp_down* down)
{
	time_t until = down && down->pause_s > 0 ? now + down->pause_s : 0;
	int was_on;
	lock_basic_lock(&oe->lock);
	was_on = oe->paused_until > now;
	oe->paused_until = until;
	lock_basic_unlock(&oe->lock);
	if(was_on != (until > now))
		log_info("unbound-oe: %s", until > now ? "paused by the "
			"operator: what does not validate is answered" :
			"no longer paused");
}

int
oe_pause_is_on(struct oe_env* oe, time_t now)
{
	int on;
	lock_basic_lock(&oe->lock);
	on = oe->paused_until > now;
	lock_basic_unlock(&oe->lock);
	return on;
}

void
oe_pause_answer(struct oe_env* oe, struct module_qstate* qstate,
	sldns_ede_code code)
{
	struct reply_info* rep = qstate->return_msg->rep;
	oe_log_query(oe, qstate, "answered in clear",
		"paused by the operator");
	if(rep->security <= sec_status_bogus)
		rep->security = sec_status_indeterminate;
	rep->reason_bogus = LDNS_EDE_NONE;
	oe_answer_cap_ttl(rep, OE_PAUSE_TTL);
	if(!edns_opt_list_append_ede(&qstate->edns_opts_front_out,
		qstate->region, code, "ipsec: in clear: paused by the operator"))
		log_err("unbound-oe: out of memory");
}
