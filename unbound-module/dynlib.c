/*
 * unbound-module/dynlib.c - the six functions that Unbound's dynlib module
 * looks for.
 */

/**
 * \file
 * Thin: finds our state in what dynlib keeps for us, and calls the module.
 * Nothing but these six names is visible outside of the library.
 */

#include "ub_compat.h"
#include "oe_built_for.h"
#include "oe_conf_file.h"
#include "oe_guard.h"
#include "oe_reply.h"
#include "unbound_oe.h"
#include "dynlibmod/dynlibmod.h"

#define OE_EXPORT __attribute__((visibility("default")))

OE_EXPORT int init(struct module_env* env, int id);
OE_EXPORT void deinit(struct module_env* env, int id);
OE_EXPORT void operate(struct module_qstate* qstate, enum module_ev event,
	int id, struct outbound_entry* outbound);
OE_EXPORT void inform_super(struct module_qstate* qstate, int id,
	struct module_qstate* super);
OE_EXPORT void clear(struct module_qstate* qstate, int id);
OE_EXPORT size_t get_mem(struct module_env* env, int id);

/** our state */
static struct oe_env*
state(struct module_env* env, int id)
{
	struct dynlibmod_env* de = (struct dynlibmod_env*)env->modinfo[id];
	return (struct oe_env*)de->dyn_env;
}

int
init(struct module_env* env, int id)
{
	struct dynlibmod_env* de;
	struct oe_config cfg;
	struct oe_env* oe;
	if(!oe_built_for_this())
		return 0;
	de = (struct dynlibmod_env*)env->modinfo[id];
	oe_conf_file_read(&cfg);
	if(!oe_init(env, id, &cfg, &oe))
		return 0;
	de->dyn_env = oe;
	return (*de->inplace_cb_register_wrapped)((void*)&oe_query_response,
			inplace_cb_query_response, NULL, env, id) &&
		(*de->inplace_cb_register_wrapped)((void*)&oe_reply_servfail,
			inplace_cb_reply_servfail, NULL, env, id);
}

void
deinit(struct module_env* env, int id)
{
	struct dynlibmod_env* de = (struct dynlibmod_env*)env->modinfo[id];
	(*de->inplace_cb_delete_wrapped)(env, inplace_cb_query_response, id);
	(*de->inplace_cb_delete_wrapped)(env, inplace_cb_reply_servfail, id);
	oe_deinit((struct oe_env*)de->dyn_env, env);
	de->dyn_env = NULL;
}

void
operate(struct module_qstate* qstate, enum module_ev event, int id,
	struct outbound_entry* ATTR_UNUSED(outbound))
{
	oe_operate(state(qstate->env, id), qstate, event, id);
}

void
inform_super(struct module_qstate* qstate, int id,
	struct module_qstate* super)
{
	oe_inform_super(qstate, id, super);
}

void
clear(struct module_qstate* qstate, int id)
{
	oe_clear(qstate, id);
}

size_t
get_mem(struct module_env* env, int id)
{
	struct oe_env* oe = state(env, id);
	return oe ? oe_get_mem(oe) : 0;
}
