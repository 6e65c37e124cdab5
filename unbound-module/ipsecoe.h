/*
 * unbound-module/ipsecoe.h - the module built into Unbound.
 */

/**
 * \file
 * What Unbound calls when the module is one of its own, by the name ipsecoe.
 * patches/ has the wiring; configure --with-ipsecoe=DIR takes the sources
 * from DIR, the tree of unbound-oe. The options of unbound.conf are members
 * of struct config_file then, the counters are in struct ub_server_stats.
 *
 * A mistake in the options is an error of unbound.conf: unbound-checkconf
 * tells it and Unbound does not start. oe.conf is not read.
 */

#ifndef IPSECOE_H
#define IPSECOE_H

#include "util/module.h"

struct config_file;
struct ub_server_stats;

/** default of ipsecoe-socket: resolver-socket of the helper */
#define IPSECOE_SOCKET_DEFAULT "/run/unbound-oe/resolver.sock"
/** default of ipsecoe-policy-dir: policy-dir of the helper */
#define IPSECOE_POLICY_DIR_DEFAULT "/etc/unbound-oe/policies"
/** default of ipsecoe-deadline, in milliseconds */
#define IPSECOE_DEADLINE_DEFAULT 1500

/** The module's functions. */
struct module_func_block* ipsecoe_get_funcblock(void);
/** Module init. */
int ipsecoe_init(struct module_env* env, int id);
/** Module deinit. */
void ipsecoe_deinit(struct module_env* env, int id);
/** Module operate on a query. */
void ipsecoe_operate(struct module_qstate* qstate, enum module_ev event,
	int id, struct outbound_entry* outbound);
/** A subquery is done. */
void ipsecoe_inform_super(struct module_qstate* qstate, int id,
	struct module_qstate* super);
/** Module cleanup of a query. */
void ipsecoe_clear(struct module_qstate* qstate, int id);
/** Memory in use. */
size_t ipsecoe_get_mem(struct module_env* env, int id);

/** Is this one of the module's callbacks for inplace_cb_query_response. */
int ipsecoe_is_query_response(inplace_cb_query_response_func_type* fptr);
/** Is this one of the module's callbacks for inplace_cb_reply_servfail. */
int ipsecoe_is_reply_servfail(inplace_cb_reply_func_type* fptr);

/**
 * For unbound-checkconf: are the options good, and is the module where it
 * protects, if module-config names it at all. Settings that let addresses
 * pass by it are warned of. Afterwards "ipsecoe" is taken out of module_conf:
 * what is left has to be known to work by itself.
 * @param cfg: with chrootdir as configured.
 * @return what is wrong, valid until the next call, or NULL.
 */
const char* ipsecoe_checkconf(struct config_file* cfg);

/**
 * Put the worker's counters into svr->ipsecoe, zeros if there is no module.
 * From the worker's own thread.
 * @param env: of the worker.
 * @param svr: where to.
 * @param reset: start again from zero.
 */
void ipsecoe_stats(struct module_env* env, struct ub_server_stats* svr,
	int reset);

/** Add the counters of one more worker. */
void ipsecoe_stats_add(struct ub_server_stats* total,
	const struct ub_server_stats* a);

/**
 * The name of a counter, to follow "num.ipsecoe.".
 * @param i: which, from 0.
 * @param name: filled in.
 * @param len: room for it.
 * @return 0 if there are not so many.
 */
int ipsecoe_stat_name(int i, char* name, size_t len);

#endif /* IPSECOE_H */
