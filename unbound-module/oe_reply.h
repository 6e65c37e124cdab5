/*
 * unbound-module/oe_reply.h - how a query ends: allowed, in clear or refused.
 */

/**
 * \file
 * The three ends of a query that tells addresses. Each sets return_msg or
 * return_rcode, counts, stores what may be stored, and returns
 * oe_next_finished, for the handler to return.
 */

#ifndef OE_REPLY_H
#define OE_REPLY_H

#include "unbound_oe.h"
#include "proto/resolver_proto.h"

struct comm_reply;
struct edns_data;
struct edns_option;
struct query_info;
struct regional;

/** Log what became of a query, but not too many of them. */
void oe_log_query(struct oe_env* oe, struct module_qstate* qstate,
	const char* what, const char* text);

/**
 * SERVFAIL, and say why.
 * @param oe: the module.
 * @param oq: the query.
 * @param code: for the client, RFC 8914.
 * @param reason: what is wrong.
 * @param detail: more about it, for the client and the log; NULL or "": none.
 */
enum oe_next oe_reply_refuse(struct oe_env* oe, struct oe_qstate* oq,
	sldns_ede_code code, enum rp_reason reason, const char* detail);

/** Nobody knows if there are keys: refuse, unless there is a pause. */
enum oe_next oe_reply_unknown(struct oe_env* oe, struct oe_qstate* oq,
	sldns_ede_code code, enum rp_reason reason, const char* detail);

/** The answer as it is: there is nothing to protect. */
enum oe_next oe_reply_clear(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq);

/** All verdicts are in: what they allow. */
enum oe_next oe_reply_allowed(struct oe_env* oe, struct module_qstate* qstate,
	struct oe_qstate* oq);

/** Callback for SERVFAIL replies: adds the reason. Unbound drops the options
 * that the module itself would put into edns_opts_front_out then. */
int oe_reply_servfail(struct query_info* qinfo, struct module_qstate* qstate,
	struct reply_info* rep, int rcode, struct edns_data* edns,
	struct edns_option** opt_list_out, struct comm_reply* repinfo,
	struct regional* region, struct timeval* start_time, int id,
	void* arg);

#endif /* OE_REPLY_H */
