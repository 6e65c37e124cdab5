/*
 * unbound-module/ub_compat.h - the one place that knows how versions of
 * Unbound differ.
 */

/**
 * \file
 * Includes what every file of the module needs from Unbound, and hides the
 * differences between the versions that we build for. Which form a function
 * has is tried out by configure (m4/oe_unbound_api.m4), never concluded from
 * a version number: distributions backport.
 *
 * The module must be compiled against the very tree, config.h included, that
 * the resolver was built from: the layout of struct module_qstate depends on
 * both and Unbound does not check. oe_built_for.h does.
 */

#ifndef OE_UB_COMPAT_H
#define OE_UB_COMPAT_H

/* Unbound's config.h: this way of writing it passes by our own one, which
 * automake puts first in the search path. */
#include "util/../config.h"
#include "util/module.h"
#include "util/log.h"
#include "util/locks.h"
#include "util/regional.h"
#include "util/net_help.h"
#include "util/config_file.h"
#include "util/data/dname.h"
#include "util/data/msgparse.h"
#include "util/data/msgreply.h"
#include "util/data/packed_rrset.h"
#include "services/cache/dns.h"
#include "services/mesh.h"
#include "sldns/rrdef.h"

/** attach_sub: without the client's respip data, if it asks for them */
static inline int
oe_attach_sub(struct module_qstate* qstate, struct query_info* ask,
	uint16_t flags, struct module_qstate** newq)
{
#ifdef HAVE_ATTACH_SUB_CINFO
	return (*qstate->env->attach_sub)(qstate, ask, NULL, flags, 0, 0,
		newq);
#else
	return (*qstate->env->attach_sub)(qstate, ask, flags, 0, 0, newq);
#endif
}

/** add_sub: the same, detached */
static inline int
oe_add_sub(struct module_qstate* qstate, struct query_info* ask,
	uint16_t flags, struct module_qstate** newq)
{
	struct mesh_state* sub = NULL;
#ifdef HAVE_ATTACH_SUB_CINFO
	return (*qstate->env->add_sub)(qstate, ask, NULL, flags, 0, 0, newq,
		&sub);
#else
	return (*qstate->env->add_sub)(qstate, ask, flags, 0, 0, newq, &sub);
#endif
}

/** dns_cache_store for the question of this state */
static inline int
oe_dns_cache_store(struct module_qstate* qstate, struct reply_info* rep,
	int is_referral)
{
#ifdef HAVE_DNS_CACHE_STORE_VALREC
	return dns_cache_store(qstate->env, &qstate->qinfo, rep, is_referral,
		qstate->prefetch_leeway, 0, NULL, qstate->query_flags,
		qstate->qstarttime, qstate->is_valrec);
#else
	return dns_cache_store(qstate->env, &qstate->qinfo, rep, is_referral,
		qstate->prefetch_leeway, 0, NULL, qstate->query_flags,
		qstate->qstarttime);
#endif
}

/** has a server answered this query for the client's subnet (RFC 7871) */
static inline int
oe_got_client_subnet(struct module_qstate* qstate)
{
#ifdef CLIENT_SUBNET
	return edns_opt_list_find(qstate->edns_opts_back_in,
		qstate->env->cfg->client_subnet_opcode) != NULL;
#else
	(void)qstate;
	return 0;
#endif
}

#endif /* OE_UB_COMPAT_H */
