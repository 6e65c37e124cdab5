/*
 * unbound-module/oe_lookup.h - lookups for IPSECKEY.
 */

/**
 * \file
 * Subqueries for IPSECKEY: attached, when the addresses are there and the
 * query waits for them; and early, beside the question for the addresses. And
 * for what records with a gateway need besides.
 */

#ifndef OE_LOOKUP_H
#define OE_LOOKUP_H

struct module_qstate;
struct oe_env;
struct oe_qstate;
struct oe_target;
struct reply_info;

/** Attach the IPSECKEY lookup of a target to the query, which has to wait for
 * a subquery then. Returns 0 if that cannot be done. */
int oe_lookup_attach(struct module_qstate* qstate, struct oe_target* target);

/** Attach a lookup of something else that a query needs, before anybody is
 * asked: its addresses are for us, need no protection, and stay out of the
 * message cache. id: our number in the module stack. Returns 0 if that cannot
 * be done. */
int oe_lookup_attach_other(struct module_qstate* qstate, int id,
	uint8_t* name, size_t len, uint16_t type, uint16_t dclass);

/** Start the IPSECKEY lookup for a new query, if it will be needed and will
 * not be in vain. */
void oe_lookup_early(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq);

/** Remember the zone that signed the addresses of a secure answer: it holds
 * hosts, so that an early lookup for another name in it is worth while. */
void oe_lookup_note_zone(struct oe_env* oe, struct reply_info* rep);

#endif /* OE_LOOKUP_H */
