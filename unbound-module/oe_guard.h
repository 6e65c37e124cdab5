/*
 * unbound-module/oe_guard.h - what enters the message cache, and when.
 */

/**
 * \file
 * The guard. Answers from the message cache do not pass any module, and the
 * iterator and validator store before we are asked. So no_cache_store is set
 * from the start. But that also keeps the iterator from storing the
 * delegations on its way; therefore the query_response callback, which runs
 * for every response before it is stored, clears the flag for a response that
 * tells no address and sets it for one that does, and for an alias: what that
 * leads to may come from other places than a response (cache, synthesis from
 * NSEC), which leave the flag as it is.
 *
 * Lookups that the iterator makes for itself, for addresses of name servers,
 * start at the iterator; we see only their moddone. They never lead to a
 * request. The callback keeps their answers out of the message cache too, or
 * a client could be answered from there; their RRsets are stored, because
 * that is where the iterator looks for them.
 *
 * The subnetcache module. Its answers for a subnet are not for the message
 * cache, and its own cache, if it is in front of us, is out of our reach: a
 * protected address for a subnet lives to the end of the second. For a client
 * that sets CD it makes lookups that nobody validates (is_valrec, which else
 * only the validator's own have, for DS and DNSKEY): those are guarded, too,
 * and an address that they tell is refused.
 */

#ifndef OE_GUARD_H
#define OE_GUARD_H

struct dns_msg;
struct module_qstate;
struct oe_env;
struct oe_qstate;
struct reply_info;

/** Raise the guard for a new query. Returns 0 if it is not raised: the answer
 * is not to be stored anyway, or it is the validator's own lookup, which tells
 * no address. */
int oe_guard_raise(struct module_qstate* qstate, struct oe_qstate* oq);

/** Callback for a response from a server, before it is stored: does the guard
 * keep this one from the cache? */
int oe_query_response(struct module_qstate* qstate, struct dns_msg* response,
	int id, void* arg);

/** The modules behind us are finished: did the guard keep the answer from the
 * cache? Sets oq->withheld. */
void oe_guard_answered(struct module_qstate* qstate, struct oe_qstate* oq);

/** Store what the guard kept from the cache, as the validator does it. For
 * what needs no protection. */
void oe_guard_store_plain(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq, struct reply_info* rep);

/** Store the RRsets of an answer to the iterator or to us, not the answer. */
void oe_guard_store_rrsets(struct oe_env* oe, struct module_qstate* qstate,
	struct reply_info* rep);

/** Store what is protected: noted first (oe_cache.h), so that it can be
 * removed; if that fails, not at all. */
void oe_guard_store_protected(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq, struct reply_info* rep);

/** Store that the answer is bogus, without the addresses: a client that sets
 * CD would be given those. A pause has it forgotten. */
void oe_guard_store_bogus(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq, struct reply_info* rep);

#endif /* OE_GUARD_H */
