/*
 * unbound-module/oe_pause.h - the operator has paused what is new.
 */

/**
 * \file
 * In a network where DNSSEC cannot be used, because a portal answers in the
 * place of everybody until somebody has logged in there, every signed name is
 * bogus. The operator may say "oe pause": for as long as that lasts, what does
 * not validate is answered in clear, and so are addresses whose IPSECKEY
 * lookup fails. Nothing of it is stored, each answer says so, and it ends with
 * the connection to the helper that told it. The validator works on as ever,
 * so that what does validate is protected as ever.
 */

#ifndef OE_PAUSE_H
#define OE_PAUSE_H

struct module_qstate;
struct oe_env;
struct oe_qstate;
struct rp_down;

/** What the helper says about it; NULL: it is gone, and the pause is over. */
void oe_pause_told(struct oe_env* oe, time_t now, const struct rp_down* down);

/** Does a pause last */
int oe_pause_is_on(struct oe_env* oe, time_t now);

/**
 * During a pause: answer return_msg in clear, whatever the validator says,
 * and tell the client that.
 * @param oe: the module.
 * @param qstate: with return_msg.
 * @param code: why it would be refused otherwise, RFC 8914.
 */
void oe_pause_answer(struct oe_env* oe, struct module_qstate* qstate,
	sldns_ede_code code);

#endif /* OE_PAUSE_H */
